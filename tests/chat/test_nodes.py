"""Several nodes on one store are one chat."""

from dataclasses import replace
from typing import Any

from twisted.internet.defer import fail

from giestack.chat import wire
from giestack.chat.nodes import BEAT
from giestack.chat.presence import NODE_EXPIRES
from giestack.chat.storage import Signal
from tests.chat.people import ADMIN, ALICE, BOB, FREE, ChatCase, Somebody, identity


class NodesCase(ChatCase):
    """Alice is on one node, Bob and the administrator on another."""

    def setUp(self) -> None:
        super().setUp()
        self.here = self.chat
        self.there_store, self.there = self.node()
        self.room = self.lobby
        self.alice = self.come(ALICE, self.room)
        self.chat = self.there
        self.bob, self.admin = self.come(BOB, self.room), self.come(ADMIN, self.room)
        self.chat = self.here
        self.tick(1)
        self.tick(1)

    def of(self, who: Somebody, kind: type) -> list[Any]:
        return [one for one in who.frames() if isinstance(one, kind)]


class NodesTests(NodesCase):
    def test_presence(self) -> None:
        told = self.of(self.alice, wire.Presence)
        self.assertEqual(told[-1].count, 3)
        self.bob.leave()
        for _ in range(5):
            self.tick(1)
        [left] = self.of(self.alice, wire.Presence)
        self.assertEqual((left.leave, left.count), (("id2",), 2))

    def test_a_node_that_comes_later_is_told(self) -> None:
        _, self.chat = self.node()
        late = self.come(identity(5), self.room)
        [first] = self.of(late, wire.Presence)
        self.assertEqual(first.count, 4)

    def test_a_node_that_stops_takes_its_people_along(self) -> None:
        self.alice.frames()
        self.came(self.there.stop())
        self.tick(1)
        [left] = self.of(self.alice, wire.Presence)
        self.assertEqual(left.count, 1)

    def test_one_that_dies_too_after_a_while(self) -> None:
        self.there_store.tell = lambda signal: None
        self.alice.frames()
        for _ in range(round(NODE_EXPIRES / 1000 / BEAT) + 5):
            self.tick(BEAT)
        self.assertEqual(self.of(self.alice, wire.Presence)[-1].count, 1)

    def test_typing(self) -> None:
        self.bob.frames()
        self.alice.ask(wire.Typing, room=self.room)
        [told] = self.of(self.bob, wire.Writing)
        self.assertEqual(told.name, "alice")

    def test_moderation(self) -> None:
        self.admin.ask(wire.Mod, act="mute", room=self.room, user="id1")
        self.assert_refused(self.alice.say(self.room, "hi"), "muted")
        self.admin.ask(wire.Mod, act="unmute", room=self.room, user="id1")
        self.admin.ask(wire.Mod, act="lock", room=self.room)
        self.assert_refused(self.alice.say(self.room, "hi"), "perm")
        self.admin.ask(wire.Mod, act="ban", user="id1")
        self.assertEqual(self.alice.closed, (wire.CLOSE_FORBIDDEN, "banned"))

    def test_a_room_is_as_its_log_says_whatever_gets_lost(self) -> None:
        for store in (self.store, self.there_store):
            store.tell = lambda signal: None
        self.admin.ask(wire.Mod, act="lock", room=self.room)
        self.assert_refused(self.alice.say(self.room, "hi"), "perm")
        self.admin.ask(wire.Mod, act="unlock", room=self.room)
        self.admin.ask(wire.Mod, act="slow", room=self.room, seconds=60)
        self.assertIsInstance(self.alice.say(self.room, "one"), wire.Ok)
        self.assert_refused(self.alice.say(self.room, "two"), "rate")
        again = self.come(ADMIN, self.room)
        again.ask(wire.Mod, act="slow", room=self.room, seconds=0)
        self.assertIsInstance(self.alice.say(self.room, "three"), wire.Ok)

    def test_reports(self) -> None:
        seq = self.alice.say(self.room, "hm").seq
        self.alice.ask(wire.Report, room=self.room, ref=seq, reason="x")
        [told] = self.of(self.admin, wire.Reported)
        self.assertEqual(told.ref, seq)

    def test_the_same_person_on_both(self) -> None:
        self.chat = self.there
        other = self.come(ALICE)
        self.bob.say(self.room, "@alice hi")
        other.frames()
        self.alice.ask(wire.Read, room=self.room, seq=1)
        [marked] = self.of(other, wire.Marked)
        self.assertEqual((marked.seq, marked.unread), (1, 0))
        made = self.alice.ask(wire.Create, name="mine").room.id
        self.assertIn(made, [one.room.id for one in self.of(other, wire.Room)])
        self.assertIsInstance(other.say(made, "joined is joined"), wire.Ok)
        self.alice.ask(wire.Leave, room=made)
        self.assert_refused(other.say(made, "hi"), "perm")
        self.alice.ask(wire.Prefs, do_not_disturb=True)
        [chosen] = self.of(other, wire.Chosen)
        self.assertTrue(chosen.prefs.do_not_disturb)

    def test_the_last_one_of_a_node_leaves(self) -> None:
        room = self.alice.ask(wire.Create, name="theirs").room.id
        self.bob.ask(wire.Join, room=room)
        self.tick(1)
        self.tick(1)
        self.alice.frames()
        self.bob.leave()
        for _ in range(6):
            self.tick(1)
        left = [one for one in self.of(self.alice, wire.Presence) if one.room == room]
        self.assertEqual([(one.leave, one.count) for one in left], [(("id2",), 1)])

    def test_left_on_one(self) -> None:
        self.chat = self.there
        other = self.come(ALICE, self.room)
        other.frames()
        self.alice.ask(wire.Leave, room=self.room)
        [told] = self.of(other, wire.Room)
        self.assertEqual((told.room.id, told.gone), (self.room, True))
        self.bob.say(self.room, "psst")
        self.tick()
        self.assertEqual(other.events(), [])

    def test_opting_out_on_one(self) -> None:
        for chat in (self.here, self.there):
            chat.configure(replace(FREE, opt_in=True))
        self.alice.ask(wire.Prefs, opt_in=True)
        self.bob.ask(wire.Prefs, opt_in=False)
        self.chat = self.there
        self.tick()
        self.assertIsNone(self.alice.closed)
        self.assertEqual(self.bob.closed, (wire.CLOSE_FORBIDDEN, "not opted in"))

    def test_direct_messages(self) -> None:
        self.bob.frames()
        room = self.alice.ask(wire.Create, kind="dm", user="id2").room.id
        [invited] = self.of(self.bob, wire.Room)
        self.assertEqual(invited.room.id, room)
        self.bob.ask(wire.Resume, rooms={room: 0})
        self.alice.say(room, "psst")
        self.tick()
        self.assertEqual(self.texts(self.bob.frames()), ["psst"])


class OddTests(NodesCase):
    def signal(self, kind: str, **body: object) -> None:
        self.there_store.tell(Signal(kind=kind, node="n", body=body))

    def test_what_is_not_understood_is_passed_over(self) -> None:
        for kind, body in (
            ("newer", {}),
            ("people", {}),
            ("people", {"room": self.room, "come": [["x"]], "left": []}),
            ("people", {"room": self.room, "come": 5, "left": []}),
            ("typing", {}),
            ("typing", {"room": "nowhere", "user": "x", "name": "y"}),
            ("room", {"room": "nowhere", "locked": True, "slow": 1}),
            ("left", {"room": "nowhere", "person": "x"}),
            ("left", {"room": self.room, "person": "x"}),
            ("invited", {"room": self.room, "person": "x"}),
            ("prefs", {"person": "x"}),
            ("read", {"person": "x"}),
            ("report", {"odd": 1}),
        ):
            self.signal(kind, **body)
        self.assertIsInstance(self.alice.say(self.room, "goes on"), wire.Ok)

    def test_the_store_is_down(self) -> None:
        self.store.down = "gone"
        self.signal("sanctions")
        self.store.down = None
        self.store.sanctions = lambda: fail(RuntimeError("x"))
        self.signal("sanctions")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_events_of_rooms_nobody_is_in_here(self) -> None:
        other = self.bob.ask(wire.Create, name="theirs").room.id
        self.bob.say(other, "hi")
        self.tick()
        self.assertIsNone(self.here._around.rooms.find(other))
