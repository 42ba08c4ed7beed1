"""Files, pipes and sockets that take lines, and what happens when they do not."""

import os
import resource
import socket
import stat
from pathlib import Path
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from giestack.ops import log_target as module
from giestack.ops.log_target import Descriptor, File, Syslog, Unwritten, log_target


class FileTests(SynchronousTestCase):
    def setUp(self):
        self.path = Path(self.mktemp())
        self.file = File(self.path)
        self.addCleanup(self.file.close)

    def test_append(self):
        self.path.write_bytes(b"old\n")
        self.file.write(b"a\nb\n")
        self.file.write(b"c\n")
        self.assertEqual(self.path.read_bytes(), b"old\na\nb\nc\n")

    def test_made_at_need_and_not_for_everybody(self):
        self.assertFalse(self.path.exists())
        self.file.reopen()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode) & 0o137, 0)

    def test_more_than_one_piece(self):
        lines = b"".join(b"%05d %s\n" % (n, b"x" * (n % 300)) for n in range(2000))
        self.file.write(lines)
        self.assertEqual(self.path.read_bytes(), lines)

    def test_one_very_long_line(self):
        line = b"x" * 100_000 + b"\n"
        self.file.write(line)
        self.assertEqual(self.path.read_bytes(), line)

    def test_rotation(self):
        self.file.write(b"a\n")
        rotated = Path(self.mktemp())
        self.path.rename(rotated)
        self.file.write(b"b\n")
        self.file.reopen()
        self.file.write(b"c\n")
        self.assertEqual((rotated.read_bytes(), self.path.read_bytes()), (b"a\nb\n", b"c\n"))

    def test_reopening_fails(self):
        self.file.write(b"a\n")
        rotated = Path(self.mktemp())
        self.path.rename(rotated)
        self.path.mkdir()
        self.assertRaises(OSError, self.file.reopen)
        self.file.write(b"b\n")
        self.assertEqual(rotated.read_bytes(), b"a\nb\n")

    def test_no_such_folder(self):
        file = File(self.path / "access.log")
        error = self.assertRaises(Unwritten, file.write, b"a\n")
        self.assertEqual((str(error), error.lines), ("No such file or directory", 0))
        self.path.mkdir()
        file.write(b"b\n")
        file.close()
        self.assertEqual((self.path / "access.log").read_bytes(), b"b\n")

    def test_full_disk(self):
        file = File(Path("/dev/full"))
        self.addCleanup(file.close)
        error = self.assertRaises(Unwritten, file.write, b"a\n")
        self.assertEqual((str(error), error.lines), ("No space left on device", 0))

    def test_disk_that_fills_up_in_the_middle_of_a_line(self):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, before)
        self.file.reopen()
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        error = self.assertRaises(Unwritten, self.file.write, b"1234\n5678\n90")
        self.assertEqual(error.lines, 2)
        self.assertRaises(Unwritten, self.file.write, b"abcd\n")
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        self.file.write(b"efgh\n")
        self.assertEqual(self.path.read_bytes(), b"1234\n5678\nefgh\n")

    def test_a_torn_line_is_ended(self):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, before)
        with open(self.path, "ab", buffering=0) as opened:
            target = Descriptor(opened.fileno(), "a file")
            resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
            error = self.assertRaises(Unwritten, target.write, b"1234\n5678\n")
            self.assertEqual(error.lines, 1)
            error = self.assertRaises(Unwritten, target.write, b"lost\n")
            self.assertEqual(error.lines, 0)
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            target.write(b"abcd\n")
            target.write(b"efgh\n")
        self.assertEqual(self.path.read_bytes(), b"1234\n567\nabcd\nefgh\n")

    def test_a_fifo_without_a_reader_does_not_block(self):
        os.mkfifo(self.path)
        error = self.assertRaises(Unwritten, self.file.write, b"a\n")
        self.assertEqual(error.lines, 0)

    def test_a_file_system_that_went_away_is_looked_for_anew(self):
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.file.write(b"a\n")
        os.close(reader)
        self.assertRaises(Unwritten, self.file.write, b"b\n")
        self.path.unlink()
        self.file.write(b"c\n")
        self.assertEqual(self.path.read_bytes(), b"c\n")

    def test_name(self):
        self.assertEqual(str(self.file), str(self.path))


class DescriptorTests(SynchronousTestCase):
    def setUp(self):
        self.reader, self.writer = os.pipe()
        self.target = Descriptor(self.writer)

    def tearDown(self):
        os.close(self.writer)

    def test_write(self):
        self.target.write(b"a\nb\n")
        self.target.reopen()
        self.target.close()
        self.target.write(b"c\n")
        self.assertEqual(os.read(self.reader, 100), b"a\nb\nc\n")
        os.close(self.reader)

    def test_a_reader_that_hangs(self):
        self.patch(module, "PATIENCE", 0.0)
        lines = b"%s\n" % (b"x" * 99) * 10_000
        error = self.assertRaises(Unwritten, self.target.write, lines)
        self.assertIn("unavailable", str(error))
        held = os.read(self.reader, 10_000_000)
        self.assertEqual(held.count(b"\n"), error.lines)
        self.target.write(b"again\n")
        self.assertTrue(os.read(self.reader, 100).endswith(b"again\n"))
        os.close(self.reader)

    def test_a_reader_that_went_away(self):
        os.close(self.reader)
        error = self.assertRaises(Unwritten, self.target.write, b"a\n")
        self.assertEqual((str(error), error.lines), ("Broken pipe", 0))

    def test_name(self):
        os.close(self.reader)
        self.assertEqual(str(self.target), "standard output")


class SyslogTests(SynchronousTestCase):
    def setUp(self):
        self.path = self.mktemp()
        self.daemon = self.listen()
        self.target = Syslog(self.path)
        self.addCleanup(self.target.close)

    def listen(self):
        daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        daemon.bind(self.path)
        daemon.setblocking(False)
        self.addCleanup(daemon.close)
        return daemon

    def test_a_datagram_for_each_line(self):
        self.target.write(b"a\nb\n")
        start = b"<30>giestack[%d]: " % os.getpid()
        self.assertEqual(self.daemon.recv(1000), start + b"a")
        self.assertEqual(self.daemon.recv(1000), start + b"b")
        self.assertRaises(BlockingIOError, self.daemon.recv, 1000)

    def test_a_daemon_that_hangs(self):
        self.patch(module, "PATIENCE", 0.01)
        error = self.assertRaises(Unwritten, self.target.write, b"a\n" * 100_000)
        received = 0
        with self.assertRaises(BlockingIOError):
            while True:
                self.daemon.recv(1000)
                received += 1
        self.assertEqual(error.lines, received)

    def test_a_daemon_that_starts_again(self):
        self.target.write(b"a\n")
        self.daemon.close()
        self.assertRaises(Unwritten, self.target.write, b"b\n")
        os.unlink(self.path)
        error = self.assertRaises(Unwritten, self.target.write, b"c\n")
        self.assertEqual(error.lines, 0)
        daemon = self.listen()
        self.target.write(b"d\n")
        self.assertTrue(daemon.recv(1000).endswith(b": d"))

    def test_reopening_fails(self):
        self.target.write(b"a\n")
        os.rename(self.path, self.path + "x")
        self.assertRaises(OSError, self.target.reopen)
        self.target.write(b"b\n")
        self.assertTrue(self.daemon.recv(1000).endswith(b": a"))
        self.assertTrue(self.daemon.recv(1000).endswith(b": b"))

    def test_name(self):
        self.assertEqual(str(self.target), "syslog")


class ConfiguredTests(SynchronousTestCase):
    def test_targets(self):
        self.assertIs(log_target("off"), None)
        self.assertIsInstance(log_target("syslog"), Syslog)
        self.assertIsInstance(log_target("stdout"), Descriptor)
        path = Path(self.mktemp())
        file = cast(File, log_target(path))
        file.write(b"a\n")
        file.close()
        self.assertEqual(path.read_bytes(), b"a\n")
