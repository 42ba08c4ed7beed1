"""How often a page tries again."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.site.patience import Patience


class PatienceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Patience(self.clock.seconds, size=3)

    def wait(self, what: bytes = b"/x", least: int = 1) -> int | None:
        return self.patience.pause(b"192.0.2.7", what, least)

    def test_less_and_less_often_until_it_gives_up(self) -> None:
        pauses = []
        while (pause := self.wait()) is not None:
            pauses.append(pause)
            self.clock.advance(pause)
        self.assertEqual(pauses, sorted(pauses))
        self.assertEqual(pauses[0], 3)
        self.assertEqual(pauses[-1], 60)
        self.assertLess(len(pauses), 150)
        self.assertLess(3000, self.clock.seconds())

    def test_never_sooner_than_told(self) -> None:
        self.assertEqual(self.wait(least=30), 30)

    def test_a_long_pause_that_was_told_does_not_start_it_anew(self) -> None:
        tries = 0
        while (pause := self.wait(least=900)) is not None:
            tries += 1
            self.clock.advance(pause)
        self.assertEqual(tries, 4)

    def test_starts_anew_after_a_while(self) -> None:
        self.wait()
        self.clock.advance(100)
        self.assertEqual(self.wait(), 5)
        self.clock.advance(200)
        self.assertEqual(self.wait(), 3)

    def test_each_waits_alone(self) -> None:
        self.wait(b"/a")
        self.clock.advance(100)
        self.assertEqual(self.wait(b"/b"), 3)
        self.assertEqual(self.patience.pause(b"192.0.2.8", b"/a", 1), 3)
        self.assertEqual(self.wait(b"/a"), 5)

    def test_remembers_no_more_than_it_may(self) -> None:
        self.wait(b"/a")
        self.clock.advance(100)
        for what in (b"/b", b"/c", b"/d"):
            self.wait(what)
        self.assertEqual(self.wait(b"/a"), 3)
