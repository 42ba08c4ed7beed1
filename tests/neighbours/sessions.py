"""A real giestack whose sessions are small real programs, and what is left of them."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours import session_program
from tests.neighbours.galaxy import ALICE, Galaxy, cookie, new_folder
from tests.neighbours.giestack import TWISTD, Answer, Giestack, ask
from tests.neighbours.program import CleanUp, Program, eventually

API = "/giestack/api/v1/"
ADMIN_TOKEN = "the-administrators-token"
SECRET = "the-secret-of-a-profile"
WRITES = {"X-Giestack": "1"}

UNTRACED = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
"""Coverage of sessions is that of their own tests; a program starts in half the time without."""

KINDS = (
    "good",
    "loud",
    "family",
    "daemon",
    "stubborn",
    "mute",
    "gone",
    "hang",
    "slam",
    "broken",
    "babble",
)
"""What `session_program` can be."""


class Sessions(Giestack):
    """A running giestack with a profile for each kind of program.

    Its temporary folder is one of its own, so that what is left there is known.

    :ivar own_tmp: that folder.
    """

    def __init__(
        self,
        test: CleanUp,
        galaxy: Galaxy,
        *,
        spawner: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        profiles: Mapping[str, Mapping[str, object]] | None = None,
        sections: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        # With a longer name it would not be used for sockets.
        self.own_tmp = new_folder(test, "")
        self._test = test
        self._environment = {"TMPDIR": str(self.own_tmp), **UNTRACED, **(environment or {})}
        offered: dict[str, dict[str, object]] = {kind: {} for kind in KINDS}
        for name, more in (profiles or {}).items():
            offered.setdefault(name, {}).update(more)
        settings: dict[str, dict[str, object]] = {
            "admin": {"token": ADMIN_TOKEN},
            "spawner": {
                "engines": [{"name": "local", "docker_host": "process:"}],
                "profiles": [self.profile(name, **more) for name, more in offered.items()],
                "per_user": 0,
                **(spawner or {}),
            },
        }
        for section, values in (sections or {}).items():
            settings.setdefault(section, {}).update(values)
        with mock.patch.dict(os.environ, self._environment):
            super().__init__(test, galaxy, settings)

    def profile(self, name: str, **more: object) -> dict[str, object]:
        """The section of a profile; ``more`` are laid over its keys."""
        how = name if name in KINDS else "good"
        return {
            "name": name,
            "title": f"The {name} one",
            "port": 0,
            "path": "/",
            "command": [
                sys.executable,
                "-I",
                "-S",
                session_program.__file__,
                how,
                "{port}",
                str(self.own_tmp),
            ],
            "secrets": {"word": SECRET},
            "readiness": {"path": "/", "timeout": 60 if how == "mute" else 1.5},
            "stop_timeout": 60 if how == "stubborn" else 2,
            **more,
        }

    def start_again(self) -> None:
        """Run it once more, with the same configuration."""
        command = [TWISTD, "-n", "--pidfile=", "giestack", "--config", str(self.config)]
        with mock.patch.dict(os.environ, self._environment):
            self.program = Program(self._test, command, self.files, output="output-again")
        self.program.until(lambda: self.ask("/").status, "an answer")

    def api(
        self, path: str, who: str | None = ALICE, method: str = "GET", body: Any = None
    ) -> Answer:
        """Ask the API as a user."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {**WRITES, "Content-Type": "application/json"} if method != "GET" else {}
        session = None if who is None else cookie(who)
        return self.ask(API + path, cookie=session, method=method, headers=headers, body=sent)

    def admin(self, path: str) -> Answer:
        """Ask the admin listener's API."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        return ask(self.admin_port, f"/api/v1/{path}", headers=headers)

    def request(self, profile: str, who: str = ALICE, name: str = "") -> dict[str, Any]:
        """Ask for a session; return what is told of it."""
        body = {"profile": profile, **({"name": name} if name else {})}
        answer = self.api("sessions", who, "POST", body)
        assert answer.status in (200, 201), answer
        told: dict[str, Any] = answer.json
        return told

    def until_it_is(
        self, session: Mapping[str, Any], state: str, seconds: float = 60
    ) -> dict[str, Any]:
        """Wait until a session of alice's has a state; return what is told of it."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [self.api(f"sessions/{session['id']}").json]
            return found[0].get("state") == state or found[0].get("state") == "failed"

        try:
            self.program.until(look, f"session {session['id']} to be {state}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {found}") from None
        assert found[0]["state"] == state, found
        return found[0]

    def ready(self, profile: str, **more: Any) -> dict[str, Any]:
        """Start a session for alice, and wait until it is ready."""
        return self.until_it_is(self.request(profile, **more), "ready")

    def server(self, session: Mapping[str, Any]) -> int:
        """The process id of a session's program."""
        pid: int = self.ask(session["url"], cookie=cookie(ALICE)).json["pid"]
        return pid

    def processes(self) -> dict[int, str]:
        """Whatever runs for sessions of it, found by its environment or by its command line."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal() and int(folder.name) != self.program.pid:
                try:
                    environment = (folder / "environ").read_bytes()
                    command = (folder / "cmdline").read_bytes()
                except OSError:
                    continue
                by_mark = b"GIESTACK_FAMILY=" in environment
                ours = by_mark and bytes(self.files) in environment
                if ours or bytes(self.own_tmp) in command:
                    found[int(folder.name)] = command.replace(b"\0", b" ").decode()
        return found

    def reapers(self) -> list[int]:
        """The process ids of the processes between giestack and its sessions' programs."""
        return [pid for pid, command in self.processes().items() if "reaper.py" in command]

    def until_nothing_runs(self, seconds: float = 10) -> None:
        """Wait until no process of any session is left."""
        eventually(lambda: not self.processes(), f"the end of {self.processes()}", seconds)

    def run_folders(self) -> list[str]:
        """The folders of sessions that there are now."""
        run = self.files / "var" / "run"
        return [path.name for path in run.iterdir()] if run.exists() else []

    def until_no_session(self) -> None:
        """Wait until nothing of any session is left, while giestack goes on."""
        self.until_nothing_runs()
        eventually(lambda: not self.run_folders(), f"no folders: {self.run_folders()}", 10)

    def end_and_look(self, seconds: float = 10) -> None:
        """End it, and assert that it has ended well and left nothing."""
        if self.program.running:
            self.program.send(signal.SIGTERM)
            assert self.program.wait(seconds) == 0, self.program.output[-3000:]
        assert not self.processes(), self.processes()
        assert not self.run_folders(), self.run_folders()
        left = list(self.own_tmp.iterdir())
        assert not left, left
        assert not self.accepts()


class SessionCase(SynchronousTestCase):
    """Whatever a test has done: when giestack has ended, nothing is left."""

    def setUp(self):
        self.galaxy = Galaxy(self)

    def start(self, **more):
        sessions = Sessions(self, self.galaxy, **more)
        self.addCleanup(sessions.end_and_look)
        return sessions
