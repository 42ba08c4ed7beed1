"""What becomes JupyterLab in a session of the demo."""

import http.client
import io
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import nbformat
from jupyterlab import labapp
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo import lab
from giestack.demo.settings import demo_settings
from tests.demo.place import mode_of, new_folder

PATIENCE = 60.0


class LabCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = new_folder(self)
        self.home.mkdir()

    @property
    def settings(self) -> Path:
        apputils = ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
        return self.home / apputils / "notification.jupyterlab-settings"


class PrepareTests(LabCase):
    def test_a_new_home(self) -> None:
        lab.prepare(self.home, lab.AS_PROCESS)
        notebook = nbformat.read(self.home / "Welcome.ipynb", as_version=4)
        nbformat.validate(notebook)
        self.assertEqual(notebook.cells[1].source, "6*7")
        self.assertEqual(json.loads(self.settings.read_text()), {"fetchNews": "false"})
        self.assertEqual(mode_of(self.settings.parent), 0o700)

    def test_a_home_that_was_used(self) -> None:
        lab.prepare(self.home, lab.AS_PROCESS)
        (self.home / "Welcome.ipynb").unlink()
        self.settings.write_text("mine")
        lab.prepare(self.home, lab.AS_PROCESS)
        self.assertFalse((self.home / "Welcome.ipynb").exists())
        self.assertEqual(self.settings.read_text(), "mine")

    def test_what_is_there_is_kept(self) -> None:
        (self.home / "Welcome.ipynb").write_text("mine")
        lab.prepare(self.home, lab.AS_PROCESS)
        self.assertEqual((self.home / "Welcome.ipynb").read_text(), "mine")


class MainTests(LabCase):
    def setUp(self) -> None:
        super().setUp()
        self.runs: list[list[str]] = []
        self.patch(labapp, "main", self.runs.append)
        self.patch(os, "environ", {"HOME": str(self.home)})
        self.patch(sys, "stderr", io.StringIO())

    def said(self) -> str:
        assert isinstance(sys.stderr, io.StringIO)
        return sys.stderr.getvalue()

    def run_lab(self, *more: str, root: bool = False) -> dict[str, str]:
        """What JupyterLab is told, by name."""
        self.patch(os, "geteuid", lambda: 0 if root else 1000)
        status = lab.main(["--socket=/run/s", "--base-url=/giestack/session/a/", *more])
        self.assertEqual(status, 0)
        pairs = (word.removeprefix("--").partition("=") for word in self.runs.pop())
        return {name: value for name, _, value in pairs}

    def test_where_it_listens(self) -> None:
        told = self.run_lab()
        self.assertEqual(told["ServerApp.sock"], "/run/s")
        self.assertEqual(told["ServerApp.base_url"], "/giestack/session/a/")
        self.assertEqual(told["ServerApp.root_dir"], str(self.home))
        self.assertNotIn("ServerApp.ip", told)
        self.assertNotIn("ServerApp.allow_remote_access", told)
        self.assertIn("without any isolation", (self.home / "Welcome.ipynb").read_text())

    def test_in_a_container(self) -> None:
        self.assertEqual(lab.main(["--port=8888"]), 0)
        words = self.runs.pop()
        for word in (
            "--ServerApp.ip=0.0.0.0",
            "--ServerApp.port=8888",
            "--ServerApp.port_retries=0",
            "--ServerApp.allow_remote_access=True",
            "--ServerApp.base_url=/",
        ):
            self.assertIn(word, words)
        # Another port, or none, would be one that nobody knows; XSRF protection stays on.
        self.assertNotIn("sock=", " ".join(words))
        self.assertNotIn("xsrf", " ".join(words))
        self.assertIn("container of its own", (self.home / "Welcome.ipynb").read_text())

    def test_choices(self) -> None:
        told = self.run_lab()
        self.assertEqual(told["LabApp.default_url"], "/lab")
        self.assertEqual(told["ServerApp.terminals_enabled"], "True")
        told = self.run_lab("--interface=doc", "--terminals=false")
        self.assertEqual(told["LabApp.default_url"], "/doc")
        self.assertEqual(told["ServerApp.terminals_enabled"], "False")

    def test_root_must_be_allowed(self) -> None:
        self.assertEqual(self.run_lab()["ServerApp.allow_root"], "False")
        self.assertEqual(self.run_lab(root=True)["ServerApp.allow_root"], "True")

    def test_not_installed(self) -> None:
        for missing in ("jupyterlab", "ipykernel"):
            self.patch(lab, "find_spec", lambda name, no=missing: None if name == no else object())
            self.assertEqual(lab.main(["--socket=/s", "--base-url=/"]), 1)
        self.assertEqual(self.said(), 2 * f"{lab.HOW_TO_INSTALL}\n")
        self.assertEqual(self.runs, [])
        self.assertEqual(list(self.home.iterdir()), [])

    def test_a_home_that_cannot_be_prepared(self) -> None:
        (self.home / ".jupyter").write_text("no folder")
        self.run_lab()
        self.assertIn(f"{self.home} could not be prepared: ", self.said())

    def test_usage(self) -> None:
        for words in (
            [],
            ["--base-url=/"],
            ["--socket=/s", "--port=8888"],
            ["--port=http"],
            ["--socket=/s", "--base-url=/", "--interface=tree"],
            ["--socket=/s", "--base-url=/", "--terminals=perhaps"],
            ["--socket=/s", "--base-url=/", "--ServerApp.ip=0.0.0.0"],
        ):
            stopped = self.assertRaises(SystemExit, lab.main, words)
            self.assertEqual(stopped.code, 2)


class OverSocket(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("127.0.0.1:8800", timeout=PATIENCE)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


class RealTests(LabCase):
    """JupyterLab itself, started as the demo's profile says."""

    def setUp(self) -> None:
        super().setUp()
        self.socket = self.home.parent / "s"
        values = {
            "{socket}": str(self.socket),
            "{base_url}": "/base/",
            "{options.interface}": "doc",
            "{options.terminals}": "false",
        }
        command = demo_settings()["spawner"]["profiles"][0]["command"]
        for name, value in values.items():
            command = [word.replace(name, value) for word in command]
        environ = {
            "HOME": str(self.home),
            "PATH": os.defpath,
            "GIESTACK_USER": "alice",
            "JUPYTER_RUNTIME_DIR": str(self.home.parent / "r"),
        }
        # What a user has in their home must not be taken for a module.
        (self.home / "jupyterlab.py").write_text("raise SystemExit('not this one')")
        with (self.home.parent / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.home, env=environ, stdout=log, stderr=log
            )
        self.addCleanup(self.end)

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()

    def ask(self, path: str, host: str = "127.0.0.1:8800") -> tuple[int, Any, bytes]:
        with closing(OverSocket(self.socket)) as connection:
            connection.request("GET", f"/base{path}", headers={"Host": host})
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def until_ready(self) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.assertIsNone(self.process.poll(), (self.home.parent / "log").read_text())
            try:
                if self.ask("/api")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        self.fail("JupyterLab did not answer")

    def test_runs_as_it_is_told(self) -> None:
        self.until_ready()
        self.assertEqual(mode_of(self.socket) & 0o077, 0)
        status, fields, _ = self.ask("/")
        self.assertEqual((status, fields["Location"].rstrip("?")), (302, "/base/doc"))
        status, _, body = self.ask("/api/me")
        self.assertEqual(json.loads(body)["identity"]["username"], "alice")
        self.assertEqual(self.ask("/doc")[0], 200)
        # Terminals are off, and other names of this host are refused.
        self.assertEqual(self.ask("/api/terminals")[0], 404)
        self.assertEqual(self.ask("/lab", "evil.example")[0], 403)
        status, _, body = self.ask("/api/contents")
        names = [one["name"] for one in json.loads(body)["content"]]
        self.assertIn("Welcome.ipynb", names)
