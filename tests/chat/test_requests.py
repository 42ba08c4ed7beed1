"""Which part of the chat carries out which request."""

from typing import get_args

from giestack.chat import wire
from tests.chat.people import ALICE, ChatCase


class RequestsTests(ChatCase):
    def test_every_request_is_carried_out_by_somebody(self) -> None:
        self.assertEqual(set(self.chat.requests._carry), set(get_args(wire.Request)))

    def test_they_are_counted(self) -> None:
        alice = self.come(ALICE, self.lobby)
        alice.say(self.lobby, "one")
        alice.say(self.lobby, "")
        self.assertEqual(self.chat.requests.done, {"join": 1, "msg": 1})
        self.assertEqual(self.chat.requests.refused, {"bad": 1})

    def test_a_room_that_nobody_was_in_for_long(self) -> None:
        self.come(ALICE, self.lobby).leave()
        self.store, self.chat = self.node()
        answer = self.chat.answer(
            ALICE, b'{"t":"msg","id":1,"cid":"x","room":"%b","text":"hi"}' % self.lobby.encode()
        )
        self.assertEqual(self.came(answer).seq, 1)
