"""The chat as its doors see it."""

from giestack.chat import wire
from giestack.chat.chat import ANSWERING
from tests.chat.people import ALICE, BOB, ChatCase

RESTART = (1012, "restart")


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


class EndTests(ChatCase):
    def test_nothing_is_left_of_who_has_left(self) -> None:
        for _ in range(3):
            somebody = self.come(ALICE, self.lobby)
            somebody.leave()
        around = self.chat._around
        self.assertEqual((around.participants, self.chat.clients), ({}, set()))
        room = around.rooms.find(self.lobby)
        assert room is not None
        self.assertEqual((room.hearers, room.seats), ({}, set()))

    def test_what_is_under_way_is_answered_before_the_end(self) -> None:
        alice, bob = self.come(ALICE, self.lobby), self.come(BOB)
        room = self.lobby
        alice.frames()
        self.store.hold()
        alice.say(room, "accepted", cid="one")
        self.chat.drain()
        self.assertEqual((alice.closed, bob.closed), (None, RESTART))
        alice.say(room, "too late", cid="two")
        self.store.release()
        [answer] = [one for one in alice.frames() if isinstance(one, wire.Ok)]
        self.assertEqual((answer.seq, alice.closed), (1, RESTART))
        self.assertEqual(self.come(BOB).closed, RESTART)

    def test_what_takes_too_long_is_not_waited_for(self) -> None:
        room = self.lobby
        alice = self.come(ALICE, room)
        self.store.hold()
        alice.say(room, "waits")
        self.chat.drain()
        self.chat.drain()
        self.tick(ANSWERING)
        self.assertEqual(alice.closed, RESTART)

    def test_what_is_counted(self) -> None:
        alice, _ = self.come(ALICE), self.come(ALICE)
        alice.conversation.pause()
        self.assertEqual(
            (len(self.chat.clients), self.chat.people_here, self.chat.paused), (2, 1, 1)
        )
