"""A giestack that starts sessions, and somebody who asks it for them."""

import json
import shutil
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Thread
from typing import Any

from bench.ending import say
from bench.galaxy import Galaxy, start_giestack
from bench.processes import LOOPBACK, Failed, Programs, wait_for

PATIENCE = 180.0
"""Seconds for anything to come true."""

_API = "/giestack/api/v1/sessions"
_ASK = 0.020


def is_there(connection: HTTPConnection, path: str) -> bool:
    """Ask for a page once, and close the connection; whether it was answered with 200."""
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


class Site:
    """A giestack, and alice, who starts sessions there.

    :ivar homes: where the homes of sessions are that are processes.
    """

    def __init__(
        self, programs: Programs, spawner: Mapping[str, object], instance: str = "bench"
    ) -> None:
        """``spawner`` is that section of the configuration."""
        galaxy = Galaxy(programs.new_folder("galaxy"), {})
        more = {"spawner": spawner, "instance": instance}
        self.giestack = start_giestack(programs, galaxy, more)
        self.homes = self.giestack.data_dir / "homes"
        self._numbers = count(1)
        self._headers = {"Cookie": galaxy.cookie, "X-Giestack": "1"}

    def connect(self) -> HTTPConnection:
        """A connection to the proxy."""
        return HTTPConnection(LOOPBACK, self.giestack.port, timeout=PATIENCE)

    def ask(
        self, connection: HTTPConnection, method: str, path: str, given: object = None
    ) -> tuple[int, bytes]:
        """Send a request as alice; return the answer's status and body."""
        body = None if given is None else json.dumps(given)
        headers = self._headers | ({} if body is None else {"Content-Type": "application/json"})
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()

    def click(self, connection: HTTPConnection, profile: str) -> dict[str, Any]:
        """Ask for a session; return what the API says of it."""
        # The same name again would be taken for a second click on the same button.
        wanted = {"profile": profile, "name": f"{profile} {next(self._numbers)}"}
        while True:
            status, body = self.ask(connection, "POST", _API, wanted)
            if status != 503 or b"sessions-unavailable" not in body:
                break
            # giestack has just started and asks its engine what there is.
            time.sleep(0.05)
        if status != 201:
            raise Failed(f"a session was refused ({status}): {body[:500]!r}")
        told: dict[str, Any] = json.loads(body)
        return told

    def until_ready(self, session: dict[str, Any]) -> None:
        """Wait for a session as its page does."""
        connection = self.connect()
        connection.request("GET", session["events"], headers=self._headers)
        response = connection.getresponse()
        for line in response:
            if line.startswith(b"data:"):
                moment = json.loads(line[5:])
                if moment["state"] == "failed":
                    raise Failed(f"a session has failed: {moment}")
                if moment["state"] == "ready":
                    connection.close()
                    return
        raise Failed("a session's events have ended before it was ready")

    def start(self, profile: str) -> float:
        """Click; return the seconds until JupyterLab's page was there."""
        connection = self.connect()
        began = time.monotonic()
        session = self.click(connection, profile)
        self.until_ready(session)
        status, _ = self.ask(connection, "GET", f"{session['url']}lab")
        if status != 200:
            raise Failed(f"JupyterLab's page is answered with {status}")
        seconds = time.monotonic() - began
        connection.close()
        return seconds

    def sessions(self) -> list[dict[str, Any]]:
        """What the API says of all sessions of alice."""
        found: list[dict[str, Any]] = json.loads(self.ask(self.connect(), "GET", _API)[1])
        return found

    def clear(self) -> None:
        """Stop all sessions, and remove their homes."""
        connection = self.connect()
        for session in self.sessions():
            self.ask(connection, "DELETE", f"{_API}/{session['id']}")
        wait_for(lambda: not self.sessions(), "the end of all sessions", PATIENCE)
        for home in self.homes.glob("*"):
            shutil.rmtree(home)


def measure_answers(site: Site, profile: str, at_once: int) -> tuple[list[float], float]:
    """Seconds of answers while many sessions start, and of all starts together.

    An answer's time is from when it was due to be asked for, so that none hides behind another.
    """
    say(f"{at_once} starts at once")
    connection, answers = site.connect(), []
    clicks = Thread(target=_click, args=(site, profile, at_once), daemon=True)
    clicks.start()
    began = due = time.monotonic()
    while True:
        due += _ASK
        time.sleep(max(0.0, due - time.monotonic()))
        status, body = site.ask(connection, "GET", _API)
        now = time.monotonic()
        answers.append(now - due)
        states = [one["state"] for one in json.loads(body)] if status == 200 else []
        if status != 200 or "failed" in states or now > began + PATIENCE:
            raise Failed(f"not all sessions start: {status} {body[:2000]!r}")
        if states.count("ready") == at_once:
            return answers, now - began


def _click(site: Site, profile: str, at_once: int) -> None:
    """Ask for many sessions, one right after the other."""
    connection = site.connect()
    for _ in range(at_once):
        site.click(connection, profile)
