"""What people choose."""

from dataclasses import replace
from typing import Any

from giestack.chat import wire
from giestack.chat.storage import Rejected
from tests.chat.people import ALICE, FREE, ChatCase, identity


class ChoosingTests(ChatCase):
    rules = replace(FREE, opt_in=True)

    def choose(self, **fields: Any) -> Any:
        prefs = wire.Prefs(id=0, **fields)
        return self.came(self.chat.choose(ALICE, prefs))

    def test_opting_in_by_http_and_out_by_the_socket(self) -> None:
        for _ in range(2):
            self.assertTrue(self.choose(opt_in=True).opt_in)
        here, there = self.come(ALICE), self.come(ALICE)
        for one in (here, there):
            self.assertTrue(one.hello().prefs.opt_in)
        ok = here.ask(wire.Prefs, opt_in=False)
        self.assertFalse(ok.prefs.opt_in)
        self.assertIsNone(here.closed)
        self.tick()
        for one in (here, there):
            self.assertEqual(one.closed, (wire.CLOSE_FORBIDDEN, "not opted in"))
        self.assertEqual([event for event, _, _ in self.noted], ["chat-opt-in", "chat-opt-out"])

    def test_other_clients_are_told(self) -> None:
        self.choose(opt_in=True)
        here, there = self.come(ALICE), self.come(ALICE)
        there.frames()
        here.ask(wire.Prefs, do_not_disturb=True, online=True)
        [told] = there.frames()
        self.assertEqual((told.prefs.do_not_disturb, told.prefs.online), (True, True))
        self.choose(online=False)
        self.assertFalse(here.frames()[-1].prefs.online)

    def test_not_in_somebody_elses_name(self) -> None:
        actor = identity(1, "alice", impersonated_by="boss")
        choosing = self.chat.choose(actor, wire.Prefs(id=0, opt_in=True))
        self.assertEqual(self.failureResultOf(choosing, Rejected).value.code, "perm")
