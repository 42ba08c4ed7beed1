"""The chat as its doors see it."""

from giestack.chat import wire
from tests.chat.people import ALICE, BOB, ChatCase


class FirstTests(ChatCase):
    def test_two_people_talk(self) -> None:
        alice, bob = self.come(ALICE), self.come(BOB)
        hello = alice.hello()
        self.assertEqual(
            (hello.v, hello.user.id, hello.user.name, hello.user.role), (1, "id1", "alice", "user")
        )
        [room] = hello.rooms
        self.assertEqual(
            (room.name, room.kind, room.persistent, room.joined), ("Lobby", "public", True, False)
        )
        self.assertEqual(alice.ask(wire.Join, room=room.id).room.name, "Lobby")
        bob.ask(wire.Join, room=room.id)
        alice.frames(), bob.frames()
        ok = alice.say(room.id, "hi", cid="one")
        self.assertEqual(ok.seq, 1)
        self.tick()
        [heard] = bob.events()
        self.assertEqual(
            (heard.text, heard.user, heard.name, heard.seq, heard.cid),
            ("hi", "id1", "alice", 1, None),
        )
        [own] = alice.events()
        self.assertEqual((own.seq, own.cid), (1, "one"))
