"""Whether work goes on in a session."""

import json
import urllib.request
import uuid
from contextlib import ExitStack
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase
from websockets.sync.client import connect

from giestack.address import Address
from giestack.proxy.ask import Answer, Ask
from giestack.proxy.endpoints import Endpoints
from giestack.spawner.jupyter_activity import MOST, Activity, jupyter_activity
from tests.neighbours.jupyter import Jupyter

reactor: Any = global_reactor
ADDRESS = Address("127.0.0.1", 9000)
BASE = b"/giestack/session/abc/"
STATUS = {"started": "2026-01-02T03:04:05.000000Z", "last_activity": "x", "kernels": 1}
LATER = 1767323045.5
UNKNOWN = Activity(False)


def kernel(state: object = "idle", last: object = "2026-01-02T03:04:05.500000Z") -> dict[str, Any]:
    return {"id": "k1", "name": "python3", "execution_state": state, "last_activity": last}


class Server:
    """Answers as it is told to."""

    def __init__(self) -> None:
        self.answers: dict[bytes, Answer] = {}
        self.asked: list[tuple[bytes, bytes, int]] = []
        self.seconds = 0.0
        self.says("status", STATUS)
        self.says("kernels", [])
        self.says("terminals", [])

    def says(self, what: str, value: object, status: int = 200, whole: bool = True) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.answers[BASE + b"api/" + what.encode()] = Answer(status, "x", body, whole)

    def __call__(
        self, address: Address, target: bytes, host: bytes, *, seconds: float, most: int
    ) -> Deferred[Answer]:
        assert address == ADDRESS
        self.asked.append((target, host, most))
        self.seconds += seconds
        return succeed(self.answers[target.removesuffix(b"?no_track_activity=1")])


class ActivityTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = Server()

    def activity(self) -> Activity:
        return self.successResultOf(
            Deferred.fromCoroutine(jupyter_activity(self.server, ADDRESS, BASE))
        )

    def test_what_is_asked(self) -> None:
        self.activity()
        self.assertEqual(
            self.server.asked,
            [
                (b"%bapi/%b?no_track_activity=1" % (BASE, what), b"localhost", MOST)
                for what in (b"status", b"kernels", b"terminals")
            ],
        )
        self.assertLessEqual(self.server.seconds, 5.001)

    def test_nothing_in_it(self) -> None:
        self.assertEqual(self.activity(), Activity(True, False, None))

    def test_kernels(self) -> None:
        for state, busy in (("busy", True), ("idle", False), ("starting", False), (None, False)):
            self.server.says("kernels", [kernel("idle"), kernel(state)])
            self.assertEqual(self.activity(), Activity(True, busy, LATER))

    def test_a_terminal(self) -> None:
        self.server.says("kernels", [kernel(last="2026-01-01T00:00:00Z")])
        self.server.says("terminals", [{"name": "1", "last_activity": "2026-01-02T03:04:05.5Z"}])
        self.assertEqual(self.activity(), Activity(True, False, LATER))

    def test_without_terminals(self) -> None:
        self.server.says("terminals", {"message": "Not Found"}, 404)
        self.server.says("kernels", [kernel()])
        self.assertEqual(self.activity(), Activity(True, False, LATER))

    def test_times_of_old_versions_are_utc_too(self) -> None:
        self.server.says("kernels", [kernel(last="2026-01-02T03:04:05.500000")])
        self.assertEqual(self.activity().last, LATER)

    def test_times_that_are_none(self) -> None:
        for last in (None, 5, "", "yesterday", "9999-99-99T00:00:00Z", "0001-01-01T00:00:00+23:59"):
            self.server.says("kernels", [kernel("busy", last)])
            told = self.activity()
            self.assertEqual((told.is_jupyter, told.busy), (True, True))
            self.assertTrue(told.last is None or told.last < 0, last)

    def test_what_is_no_jupyter_server(self) -> None:
        for status, body in (
            (404, STATUS),
            (403, {"message": "Forbidden"}),
            (500, b""),
            (0, b""),
            (302, b""),
            (200, b"<!DOCTYPE html>"),
            (200, b""),
            (200, b"\xff\xfe"),
            (200, []),
            (200, "status"),
            (200, None),
            (200, {}),
            (200, {"status": "ok"}),
            (200, {"started": 1}),
            (200, b"[" * 60_000),
            (200, b'{"a":' * 10_000),
            (200, b"9" * 60_000),
        ):
            self.server.asked.clear()
            self.server.says("status", body, status)
            self.assertEqual(self.activity(), UNKNOWN, (status, body))
            self.assertEqual(len(self.server.asked), 1)

    def test_too_much_is_not_understood(self) -> None:
        self.server.says("status", STATUS, whole=False)
        self.assertEqual(self.activity(), UNKNOWN)

    def test_one_that_hides_its_kernels_is_not_known(self) -> None:
        for what in ("kernels", "terminals"):
            for status, body in ((403, b""), (0, b""), (200, {}), (200, [1]), (200, b"x")):
                self.server = Server()
                self.server.says(what, body, status)
                self.assertEqual(self.activity(), UNKNOWN, (what, body))
        self.server = Server()
        self.server.says("kernels", {}, 404)
        self.assertEqual(self.activity(), UNKNOWN)


class RealJupyterTests(TestCase):
    """A Jupyter server with a kernel."""

    base = "/giestack/session/abc"
    timeout = 90

    def api(self, method: str, path: str) -> Any:
        """Ask as the open page does; in a thread."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.jupyter.port}{self.base}/api/{path}",
            method=method,
            data=b"{}" if method == "POST" else None,
            headers={"Cookie": "_xsrf=x", "X-XSRFToken": "x"},
        )
        with urllib.request.urlopen(request, timeout=30) as answered:
            return json.load(answered)

    def run_cell(self, channels: Any, code: str) -> None:
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
        header |= {"username": "", "session": uuid.uuid4().hex, "date": ""}
        content = {"code": code, "silent": False, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        channels.send(json.dumps({**message, "channel": "shell", "buffers": []}))

    async def activity(self) -> Activity:
        return await jupyter_activity(
            self.ask, Address("127.0.0.1", self.jupyter.port), self.base.encode() + b"/"
        )

    async def until(self, busy: bool) -> Activity:
        while True:
            activity = await self.activity()
            self.assertTrue(activity.is_jupyter)
            if activity.busy is busy:
                return activity
            await deferLater(reactor, 0.05)

    async def test_a_kernel_at_work(self) -> None:
        self.ask = Ask(reactor, Endpoints(reactor, 5))
        # As in a session, where the proxy lets nobody but the owner in.
        self.jupyter = await deferToThread(Jupyter, self, self.base, token="")
        self.assertEqual(await self.activity(), Activity(True, False, None))
        made = await deferToThread(self.api, "POST", "kernels")
        url = f"ws://127.0.0.1:{self.jupyter.port}{self.base}/api/kernels/{made['id']}/channels"
        gate = self.jupyter.home / "gate"
        with ExitStack() as stack:
            channels = await deferToThread(connect, url, proxy=None)
            stack.callback(channels.close)
            idle = await self.until(busy=False)
            code = f"import os, time\nwhile not os.path.exists('{gate}'): time.sleep(0.05)"
            await deferToThread(self.run_cell, channels, code)
            busy = await self.until(busy=True)
            assert idle.last is not None and busy.last is not None
            self.assertGreaterEqual(busy.last, idle.last)
            # The page may go: the cell runs on.
            await deferToThread(channels.close)
            self.assertTrue((await self.activity()).busy)
            gate.touch()
            ended = await self.until(busy=False)
            # An open page, that only asks.
            await deferToThread(self.api, "GET", "kernels?1700000000000")
            await deferToThread(self.api, "GET", "contents")
            self.assertEqual((await self.activity()).last, ended.last)

    async def test_one_that_wants_a_token_is_not_known(self) -> None:
        self.ask = Ask(reactor, Endpoints(reactor, 5))
        self.jupyter = await deferToThread(Jupyter, self, self.base)
        self.assertEqual(await self.activity(), UNKNOWN)
