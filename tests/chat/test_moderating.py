"""What moderators do, and what they are told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from giestack.chat import wire
from giestack.chat.storage import Person, Sanction
from giestack.chat.wire import FOR_EVER
from tests.chat.people import ADMIN, ALICE, BEGIN, BOB, FREE, ChatCase, identity


class ModerationCase(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.room = self.lobby
        self.alice = self.come(ALICE, self.room)
        self.bob = self.come(BOB, self.room)
        self.admin = self.come(ADMIN, self.room)
        self.tick(1)
        for one in (self.alice, self.bob, self.admin):
            one.frames()

    def mod(self, act: str, **fields: object) -> Any:
        return self.admin.ask(wire.Mod, act=act, **fields)

    def audit(self) -> list[tuple[str, str, str | None]]:
        rows = self.came(self.chat.audited(ADMIN))
        return [(row.action, row.by, row.target) for row in rows]


class ActTests(ModerationCase):
    def test_only_moderators(self) -> None:
        for act in ("mute", "unmute", "ban", "unban", "slow", "lock", "unlock", "del"):
            self.assert_refused(
                self.alice.ask(wire.Mod, act=act, room=self.room, user="id2", ref=1, seconds=1),
                "perm",
            )
        self.assertEqual(self.audit(), [])

    def test_muted_in_a_room(self) -> None:
        self.mod("mute", room=self.room, user="id1", until=BEGIN + 60_000, reason="spam")
        self.assert_refused(self.alice.say(self.room, "hi"), "muted")
        self.tick()
        [told] = self.bob.events()
        self.assertEqual(
            (told.act, told.user, told.name, told.by, told.by_name, told.until, told.reason),
            ("mute", "id1", "alice", "id9", "admin", BEGIN + 60_000, "spam"),
        )
        other = self.alice.ask(wire.Create, name="other").room.id
        self.assertIsInstance(self.alice.say(other, "hi"), wire.Ok)
        self.assertEqual(self.audit(), [("chat-mute", "admin", "alice")])
        self.clock.advance(60)
        self.assertIsInstance(self.alice.say(self.room, "hi"), wire.Ok)

    def test_muted_everywhere_and_for_good(self) -> None:
        ok = self.mod("mute", user="id1")
        self.assertIsNone(ok.seq)
        other = self.alice.ask(wire.Create, name="other").room
        self.assertEqual(other.muted_until, FOR_EVER)
        refused = self.alice.say(other.id, "hi")
        self.assertIn("for good", refused.message)
        self.mod("unmute", user="id1")
        self.assertIsInstance(self.alice.say(other.id, "hi"), wire.Ok)

    def test_banned(self) -> None:
        other_client = self.come(ALICE)
        self.mod("ban", room=self.room, user="id1", reason="enough")
        for one in (self.alice, other_client):
            self.assertEqual(one.closed, (wire.CLOSE_FORBIDDEN, "banned"))
        self.assertIsNone(self.bob.closed)
        self.assertEqual(self.come(ALICE).closed, (wire.CLOSE_FORBIDDEN, "banned"))
        self.mod("unban", user="id1")
        self.assertIsNone(self.come(ALICE).closed)
        self.assertEqual([act for act, _, _ in self.audit()], ["chat-unban", "chat-ban"])
        self.assertEqual([event for event, _, _ in self.noted], ["chat-ban", "chat-unban"])

    def test_locked(self) -> None:
        self.mod("lock", room=self.room)
        self.assert_refused(self.alice.say(self.room, "hi"), "perm")
        self.assertIsInstance(self.admin.say(self.room, "hi"), wire.Ok)
        self.assertTrue(self.come(BOB).hello().rooms[0].locked)
        self.mod("unlock", room=self.room)
        self.assertIsInstance(self.alice.say(self.room, "hi"), wire.Ok)

    def test_slow(self) -> None:
        self.mod("slow", room=self.room, seconds=10)
        self.tick()
        self.assertEqual(self.bob.events()[-1].seconds, 10)
        self.assertEqual(self.come(BOB).hello().rooms[0].slow, 10)
        self.mod("slow", room=self.room, seconds=0)
        for text in ("1", "2"):
            self.assertIsInstance(self.alice.say(self.room, text), wire.Ok)

    def test_deleting(self) -> None:
        seq = self.alice.say(self.room, "spam").seq
        ok = self.mod("del", room=self.room, ref=seq, reason="spam")
        self.tick()
        gone = self.bob.events()[-1]
        self.assertEqual((gone.seq, gone.ref, gone.reason), (ok.seq, seq, "spam"))
        self.assertEqual(self.audit()[0][0], "chat-del")

    def test_what_is_asked_wrongly(self) -> None:
        for act, fields, code in (
            ("mute", {}, "bad"),
            ("mute", {"user": "id404"}, "bad"),
            ("ban", {"user": "id1", "until": BEGIN}, "bad"),
            ("ban", {"user": "id1", "reason": "x" * 501}, "len"),
            ("slow", {}, "bad"),
            ("slow", {"room": self.room}, "bad"),
            ("slow", {"room": self.room, "seconds": 90_000}, "bad"),
            ("lock", {}, "bad"),
            ("lock", {"room": "nowhere"}, "noroom"),
            ("del", {"room": self.room}, "bad"),
            ("del", {"room": self.room, "ref": 99}, "bad"),
        ):
            self.assert_refused(self.mod(act, **fields), code)
        self.assertEqual((self.audit(), self.alice.closed), ([], None))

    def test_moderators_may_act_where_they_have_not_joined(self) -> None:
        moderator = identity(7, "mona")
        self.chat.configure(replace(FREE, moderators=frozenset({"mona@example.org"})))
        mona = self.come(moderator)
        self.assertIsInstance(mona.ask(wire.Mod, act="lock", room=self.room), wire.Ok)
        hidden = self.alice.ask(wire.Create, name="hidden").room.id
        self.assert_refused(mona.ask(wire.Mod, act="lock", room=hidden), "noroom")

    def test_the_later_look_counts(self) -> None:
        sanctions = self.store.sanctions
        waiting: list[Callable[[], object]] = []

        def slow() -> Deferred[Any]:
            answer: Deferred[Any] = Deferred()
            found = sanctions()
            waiting.append(lambda: found.chainDeferred(answer))
            return answer

        self.patch(self.store, "sanctions", slow)
        looking = [Deferred.fromCoroutine(self.chat.requests.moderating.refresh())]
        self.came(self.store.sanction(Sanction(person=self.person(1), act="ban", until=FOR_EVER)))
        looking.append(Deferred.fromCoroutine(self.chat.requests.moderating.refresh()))
        for answer in reversed(waiting):
            answer()
        for one in looking:
            self.came(one)
        self.assertTrue(self.chat._around.rooms.banned_until("id1", BEGIN))

    def person(self, user_id: int) -> Person:
        found: Person = self.came(self.store.people([f"id{user_id}"]))[f"id{user_id}"]
        return found

    def test_an_impersonating_administrator_is_no_moderator(self) -> None:
        self.chat.configure(replace(FREE, impersonation="allow"))
        actor = self.come(identity(9, "admin", admin=True, impersonated_by="other@example.org"))
        self.assert_refused(actor.ask(wire.Mod, act="ban", user="id1"), "perm")


class ReportTests(ModerationCase):
    def test_told_to_moderators_alone(self) -> None:
        seq = self.bob.say(self.room, "rude").seq
        self.tick()
        for one in (self.alice, self.bob, self.admin):
            one.frames()
        ok = self.alice.ask(wire.Report, room=self.room, ref=seq, reason="rude")
        self.assertIsInstance(ok, wire.Ok)
        [told] = self.admin.frames()
        self.assertEqual((told.ref, told.name, told.reason), (seq, "alice", "rude"))
        self.assertEqual(self.bob.frames(), [])
        [row] = self.came(self.chat.reports(ADMIN))
        self.assertEqual((row.text, row.by.name, row.author.name), ("rude", "alice", "bob"))

    def test_not_of_anything(self) -> None:
        for fields, code in (
            ({"room": self.room, "ref": 99, "reason": ""}, "bad"),
            ({"room": "nowhere", "ref": 1, "reason": ""}, "perm"),
            ({"room": self.room, "ref": 1, "reason": "x" * 501}, "len"),
        ):
            self.assert_refused(self.alice.ask(wire.Report, **fields), code)

    def test_not_too_often(self) -> None:
        seq = self.bob.say(self.room, "rude").seq
        self.chat.configure(replace(FREE, rate=1.0, burst=1))
        self.alice.ask(wire.Report, room=self.room, ref=seq, reason="")
        self.assert_refused(self.alice.ask(wire.Report, room=self.room, ref=seq, reason=""), "rate")
