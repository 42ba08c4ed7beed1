"""What moderators see and do outside of rooms."""

from dataclasses import replace

from giestack.chat import wire
from giestack.chat.storage import Rejected
from giestack.visitor import Operator
from tests.chat.people import ADMIN, ALICE, BOB, FREE, ChatCase, identity


class ModerationTests(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.desk = self.chat
        self.room = self.lobby
        self.alice, self.bob = self.come(ALICE, self.room), self.come(BOB, self.room)

    def test_who_may(self) -> None:
        actor = identity(9, "admin", admin=True, impersonated_by="other")
        for who, may in ((ADMIN, True), (Operator(), True), (ALICE, False), (actor, False)):
            self.assertIs(self.desk.moderates(who), may)
        for refused in (
            self.desk.reports(ALICE),
            self.desk.sanctions(ALICE),
            self.desk.audited(ALICE),
            self.desk.close_report(ALICE, 1),
            self.desk.sanction(ALICE, "ban", "id2", None, None, ""),
            self.desk.lift(ALICE, "ban", "id2", None),
            self.desk.delete(ALICE, self.room, 1, ""),
        ):
            self.assertEqual(self.failureResultOf(refused, Rejected).value.code, "perm")

    def test_reports_are_closed(self) -> None:
        seq = self.bob.say(self.room, "rude").seq
        self.alice.ask(wire.Report, room=self.room, ref=seq, reason="rude")
        [row] = self.came(self.desk.reports(ADMIN))
        self.came(self.desk.close_report(ADMIN, row.number))
        self.assertEqual(list(self.came(self.desk.reports(ADMIN))), [])

    def test_sanctions(self) -> None:
        self.came(self.desk.sanction(Operator(), "ban", "id1", None, None, "spam"))
        self.assertEqual(self.alice.closed, (wire.CLOSE_FORBIDDEN, "banned"))
        self.came(self.desk.sanction(ADMIN, "mute", "id2", self.room, None, ""))
        self.assert_refused(self.bob.say(self.room, "hi"), "muted")
        found = self.came(self.desk.sanctions(ADMIN))
        self.assertEqual(
            {(one.act, one.person.id) for one in found}, {("ban", "id1"), ("mute", "id2")}
        )
        self.came(self.desk.lift(ADMIN, "ban", "id1", None))
        self.came(self.desk.lift(ADMIN, "mute", "id2", self.room))
        self.assertIsInstance(self.bob.say(self.room, "hi"), wire.Ok)
        self.assertIsNone(self.come(ALICE).closed)
        rows = self.came(self.desk.audited(ADMIN))
        self.assertEqual(
            [(row.action, row.by) for row in rows],
            [
                ("chat-unmute", "admin"),
                ("chat-unban", "admin"),
                ("chat-mute", "admin"),
                ("chat-ban", "operator"),
            ],
        )
        nobody = self.desk.sanction(ADMIN, "ban", "id404", None, None, "")
        self.assertEqual(self.failureResultOf(nobody, Rejected).value.code, "bad")

    def test_the_room_is_told(self) -> None:
        self.came(self.desk.sanction(ADMIN, "mute", "id2", self.room, None, "noise"))
        self.tick()
        told = self.alice.events()[-1]
        self.assertEqual(
            (told.act, told.name, told.by_name, told.reason), ("mute", "bob", "admin", "noise")
        )
        self.came(self.desk.lift(ADMIN, "mute", "id2", self.room))
        self.tick()
        self.assertEqual(self.alice.events()[-1].act, "unmute")
        self.came(self.desk.sanction(Operator(), "mute", "id2", self.room, None, ""))
        self.tick()
        self.assertEqual(self.alice.events(), [])

    def test_who_is_muted_is_told(self) -> None:
        self.bob.frames()
        for room in (self.room, None):
            self.came(self.desk.sanction(Operator(), "mute", "id2", room, None, ""))
            [told] = [one for one in self.bob.frames() if isinstance(one, wire.Room)]
            self.assertEqual((told.room.id, told.room.muted_until), (self.room, wire.FOR_EVER))
            self.came(self.desk.lift(Operator(), "mute", "id2", room))
            [told] = [one for one in self.bob.frames() if isinstance(one, wire.Room)]
            self.assertEqual(told.room.muted_until, 0)
        self.assertEqual([o for o in self.alice.frames() if isinstance(o, wire.Room)], [])

    def test_rooms_by_their_names(self) -> None:
        private = self.alice.ask(wire.Create, kind="dm", user="id2").room.id
        found = self.came(self.desk.rooms_called(ADMIN, [self.room, private, "nowhere"]))
        self.assertEqual(found, {self.room: "Lobby", private: ""})
        self.failureResultOf(self.desk.rooms_called(ALICE, [self.room]), Rejected)

    def test_the_address_stands_in_the_detail(self) -> None:
        self.came(self.desk.sanction(ADMIN, "ban", "id1", None, None, "spam"))
        [row] = self.came(self.desk.audited(ADMIN))
        self.assertEqual((row.by, row.detail["by_email"]), ("admin", "admin@example.org"))

    def test_who_is_banned_lifts_nothing(self) -> None:
        self.chat.configure(replace(FREE, moderators=frozenset(("bob@example.org",))))
        self.came(self.desk.sanction(ADMIN, "ban", "id2", None, None, ""))
        refused = self.desk.lift(BOB, "ban", "id2", None)
        self.assertEqual(self.failureResultOf(refused, Rejected).value.code, "perm")
        self.come(ADMIN).leave()
        # Whom the configuration names must not be locked out by somebody it does not.
        self.came(self.desk.sanction(Operator(), "ban", "id9", None, None, ""))
        self.came(self.desk.lift(ADMIN, "ban", "id9", None))

    def test_deleting_from_the_page(self) -> None:
        seq = self.bob.say(self.room, "rude").seq
        self.came(self.desk.delete(ADMIN, self.room, seq, "rude"))
        self.tick()
        self.assertEqual(self.alice.events()[-1].ref, seq)
