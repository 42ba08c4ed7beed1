"""A real Jupyter server behind a real giestack, used through a WebSocket library of others'."""

import json
import socket
import time

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.neighbours.galaxy import (
    ALICE,
    ALICE_ELSEWHERE,
    BOB,
    PATH_IN_URL,
    Galaxy,
    cookie,
    path_of,
)
from tests.neighbours.giestack import COOKIE, Giestack
from tests.neighbours.jupyter import Jupyter, outputs
from tests.neighbours.program import PATIENCE

SESSION_CACHE = 1.0


class JupyterTests(SynchronousTestCase):
    def setUp(self):
        self.galaxy = Galaxy(self)
        self.base = path_of(PATH_IN_URL)
        self.jupyter = Jupyter(self, self.base)
        self.galaxy.publish(PATH_IN_URL, self.jupyter.port)
        self.giestack = Giestack(self, self.galaxy, {"proxy": {"session_cache": SESSION_CACHE}})
        self.origin = f"http://127.0.0.1:{self.giestack.port}"
        self.giestack.until_it_answers(f"{self.base}/api", 200, cookie=cookie(ALICE))

    def ask(self, path, method="GET", *, case=ALICE, body=None):
        return self.giestack.ask(
            self.base + path,
            cookie=None if case is None else cookie(case),
            method=method,
            headers={"Authorization": f"token {self.jupyter.token}"},
            body=None if body is None else json.dumps(body).encode(),
        )

    def open(self, path, *, case=ALICE, origin=None):
        """Open a WebSocket through giestack."""
        headers = {"Authorization": f"token {self.jupyter.token}"}
        if case is not None:
            headers["Cookie"] = f"{COOKIE}={cookie(case)}"
        return connect(
            f"ws://127.0.0.1:{self.giestack.port}{self.base}{path}",
            sock=socket.create_connection(("127.0.0.1", self.giestack.port), PATIENCE),
            additional_headers=headers,
            origin=Origin(origin or self.origin),
            # Jupyter itself waits up to a minute for a kernel.
            open_timeout=2 * PATIENCE,
            max_size=None,
            proxy=None,
        )

    def start_kernel(self):
        """Start a kernel; return the path of its WebSocket."""
        answer = self.ask("/api/kernels", "POST")
        self.assertEqual(answer.status, 201)
        return f"/api/kernels/{answer.json['id']}/channels"

    def test_a_kernel_computes(self):
        with self.open(self.start_kernel()) as channels:
            results = [
                content["data"]["text/plain"]
                for kind, content in outputs(channels, "6*7")
                if kind == "execute_result"
            ]
            self.assertEqual(results, ["42"])
            big = "".join(
                content["text"]
                for kind, content in outputs(channels, "print('0123456789' * 800_000)")
                if kind == "stream"
            )
            self.assertTrue(big == "0123456789" * 800_000 + "\n", len(big))
            # And up: a message of several megabytes to the kernel.
            code = f"len({'x' * 5_000_000!r})"
            results = [
                content["data"]["text/plain"]
                for kind, content in outputs(channels, code)
                if kind == "execute_result"
            ]
            self.assertEqual(results, ["5000000"])

    def test_a_terminal(self):
        name = self.ask("/api/terminals", "POST").json["name"]
        with self.open(f"/terminals/websocket/{name}") as terminal:
            terminal.send(json.dumps(["stdin", "echo $((6*7))$((1+1))\r"]))
            seen = ""
            while "422" not in seen:
                kind, *data = json.loads(terminal.recv(timeout=PATIENCE))
                if kind == "stdout":
                    seen += data[0]

    def test_files(self):
        content = "ä" * 1_000_000
        saved = self.ask(
            "/api/contents/a%20b.txt",
            "PUT",
            body={"type": "file", "format": "text", "content": content},
        )
        self.assertEqual(saved.status, 201)
        self.assertEqual((self.jupyter.home / "a b.txt").read_text(encoding="utf-8"), content)
        self.assertEqual(self.ask("/api/contents/a%20b.txt").json["content"], content)
        self.assertEqual(self.ask("/files/a%20b.txt").body.decode(), content)

    def test_who_may_not(self):
        path = self.start_kernel()
        for case, status in ((BOB, 403), (None, 401)):
            with self.assertRaises(InvalidStatus) as caught:
                self.open(path, case=case)
            self.assertEqual(caught.exception.response.status_code, status)
            self.assertEqual(self.ask("/api/kernels", "POST", case=case).status, status)
        with self.assertRaises(InvalidStatus) as caught:
            self.open(path, origin="http://evil.example")
        self.assertEqual(caught.exception.response.status_code, 403)
        self.assertIn(b"foreign-origin", caught.exception.response.body)
        self.assertEqual(len(self.ask("/api/kernels").json), 1)

    def test_logout_cuts_the_sockets_of_that_session(self):
        path = self.start_kernel()
        name = self.ask("/api/terminals", "POST").json["name"]
        with (
            self.open(path) as kernel,
            self.open(f"/terminals/websocket/{name}") as terminal,
            self.open(path, case=ALICE_ELSEWHERE) as elsewhere,
        ):
            list(outputs(kernel, "1"))
            self.galaxy.log_out(ALICE)
            began = time.monotonic()
            for tunnel in (kernel, terminal):
                with self.assertRaises(ConnectionClosed):
                    while True:
                        tunnel.recv(timeout=PATIENCE)
            # session_cache, and some time for a busy machine.
            self.assertLess(time.monotonic() - began, SESSION_CACHE + 2)
            self.assertEqual(self.ask("/api/kernels").status, 401)
            # Another browser of hers stays logged in.
            self.assertEqual(
                [kind for kind, _ in outputs(elsewhere, "1") if kind == "execute_result"],
                ["execute_result"],
            )
        self.assertEqual(self.giestack.metrics()["giestack_session_cut_connections_total"], 2)

    def test_a_server_that_dies(self):
        with self.open(self.start_kernel()) as kernel:
            self.jupyter.program.end()
            with self.assertRaises(ConnectionClosed):
                while True:
                    kernel.recv(timeout=PATIENCE)
        answer = self.ask("/api/kernels")
        self.assertEqual((answer.status, answer.json["error"]), (502, "backend-down"))
