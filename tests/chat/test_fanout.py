"""What a room hears goes out at once while it is quiet, joined while it is busy."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.fanout import LONGEST, Fanout
from giestack.chat.outlet import Batch
from giestack.chat.rooms import Heard, Room


class Hearer:
    def __init__(self, person: str) -> None:
        self.person = person
        self.got: list[list[bytes]] = []

    def send(self, batch: Batch) -> None:
        self.got.append(list(batch.texts))


class FanoutTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.fanout: Fanout[Hearer] = Fanout(self.clock)
        self.room: Room[Hearer] = Room("r", "Room", "public")
        self.alice, self.bob = Hearer("a"), Hearer("b")
        for one in (self.alice, self.bob):
            self.room.hearers[one] = None

    def happen(self, *texts: bytes) -> None:
        for text in texts:
            out = self.room.accept(Heard(self.room.last + 1, text))
            self.fanout.send(self.room, out)

    def test_at_once_while_it_is_quiet(self) -> None:
        for text in (b"1", b"2"):
            self.happen(text)
            self.clock.advance(0)
            self.assertEqual(self.bob.got[-1], [text])
            self.clock.advance(1)
        self.assertEqual((self.fanout.deliveries, self.fanout.waiting), (4, 0))

    def test_much_goes_out_in_parts(self) -> None:
        got, paused = self.bob.got, []

        def full(batch: Batch) -> None:
            got.append(list(batch.texts))
            # As one that can't take more is: it hears no more, and knows what it has.
            del self.room.hearers[self.bob]
            paused.append(self.fanout.sent(self.room))

        self.patch(self.bob, "send", full)
        texts = [b"%d" % number + b"x" * 10_000 for number in range(20)]
        self.happen(*texts)
        self.clock.advance(0)
        self.assertEqual([text for some in self.alice.got for text in some], texts)
        self.assertLess(max(sum(map(len, some)) for some in self.alice.got), 41_000)
        self.assertEqual((len(got), paused), (1, [len(got[0])]))
        self.assertEqual((self.fanout.waiting, self.fanout.sent(self.room)), (0, 20))

    def test_others_have_their_turn_between_the_parts(self) -> None:
        self.happen(*[b"%d" % number + b"x" * 10_000 for number in range(20)])
        seen = []
        self.clock.callLater(0, lambda: seen.append(self.fanout.waiting))
        self.clock.advance(0)
        self.assertTrue(0 < seen[0] < 20, seen)
        self.assertEqual(self.fanout.waiting, 0)

    def test_what_nobody_hears_is_not_kept(self) -> None:
        self.room.hearers.clear()
        self.happen(b"1", b"2")
        self.assertEqual((self.fanout.waiting, self.clock.getDelayedCalls()), (0, []))
        self.assertEqual((self.fanout._rooms, self.fanout.sent(self.room)), ({}, 2))

    def test_those_of_one_turn_go_together(self) -> None:
        self.happen(b"1", b"2", b"3")
        self.assertEqual(
            (self.bob.got, self.fanout.waiting, self.fanout.sent(self.room)), ([], 3, 0)
        )
        self.clock.advance(0)
        self.assertEqual(self.bob.got, [[b"1", b"2", b"3"]])
        self.assertEqual(self.fanout.sent(self.room), 3)

    def test_a_busy_room_waits_a_little(self) -> None:
        for _ in range(40):
            self.happen(b"x", b"y")
            self.clock.advance(0.0005)
        self.assertLess(len(self.bob.got), 20)
        self.happen(b"last")
        self.clock.advance(LONGEST)
        self.assertEqual(self.bob.got[-1][-1], b"last")
        self.assertEqual(sum(len(one) for one in self.bob.got), 81)

    def test_it_is_quick_again_when_it_is_quiet_again(self) -> None:
        for _ in range(40):
            self.happen(b"x", b"y")
            self.clock.advance(0.0005)
        self.clock.advance(1)
        for _ in range(12):
            self.happen(b"x")
            self.clock.advance(LONGEST)
        self.clock.advance(0.0001)
        self.happen(b"first")
        self.clock.advance(0)
        self.assertEqual(self.bob.got[-1], [b"first"])
        self.happen(b"second")
        self.clock.advance(0.0001)
        self.assertEqual(self.bob.got[-1], [b"second"])

    def test_authors_get_their_own(self) -> None:
        self.fanout.send(self.room, [Heard(1, b"one", "a", b"ONE"), Heard(2, b"two", "b", b"TWO")])
        self.clock.advance(0)
        self.assertEqual(self.alice.got, [[b"ONE", b"two"]])
        self.assertEqual(self.bob.got, [[b"one", b"TWO"]])

    def test_flushing_and_forgetting(self) -> None:
        self.fanout.flush(self.room)
        self.happen(b"1")
        self.fanout.flush(self.room)
        self.assertEqual(self.bob.got, [[b"1"]])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.happen(b"2")
        self.fanout.forget(self.room)
        self.assertEqual(self.bob.got, [[b"1"], [b"2"]])
        self.fanout.flush(self.room)
        self.happen(b"3")
        self.fanout.stop()
        self.clock.advance(1)
        self.assertEqual(len(self.bob.got), 2)

    def test_who_goes_while_it_is_sent(self) -> None:
        self.alice.send = lambda batch: self.room.hearers.pop(self.bob)  # type: ignore
        self.happen(b"1")
        self.clock.advance(0)
        self.assertNotIn(self.bob, self.room.hearers)
