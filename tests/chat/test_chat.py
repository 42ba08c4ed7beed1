"""The chat as its doors see it."""

from dataclasses import replace
from typing import Any

from giestack.chat import wire
from giestack.chat.chat import HOUSEKEEPING
from giestack.chat.rules import DAY_MS
from giestack.chat.storage import Rejected
from giestack.database import DatabaseUnavailable
from tests.chat.people import ADMIN, ALICE, BOB, FREE, ChatCase, RecordingOutlet, identity


class FirstTests(ChatCase):
    def test_two_people_talk(self) -> None:
        alice, bob = self.come(ALICE), self.come(BOB)
        hello = alice.hello()
        self.assertEqual((hello.v, hello.user.id, hello.user.role), (1, "id1", "user"))
        [room] = hello.rooms
        self.assertEqual((room.name, room.kind, room.persistent), ("Lobby", "public", True))
        alice.ask(wire.Join, room=room.id), bob.ask(wire.Join, room=room.id)
        ok = alice.say(room.id, "hi", cid="one")
        self.tick()
        [heard] = bob.events()
        self.assertEqual(
            (heard.text, heard.user, heard.name, heard.seq, heard.cid),
            ("hi", "id1", "alice", ok.seq, None),
        )
        [own] = alice.events()
        self.assertEqual((own.seq, own.cid), (1, "one"))


class RequestTests(ChatCase):
    """What comes by HTTP, one by one."""

    def setUp(self) -> None:
        super().setUp()
        self.room = self.lobby

    def answer(self, data: bytes, conn: str | None = None, who: Any = ALICE) -> Any:
        return self.came(self.chat.answer(who, data, conn))

    def say(self, request_id: int = 1) -> bytes:
        return b'{"t":"msg","id":%d,"cid":"c","room":"%b","text":"hi"}' % (
            request_id,
            self.room.encode(),
        )

    def test_on_ones_own(self) -> None:
        bob = self.come(BOB, self.room)
        self.assert_refused(self.answer(self.say()), "perm")
        self.assertIsInstance(
            self.answer(b'{"t":"join","id":1,"room":"%b"}' % self.room.encode()), wire.Ok
        )
        self.assertEqual(self.answer(self.say()).seq, 1)
        self.assertEqual(self.answer(self.say(2)).seq, 1)
        self.tick()
        self.assertEqual(self.texts(bob.frames()), ["hi"])

    def test_for_an_event_stream(self) -> None:
        alice = self.come(ALICE)
        conn = alice.hello().conn
        self.answer(b'{"t":"join","id":1,"room":"%b"}' % self.room.encode(), conn)
        self.answer(self.say(), conn)
        self.tick()
        self.assertEqual(len(alice.events()), 1)

    def test_not_for_that_of_somebody_else(self) -> None:
        conn = self.come(BOB).hello().conn
        for name in (conn, "nothing"):
            self.failureResultOf(self.chat.answer(ALICE, self.say(), name), LookupError)

    def test_what_is_refused(self) -> None:
        self.assert_refused(self.answer(b"?"), "bad")
        self.store.down = "gone"
        self.assert_refused(self.answer(self.say()), "server")
        self.store.down = None
        self.chat.configure(replace(FREE, opt_in=True))
        self.assert_refused(self.answer(self.say()), "perm")

    def test_events(self) -> None:
        alice = self.come(ALICE, self.room)
        alice.say(self.room, "one")
        page = self.came(self.chat.events(ALICE, self.room, 0, None, 50))
        self.assertEqual([one.seq for one in page.events], [1])
        refused = self.chat.events(BOB, self.room, 0, None, 50)
        self.assertEqual(self.failureResultOf(refused, Rejected).value.code, "perm")

    def test_listening_to_one_room(self) -> None:
        bob = self.come(BOB, self.room)
        bob.say(self.room, "one")
        outlet = RecordingOutlet()
        conversation = self.chat.listen(BOB, self.room, 0, outlet)
        assert conversation is not None
        bob.say(self.room, "two")
        self.tick()
        sent = b"".join(batch.frames for batch in outlet.batches)
        self.assertIn(b"one", sent)
        self.assertIn(b"two", sent)
        conversation.gone()
        nowhere = RecordingOutlet()
        self.chat.listen(BOB, "nowhere", 0, nowhere)
        assert nowhere.closed is not None
        self.assertEqual(nowhere.closed[0], wire.CLOSE_FORBIDDEN)

    def test_export_is_for_everybody(self) -> None:
        self.come(ALICE, self.room).say(self.room, "mine")
        self.chat.configure(replace(FREE, opt_in=True))
        page = self.came(self.chat.exported(ALICE, None, None))
        self.assertEqual(len(page.events), 1)
        actor = identity(1, "alice", impersonated_by="boss")
        self.failureResultOf(self.chat.exported(actor, None, None), Rejected)

    def test_about(self) -> None:
        about = self.came(self.chat.about(ADMIN))
        self.assertEqual(
            (about.user.role, about.opt_in_needed, about.banned_until),
            ("admin", False, 0),
        )
        self.chat.configure(replace(FREE, opt_in=True))
        about = self.came(self.chat.about(ALICE))
        self.assertEqual((about.opt_in_needed, about.prefs.opt_in), (True, False))


class OpeningTests(ChatCase):
    def closed_node(self, down: str | None) -> None:
        self.store.down = down
        self.chat.start()

    def test_tried_until_it_opens(self) -> None:
        from giestack.chat.chat import Chat
        from tests.chat.memory_store import MemoryStore

        store: Any = MemoryStore(self.log)
        store.down = "connection refused"
        chat = Chat(store, FREE, self.clock, self.now, self.note)
        chat.start()
        self.addCleanup(chat.stop)
        self.assertFalse(chat.ready)
        outlet = RecordingOutlet()
        chat.arrive(ALICE, outlet)
        self.assertEqual(outlet.closed, (1013, "the chat can't be reached right now"))
        self.failureResultOf(chat.about(ALICE), DatabaseUnavailable)
        store.down = None
        self.clock.advance(5)
        self.assertTrue(chat.ready)

    def test_stopped_before_it_opens(self) -> None:
        from giestack.chat.chat import Chat
        from tests.chat.memory_store import MemoryStore

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
        self.chat._ending = False
        self.chat.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_nothing_is_left_at_the_end(self) -> None:
        self.come(ALICE, self.lobby).say(self.lobby, "hi")
        self.came(self.chat.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class HouseTests(ChatCase):
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

    def test_who_has_left_leaves_nothing(self) -> None:
        for _ in range(3):
            somebody = self.come(ALICE, self.lobby)
            somebody.leave()
        around = self.chat._around
        self.assertEqual((around.participants, self.chat.clients), ({}, set()))
        room = around.rooms.find(self.lobby)
        assert room is not None
        self.assertEqual((room.hearers, room.seats), ({}, set()))
