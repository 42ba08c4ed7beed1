"""Who comes, and what they are told first."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from giestack.chat import wire
from giestack.chat.chat import Chat
from giestack.chat.rules import Rules
from giestack.chat.upkeep import HOUSEKEEPING
from giestack.database import DatabaseUnavailable
from giestack.visitor import Anonymous, Identity, Unavailable
from tests.chat.memory_store import MemoryStore
from tests.chat.people import (
    ADMIN,
    ALICE,
    BEGIN,
    BOB,
    CAROL,
    FREE,
    ChatCase,
    RecordingOutlet,
    Somebody,
    identity,
)


class DoorTests(ChatCase):
    def closed(self, visitor: Any) -> tuple[int, str] | None:
        outlet = RecordingOutlet()
        self.chat.arrive(visitor, outlet)
        self.assertEqual(outlet.batches, [])
        return outlet.closed

    def test_without_a_session(self) -> None:
        # D3: an anonymous session was an error in the server.
        for visitor in (None, Anonymous(1, "key")):
            self.assertEqual(self.closed(visitor), (wire.CLOSE_NOT_LOGGED_IN, "not logged in"))

    def test_switched_off(self) -> None:
        self.chat.configure(replace(FREE, enabled=False))
        self.assertEqual(self.closed(ALICE), (wire.CLOSE_FORBIDDEN, "the chat is switched off"))

    def test_switched_off_while_somebody_is_there(self) -> None:
        alice = self.come(ALICE)
        self.chat.configure(replace(FREE, enabled=False))
        self.assertEqual(alice.closed, (wire.CLOSE_FORBIDDEN, "the chat is switched off"))

    def test_not_opted_in(self) -> None:
        self.chat.configure(replace(FREE, opt_in=True))
        self.assertEqual(self.closed(ALICE), (wire.CLOSE_FORBIDDEN, "not opted in"))

    def test_banned(self) -> None:
        admin = self.come(ADMIN)
        self.come(ALICE).leave()
        admin.ask(wire.Mod, act="ban", user="id1", until=BEGIN + 1000)
        self.assertEqual(self.closed(ALICE), (wire.CLOSE_FORBIDDEN, "banned"))
        self.clock.advance(1)
        self.assertIsNone(self.come(ALICE).closed)

    def test_the_store_is_down(self) -> None:
        self.store.down = "no route to host"
        self.assertEqual(self.closed(ALICE), (1013, "the chat can't be reached right now"))

    def test_too_many_connections_of_one_person(self) -> None:
        self.chat.configure(replace(FREE, sockets_per_user=2))
        first, _ = self.come(ALICE), self.come(ALICE)
        self.assertEqual(self.closed(ALICE), (wire.CLOSE_FLOOD, "too many connections"))
        self.assertIsNone(self.come(BOB).closed)
        first.leave()
        self.assertIsNone(self.come(ALICE).closed)

    def test_gone_before_it_was_known_who_it_is(self) -> None:
        self.store.hold()
        alice = self.come(ALICE)
        alice.leave()
        self.store.release()
        self.assertEqual((alice.frames(), self.chat.clients), ([], set()))
        self.assertEqual(self.chat._around.participants, {})

    def while_somebody_arrives(self, happens: Callable[[], object]) -> Somebody:
        """Alice comes, and something happens while her rooms are looked up."""
        rooms_of = self.store.rooms_of
        happening = [happens]

        def slow(person: Any) -> Deferred[Any]:
            answer: Deferred[Any] = Deferred()
            found = rooms_of(person)
            # Later: it holds for what was found before.
            self.clock.callLater(1, lambda: found.chainDeferred(answer))
            for one in happening[:]:
                happening.clear()
                self.clock.callLater(0.5, one)
            return answer

        self.patch(self.store, "rooms_of", slow)
        alice = self.come(ALICE)
        self.tick(0.5)
        self.tick(0.5)
        self.patch(self.store, "rooms_of", rooms_of)
        self.tick(1)
        self.assertEqual(len(self.chat._around.looks), 0)
        return alice

    def test_banned_meanwhile(self) -> None:
        self.come(ALICE).leave()
        admin = self.come(ADMIN)
        alice = self.while_somebody_arrives(lambda: admin.ask(wire.Mod, act="ban", user="id1"))
        self.assertEqual((alice.closed, alice.frames()), ((wire.CLOSE_FORBIDDEN, "banned"), []))

    def test_opted_out_meanwhile(self) -> None:
        self.chat.configure(replace(FREE, opt_in=True))
        self.came(self.chat.choose(ALICE, wire.Prefs(id=0, opt_in=True)))
        alice = self.while_somebody_arrives(
            lambda: self.chat.choose(ALICE, wire.Prefs(id=0, opt_in=False))
        )
        self.assertEqual(alice.closed, (wire.CLOSE_FORBIDDEN, "not opted in"))

    def test_spoken_to_meanwhile(self) -> None:
        self.come(ALICE).leave()
        bob = self.come(BOB)
        alice = self.while_somebody_arrives(lambda: bob.ask(wire.Create, kind="dm", user="id1"))
        rooms = {room.kind: room.id for room in alice.hello().rooms}
        self.assertIsInstance(alice.say(rooms["dm"], "hi"), wire.Ok)

    def test_something_fails(self) -> None:
        def broken(*arguments: object) -> Deferred[object]:
            return fail(RuntimeError("secret"))

        self.store.rooms_of = broken
        self.assertEqual(self.closed(ALICE), (1013, "the chat can't be reached right now"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_at_the_end(self) -> None:
        alice = self.come(ALICE)
        self.chat.drain()
        self.assertEqual(alice.closed, (wire.CLOSE_RESTART, "restart"))
        self.assertEqual(self.closed(BOB), (wire.CLOSE_RESTART, "restart"))


class HelloTests(ChatCase):
    def test_all_that_a_client_needs(self) -> None:
        bob = self.come(BOB, self.lobby)
        self.come(ALICE, self.lobby).leave()
        for text in ("one", "two for @alice"):
            bob.say(self.lobby, text)
        hello = self.come(ALICE).hello()
        [room] = hello.rooms
        self.assertEqual((room.last, room.read, room.unread, room.mentions), (2, 0, 2, 1))
        self.assertEqual((hello.now, hello.epoch), (BEGIN, self.store.epoch))
        self.assertEqual(hello.limits.length, 4000)
        self.assertFalse(hello.impersonated)

    def test_roles(self) -> None:
        # From the server, by address; never from names.
        self.chat.configure(replace(FREE, moderators=frozenset({"bob@example.org"})))
        for who, role in ((ALICE, "user"), (BOB, "moderator"), (ADMIN, "admin")):
            self.assertEqual(self.come(who).hello().user.role, role)

    def test_no_address_and_no_hash_of_one(self) -> None:
        # D7: a hash of the address went to everybody.
        alice, bob = self.come(ALICE, self.lobby), self.come(BOB, self.lobby)
        alice.say(self.lobby, "hi")
        self.tick(2)
        sent = b"".join(b.frames for b in (*alice.outlet.batches, *bob.outlet.batches))
        self.assertNotIn(b"example", sent)
        self.assertNotIn(b"c160f8cc69a4f0bf2b0362752353d060", sent)

    def test_names_can_not_pretend(self) -> None:
        for name, shown in (("ad‮nim", "adnim"), ("ａdmin​", "admin"), (None, "user-id5")):
            who = replace(identity(5), username=name)
            self.assertEqual(self.come(who).hello().user.name, shown)

    def test_muted_there(self) -> None:
        alice, admin = self.come(ALICE, self.lobby), self.come(ADMIN)
        admin.ask(wire.Mod, act="mute", room=self.lobby, user="id1", until=BEGIN + 60_000)
        alice.leave()
        self.assertEqual(self.come(ALICE).hello().rooms[0].muted_until, BEGIN + 60_000)


class PreferenceTests(ChatCase):
    rules = Rules(rooms=("Lobby",), rate=0)
    found: Any = None

    def setUp(self) -> None:
        self.asked: list[int] = []
        super().setUp()

    def preference(self, user_id: int) -> Deferred[bool | None]:
        self.asked.append(user_id)
        return self.found if isinstance(self.found, Deferred) else succeed(self.found)

    def test_galaxys_own_is_the_first_value(self) -> None:
        self.found = True
        self.assertIsNone(self.come(ALICE).closed)
        self.found = False
        self.assertIsNone(self.come(ALICE).closed)
        self.assertEqual(self.asked, [1])
        self.assertEqual(self.come(BOB).closed, (wire.CLOSE_FORBIDDEN, "not opted in"))

    def test_not_asked_for_where_everybody_takes_part(self) -> None:
        self.chat.configure(FREE)
        self.assertIsNone(self.come(ALICE).closed)
        self.assertEqual(self.asked, [])

    def test_none_there(self) -> None:
        self.assertEqual(self.come(ALICE).closed, (wire.CLOSE_FORBIDDEN, "not opted in"))

    def test_galaxys_database_is_down(self) -> None:
        self.found = fail(DatabaseUnavailable("gone"))
        self.assertEqual(self.come(ALICE).closed, (wire.CLOSE_FORBIDDEN, "not opted in"))


class RoleTests(ChatCase):
    def test_other_rules_make_other_moderators(self) -> None:
        bob, carol = self.come(BOB, self.lobby), self.come(CAROL)
        self.chat.configure(replace(FREE, moderators=frozenset(("bob@example.org",))))
        self.assertIsInstance(bob.ask(wire.Mod, act="lock", room=self.lobby), wire.Ok)
        self.chat.configure(replace(FREE, moderators=frozenset(("carol@example.org",))))
        self.assert_refused(bob.ask(wire.Mod, act="unlock", room=self.lobby), "perm")
        self.assert_refused(bob.say(self.lobby, "locked?"), "perm")
        self.assertIsInstance(carol.ask(wire.Mod, act="unlock", room=self.lobby), wire.Ok)

    def test_who_is_no_administrator_any_more(self) -> None:
        known: dict[int, object] = {}

        async def identify(one: Identity) -> object:
            return known.get(one.user_id, one)

        chat = Chat(MemoryStore(self.log), FREE, self.clock, self.now, self.note, identify=identify)
        chat.start()
        self.addCleanup(chat.stop)
        self.chat = chat
        admin, bob, alice = (
            self.come(ADMIN, self.lobby),
            self.come(BOB, self.lobby),
            self.come(ALICE),
        )
        known[9] = replace(ADMIN, is_admin=False)
        known[2] = replace(BOB, is_admin=True, username="robert")
        known[1] = Unavailable("gone")
        self.clock.advance(HOUSEKEEPING)
        self.assert_refused(admin.ask(wire.Mod, act="lock", room=self.lobby), "perm")
        self.assertIsInstance(bob.ask(wire.Mod, act="lock", room=self.lobby), wire.Ok)
        bob.say(self.lobby, "hi")
        self.tick()
        self.assertEqual(bob.events()[-1].name, "robert")
        self.assertIsNone(alice.closed)
