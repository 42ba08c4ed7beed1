"""Coming into rooms and leaving them."""

from dataclasses import replace
from typing import Any

from giestack.chat import membership, wire
from giestack.chat.names import cleaned
from tests.chat.people import ADMIN, ALICE, BOB, CAROL, FREE, ChatCase, identity


class JoinTests(ChatCase):
    def test_joined_from_now_on(self) -> None:
        bob = self.come(BOB, self.lobby)
        bob.say(self.lobby, "before")
        alice = self.come(ALICE)
        alice.frames()
        ok = alice.ask(wire.Join, room=self.lobby)
        self.assertEqual(
            (ok.room.name, ok.room.last, ok.room.unread, ok.room.joined), ("Lobby", 1, 0, True)
        )
        bob.say(self.lobby, "after")
        self.tick()
        self.assertEqual(self.texts(alice.frames()), ["after"])

    def test_joining_twice_changes_nothing(self) -> None:
        alice = self.come(ALICE, self.lobby, self.lobby)
        alice.say(self.lobby, "one")
        self.tick()
        self.assertEqual(len(alice.events()), 1)

    def test_other_clients_of_the_same_person_are_told(self) -> None:
        here, there = self.come(ALICE), self.come(ALICE)
        there.frames()
        here.ask(wire.Join, room=self.lobby)
        [told] = there.frames()
        self.assertEqual((told.room.id, told.gone), (self.lobby, False))
        self.assertIsInstance(there.say(self.lobby, "joined is joined"), wire.Ok)

    def test_no_such_room(self) -> None:
        bob, carol, alice = self.come(BOB), self.come(CAROL), self.come(ALICE)
        private = bob.ask(wire.Create, kind="dm", user=carol.hello().user.id).room.id
        hidden, nowhere = [alice.ask(wire.Join, room=room) for room in (private, "nowhere")]
        self.assert_refused(nowhere, "noroom")
        # One can't find out which rooms there are.
        self.assertEqual((hidden.code, hidden.message), (nowhere.code, nowhere.message))

    def test_too_many(self) -> None:
        self.patch(membership, "MOST_ROOMS", 1)
        alice = self.come(ALICE, self.lobby)
        self.assert_refused(alice.ask(wire.Create, name="another"), "perm")

    def test_gone_while_it_is_looked_up(self) -> None:
        bob, lobby = self.come(BOB, self.lobby), self.lobby
        self.tick(1)
        for who, frame in (
            (ALICE, b'{"t":"join","id":1,"room":"%b"}'),
            (CAROL, b'{"t":"resume","id":1,"rooms":{"%b":0}}'),
        ):
            bob.frames()
            somebody = self.come(who)
            self.store.hold()
            somebody.raw(frame % lobby.encode())
            somebody.leave()
            while self.store.holding:
                self.store.release()
            self.tick(1)
            self.tick(4)
            self.assertEqual(bob.frames(), [])
            room = self.chat._around.rooms.find(lobby)
            assert room is not None
            self.assertEqual(room.seats, {bob.conversation.client})
            bob.say(lobby, "nobody there?")
            self.tick()

    def test_what_is_said_while_somebody_joins(self) -> None:
        bob, alice = self.come(BOB, self.lobby), self.come(ALICE, self.lobby)
        alice.leave()
        alice = self.come(ALICE)
        state = self.store.state
        answered: list[Any] = []

        def slow(*arguments: Any) -> Any:
            found = state(*arguments)
            bob.say(self.lobby, "quick")
            answered.append(found.result.last)
            return found

        self.patch(self.store, "state", slow)
        alice.ask(wire.Join, room=self.lobby)
        self.tick()
        self.assertEqual([one.seq for one in alice.events()], [answered[0] + 1])

    def test_so_many_rooms_that_are_none(self) -> None:
        alice = self.come(ALICE, self.lobby)
        looks: list[str] = []
        state = self.store.state

        def counting(person: Any, room: str) -> Any:
            looks.append(room)
            return state(person, room)

        self.patch(self.store, "state", counting)
        rooms = {f"r{number}": 0 for number in range(5000)}
        ok = alice.ask(wire.Resume, rooms={**rooms, self.lobby: 0})
        self.assertEqual(ok.refused, tuple(rooms))
        self.assertEqual(len(looks), membership.MOST_REFUSED)
        self.assertIsInstance(alice.say(self.lobby, "hi"), wire.Ok)
        self.tick()
        self.assertEqual(len(alice.events()), 1)

    def test_a_name_that_would_take_long(self) -> None:
        cleaning: list[int] = []

        def measured(name: str) -> str:
            cleaning.append(len(name))
            return cleaned(name)

        self.patch(membership, "cleaned", measured)
        alice = self.come(ALICE)
        for name in ("\ufdfa" * 20_000, "\u200b" * 20_000 + "x", " " * 700 + "x"):
            self.assertIsInstance(alice.ask(wire.Create, name=name), wire.Err)
        self.assertLess(max(cleaning), 1000)

    def test_who_is_there(self) -> None:
        bob = self.come(BOB, self.lobby)
        self.tick(1)
        bob.frames()
        alice = self.come(ALICE, self.lobby)
        [there] = [one for one in alice.frames() if isinstance(one, wire.Presence)]
        self.assertEqual(({one.name for one in there.join}, there.count), ({"alice", "bob"}, 2))
        self.tick(1)
        [come] = bob.frames()
        self.assertEqual(([one.name for one in come.join], come.count), (["alice"], 2))
        alice.leave()
        self.tick(1)
        self.tick(3)
        [left] = bob.frames()
        self.assertEqual((left.leave, left.count), (("id1",), 1))


class LeaveTests(ChatCase):
    def test_left_with_all_clients(self) -> None:
        here, there = self.come(ALICE, self.lobby), self.come(ALICE, self.lobby)
        bob = self.come(BOB, self.lobby)
        there.frames()
        self.assertIsInstance(here.ask(wire.Leave, room=self.lobby), wire.Ok)
        self.assertTrue(there.frames()[-1].gone)
        bob.say(self.lobby, "without you")
        self.tick()
        self.assertEqual(here.events() + there.events(), [])
        self.assert_refused(there.say(self.lobby, "still here?"), "perm")
        self.assert_refused(here.ask(wire.Leave, room=self.lobby), "perm")

    def test_who_comes_again_later_is_still_out(self) -> None:
        self.come(ALICE, self.lobby).ask(wire.Leave, room=self.lobby)
        [room] = self.come(ALICE).hello().rooms
        self.assertFalse(room.joined)


class CreateTests(ChatCase):
    def test_an_unlisted_room(self) -> None:
        alice, bob = self.come(ALICE), self.come(BOB)
        room = alice.ask(wire.Create, name="  secret‮ plans ").room
        self.assertEqual(
            (room.name, room.kind, room.joined, room.owner),
            ("secret plans", "unlisted", True, "id1"),
        )
        self.assertEqual(
            bob.ask(wire.Rooms).rooms and [r for r in bob.ask(wire.Rooms).rooms if r.id == room.id],
            [],
        )
        self.assertIsInstance(bob.ask(wire.Join, room=room.id), wire.Ok)
        alice.say(room.id, "you know the id")
        self.tick()
        self.assertEqual(len(bob.events()), 1)
        self.assertEqual([r.name for r in self.come(BOB).hello().rooms], ["Lobby", "secret plans"])

    def test_nobody_is_told_of_it(self) -> None:
        # D4: joining told everybody the name of the room.
        bob = self.come(BOB, self.lobby)
        alice = self.come(ALICE, self.lobby)
        bob.frames()
        alice.ask(wire.Create, name="hidden")
        self.tick(2)
        self.assertNotIn("hidden", repr(bob.frames()))

    def test_a_public_room_is_found(self) -> None:
        alice, bob = self.come(ALICE), self.come(BOB)
        room = alice.ask(wire.Create, kind="public", name="Proteomics").room
        self.assertEqual([r.id for r in bob.ask(wire.Rooms, text="proteo").rooms], [room.id])
        self.assertEqual(alice.ask(wire.Rooms, text="proteo").rooms, ())
        self.assertIsInstance(bob.ask(wire.Create, kind="public", name="proteomics"), wire.Err)

    def test_names(self) -> None:
        self.chat.configure(replace(FREE, deny=("spam",)))
        alice = self.come(ALICE)
        for name, code in (("", "bad"), ("​ ", "bad"), ("x" * 81, "len"), ("spam", "filter")):
            self.assert_refused(alice.ask(wire.Create, name=name), code)

    def test_not_too_fast(self) -> None:
        self.chat.configure(replace(FREE, rate=1.0, burst=1))
        alice = self.come(ALICE)
        self.assertIsInstance(alice.ask(wire.Create, name="a"), wire.Ok)
        self.assert_refused(alice.ask(wire.Create, name="b"), "rate")


class DirectTests(ChatCase):
    def test_between_two(self) -> None:
        alice, bob = self.come(ALICE), self.come(BOB)
        bob.frames()
        room = alice.ask(wire.Create, kind="dm", user="id2").room
        self.assertEqual((room.kind, room.peer.name), ("dm", "bob"))
        [told] = bob.frames()
        self.assertEqual(
            (told.room.id, told.room.peer.name, told.room.joined), (room.id, "alice", True)
        )
        bob.ask(wire.Resume, rooms={room.id: 0})
        alice.say(room.id, "psst")
        self.tick()
        self.assertEqual(self.texts(bob.frames()), ["psst"])
        self.assertEqual(bob.ask(wire.Create, kind="dm", user="id1").room.id, room.id)
        self.assert_refused(bob.ask(wire.Leave, room=room.id), "perm")

    def test_nobody_else_gets_in(self) -> None:
        alice, _, carol = self.come(ALICE), self.come(BOB), self.come(CAROL)
        room = alice.ask(wire.Create, kind="dm", user="id2").room.id
        for kind, fields, code in (
            (wire.Join, {"room": room}, "noroom"),
            (wire.Resume, {"rooms": {room: 0}}, "noroom"),
            (wire.Hist, {"room": room}, "perm"),
            (wire.Msg, {"room": room, "text": "hi", "cid": "x"}, "perm"),
        ):
            self.assert_refused(carol.ask(kind, **fields), code)

    def test_with_nobody_and_oneself(self) -> None:
        alice = self.come(ALICE)
        for user in (None, "id1", "id404"):
            self.assert_refused(alice.ask(wire.Create, kind="dm", user=user), "bad")

    def test_invited_while_away(self) -> None:
        alice = self.come(ALICE)
        self.come(BOB).leave()
        room = alice.ask(wire.Create, kind="dm", user="id2").room.id
        alice.say(room, "for later")
        states: Any = {one.id: one for one in self.come(BOB).hello().rooms}
        self.assertEqual((states[room].unread, states[room].peer.name), (1, "alice"))


class ResumeTests(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.room = self.lobby
        self.bob = self.come(BOB, self.room)
        self.alice = self.come(ALICE, self.room)

    def say(self, count: int) -> None:
        for number in range(count):
            self.bob.say(self.room, f"m{number}")
        self.tick(1)

    def test_nothing_is_missed_and_nothing_comes_twice(self) -> None:
        # D8: what was said while one was away was lost.
        self.alice.leave()
        self.say(150)
        again = self.come(ALICE)
        again.frames()
        self.assertIsInstance(again.ask(wire.Resume, rooms={self.room: 0}), wire.Ok)
        self.say(3)
        self.assertEqual([one.seq for one in again.events()], list(range(1, 154)))

    def test_events_come_before_the_answer(self) -> None:
        self.say(3)
        again = self.come(ALICE)
        again.ask(wire.Resume, rooms={self.room: 1})
        kinds = [type(one).__name__ for one in again.frames()]
        self.assertEqual(kinds, ["Hello", "Presence", "Message", "Message", "Ok"])

    def test_too_much_is_a_gap(self) -> None:
        self.say(250)
        again = self.come(ALICE)
        again.ask(wire.Resume, rooms={self.room: 7})
        [gap] = [one for one in again.frames() if isinstance(one, wire.Gap)]
        self.assertEqual((gap.from_, gap.to), (8, 250))
        self.say(1)
        self.assertEqual([one.seq for one in again.events()], [251])

    def test_a_public_room_is_joined_by_it(self) -> None:
        carol = self.come(CAROL)
        self.assertIsNone(carol.ask(wire.Resume, rooms={self.room: 0}).refused)
        self.assertIsInstance(carol.say(self.room, "hi"), wire.Ok)

    def test_one_room_that_is_refused_spoils_no_other(self) -> None:
        hidden = self.bob.ask(wire.Create, name="hidden").room.id
        ok = self.alice.ask(wire.Resume, rooms={self.room: 0, hidden: 0, "nowhere": 0})
        self.assertEqual(set(ok.refused), {hidden, "nowhere"})
        self.assert_refused(self.alice.ask(wire.Resume, rooms={hidden: 0}), "noroom")

    def test_the_store_is_down(self) -> None:
        carol = self.come(CAROL)
        self.store.down = "gone"
        self.assert_refused(carol.ask(wire.Resume, rooms={self.room: 0, "x": 0}), "server")

    def test_of_nothing(self) -> None:
        self.store.down = "it is not asked"
        self.assertIsInstance(self.alice.ask(wire.Resume, rooms={}), wire.Ok)

    def test_an_impersonating_administrator_joins_nothing(self) -> None:
        actor = self.come(identity(3, "carol", impersonated_by="boss"))
        self.assert_refused(actor.ask(wire.Join, room=self.room), "perm")
        hidden = self.come(CAROL).ask(wire.Create, name="mine").room.id
        self.assert_refused(actor.ask(wire.Resume, rooms={hidden: 0}), "perm")
        self.assertEqual([r.kind for r in self.come(actor.who).hello().rooms], ["public"])


class ModeratorTests(ChatCase):
    def test_roles_are_shown_to_others(self) -> None:
        self.come(ADMIN, self.lobby)
        alice = self.come(ALICE, self.lobby)
        [there] = [one for one in alice.frames() if isinstance(one, wire.Presence)]
        self.assertEqual(
            {one.name: one.role for one in there.join}, {"admin": "admin", "alice": None}
        )
