"""When a session was last used."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.usage import Usage

API = b"/giestack/session/abc/api/"


class UsageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100)
        self.usage = Usage(self.clock)

    def counts(self, method: bytes, target: bytes) -> bool:
        self.clock.advance(1)
        touch = self.usage(method, target)
        if touch is None:
            return False
        before = self.usage.last
        touch()
        return before < self.usage.last == self.clock.seconds()

    def test_it_begins_as_used(self) -> None:
        self.assertEqual(self.usage.last, 100)

    def test_to_ask_is_not_yet_use(self) -> None:
        self.clock.advance(5)
        self.usage(b"GET", b"/lab")
        self.assertEqual(self.usage.last, 100)

    def test_everything_is_use_of_what_is_not_known(self) -> None:
        for target in (b"/", b"/api/kernels", API + b"kernels?1"):
            self.assertTrue(self.counts(b"GET", target))

    def test_what_an_open_page_asks_by_itself_is_none(self) -> None:
        self.usage.polling = API
        for path in (
            b"kernels?1700000000000", b"sessions?17", b"terminals?17", b"kernelspecs?17", b"me?17",
            b"contents?content=1&hash=0&17", b"contents/a.ipynb?content=0", b"kernels/k1?17",
            b"status", b"events/subscribe", b"metrics/v1?17", b"kernels/k1?x=/channels", b"",
            b"collaboration/room/json:notebook:1",
        ):  # fmt: skip
            for method in (b"GET", b"HEAD"):
                self.assertFalse(self.counts(method, API + path), path)
        for path in (b"workspaces?17", b"settings"):
            self.assertFalse(self.counts(b"GET", b"/giestack/session/abc/lab/api/" + path))
        workspace = b"/giestack/session/abc/lab/api/workspaces/default?17"
        self.assertFalse(self.counts(b"PUT", workspace))
        self.assertEqual(self.usage.last, 100)
        self.assertEqual(self.usage.polling, API)

    def test_it_may_turn_out_to_be_something_else(self) -> None:
        self.usage.polling = API
        self.usage.polling = None
        self.assertIsNone(self.usage.polling)
        self.assertTrue(self.counts(b"GET", API + b"kernels"))

    def test_everything_else_is(self) -> None:
        self.usage.polling = API
        for method, target in (
            (b"POST", API + b"kernels"),
            (b"PUT", API + b"contents/a.ipynb"),
            (b"DELETE", API + b"sessions/1"),
            (b"PATCH", API + b"sessions/1"),
            (b"GET", API + b"kernels/k1/channels"),
            (b"GET", API + b"kernels/k1/channels?session_id=1"),
            (b"GET", API[:-1]),
            (b"GET", b"/giestack/session/abc/lab"),
            (b"PUT", b"/giestack/session/abc/lab/api/settings/x"),
            (b"GET", b"/giestack/session/abc/lab/tree/a.ipynb"),
            (b"GET", b"/lab/api/workspaces"),
            (b"GET", b"/giestack/session/abc/terminals/websocket/1"),
            (b"GET", b"/giestack/session/abc/files/api/x"),
        ):
            self.assertTrue(self.counts(method, target), target)
