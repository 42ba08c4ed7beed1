"""Opening the store, and what the chat does by itself."""

from dataclasses import replace
from typing import Any

from giestack.chat import wire
from giestack.chat.chat import Chat
from giestack.chat.rules import DAY_MS
from giestack.chat.upkeep import HOUSEKEEPING, OPENING, TICK
from giestack.database import DatabaseUnavailable
from tests.chat.memory_store import MemoryStore
from tests.chat.people import ALICE, BOB, CAROL, FREE, ChatCase, RecordingOutlet

LATER = (1013, "the chat can't be reached right now")


class OpeningTests(ChatCase):
    def test_tried_until_it_opens(self) -> None:
        store: Any = MemoryStore(self.log)
        store.down = "connection refused"
        chat = Chat(store, FREE, self.clock, self.now, self.note)
        chat.start()
        self.addCleanup(chat.stop)
        self.assertFalse(chat.ready)
        outlet = RecordingOutlet()
        chat.arrive(ALICE, outlet)
        self.assertEqual(outlet.closed, LATER)
        self.failureResultOf(chat.about(ALICE), DatabaseUnavailable)
        store.down = None
        self.clock.advance(5)
        self.assertTrue(chat.ready)

    def opening(self) -> tuple[Any, Chat, RecordingOutlet]:
        """A chat that is being opened, and a client of Alice's at its door."""
        store: Any = MemoryStore(self.log)
        chat = Chat(store, FREE, self.clock, self.now, self.note)
        store.hold()
        chat.start()
        self.addCleanup(chat.stop)
        outlet = RecordingOutlet()
        chat.arrive(ALICE, outlet)
        self.assertEqual((outlet.batches, outlet.closed), ([], None))
        return store, chat, outlet

    def test_who_comes_while_it_opens_is_let_in(self) -> None:
        # All come at once after a restart.
        store, chat, outlet = self.opening()
        store.release()
        self.assertTrue(chat.ready)
        [hello] = [wire.ANSWERS.read(one.texts[0]) for one in outlet.batches]
        self.assertIsInstance(hello, wire.Hello)

    def test_who_comes_while_it_opens_in_vain(self) -> None:
        store, _, outlet = self.opening()
        store.down = "connection refused"
        store.release()
        self.assertEqual(outlet.closed, LATER)

    def test_who_comes_while_it_opens_for_long(self) -> None:
        store, _, outlet = self.opening()
        self.clock.advance(OPENING)
        self.assertEqual(outlet.closed, LATER)
        store.release()
        self.assertEqual(outlet.batches, [])

    def test_who_comes_while_it_opens_and_is_stopped(self) -> None:
        store, chat, outlet = self.opening()
        self.came(chat.stop())
        store.release()
        self.assertEqual((outlet.closed, outlet.batches), ((1012, "restart"), []))

    def test_stopped_before_it_opens(self) -> None:
        store: Any = MemoryStore(self.log)
        store.down = "connection refused"
        chat = Chat(store, FREE, self.clock, self.now, self.note)
        chat.start()
        self.came(chat.stop())
        store.down = None
        self.clock.advance(5)
        self.assertFalse(chat.ready)

    def test_it_can_not_be_opened_at_all(self) -> None:
        self.came(self.chat.stop())
        self.store.open = lambda: 1 / 0
        self.chat.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stopped_while_it_opens(self) -> None:
        store: Any = MemoryStore(self.log)
        chat = Chat(store, FREE, self.clock, self.now, self.note)
        store.hold()
        chat.start()
        self.came(chat.stop())
        store.down = "closed"
        store.release()
        self.assertFalse(chat.ready)

    def test_nothing_is_left_at_the_end(self) -> None:
        self.come(ALICE, self.lobby).say(self.lobby, "hi")
        self.came(self.chat.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PresenceTests(ChatCase):
    def test_who_comes_while_somebody_catches_up(self) -> None:
        bob = self.come(BOB, self.lobby)
        bob.say(self.lobby, "hi")
        bob.leave()
        room = self.lobby
        self.come(ALICE, room).leave()
        alice, carol = self.come(ALICE), self.come(CAROL)
        self.store.hold()
        alice.ask(wire.Resume, rooms={room: 0})
        self.tick(TICK)
        alice.frames()
        self.chat._around.people.enter(room, carol.hello().user)
        self.tick(TICK)
        self.assertTrue(self.store.holding)
        [told] = [one for one in alice.frames() if isinstance(one, wire.Presence)]
        self.assertEqual([one.id for one in told.join], ["id3"])


class HouseTests(ChatCase):
    def test_rooms_that_could_not_be_changed_are_later(self) -> None:
        self.store.down = "gone"
        self.chat.configure(replace(FREE, rooms=("Lobby", "NGS")))
        self.store.down = None
        self.clock.advance(HOUSEKEEPING)
        names = [room.name for room in self.come(ALICE).hello().rooms]
        self.assertEqual(names, ["Lobby", "NGS"])

    def test_rooms_that_nobody_is_in_are_not_kept(self) -> None:
        alice, bob = self.come(ALICE), self.come(BOB)
        room = alice.ask(wire.Create, name="one of many").room.id
        bob.ask(wire.Join, room=room)
        alice.leave()
        bob.leave()
        alice, bob = self.come(ALICE), self.come(BOB)
        for _ in range(3):
            self.clock.advance(HOUSEKEEPING)
        self.assertIsNone(self.chat._around.rooms.find(room))
        self.assertIsInstance(alice.say(room, "still there?"), wire.Ok)
        other = self.come(ALICE)
        other.frames()
        bob.ask(wire.Read, room=room, seq=1)
        self.assertIsInstance(bob.ask(wire.Resume, rooms={room: 0}), wire.Ok)
        self.assertEqual(self.texts(bob.frames()), ["still there?"])

    def test_who_has_left_does_not_stay_because_a_clock_was_set(self) -> None:
        alice, bob = self.come(ALICE, self.lobby), self.come(BOB, self.lobby)
        self.tick(TICK)
        bob.frames()
        alice.leave()
        now = self.now
        self.chat._around.now = lambda: now() - 3_600_000
        for _ in range(5):
            self.tick(TICK)
        [told] = [one for one in bob.frames() if isinstance(one, wire.Presence)]
        self.assertEqual(told.leave, ("id1",))

    def test_what_is_too_old_is_forgotten(self) -> None:
        alice = self.come(ALICE, self.lobby)
        alice.say(self.lobby, "old")
        self.chat.configure(replace(FREE, retention_days=1))
        self.clock.advance(DAY_MS / 1000)
        alice.say(self.lobby, "new")
        self.clock.advance(HOUSEKEEPING)
        events = alice.ask(wire.Hist, room=self.lobby).events
        self.assertEqual([one.seq for one in events], [2])

    def test_it_goes_on_when_the_store_comes_back(self) -> None:
        self.store.down = "gone"
        self.clock.advance(HOUSEKEEPING)
        self.store.down = None
        self.store.sanctions = lambda: 1 / 0
        self.clock.advance(HOUSEKEEPING)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_other_rooms(self) -> None:
        self.chat.configure(replace(FREE, rooms=("Lobby", "Help")))
        names = [one.name for one in self.come(ALICE).hello().rooms]
        self.assertEqual(names, ["Lobby", "Help"])
        self.store.down = "gone"
        self.chat.configure(replace(FREE, rooms=("Help",)))
