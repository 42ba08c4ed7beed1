"""A client's requests: in order, within limits, each answered once."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import conversation, wire
from giestack.chat.conversation import BURST, DEBT, MOST_WAITING, RATE, Budget
from tests.chat.people import ALICE, BOB, FREE, ChatCase

LIMITED = replace(FREE, rate=1000.0, burst=1000)


class BudgetTests(SynchronousTestCase):
    def test_a_burst_and_then_a_rate(self) -> None:
        budget = Budget(0.0)
        left = [budget.spend(0.0) for _ in range(BURST + 1)]
        self.assertEqual((left[-2], left[-1]), (0, -1))
        self.assertEqual(budget.spend(3 / RATE), 1)
        self.assertEqual(budget.spend(1e6), BURST - 1)


class OrderTests(ChatCase):
    def test_what_is_said_at_once_is_carried_out_in_order(self) -> None:
        bob = self.come(BOB, self.lobby)
        bob.frames()
        self.store.hold()
        alice = self.come(ALICE)
        alice.raw(b'{"t":"join","id":1,"room":"%b"}' % self.lobby_id)
        alice.raw(b'{"t":"msg","id":2,"cid":"a","room":"%b","text":"one"}' % self.lobby_id)
        alice.raw(b'{"t":"msg","id":3,"cid":"b","room":"%b","text":"two"}' % self.lobby_id)
        while self.store.holding:
            self.store.release()
            self.store.hold()
        self.store.release()
        self.tick()
        self.assertEqual(self.texts(bob.frames()), ["one", "two"])
        answers = [one for one in alice.frames() if isinstance(one, wire.Ok)]
        self.assertEqual([one.id for one in answers], [1, 2, 3])

    def setUp(self) -> None:
        super().setUp()
        self.lobby_id = self.lobby.encode()

    def test_nothing_is_taken_while_it_does_not_read(self) -> None:
        alice = self.come(ALICE, self.lobby)
        alice.frames()
        alice.conversation.pause()
        for number in range(MOST_WAITING):
            alice.raw(b'{"t":"resume","id":%d,"rooms":{}}' % number)
        self.assertEqual((alice.frames(), alice.closed), ([], None))
        alice.conversation.resume()
        self.assertEqual([one.id for one in alice.frames()], list(range(MOST_WAITING)))

    def test_nor_more_than_can_wait(self) -> None:
        alice = self.come(ALICE)
        alice.conversation.pause()
        for _ in range(MOST_WAITING + 1):
            alice.raw(b"x")
        self.assertEqual(alice.closed, (wire.CLOSE_FLOOD, "too many requests that wait"))

    def test_not_all_at_once(self) -> None:
        alice = self.come(ALICE, self.lobby)
        alice.frames()
        self.store.hold()
        for number in range(conversation.MOST_AT_ONCE + 10):
            alice.raw(b'{"t":"read","id":%d,"room":"%b","seq":0}' % (number, self.lobby_id))
        self.assertEqual(self.store.holding, conversation.MOST_AT_ONCE)
        self.store.release()
        self.assertEqual(len(alice.frames()), conversation.MOST_AT_ONCE + 10)


class OddTests(ChatCase):
    def test_what_can_not_be_read(self) -> None:
        alice = self.come(ALICE)
        alice.frames()
        for data, request_id in (
            (b"\xff", None),
            (b"{}", None),
            (b"[" * 100_000, None),
            (b'{"t":"nothing","id":7}', 7),
            (b'{"t":"join","id":"x"}', "x"),
        ):
            alice.raw(data)
            [refused] = alice.frames()
            self.assertEqual((refused.code, refused.id), ("bad", request_id))
        self.assertIsNone(alice.closed)
        self.assertEqual(self.chat.requests.refused, {"bad": 5})

    def test_what_goes_wrong_here_says_nothing_of_it(self) -> None:
        alice = self.come(ALICE, self.lobby)

        def broken(*arguments: object, **more: object) -> None:
            raise RuntimeError("postgresql://user:secret@host")

        self.store.events = broken
        refused = alice.ask(wire.Hist, room=self.lobby)
        self.assert_refused(refused, "server")
        self.assertNotIn("secret", refused.message)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertIsInstance(alice.say(self.lobby, "goes on"), wire.Ok)

    def test_nobody_is_answered_after_the_end(self) -> None:
        alice = self.come(ALICE, self.lobby)
        alice.frames()
        self.store.hold()
        alice.raw(b'{"t":"hist","id":1,"room":"%b"}' % self.lobby_of_nobody())
        alice.leave()
        self.store.release()
        alice.raw(b"x")
        self.assertEqual(alice.frames(), [])

    def lobby_of_nobody(self) -> bytes:
        [room] = self.log.rooms
        return room.encode()


class FloodTests(ChatCase):
    rules = LIMITED

    def test_a_flood_is_refused_and_then_cut_off(self) -> None:
        alice, bob = self.come(ALICE), self.come(BOB, self.lobby)
        alice.frames()
        for _ in range(BURST):
            alice.raw(b"garbage")
        self.assertEqual({one.code for one in alice.frames()}, {"bad"})
        alice.raw(b'{"t":"resume","id":"x","rooms":{}}')
        [refused] = alice.frames()
        self.assertEqual((refused.code, refused.id, refused.retry_ms), ("rate", "x", 1000))
        for _ in range(DEBT - 1):
            alice.raw(b"garbage")
        self.assertIsNone(alice.closed)
        alice.raw(b"garbage")
        self.assertEqual(alice.closed, (wire.CLOSE_FLOOD, "far too many requests"))
        self.assertIsInstance(bob.say(self.lobby, "unharmed"), wire.Ok)

    def test_it_is_forgiven(self) -> None:
        alice = self.come(ALICE)
        for _ in range(BURST + 10):
            alice.raw(b"garbage")
        self.clock.advance(1)
        self.assertIsInstance(alice.ask(wire.Resume, rooms={}), wire.Ok)
