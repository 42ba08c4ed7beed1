"""What is asked of the chat one by one, by HTTP."""

from dataclasses import replace
from typing import Any

from giestack.chat import wire
from giestack.chat.storage import Rejected
from tests.chat.people import ADMIN, ALICE, BOB, FREE, ChatCase, RecordingOutlet, identity


class RequestTests(ChatCase):
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

    def test_nor_for_that_of_another_user_of_the_same_session(self) -> None:
        conn = self.come(ALICE).hello().conn
        other = identity(2, "bob", session=ALICE.session_key)
        self.failureResultOf(self.chat.answer(other, self.say(), conn), LookupError)

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
