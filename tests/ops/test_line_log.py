"""Logs of lines: changing to another target. Writing and its troubles: see test_access_log."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.line_log import LineLog, Retargeting
from tests.ops.test_access_log import Paper, Threads


class Lines:
    """Texts that wait."""

    def __init__(self):
        self.dropped = 0
        self.wanted = None
        self.waiting = []

    def keep(self, wanted):
        self.wanted = wanted

    def add(self, text):
        if self.wanted:
            self.waiting.append(text)

    def take(self):
        taken, self.waiting = self.waiting, []
        return taken


class LineLogTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.lines = Lines()
        self.threads = Threads()
        self.paper, self.other, self.third = Paper(), Paper(), Paper()

    def start(self, target):
        log = LineLog(
            "Log",
            self.lines,
            lambda: lambda lines: "".join([f"{line}\n" for line in lines]).encode(),
            target,
            self.clock,
            self.threads,
            lambda seconds: None,
        )
        log.start()
        return log

    def second(self):
        self.clock.advance(1)

    def test_another_target(self):
        log = self.start(self.paper)
        self.lines.add("one")
        log.retarget(self.other)
        self.lines.add("two")
        self.second()
        self.lines.add("three")
        self.second()
        self.assertEqual(self.paper.lines, [b"one"])
        self.assertEqual((self.paper.closed, self.other.closed), (1, 0))
        # It was open when it came.
        self.assertEqual((self.other.lines, self.other.reopened), ([b"two", b"three"], 0))
        self.successResultOf(log.stop())
        self.assertEqual(self.other.closed, 1)

    def test_nowhere_and_back(self):
        log = self.start(self.paper)
        self.lines.add("one")
        log.retarget(None)
        self.lines.add("lost")
        self.second()
        self.assertEqual((self.paper.lines, self.paper.closed), ([b"one"], 1))
        log.retarget(self.other)
        self.lines.add("two")
        self.second()
        self.assertEqual(self.other.lines, [b"two"])

    def test_from_nowhere(self):
        log = self.start(None)
        self.assertFalse(self.lines.wanted)
        log.reopen()
        self.second()
        self.successResultOf(log.stop())

    def test_two_changes_between_two_looks(self):
        log = self.start(self.paper)
        self.threads.hang = True
        self.lines.add("zero")
        self.second()
        log.retarget(self.other)
        log.retarget(self.third)
        self.threads.hang = False
        self.threads.go_on()
        self.second()
        self.lines.add("one")
        self.second()
        self.assertEqual((self.paper.closed, self.other.closed, self.third.lines), (1, 1, [b"one"]))

    def test_off_and_on_again_during_a_write(self):
        log = self.start(self.paper)
        self.threads.hang = True
        self.lines.add("zero")
        self.second()
        log.retarget(None)
        log.retarget(self.other)
        self.threads.hang = False
        self.threads.go_on()
        self.second()
        self.lines.add("one")
        self.successResultOf(log.stop())
        # After the end there is nothing to look at.
        log.retarget(self.third)
        self.assertEqual((self.paper.closed, self.other.lines), (1, [b"one"]))

    def test_trouble_does_not_follow(self):
        log = self.start(self.paper)
        self.paper.room = 0
        self.lines.add("lost")
        self.second()
        self.lines.add("lost")
        log.retarget(self.other)
        self.lines.add("kept")
        self.second()
        self.assertEqual((self.other.lines, log.dropped), ([b"kept"], 2))

    def test_a_change_during_a_write(self):
        log = self.start(self.paper)
        self.threads.hang = True
        self.lines.add("one")
        self.second()
        log.retarget(self.other)
        self.lines.add("two")
        self.second()
        self.threads.hang = False
        self.threads.go_on()
        self.second()
        self.assertEqual((self.paper.lines, self.paper.closed), ([b"one", b"two"], 1))

    def test_a_change_that_is_not_made(self):
        log = self.start(self.paper)
        Retargeting(log, self.other).cancel()
        Retargeting(log, None).cancel()
        self.assertEqual(self.other.closed, 1)
        Retargeting(log, self.third).apply()
        self.second()
        self.lines.add("one")
        self.second()
        self.assertEqual(self.third.lines, [b"one"])
