"""How much one person may ask for."""

from dataclasses import replace

from giestack.chat import wire
from giestack.chat.fairness import BURST, LOOKING_AT_ONCE, MOST_UNDER_WAY
from giestack.chat.frames import written
from giestack.chat.storage import Rejected
from tests.chat.people import ALICE, BOB, FREE, ChatCase, Somebody


class FairnessCase(ChatCase):
    rules = replace(FREE, rate=1000.0, burst=10_000)

    def setUp(self) -> None:
        super().setUp()
        self.room = self.lobby
        self.alice, self.bob = self.come(ALICE, self.room), self.come(BOB, self.room)

    def tearDown(self) -> None:
        self.assertEqual(len(self.chat.requests.fairness), 0)
        super().tearDown()

    def look(self, who: Somebody, count: int) -> None:
        for number in range(count):
            who.raw(written(wire.Hist(id=number, room=self.room)))


class RateTests(FairnessCase):
    def test_by_all_connections_together(self) -> None:
        some = [self.alice, self.come(ALICE)]
        looking = b'{"t":"people","id":1,"text":"x"}'
        # She has joined with one request.
        for number in range((BURST - 1) // 3):
            some[number % 2].raw(looking)
            for _ in range(2):
                self.came(self.chat.answer(ALICE, looking, None))
        refused = self.alice.ask(wire.People)
        self.assert_refused(refused, "rate")
        self.assertTrue(refused.retry_ms)
        self.assert_refused(self.came(self.chat.answer(ALICE, looking, None)), "rate")
        events = self.chat.events(ALICE, self.room, None, None, 1)
        self.assertEqual(self.failureResultOf(events, Rejected).value.code, "rate")
        choice = self.chat.choose(ALICE, wire.Prefs(id=0, online=True))
        self.assertEqual(self.failureResultOf(choice, Rejected).value.code, "rate")
        self.assertIsInstance(self.bob.ask(wire.People), wire.Ok)
        self.tick(1)
        self.assertIsInstance(self.alice.ask(wire.People), wire.Ok)

    def test_no_limit_where_there_is_to_be_none(self) -> None:
        self.chat.configure(FREE)
        alice = self.come(ALICE)
        for _ in range(BURST + 1):
            self.assertIsInstance(alice.ask(wire.People), wire.Ok)


class TurnTests(FairnessCase):
    def test_some_look_while_others_wait(self) -> None:
        self.alice.frames()
        self.store.hold()
        self.look(self.alice, 10)
        self.assertEqual(self.store.holding, LOOKING_AT_ONCE)
        self.look(self.bob, 1)
        self.assertEqual(self.store.holding, LOOKING_AT_ONCE + 1)
        self.store.release()
        self.assertEqual(len(self.alice.frames()), 10)

    def test_what_nobody_reads_is_not_looked_for(self) -> None:
        for _ in range(3):
            self.bob.say(self.room, "x" * 4000)
        self.tick()
        self.alice.frames()
        self.store.hold()
        self.look(self.alice, 10)
        self.alice.conversation.pause()
        self.store.release()
        self.assertEqual(len(self.alice.frames()), LOOKING_AT_ONCE)
        self.alice.conversation.resume()
        self.assertEqual(len(self.alice.frames()), 10 - LOOKING_AT_ONCE)

    def test_gone_meanwhile(self) -> None:
        self.store.hold()
        self.look(self.alice, 10)
        self.alice.conversation.pause()
        self.alice.leave()
        while self.store.holding:
            self.store.release()

    def test_not_too_many_wait(self) -> None:
        self.store.hold()
        data = written(wire.Hist(id=1, room=self.room))
        some = [self.chat.answer(ALICE, data, None) for _ in range(MOST_UNDER_WAY + 1)]
        self.assert_refused(self.came(some.pop()), "rate")
        about = self.chat.about(ALICE)
        self.assertEqual(self.failureResultOf(about, Rejected).value.code, "rate")
        self.assertNoResult(self.chat.about(BOB))
        while self.store.holding:
            self.store.release()
        for one in some:
            self.assertIsInstance(self.came(one), wire.Ok)
