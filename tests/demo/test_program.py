"""A child process: last words, end, and who is asked for it."""

import os
import signal
import sys
from pathlib import Path

from twisted.internet import reactor  # noqa: TID251 - real processes need it
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.demo import reaper
from giestack.demo.program import GRACE, Program
from tests.demo.fakes import Processes
from tests.demo.processes import ORPHAN, Watched


class ProgramTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.processes = Processes()
        self.program = Program(self.clock, lambda line: line.replace("S3CRET", "…"))
        self.program.start(self.processes, ["lab", "ö"], {"NAME": "välue"}, Path("/srv/ä"))
        (self.process,) = self.processes.started

    def assertQuiet(self):
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_command(self):
        self.assertEqual(
            self.process.arguments,
            [sys.executable, "-I", reaper.__file__, str(GRACE), "lab", "ö"],
        )
        self.assertEqual(self.process.environment, {"NAME": "välue"})
        self.assertEqual(self.process.folder, "/srv/ä")

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

    def test_last_lines(self):
        self.program.outReceived(b"one\ntw")
        self.program.errReceived(b"o S3CRET\n\n  \nthr\xff")
        self.assertEqual(self.program.last_lines, ["one", "two …"])
        self.process.end(1)
        self.assertEqual(self.program.last_lines, ["one", "two …", "thr\ufffd"])

    def test_much_output_is_forgotten(self):
        for number in range(1000):
            self.program.outReceived(b"line %d\n" % number)
        self.program.outReceived(b"y" * 10_000 + b"\n")
        self.assertEqual(len(self.program.last_lines), 20)
        self.assertEqual(self.program.last_lines[-2], "line 999")
        self.assertEqual(self.program.last_lines[-1], "y" * 500)

    def test_line_without_end_is_forgotten(self):
        for _ in range(1000):
            self.program.outReceived(b"S3CRET" * 100)
        self.program.outReceived(b"RET\nnext\n")
        self.assertEqual(self.program.last_lines, ["next"])

    def test_secret_in_two_pieces_is_hidden(self):
        self.program.outReceived(b"a S3C")
        self.program.outReceived(b"RET b\n")
        self.assertEqual(self.program.last_lines, ["a … b"])

    def test_stop(self):
        self.program.stop()
        self.assertEqual(self.process.asked_to_end, 1)
        self.assertEqual(self.successResultOf(self.program.ended), 0)
        self.program.stop()
        self.assertEqual(self.process.asked_to_end, 1)
        self.assertQuiet()

    def test_stop_twice(self):
        self.process.obedient = False
        self.program.stop()
        self.program.stop()
        self.assertEqual(self.process.asked_to_end, 1)

    def test_stop_does_not_help(self):
        self.process.obedient = False
        self.program.stop()
        self.clock.advance(6.4)
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


class Talkative(Program):
    """Tells when there is a line to read."""

    def __init__(self):
        super().__init__(reactor, str)
        self.said: Deferred[str] = Deferred()

    def outReceived(self, data):
        super().outReceived(data)
        if self.last_lines and not self.said.called:
            self.said.callback(self.last_lines[0])


class RealProgramTests(TestCase):
    """The same with processes that exist."""

    def start(self, script):
        program = Talkative()
        program.start(reactor, ["sh", "-c", script], {"PATH": os.defpath}, Path("/"))

        def end():
            program.stop()
            return program.ended if program.running else None

        self.addCleanup(end)
        return program

    async def test_end(self):
        program = self.start("echo last words; exit 3")
        self.assertEqual(await program.ended, 3)
        self.assertEqual(program.last_lines, ["last words"])

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
