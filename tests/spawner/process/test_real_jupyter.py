"""A real Jupyter server as a local session: what it answers, and that nothing of it is left."""

import http.client
import json
import os
import signal
import socket
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase
from websockets.sync.client import unix_connect

from giestack.spawner.process.family import VARIABLE
from tests.demo.place import new_folder
from tests.demo.processes import PATIENCE, Watched, started
from tests.spawner.engine_suite import launch_of
from tests.spawner.process import run_engine

ROOT = Path(run_engine.__file__).parents[3]


class OverSocket(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def ask(path, method, target):
    """Return (status, what the answer's JSON says)."""
    with closing(OverSocket(path)) as one:
        one.request(method, f"/giestack/session/s1/{target}")
        response = one.getresponse()
        return response.status, json.loads(response.read())


def use(path):
    """Wait until the server answers, and let a kernel calculate something."""
    deadline = time.monotonic() + 3 * PATIENCE
    while True:
        try:
            status, version = ask(path, "GET", "api")
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    assert (status, list(version)) == (200, ["version"])
    status, kernel = ask(path, "POST", "api/kernels")
    assert status == 201, kernel
    assert calculate(path, kernel["id"], "6*7") == "42"


def calculate(path, kernel, code):
    """Run code in a kernel and return the text of its result."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
    header |= {"username": "", "session": uuid.uuid4().hex, "date": ""}
    content = {"code": code, "silent": False, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    uri = f"ws://localhost/giestack/session/s1/api/kernels/{kernel}/channels"
    with unix_connect(path, uri) as channels:
        channels.send(json.dumps({**message, "channel": "shell", "buffers": []}))
        while True:
            answer = json.loads(channels.recv(timeout=PATIENCE))
            if answer["header"]["msg_type"] == "execute_result":
                return answer["content"]["data"]["text/plain"]


def family_in(test, folder):
    """All processes of the sessions of an engine."""
    mark = f"{VARIABLE}={run_engine.MARK}@{folder}".encode()
    found = []
    for name in os.listdir("/proc"):
        try:
            environ = Path("/proc", name, "environ").read_bytes()
        except OSError:
            continue
        if mark in environ.split(b"\0"):
            found.append(Watched(test, int(name)))
    return found


class StopTests(TestCase):
    async def test_stop(self):
        folder = new_folder(self)
        engine = run_engine.engine_in(folder)
        ends: list[object] = []
        await engine.open(lambda *end: ends.append(end))
        self.addCleanup(engine.close)
        self.assertEqual(await engine.troubles([run_engine.jupyter()]), [])
        address = await engine.start(launch_of(run_engine.jupyter()), lambda progress: None)
        await deferToThread(use, address.path)
        stats = await engine.stats("s1")
        self.assertGreater(stats.memory, 20_000_000)
        # The reaper, the server and the kernel at least.
        family = family_in(self, folder)
        self.assertGreaterEqual(len(family), 3)
        await engine.stop("s1", 5)
        self.assertTrue(all(one.has_ended(0) for one in family))
        self.assertEqual(list((folder / "run").iterdir()), [])
        self.assertEqual(ends, [])


class KillTests(SynchronousTestCase):
    def setUp(self):
        self.folder = new_folder(self)
        self.giestack = started(
            self,
            [sys.executable, run_engine.__file__, str(self.folder)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        path = self.giestack.stdout.readline().decode().strip()
        use(path)
        self.family = family_in(self, self.folder)
        self.assertGreaterEqual(len(self.family), 3)

    def assertNothingLeft(self):
        self.assertTrue(all(one.has_ended() for one in self.family))
        self.assertEqual(family_in(self, self.folder), [])

    def test_sigterm(self):
        self.giestack.terminate()
        self.giestack.wait(PATIENCE)
        self.assertTrue(all(one.has_ended(0) for one in self.family))
        self.assertEqual(list((self.folder / "run").iterdir()), [])

    def test_killed_giestack(self):
        self.giestack.kill()
        self.giestack.wait(PATIENCE)
        self.assertNothingLeft()
        # The reaper was the last of them, and has put things away before it ended.
        self.assertEqual(list((self.folder / "run").iterdir()), [])

    def test_killed_giestack_and_reaper(self):
        """The next start puts things in order."""
        for one in self.family:
            if b"reaper.py" in Path("/proc", str(one.pid), "cmdline").read_bytes():
                # Before it can do anything.
                os.kill(one.pid, signal.SIGSTOP)
                self.giestack.kill()
                self.giestack.wait(PATIENCE)
                os.kill(one.pid, signal.SIGKILL)
        engine = run_engine.engine_in(self.folder)
        engine._take_up()
        self.addCleanup(engine._folders.close)
        self.assertNothingLeft()
        self.assertEqual(list((self.folder / "run").iterdir()), [])
        self.assertTrue((self.folder / "homes" / "galaxy-12").is_dir())
