"""Who is in a room, who may, who hears."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import wire
from giestack.chat.rooms import (
    RING,
    RING_BYTES,
    Heard,
    Room,
    Rooms,
    Standing,
    batch_for,
    heard,
    muted,
    shown,
)
from giestack.chat.storage import Person, Rejected, Sanction
from giestack.chat.wire import FOR_EVER, RoomState

ALICE = Person(key=1, id="a", name="alice")
MESSAGE = wire.Message(room="r", seq=1, ts=2, user="a", name="alice", text="hi")
PUBLIC = RoomState(id="pub", name="Public", kind="public", last=3)
HIDDEN = RoomState(id="hid", name="Hidden", kind="unlisted")


def event(seq: int) -> Heard:
    return Heard(seq, b"%d" % seq)


class HeardTests(SynchronousTestCase):
    def test_only_the_author_is_told_the_cid(self) -> None:
        one = heard(MESSAGE, "x1")
        self.assertNotIn(b"x1", batch_for("b", [one]).frames)
        self.assertIn(b'"cid":"x1"', batch_for("a", [one]).frames)

    def test_without_cid_all_hear_the_same(self) -> None:
        for one in (
            heard(MESSAGE),
            heard(wire.Deleted(room="r", seq=1, ts=2, user="a", name="n", ref=1), "x"),
        ):
            self.assertEqual(batch_for("a", [one]).frames, batch_for("b", [one]).frames)


class RoomTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.room: Room[str] = Room("r", "Room", "public")

    def accepted(self, *seqs: int) -> list[int]:
        return [one.seq for seq in seqs for one in self.room.accept(event(seq))]

    def test_one_after_the_other(self) -> None:
        self.assertEqual(self.accepted(1, 2, 2, 1, 3), [1, 2, 3])
        self.assertFalse(self.room.waits)

    def test_one_that_comes_early_waits(self) -> None:
        self.assertEqual(self.accepted(2, 4), [])
        self.assertTrue(self.room.waits)
        self.assertEqual(self.accepted(1), [1, 2])
        self.assertTrue(self.room.waits)
        self.assertEqual(self.accepted(3), [3, 4])
        self.assertFalse(self.room.waits)

    @given(st.permutations(range(1, 30)), st.lists(st.integers(1, 29)))
    def test_in_whatever_order_they_come(self, order: list[int], again: list[int]) -> None:
        self.setUp()
        self.assertEqual(self.accepted(*order[:10], *again, *order), list(range(1, 30)))

    def test_no_more_bytes_than_are_kept(self) -> None:
        text = b"x" * 16_000
        for seq in range(1, 101):
            self.room.accept(Heard(seq, text))
        most = RING_BYTES // len(text)
        self.assertEqual(len(self.room.missed(100 - most) or ()), most)
        self.assertIsNone(self.room.missed(100 - most - 1))
        self.room.rest()
        self.room.accept(Heard(101, text))
        self.assertEqual(len(self.room.missed(100) or ()), 1)

    def test_what_was_missed(self) -> None:
        self.accepted(*range(1, RING + 11))
        missed = self.room.missed(RING + 7)
        assert missed is not None
        self.assertEqual([one.seq for one in missed], [RING + 8, RING + 9, RING + 10])
        self.assertEqual(self.room.missed(RING + 10), ())
        self.assertEqual(self.room.missed(RING + 99), ())
        self.assertEqual(len(self.room.missed(10) or ()), RING)
        self.assertIsNone(self.room.missed(9))
        self.room.rest()
        self.assertIsNone(self.room.missed(RING + 7))

    def test_events_that_are_gone_are_not_waited_for(self) -> None:
        self.accepted(1, 4, 5)
        self.room.skip_to(3)
        self.assertEqual(self.accepted(4), [4, 5])
        self.room.skip_to(2)
        self.assertEqual(self.room.last, 5)


class MayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rooms: Rooms[str] = Rooms()
        self.rooms.know(PUBLIC)
        self.rooms.know(HIDDEN)
        self.who = Standing("a", joined={"pub"})

    def refused(self, *arguments: object, who: Standing | None = None, code: str = "perm") -> None:
        rejected = self.assertRaises(Rejected, self.rooms.writable, who or self.who, *arguments)
        self.assertEqual(rejected.code, code)

    def test_a_room_is_known_once(self) -> None:
        room = self.rooms.find("pub")
        assert room is not None
        self.assertEqual(room.last, 3)
        room.last = 7
        again = self.rooms.know(RoomState(id="pub", name="New", kind="public", last=5, slow=3))
        self.assertIs(again, room)
        self.assertEqual((room.name, room.slow, room.last), ("New", 3, 7))
        self.assertEqual({one.id for one in self.rooms}, {"pub", "hid"})

    def test_in_a_room_one_has_joined(self) -> None:
        self.assertEqual(self.rooms.writable(self.who, "pub", 0).id, "pub")

    def test_not_in_others(self) -> None:
        self.refused("hid", 0)
        self.refused("nowhere", 0)
        rejected = self.assertRaises(Rejected, self.rooms.readable, Standing("a"), "pub")
        self.assertEqual(rejected.message, "Join the room first.")

    def test_unlisted_rooms_and_none_are_told_apart_by_nobody(self) -> None:
        one = self.assertRaises(Rejected, self.rooms.readable, self.who, "hid")
        other = self.assertRaises(Rejected, self.rooms.readable, self.who, "nowhere")
        self.assertEqual((one.code, one.message), (other.code, other.message))

    def test_mutes_end(self) -> None:
        for room in ("pub", None):
            self.rooms.sanctions([Sanction(person=ALICE, act="mute", until=10, room=room)])
            self.refused("pub", 9, code="muted")
            self.assertEqual(self.rooms.writable(self.who, "pub", 10).id, "pub")
        self.rooms.sanctions([Sanction(person=ALICE, act="mute", until=FOR_EVER, room="hid")])
        self.assertEqual(self.rooms.writable(self.who, "pub", 10).id, "pub")
        self.assertEqual(muted(HIDDEN, self.rooms, self.who, 5).muted_until, FOR_EVER)
        self.assertIs(muted(PUBLIC, self.rooms, self.who, 5), PUBLIC)

    def test_bans_end(self) -> None:
        self.rooms.sanctions([Sanction(person=ALICE, act="ban", until=10)])
        self.assertEqual(self.rooms.banned_until("a", 9), 10)
        self.assertEqual(self.rooms.banned_until("a", 10), 0)
        self.assertEqual(self.rooms.banned_until("b", 9), 0)

    def test_a_locked_room_is_for_moderators(self) -> None:
        self.rooms.know(RoomState(id="pub", name="P", kind="public", locked=True))
        self.refused("pub", 0)
        for role in ("moderator", "admin"):
            moderator = Standing("m", role, {"pub"})
            self.assertEqual(self.rooms.writable(moderator, "pub", 0).id, "pub")
            self.rooms.moderates(moderator)
        self.assertRaises(Rejected, self.rooms.moderates, self.who)

    def test_impersonation(self) -> None:
        actor = Standing("a", "admin", {"pub", "hid"}, impersonated=True)
        for mode, public, hidden in (
            ("deny", False, False),
            ("mark", True, False),
            ("allow", True, True),
        ):
            self.rooms.impersonation = mode  # type: ignore[assignment]
            for room, may in (("pub", public), ("hid", hidden)):
                if may:
                    self.rooms.writable(actor, room, 0)
                else:
                    self.refused(room, 0, who=actor)
            self.assertEqual(self.rooms.readable(actor, "pub").id, "pub")
            states = shown([PUBLIC, HIDDEN], actor, self.rooms)
            self.assertEqual(len(states), 2 if hidden else 1)
        self.assertRaises(Rejected, self.rooms.moderates, actor)


class RestTests(SynchronousTestCase):
    def test_rooms_that_nobody_asks_for(self) -> None:
        rooms: Rooms[str] = Rooms()
        heard_, asked, _ = (rooms.know(RoomState(id=id, name=id, kind="public")) for id in "abc")
        heard_.seats.add("client")
        rooms.forget_resting()
        self.assertIs(rooms.find("b"), asked)
        rooms.forget_resting()
        self.assertEqual([room.id for room in rooms], ["a", "b"])
        rooms.forget_resting()
        self.assertEqual([room.id for room in rooms], ["a"])
