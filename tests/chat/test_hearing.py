"""Everybody gets everything, in order, once: also who reads slowly, and what others stored."""

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from giestack.chat import wire
from giestack.chat.client import TRY_LATER
from giestack.chat.hearing import SLOW
from giestack.chat.rooms import RING
from giestack.chat.rules import DAY_MS
from giestack.chat.storage import Page
from giestack.chat.upkeep import HOUSEKEEPING
from tests.chat.people import ALICE, BOB, FREE, ChatCase, Somebody


class HearingCase(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.room = self.lobby
        self.bob = self.come(BOB, self.room)
        self.alice = self.come(ALICE, self.room)
        self.tick(1)
        self.alice.frames()

    def say(self, count: int, text: str = "m") -> None:
        for _ in range(count):
            self.bob.say(self.room, text)
        self.tick()

    def seqs(self, who: Somebody) -> list[int]:
        return [one.seq for one in who.events()]


class SlowReaderTests(HearingCase):
    def test_paused_and_brought_up_to_date(self) -> None:
        self.say(2)
        conversation = self.alice.conversation
        assert conversation is not None
        conversation.pause()
        self.say(100)
        self.assertEqual(self.seqs(self.alice), [1, 2])
        conversation.resume()
        self.say(1)
        self.assertEqual(self.seqs(self.alice), list(range(3, 104)))

    def test_paused_in_the_middle_of_what_goes_out(self) -> None:
        self.bob.say(self.room, "waits for its turn")
        self.alice.conversation.pause()
        self.tick()
        self.assertEqual(self.seqs(self.alice), [])
        self.alice.conversation.resume()
        self.assertEqual(self.seqs(self.alice), [1])

    def test_others_notice_nothing(self) -> None:
        self.alice.conversation.pause()
        self.say(300)
        self.assertEqual(len(self.bob.events()), 300)

    def test_who_was_away_for_too_much_is_told_of_a_gap(self) -> None:
        self.alice.conversation.pause()
        self.say(RING + 50)
        self.alice.conversation.resume()
        [gap] = self.alice.frames()
        self.assertEqual((gap.room, gap.from_, gap.to), (self.room, 1, RING + 50))
        self.say(1)
        self.assertEqual(self.seqs(self.alice), [RING + 51])

    def test_no_more_than_it_reads(self) -> None:
        self.alice.leave()
        self.say(50, "x" * 4000)
        again = self.come(ALICE)
        sent = len(again.outlet.batches)
        again.raw(b'{"t":"resume","id":"r","rooms":{"%b":0}}' % self.room.encode())
        self.assertTrue(all(len(b.frames) < 40_000 for b in again.outlet.batches[sent:]))
        self.assertEqual(self.seqs(again), list(range(1, 51)))

    def test_paused_while_it_catches_up(self) -> None:
        self.alice.leave()
        self.say(50, "x" * 4000)
        again = self.come(ALICE)
        real = again.outlet.send

        def full(batch: object) -> None:
            real(batch)
            again.conversation.pause()

        again.outlet.send = full
        again.raw(b'{"t":"resume","id":"r","rooms":{"%b":0}}' % self.room.encode())
        for _ in range(20):
            self.assertLess(len(again.outlet.batches), 20)
            again.conversation.resume()
        frames = again.frames()
        self.assertEqual([f.seq for f in frames if isinstance(f, wire.Message)], list(range(1, 51)))
        self.assertIsInstance(frames[-1], wire.Ok)

    def test_sent_away_after_a_while(self) -> None:
        self.alice.conversation.pause()
        self.assertEqual(self.chat.paused, 1)
        for _ in range(SLOW):
            self.tick(1)
        self.assertIsNone(self.alice.closed)
        self.tick(1)
        self.assertEqual(self.alice.closed, (wire.CLOSE_TOO_SLOW, "did not read for too long"))
        self.alice.leave()
        self.assertEqual(self.chat.paused, 0)

    def test_what_was_looked_up_is_not_asked_for_again(self) -> None:
        self.alice.leave()
        self.say(50, "x" * 4000)
        self.bob.ask(wire.Edit, room=self.room, ref=1, text="so nothing is at hand")
        again, asked = self.come(ALICE), 0
        events = self.store.events

        def counting(*arguments: Any, **more: Any) -> Any:
            nonlocal asked
            asked += 1
            return events(*arguments, **more)

        self.patch(self.store, "events", counting)
        again.ask(wire.Resume, rooms={self.room: 0})
        self.assertEqual(self.seqs(again), list(range(1, 52)))
        self.assertEqual(asked, 1)

    def test_changed_while_it_waits(self) -> None:
        self.alice.leave()
        self.say(30, "x" * 4000)
        self.bob.ask(wire.Edit, room=self.room, ref=1, text="so nothing is at hand")
        again = self.come(ALICE)
        real = again.outlet.send

        def full(batch: object) -> None:
            real(batch)
            again.conversation.pause()

        again.outlet.send = full
        again.raw(b'{"t":"resume","id":"r","rooms":{"%b":0}}' % self.room.encode())
        again.conversation.resume()
        self.bob.ask(wire.Del, room=self.room, ref=30)
        for _ in range(20):
            again.conversation.resume()
        found = {one.seq: one for one in again.events()}
        self.assertEqual(list(found), list(range(1, 33)))
        self.assertEqual((found[30].text, found[30].deleted), ("", True))

    def test_the_store_is_down_while_it_catches_up(self) -> None:
        self.alice.conversation.pause()
        self.say(2)
        self.bob.ask(wire.Edit, room=self.room, ref=1, text="so nothing is at hand")
        self.tick()
        self.store.down = "gone"
        self.alice.conversation.resume()
        self.assertEqual(self.alice.closed, (TRY_LATER, "the chat can't be reached right now"))

    def test_the_store_is_down_while_it_begins(self) -> None:
        self.say(1)
        self.alice.leave()
        self.bob.ask(wire.Edit, room=self.room, ref=1, text="so nothing is at hand")
        again, rooms = self.come(ALICE), {self.room: 0}
        self.store.hold()
        again.raw(b'{"t":"resume","id":"a","rooms":{"%b":0}}' % self.room.encode())
        # The same by another way, at the same time.
        data = b'{"t":"resume","id":"b","rooms":{"%b":0}}' % self.room.encode()
        other = self.chat.answer(ALICE, data, again.hello().conn)
        self.store.down = "gone"
        self.store.release()
        for err in (again.frames()[-1], self.came(other)):
            self.assert_refused(err, "server")
        self.store.down = None
        self.assertIsInstance(again.ask(wire.Resume, rooms=rooms), wire.Ok)
        self.assertEqual(self.seqs(again), [1, 2])

    def test_gone_while_it_catches_up(self) -> None:
        self.say(5)
        self.alice.leave()
        self.bob.leave()
        again = self.come(ALICE)
        again.frames()
        self.store.hold()
        again.raw(b'{"t":"resume","id":"r","rooms":{"%b":2}}' % self.room.encode())
        again.leave()
        self.store.release()
        self.assertEqual(self.seqs(again), [])

    def test_from_the_store_where_nothing_is_at_hand(self) -> None:
        self.say(5)
        self.alice.leave()
        self.bob.leave()
        again = self.come(ALICE)
        again.ask(wire.Resume, rooms={self.room: 2})
        self.assertEqual(self.seqs(again), [3, 4, 5])


class DeletedTests(HearingCase):
    def test_a_deleted_text_goes_to_nobody_any_more(self) -> None:
        self.alice.leave()
        self.bob.say(self.room, "oops, my password")
        self.bob.say(self.room, "helo")
        self.bob.ask(wire.Del, room=self.room, ref=1)
        self.bob.ask(wire.Edit, room=self.room, ref=2, text="hello")
        again = self.come(ALICE)
        again.ask(wire.Resume, rooms={self.room: 0})
        events = again.events()
        self.assertEqual([one.seq for one in events], [1, 2, 3, 4])
        self.assertEqual(
            [(one.text, one.deleted) for one in events[:2]], [("", True), ("hello", False)]
        )


class NodesTests(HearingCase):
    def setUp(self) -> None:
        super().setUp()
        self.other_store, other = self.node()
        self.chats = self.chat, other
        self.chat, here = other, self.chat
        self.carol = self.come(ALICE, self.room)
        self.chat = here
        self.tick(1)
        self.carol.frames()

    def deaf(self) -> None:
        """No wake-up reaches the other node any more."""
        self.watcher = self.other_store._watcher
        self.other_store._watcher = None

    def hears_again(self) -> None:
        self.other_store._watcher = self.watcher

    def test_what_another_node_stored(self) -> None:
        self.say(3)
        self.carol.say(self.room, "from there")
        self.tick()
        for one in (self.bob, self.carol):
            self.assertEqual(self.seqs(one), [1, 2, 3, 4])

    def test_a_wake_up_that_was_lost_is_healed_by_the_next(self) -> None:
        self.deaf()
        self.say(3)
        self.assertEqual(self.seqs(self.carol), [])
        self.hears_again()
        self.say(1)
        self.assertEqual(self.seqs(self.carol), [1, 2, 3, 4])

    def test_told_of_more_while_it_is_fetched(self) -> None:
        events = self.other_store.events
        late: list[tuple[Deferred[Page], Page]] = []

        def slowly(*args: object, **options: object) -> Deferred[Page]:
            late.append((Deferred(), self.came(events(*args, **options))))
            return late[-1][0]

        self.other_store.events = slowly
        self.say(1)
        self.say(1)
        while late:
            waiting, page = late.pop(0)
            waiting.callback(page)
        self.tick()
        self.assertEqual(self.seqs(self.carol), [1, 2])

    def test_ones_own_after_those_of_others(self) -> None:
        self.deaf()
        self.say(3)
        self.carol.say(self.room, "fourth")
        self.tick()
        self.assertEqual(self.seqs(self.carol), [1, 2, 3, 4])

    def test_who_comes_from_a_node_that_knew_more(self) -> None:
        self.carol.leave()
        self.deaf()
        self.say(3)
        here, self.chat = self.chat, self.chats[1]
        again = self.come(ALICE)
        again.ask(wire.Resume, rooms={self.room: 2})
        self.tick()
        self.assertEqual(self.seqs(again), [3])
        # Nobody has stored as much as this one says it has.
        liar = self.come(BOB)
        liar.ask(wire.Resume, rooms={self.room: 2**53 - 1})
        self.chat = here
        self.hears_again()
        self.say(1)
        for one in (again, liar):
            self.assertEqual(self.seqs(one), [4])

    def test_the_store_is_down_while_it_is_fetched(self) -> None:
        self.other_store.down = "gone"
        self.say(3)
        self.assertEqual(self.seqs(self.carol), [])
        self.other_store.down = None
        self.say(1)
        self.assertEqual(self.seqs(self.carol), [1, 2, 3, 4])

    def test_what_was_forgotten_is_not_waited_for(self) -> None:
        self.deaf()
        self.say(3)
        self.clock.advance(2 * DAY_MS / 1000)
        for chat in self.chats:
            chat.configure(replace(FREE, retention_days=1))
        self.clock.advance(HOUSEKEEPING)
        self.hears_again()
        self.say(1)
        self.assertEqual(self.seqs(self.carol), [4])
        again = self.come(ALICE)
        again.ask(wire.Resume, rooms={self.room: 1})
        self.assertEqual(self.seqs(again), [4])
