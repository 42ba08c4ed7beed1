"""A real JupyterLab: what it answers, whom it lets in, and that nothing of it is left."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import sys
import uuid
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from giestack.demo.folder import DemoFolder
from giestack.spawner.process.family import VARIABLE
from tests.demo import run_demo
from tests.demo.place import new_folder
from tests.demo.processes import PATIENCE, Watched, started

# As a browser has it that looks at the demo: the proxy keeps it.
HOST = "127.0.0.1:8800"


class Front:
    """Talks to the server as the proxy does: the client's Host, and the header of the map."""

    def __init__(self, session_map):
        with closing(sqlite3.connect(f"file:{session_map}?mode=ro", uri=True)) as database:
            ((key, token, self.port, info),) = database.execute(
                "SELECT key, token, port, info FROM gxitproxy"
            )
        self.base = f"/interactivetool/ep/{key}/{token}"
        self.header = json.loads(info)["requires_path_in_header_named"]
        self.headers = {"Host": HOST, self.header: self.base}

    def ask(self, method, path, headers=None, **changed):
        """Return (status, header fields, body)."""
        headers = {**self.headers, **(headers or {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as one:
            one.request(method, self.base + path, headers=headers)
            response = one.getresponse()
            return response.status, response.headers, response.read()

    def log_in(self):
        """Get the page and what its scripts need for writing."""
        status, fields, _ = self.ask("GET", "/lab")
        cookie = fields["Set-Cookie"].partition(";")[0]
        self.headers |= {"Cookie": cookie, "X-XSRFToken": cookie.partition("=")[2]}
        return status

    def make(self, what):
        """Start a kernel or a terminal."""
        status, _, body = self.ask("POST", f"/api/{what}")
        return status, json.loads(body)

    def channels(self, kernel, origin):
        return connect(
            f"ws://{HOST}{self.base}/api/kernels/{kernel}/channels",
            sock=socket.create_connection(("127.0.0.1", self.port), PATIENCE),
            additional_headers={name: self.headers[name] for name in (self.header, "Cookie")},
            origin=origin,
            proxy=None,
        )

    def run(self, kernel, code):
        """Run code in a kernel and return the text of its result."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
        header |= {"username": "", "session": uuid.uuid4().hex, "date": ""}
        content = {"code": code, "silent": False, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        with self.channels(kernel, f"http://{HOST}") as channels:
            channels.send(json.dumps({**message, "channel": "shell", "buffers": []}))
            while True:
                answer = json.loads(channels.recv(timeout=PATIENCE))
                if answer["header"]["msg_type"] == "execute_result":
                    return answer["content"]["data"]["text/plain"]


class RealLabTests(SynchronousTestCase):
    def setUp(self):
        folder = new_folder(self)
        self.demo = started(
            self,
            [sys.executable, run_demo.__file__, str(folder)],
            env={**os.environ, "PYTHONPATH": str(Path(run_demo.__file__).parents[2])},
        )
        self.assertEqual(self.demo.stdout.readline(), b"ready\n")
        self.front = Front(folder / "interactivetools_map.sqlite")
        self.folder = folder

    def family(self):
        """All processes of the demo's notebook."""
        mark = (self.folder / ".giestack-demo").read_bytes()
        found = []
        for name in os.listdir("/proc"):
            try:
                environ = Path("/proc", name, "environ").read_bytes()
            except OSError:
                continue
            if VARIABLE.encode() + b"=" + mark in environ.split(b"\0"):
                found.append(Watched(self, int(name)))
        return found

    def start_work(self):
        """A kernel and a terminal, each in a session of its own; return the kernel's id."""
        self.assertEqual(self.front.log_in(), 200)
        status, kernel = self.front.make("kernels")
        self.assertEqual(status, 201)
        self.assertEqual(self.front.run(kernel["id"], "6*7"), "42")
        self.assertEqual(self.front.make("terminals")[0], 200)
        return kernel["id"]

    def test_a_working_day(self):
        status, _, body = self.front.ask("GET", "/api/kernelspecs")
        self.assertEqual((status, json.loads(body)["default"]), (200, "python3"))
        self.assertEqual(
            json.loads(self.front.ask("GET", "/api/me")[2])["identity"]["name"], "alice"
        )
        self.assertEqual(self.front.ask("GET", "/api/contents/Welcome.ipynb")[0], 200)
        kernel = self.start_work()
        with self.assertRaises(InvalidStatus) as caught:
            self.front.channels(kernel, "http://evil.example")
        self.assertEqual(caught.exception.response.status_code, 403)
        # A page of another site cannot write, and no other name than loopback's is answered.
        self.assertEqual(self.front.ask("POST", "/api/kernels", {"X-XSRFToken": None})[0], 403)
        self.assertEqual(self.front.ask("GET", "/lab", {"Host": "evil.example"})[0], 403)
        # Whoever finds the port without being giestack gets nothing.
        for path in ("/api/kernelspecs", "/api/contents", "/api/kernels", "/api/status"):
            self.assertEqual(self.front.ask("GET", path, {self.front.header: None})[0], 403)
        self.assertEqual(self.front.ask("GET", "/lab", {self.front.header: None})[0], 302)

        family = self.family()
        self.assertGreaterEqual(len(family), 4)
        self.demo.terminate()
        self.assertEqual(self.demo.wait(PATIENCE), 0)
        self.assertTrue(all(one.has_ended(0) for one in family))
        folder = DemoFolder(self.folder)
        self.addCleanup(folder.close)
        with closing(sqlite3.connect(folder.session_map)) as database:
            self.assertEqual(database.execute("SELECT * FROM gxitproxy").fetchall(), [])

    def test_killed_demo_leaves_nothing_running(self):
        self.start_work()
        family = self.family()
        self.assertGreaterEqual(len(family), 4)
        self.demo.send_signal(signal.SIGKILL)
        self.assertEqual(self.demo.wait(PATIENCE), -signal.SIGKILL)
        self.assertTrue(all(one.has_ended() for one in family))
        self.assertEqual(self.family(), [])
