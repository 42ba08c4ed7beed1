"""Starts one after the other, where there are too many for all at once."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.turns import LONGEST, Turns


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.turns.limit = 2
        self.began: list[str] = []
        self.told: dict[str, list[int]] = {}

    def take(self, session_id: str) -> Deferred[None]:
        told = self.told.setdefault(session_id, [])

        async def taken() -> None:
            await self.turns.take(session_id, told.append)
            self.began.append(session_id)

        return Deferred.fromCoroutine(taken())

    def test_in_the_order_of_asking(self) -> None:
        for name in "abcd":
            self.take(name)
        self.assertEqual(self.began, ["a", "b"])
        self.assertEqual((self.told["a"], self.told["c"], self.told["d"]), ([], [0], [1]))
        self.turns.give_back("b")
        self.assertEqual(self.began, ["a", "b", "c"])
        self.assertEqual(self.told["d"][-1], 0)
        self.turns.give_back("b")
        self.turns.give_back("nobody")
        self.assertEqual(self.began, ["a", "b", "c"])
        self.turns.give_back("a")
        self.take("e")
        self.assertEqual(self.began, ["a", "b", "c", "d"])

    def test_who_never_answers_holds_nobody_up_for_long(self) -> None:
        for name in "abcd":
            self.take(name)
        self.clock.advance(LONGEST)
        self.assertEqual(self.began, ["a", "b", "c", "d"])

    def test_who_gives_up_waits_no_more(self) -> None:
        self.take("a"), self.take("b")
        waiting, next_one = self.take("c"), self.take("d")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.turns.give_back("a")
        self.successResultOf(next_one)
        self.assertEqual(self.began, ["a", "b", "d"])

    def test_more_processors(self) -> None:
        for name in "abcd":
            self.take(name)
        self.turns.limit = 9
        self.turns.give_back("a")
        self.assertEqual(self.began, ["a", "b", "c", "d"])

    def test_the_end(self) -> None:
        self.take("a")
        self.turns.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
