"""Those who hear how a session goes on, and leave, or go wrong."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.listeners import Listeners
from giestack.spawner.view import Moment

NOW = Moment(state="ready", step="ready", message="It is ready")


def broken(*args: object) -> None:
    raise ZeroDivisionError


class ListenerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.listeners = Listeners()
        self.heard: list[object] = []

    def end(self) -> None:
        self.heard.append("END")

    def test_hear_until_the_end(self) -> None:
        self.assertFalse(self.listeners)
        self.listeners.add(self.heard.append, self.end)
        self.assertTrue(self.listeners)
        self.listeners.tell(NOW)
        self.listeners.end()
        self.listeners.tell(NOW)
        self.listeners.end()
        self.assertEqual(self.heard, [NOW, "END"])

    def test_who_has_left_hears_no_more(self) -> None:
        leave = self.listeners.add(self.heard.append, self.end)
        leave()
        leave()
        self.listeners.tell(NOW)
        self.listeners.end()
        self.assertEqual(self.heard, [])

    def test_one_that_goes_wrong_hurts_nobody(self) -> None:
        self.listeners.add(broken, self.end)
        self.listeners.add(self.heard.append, broken)
        self.listeners.tell(NOW)
        self.listeners.tell(NOW)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.listeners.end()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.heard, [NOW, NOW])

    def test_one_that_makes_the_others_leave(self) -> None:
        leaves = [self.listeners.add(lambda moment: leave_all(), self.end) for _ in range(3)]

        def leave_all() -> None:
            self.heard.append("last")
            for leave in leaves:
                leave()

        self.listeners.tell(NOW)
        self.listeners.end()
        self.assertEqual(self.heard, ["last"])
