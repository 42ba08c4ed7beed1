"""What was wrong with Galaxy's own chat server (16.07 to 20.09), and is not to be wrong again.

One test for each defect. Those that need a browser or a door are in ``tests/real``.
"""

import json

from giestack.chat import wire
from tests.chat.people import ALICE, BOB, ChatCase, identity
from tests.settings.world import problems

MANY = 500


class OldDefectTests(ChatCase):
    def test_d1_stored_script(self) -> None:
        # The server cleaned HTML, and the client then decoded it: here text stays text.
        alice, bob = self.come(ALICE, self.lobby), self.come(BOB, self.lobby)
        text = "%3Cimg%20src=x%20onerror=alert(1)%3E <b>&amp;</b>"
        alice.say(self.lobby, text)
        self.tick()
        self.assertEqual(self.texts(bob.frames()), [text])

    def test_d3_a_visitor_without_user(self) -> None:
        # An anonymous session was an error in the server, at each event.
        anonymous = self.come(None)
        self.assertEqual(anonymous.closed, (wire.CLOSE_NOT_LOGGED_IN, "not logged in"))
        self.assertEqual(anonymous.frames(), [])

    def test_d4_rooms_of_others(self) -> None:
        # Anybody could write to any room, read it by its name, and was told of its existence.
        bob, eve = self.come(BOB, self.lobby), self.come(identity(6), self.lobby)
        hidden = bob.ask(wire.Create, name="private").room
        self.assert_refused(eve.say(hidden.id, "hi"), "perm")
        self.assert_refused(eve.say("private", "hi"), "perm")
        self.assert_refused(eve.ask(wire.Join, room="private"), "noroom")
        self.assert_refused(eve.ask(wire.Hist, room=hidden.id), "perm")
        self.tick(2)
        self.assertNotIn("private", repr(eve.frames()))

    def test_d6_the_default_secret(self) -> None:
        # It was warned of only; whoever knows it can be anybody.
        text = json.dumps(
            {
                "galaxy": {
                    "id_secret": "USING THE DEFAULT IS NOT SECURE!",
                    "database_connection": "sqlite:///g.sqlite",
                },
                "chat": {},
            }
        )
        self.assertIn("chat: does not start", "\n".join(problems(text)))

    def test_d7_addresses(self) -> None:
        # A hash of the address went to everybody, and from there to another company.
        alice, bob = self.come(ALICE, self.lobby), self.come(BOB, self.lobby)
        alice.say(self.lobby, "hi")
        alice.ask(wire.People)
        self.tick(2)
        sent = b"".join(b.frames for b in (*alice.outlet.batches, *bob.outlet.batches))
        for secret in (b"example.org", b"c160f8cc69a4f0bf2b0362752353d060"):
            self.assertNotIn(secret, sent)

    def test_d8_what_was_said_in_the_meantime(self) -> None:
        # After a lost connection nobody was in any room, and the messages were gone.
        alice, bob = self.come(ALICE, self.lobby), self.come(BOB, self.lobby)
        alice.say(self.lobby, "seen")
        alice.leave()
        bob.say(self.lobby, "missed")
        again = self.come(ALICE)
        again.ask(wire.Resume, rooms={self.lobby: 1})
        self.assertEqual(self.texts(again.frames()), ["missed"])

    def test_d9_ones_own_message_is_nothing_unread(self) -> None:
        alice = self.come(ALICE, self.lobby)
        alice.say(self.lobby, "my own")
        self.assertEqual(self.come(ALICE).hello().rooms[0].unread, 0)

    def test_d10_coming_is_not_told_to_everybody(self) -> None:
        # 500 people who came were 126,250 frames.
        everybody = [self.come(identity(100 + number), self.lobby) for number in range(MANY)]
        before = sum(len(one.outlet.batches) for one in everybody)
        self.tick(1)
        told = sum(len(one.outlet.batches) for one in everybody) - before
        self.assertLessEqual(told, MANY)
        self.assertLessEqual(before, 5 * MANY)
