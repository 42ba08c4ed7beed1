"""The service tree: order of starting and stopping."""

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from giestack.parts import Giestack, Part


class PartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.done: list[str] = []

    def part(self, name: str, stop: Callable[[], object] = lambda: None) -> Part:
        def stopped() -> object:
            self.done.append(f"stop {name}")
            return stop()

        return Part(lambda: self.done.append(f"start {name}"), stopped)

    def test_parts_stop_in_the_opposite_order(self) -> None:
        giestack = Giestack()
        for name in ("database", "map", "door"):
            self.part(name).setServiceParent(giestack)
        giestack.startService()
        self.assertEqual(self.done, ["start database", "start map", "start door"])
        self.successResultOf(giestack.stopService())
        self.assertEqual(self.done[3:], ["stop door", "stop map", "stop database"])
        self.assertFalse(giestack.running)

    def test_each_waits_for_the_one_before(self) -> None:
        giestack = Giestack()
        closing: Deferred[None] = Deferred()
        self.part("database").setServiceParent(giestack)
        self.part("door", lambda: closing).setServiceParent(giestack)
        giestack.startService()
        stopped = giestack.stopService()
        self.assertEqual(self.done[2:], ["stop door"])
        self.assertNoResult(stopped)
        closing.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.done[2:], ["stop door", "stop database"])

    def test_one_that_fails_keeps_no_other_from_stopping(self) -> None:
        giestack = Giestack()

        def broken() -> object:
            raise OSError("disk")

        self.part("database").setServiceParent(giestack)
        self.part("log", broken).setServiceParent(giestack)
        self.part("door", lambda: fail(ZeroDivisionError())).setServiceParent(giestack)
        giestack.startService()
        self.successResultOf(giestack.stopService())
        self.assertEqual(self.done[3:], ["stop door", "stop log", "stop database"])
        self.assertEqual(len(self.flushLoggedErrors(OSError, ZeroDivisionError)), 2)

    def test_sighup(self) -> None:
        giestack = Giestack()
        giestack.startService()
        # Where nothing is to be done, nothing happens.
        giestack.hang_up()
        giestack.reopen_logs = lambda: self.done.append("logs")
        giestack.reload = lambda: self.done.append("reload")
        giestack.hang_up()
        self.assertEqual(self.done, ["logs", "reload"])

    def test_sighup_before_the_start_and_after_the_end(self) -> None:
        giestack = Giestack()
        giestack.reopen_logs = lambda: self.done.append("logs")
        giestack.reload = lambda: self.done.append("reload")
        giestack.hang_up()
        giestack.startService()
        self.successResultOf(giestack.stopService())
        giestack.hang_up()
        self.assertEqual(self.done, [])
