"""A child process: last words, end, and who is asked for it."""

import os
import shutil
import signal
import sys

from twisted.internet import reactor  # noqa: TID251 - real processes need it
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.spawner.process import program, reaper
from giestack.spawner.process.program import GRACE, Program
from tests.demo.fakes import Processes
from tests.demo.processes import ORPHAN, Watched


class ProgramTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.processes = Processes()
        self.received: list[bytes] = []
        self.program = Program(self.clock, self.received.append)
        self.program.start(
            self.processes, ["lab", "ö"], {"NAME": "välue"}, ["--folder=/srv/ä", "--nice=5"]
        )
        (self.process,) = self.processes.started

    def assertQuiet(self):
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_command(self):
        self.assertEqual(
            self.process.arguments,
            [
                *(sys.executable, "-I", "-S", reaper.__file__),
                *("--folder=/srv/ä", "--nice=5", str(GRACE), "lab", "ö"),
            ],
        )
        self.assertEqual(self.process.environment, {"NAME": "välue"})
        # A process with a folder of its own is started more slowly.
        self.assertIsNone(self.process.folder)
        self.assertEqual(self.program.pid, 4321)

    def test_nice_from_the_first(self):
        Program(self.clock, self.received.append).start(self.processes, ["lab"], {}, niceness=7)
        arguments = self.processes.started[-1].arguments
        self.assertEqual(
            arguments[:4], [shutil.which("nice", path=os.defpath), "-n", "7", sys.executable]
        )

    def test_nice_is_not_there(self):
        self.patch(program, "_NICE", None)
        Program(self.clock, self.received.append).start(self.processes, ["lab"], {}, niceness=7)
        self.assertEqual(self.processes.started[-1].arguments[0], sys.executable)

    def test_status(self):
        self.assertTrue(self.program.running)
        self.process.end(7)
        self.assertEqual(self.successResultOf(self.program.ended), 7)
        self.assertFalse(self.program.running)
        self.assertQuiet()

    def test_success(self):
        self.process.end(0)
        self.assertEqual(self.successResultOf(self.program.ended), 0)

    def test_killed(self):
        self.process.end(None, 9)
        self.assertEqual(self.successResultOf(self.program.ended), 137)

    def test_what_it_prints(self):
        self.program.outReceived(b"one\ntw")
        self.program.errReceived(b"o")
        self.assertEqual(self.received, [b"one\ntw", b"o"])

    def test_stop(self):
        self.program.stop()
        self.assertEqual(self.process.asked_to_end, 1)
        self.assertEqual(self.successResultOf(self.program.ended), 0)
        self.program.stop()
        self.assertEqual(self.process.asked_to_end, 1)
        self.assertQuiet()

    def test_stop_twice(self):
        self.process.obedient = False
        self.program.stop(10)
        self.program.stop(20)
        self.assertEqual(self.process.written, [b"10.000\n"])

    def test_stop_sooner(self):
        self.process.obedient = False
        self.program.stop(60)
        self.clock.advance(1)
        self.program.stop(0.5)
        self.assertEqual(self.process.written, [b"60.000\n", b"0.500\n"])
        self.clock.advance(4.6)
        self.assertEqual(self.process.signals, ["KILL"])
        self.assertQuiet()

    def test_stop_does_not_help(self):
        self.process.obedient = False
        self.program.stop()
        self.clock.advance(GRACE + 3.9)
        self.assertEqual(self.process.signals, [])
        self.clock.advance(0.2)
        self.assertEqual(self.process.signals, ["KILL"])
        self.assertEqual(self.successResultOf(self.program.ended), 137)
        self.assertQuiet()

    def test_killed_too_late(self):
        self.process.obedient = False
        self.process.dies_of = ProcessExitedAlready()
        self.program.stop()
        self.clock.advance(7)
        self.assertEqual(self.process.signals, ["KILL"])
        self.assertTrue(self.program.running)

    def test_somebody_holds_its_output(self):
        """A process that got away, sudo's for instance, must not keep the demo waiting."""
        self.process.obedient = False
        self.program.stop()
        self.process.exit_only(3)
        self.assertNoResult(self.program.ended)
        self.clock.advance(0.6)
        self.assertEqual(self.successResultOf(self.program.ended), 3)
        self.assertTrue(self.process.lost)
        self.process.close_only(3)
        self.assertQuiet()

    def test_much_is_read_with_pauses(self):
        reader = self.process.pipes[1] = Reader()
        for _ in range(32):
            self.program.outReceived(b"y" * 8192)
        self.assertEqual(reader.did, [])
        self.program.outReceived(b"y")
        self.program.outReceived(b"y")
        self.assertEqual(reader.did, ["pause"])
        self.clock.advance(0.2)
        self.assertEqual(reader.did, ["pause", "resume"])
        self.program.outReceived(b"y" * 8192)
        self.assertEqual(reader.did, ["pause", "resume"])
        self.assertQuiet()

    def test_many_lines_are_much(self):
        """Each takes time, also an empty one."""
        reader = self.process.pipes[1] = Reader()
        self.program.outReceived(b"\n" * 512)
        self.assertEqual(reader.did, [])
        self.program.outReceived(b"\n" * 512)
        self.assertEqual(reader.did, ["pause"])
        self.clock.advance(0.2)
        self.assertQuiet()

    def test_no_pause_at_the_end(self):
        """What it has printed last is read, and the end is not missed."""
        self.process.obedient = False
        reader = self.process.pipes[1] = Reader()
        self.program.outReceived(b"y" * 300_000)
        self.program.stop()
        self.assertEqual(reader.did, ["pause", "resume"])
        self.program.outReceived(b"y" * 300_000)
        self.process.exit_only(1)
        self.assertEqual(reader.did, ["pause", "resume"] * 2)


class Reader:
    """The reading end of a pipe."""

    def __init__(self):
        self.did: list[str] = []

    def pauseProducing(self):
        self.did.append("pause")

    def resumeProducing(self):
        self.did.append("resume")


class Talkative(Program):
    """Tells when there is a line to read."""

    def __init__(self):
        self.printed = b""
        super().__init__(reactor, self.heard)
        self.said: Deferred[str] = Deferred()

    def heard(self, data):
        self.printed += data
        if b"\n" in self.printed and not self.said.called:
            self.said.callback(self.printed.decode())


class RealProgramTests(TestCase):
    """The same with processes that exist."""

    def start(self, script):
        program = Talkative()
        program.start(reactor, ["sh", "-c", script], {"PATH": os.defpath})

        def end():
            program.stop()
            return program.ended if program.running else None

        self.addCleanup(end)
        return program

    async def test_end(self):
        program = self.start("echo last words; exit 3")
        self.assertEqual(await program.ended, 3)
        self.assertEqual(program.printed, b"last words\n")

    async def test_one_that_prints_without_end(self):
        program = self.start("yes")
        await program.said
        await deferLater(reactor, 0.3)
        self.assertLess(len(program.printed), 2_000_000)
        program.stop(1)
        await program.ended

    async def test_family_ends_too(self):
        program = self.start(f"{ORPHAN}; exec sleep 1000")
        orphan = Watched(self, int(await program.said))
        program.stop()
        self.assertEqual(await program.ended, 128 + signal.SIGTERM)
        self.assertTrue(orphan.has_ended(0))

    async def test_killed_reaper(self):
        program = self.start("echo $PPID; exec sleep 1000")
        os.kill(int(await program.said), signal.SIGKILL)
        self.assertEqual(await program.ended, 128 + signal.SIGKILL)
