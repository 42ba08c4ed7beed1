"""Which part of the chat carries out which request."""

from typing import Any, get_args

from twisted.logger import globalLogPublisher

from giestack.chat import wire
from giestack.chat.requests import QUIET
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

    def test_the_log_says_once_in_a_while_what_is_wrong(self) -> None:
        said: list[str] = []

        def add(event: Any) -> None:
            said.append(event["log_format"])

        observer: Any = add
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.clock.advance(1)
        room = self.lobby
        alice = self.come(ALICE, room)
        self.store.down = "disk is full"
        for _ in range(3):
            self.assert_refused(alice.say(room, "hi"), "server")
        self.assertEqual(len([one for one in said if "carried out" in one]), 1)
        self.clock.advance(QUIET)
        alice.say(room, "hi")
        self.assertEqual(len([one for one in said if "carried out" in one]), 2)

    def test_a_room_that_nobody_was_in_for_long(self) -> None:
        self.come(ALICE, self.lobby).leave()
        self.store, self.chat = self.node()
        answer = self.chat.answer(
            ALICE, b'{"t":"msg","id":1,"cid":"x","room":"%b","text":"hi"}' % self.lobby.encode()
        )
        self.assertEqual(self.came(answer).seq, 1)
