"""The access log: when it is written, and what it does when that is not possible."""

from datetime import datetime, timedelta
from errno import ENOSPC
from pathlib import Path

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.access_log import AccessLog
from giestack.ops.log_target import File, Unwritten
from giestack.ops.masking import Masking
from giestack.ops.traffic import Traffic
from tests.ops.test_traffic import make_exchange

START = datetime(2026, 11, 21, 8, 33, 3)
mask = Masking("/interactivetool/ep")


class Paper:
    """A target in memory.

    :ivar room: how many lines it takes before the disk is full; None is any number.
    """

    def __init__(self):
        self.lines = []
        self.writes = 0
        self.room = None
        self.reopened = 0
        self.closed = 0
        self.reopen_error = None
        self.error = None

    def __str__(self):
        return "paper"

    def write(self, lines):
        self.writes += 1
        if self.error is not None:
            raise self.error
        lines = lines.splitlines()
        if self.room is not None:
            lines, rest = lines[: self.room], lines[self.room :]
            self.room -= len(lines)
            self.lines += lines
            if rest:
                raise Unwritten(OSError(ENOSPC, "No space left on device"), len(lines))
        else:
            self.lines += lines

    def reopen(self):
        if self.reopen_error is not None:
            raise self.reopen_error
        self.reopened += 1

    def close(self):
        self.closed += 1


class PoolEndedError(Exception):
    """There are no threads any more."""


class Threads:
    """Runs what is deferred to a thread at once, or when told, or not at all."""

    def __init__(self):
        self.hang = False
        self.ended = False
        self.waiting = []

    def __call__(self, function):
        if self.ended:
            return fail(PoolEndedError())
        if not self.hang:
            return maybeDeferred(function)
        result: Deferred[object] = Deferred()
        self.waiting.append((function, result))
        return result

    def go_on(self):
        waiting, self.waiting = self.waiting, []
        for function, result in waiting:
            maybeDeferred(function).chainDeferred(result)


class AccessLogTestCase(SynchronousTestCase):
    """An access log on paper."""

    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.slip = timedelta()
        self.traffic = Traffic(self.clock, 200)
        self.paper = Paper()
        self.threads = Threads()
        self.pauses: list[float] = []
        self.log = AccessLog(
            self.traffic,
            self.paper,
            mask,
            self.clock,
            self.utcnow,
            self.threads,
            self.pauses.append,
        )
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)

    def utcnow(self):
        return START + timedelta(seconds=self.clock.seconds() - 1000) + self.slip

    def said(self):
        """What has been said in the log since the last time, as (level, text)."""
        said = [
            (event["log_level"], formatEvent(event))
            for event in self.events
            if event["log_namespace"] == "giestack.ops.access_log.AccessLog"
        ]
        self.events._events.clear()
        return said

    def finish(self, count=1, target=b"/"):
        for _ in range(count):
            self.traffic.finished(make_exchange(self.clock, target), b"")

    def second(self):
        self.clock.advance(1)


class AccessLogTests(AccessLogTestCase):
    """While it is running."""

    def test_once_a_second(self):
        self.log.start()
        self.finish(2)
        self.assertEqual(self.paper.lines, [])
        self.second()
        self.assertEqual(len(self.paper.lines), 2)
        self.second()
        self.finish(1)
        self.second()
        self.assertEqual(len(self.paper.lines), 3)
        self.assertEqual((self.said(), self.log.dropped), ([], 0))

    def test_no_write_without_lines(self):
        self.log.start()
        self.second()
        self.assertEqual((self.paper.writes, self.paper.reopened), (0, 1))

    def test_wall_clock_of_each_line(self):
        self.log.start()
        self.finish()
        self.clock.advance(0.999)
        self.finish()
        self.clock.advance(0.001)
        self.slip = timedelta(hours=-1)
        self.finish()
        self.second()
        times = [line.partition(b"[")[2][:20] for line in self.paper.lines]
        self.assertEqual(
            times, [b"21/Nov/2026:08:33:03", b"21/Nov/2026:08:33:03", b"21/Nov/2026:07:33:04"]
        )

    def test_secrets_are_masked(self):
        self.log.start()
        self.finish(target=b"/interactivetool/ep/KEY/TOKEN/x")
        self.second()
        self.log.configure(Masking("/elsewhere"))
        self.finish(target=b"/elsewhere/KEY/TOKEN/x")
        self.second()
        self.assertIn(b"GET /interactivetool/ep/KEY/-/x HTTP/1.1", self.paper.lines[0])
        self.assertIn(b"GET /elsewhere/KEY/-/x HTTP/1.1", self.paper.lines[1])

    def test_big_batches_are_written_in_pieces(self):
        self.log.start()
        self.finish(200)
        self.second()
        self.assertEqual(len(self.paper.lines), 200)
        self.assertGreater(self.paper.writes, 1)
        # After each of them others get their turn.
        self.assertEqual(len(self.pauses), self.paper.writes)
        self.assertTrue(all(0 < pause < 0.01 for pause in self.pauses))

    def test_full_disk(self):
        self.log.start()
        self.paper.room = 150
        self.finish(200)
        self.second()
        self.assertEqual((len(self.paper.lines), self.log.dropped), (150, 50))
        self.assertEqual(
            self.said(),
            [
                (
                    LogLevel.error,
                    "Access log paper cannot be written: No space left on device; "
                    "lines are dropped",
                )
            ],
        )
        for _ in range(3):
            self.finish(10)
            self.second()
        self.assertEqual((self.said(), self.log.dropped), ([], 80))
        # One try a second, however much is lost.
        self.assertEqual(self.paper.writes, 6)
        self.paper.room = None
        self.finish(10)
        self.second()
        self.assertEqual((len(self.paper.lines), self.log.dropped), (160, 80))
        self.assertEqual(
            self.said(),
            [(LogLevel.info, "Access log paper is written again; 80 lines were lost so far")],
        )
        self.paper.room = 0
        self.finish()
        self.second()
        self.assertEqual(len(self.said()), 1)

    def test_slow_disk(self):
        self.log.start()
        self.threads.hang = True
        self.finish(10)
        self.second()
        self.finish(250)
        self.second()
        self.assertEqual(self.log.dropped, 50)
        self.assertEqual(
            self.said(),
            [(LogLevel.error, "Access log paper is written too slowly: lines are dropped")],
        )
        self.finish(10)
        self.second()
        # Nothing comes, and nothing is better.
        self.second()
        self.assertEqual((self.said(), len(self.threads.waiting)), ([], 1))
        self.threads.hang = False
        self.threads.go_on()
        self.assertEqual(len(self.paper.lines), 10)
        self.second()
        self.assertEqual(len(self.paper.lines), 210)
        self.second()
        self.assertEqual(self.log.dropped, 60)
        self.assertEqual(
            self.said(),
            [(LogLevel.info, "Access log paper keeps up again; 60 lines were dropped")],
        )

    def test_threads_that_have_ended(self):
        self.log.start()
        self.threads.ended = True
        for _ in range(2):
            self.finish(5)
            self.second()
        self.assertEqual(self.log.dropped, 10)
        self.assertEqual(len(self.flushLoggedErrors(PoolEndedError)), 1)
        self.threads.ended = False
        self.finish()
        self.second()
        self.assertEqual(len(self.paper.lines), 1)

    def test_an_error_of_ours_does_not_end_the_log(self):
        self.log.start()
        self.paper.error = ZeroDivisionError()
        self.finish()
        self.second()
        self.paper.error = None
        self.finish()
        self.second()
        self.assertEqual((len(self.paper.lines), self.log.dropped), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_reopen(self):
        self.log.start()
        self.log.reopen()
        self.assertEqual(self.paper.reopened, 1)
        self.second()
        self.second()
        self.assertEqual(self.paper.reopened, 2)

    def test_reopening_that_fails(self):
        self.log.start()
        self.paper.reopen_error = PermissionError(13, "Permission denied", "/secret")
        self.log.reopen()
        self.finish()
        self.second()
        self.second()
        self.assertEqual(len(self.paper.lines), 1)
        self.assertEqual(
            self.said(),
            [
                (
                    LogLevel.error,
                    "Access log paper cannot be opened: Permission denied; trying again",
                )
            ],
        )
        self.paper.reopen_error = None
        self.second()
        self.second()
        self.assertEqual((self.paper.reopened, self.said()), (2, []))

    def test_a_file_that_logrotate_renames(self):
        path = Path(self.mktemp())
        log = AccessLog(
            self.traffic,
            File(path),
            mask,
            self.clock,
            self.utcnow,
            self.threads,
            self.pauses.append,
        )
        log.start()
        self.assertTrue(path.exists())
        self.finish(target=b"/one")
        self.second()
        rotated = path.rename(path.with_suffix(".1"))
        self.finish(target=b"/two")
        log.reopen()
        self.successResultOf(log.stop())
        self.assertIn("/one", rotated.read_text())
        self.assertIn("/two", path.read_text())
        self.assertEqual(path.read_text().count("\n"), 1)


class StopTests(AccessLogTestCase):
    """Nothing is lost at the end, and the end never hangs."""

    def test_flush(self):
        self.log.start()
        self.finish(3)
        self.successResultOf(self.log.stop())
        self.assertEqual((len(self.paper.lines), self.paper.closed), (3, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_never_started(self):
        self.finish(3)
        self.successResultOf(self.log.stop())
        self.assertEqual(len(self.paper.lines), 3)

    def test_a_write_under_way(self):
        self.log.start()
        self.threads.hang = True
        self.finish(1)
        self.second()
        self.finish(2)
        stopped = self.log.stop()
        self.clock.advance(1)
        self.assertNoResult(stopped)
        self.threads.hang = False
        self.threads.go_on()
        self.successResultOf(stopped)
        self.assertEqual((len(self.paper.lines), self.paper.closed), (3, 1))
        self.assertEqual((self.said(), self.clock.getDelayedCalls()), ([], []))

    def test_a_write_that_hangs(self):
        self.log.start()
        self.threads.hang = True
        self.finish(1)
        self.second()
        stopped = self.log.stop(patience=2.0)
        self.clock.advance(1.9)
        self.assertNoResult(stopped)
        self.clock.advance(0.1)
        self.successResultOf(stopped)
        self.assertEqual(
            self.said(), [(LogLevel.warn, "Access log paper was not written to its end")]
        )
        self.threads.hang = False
        self.finish(1)
        self.threads.go_on()
        self.assertEqual((len(self.paper.lines), self.paper.closed), (1, 0))

    def test_threads_that_have_ended(self):
        self.threads.ended = True
        self.finish(1)
        self.successResultOf(self.log.stop())
        self.assertEqual(self.log.dropped, 1)
        self.assertEqual(len(self.flushLoggedErrors(PoolEndedError)), 2)
