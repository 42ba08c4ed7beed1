"""``make bench-sessions``: how long people wait for a JupyterLab, and for pages meanwhile.

First: from the click to the page of JupyterLab, through the proxy and told by the events as a
browser is, beside a bare start of the same server: the same command and environment, asked on its
socket every 5 ms. The two take turns; each start finds a new home. Then: what the list of sessions
takes, asked for every 20 ms, while twenty sessions start at once.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median, quantiles
from threading import Thread
from typing import Any

from bench import report
from bench.galaxy import Galaxy, start_giestack
from bench.processes import LOOPBACK, Failed, Programs, busy, wait_for
from giestack.demo.settings import demo_settings

SLOWER = 1.15
"""How much longer than a bare start a session may take."""

LATEST = 50.0
"""ms within which 99 of 100 answers must come while sessions start."""

AT_ONCE = 20
_API = "/giestack/api/v1/sessions"
_PATIENCE = 180.0
_LOOK = 0.005
_ASK = 0.020


class SocketConnection(HTTPConnection):
    """HTTP on a UNIX socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Site:
    """A giestack whose users may have many JupyterLabs.

    :ivar homes: where the homes of their sessions are.
    """

    def __init__(self, programs: Programs) -> None:
        galaxy = Galaxy(programs.folder, {})
        spawner = {**demo_settings()["spawner"], "per_user": AT_ONCE, "total": AT_ONCE}
        self.giestack = start_giestack(programs, galaxy, {"spawner": spawner})
        self.homes = self.giestack.data_dir / "homes"
        self._headers = {"Cookie": galaxy.cookie, "X-Giestack": "1"}

    def connect(self) -> HTTPConnection:
        """A connection to the proxy."""
        return HTTPConnection(LOOPBACK, self.giestack.port, timeout=_PATIENCE)

    def ask(
        self, connection: HTTPConnection, method: str, path: str, given: object = None
    ) -> tuple[int, bytes]:
        """Send a request as alice; return the answer's status and body."""
        body = None if given is None else json.dumps(given)
        headers = self._headers | ({} if body is None else {"Content-Type": "application/json"})
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()

    def click(self, connection: HTTPConnection, name: str) -> dict[str, Any]:
        """Ask for a session; return what the API says of it."""
        wanted = {"profile": "jupyter", "name": name}
        status, body = self.ask(connection, "POST", _API, wanted)
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

    def sessions(self) -> list[dict[str, Any]]:
        """What the API says of all sessions of alice."""
        found: list[dict[str, Any]] = json.loads(self.ask(self.connect(), "GET", _API)[1])
        return found

    def clear(self) -> None:
        """Stop all sessions, and remove their homes."""
        connection = self.connect()
        for session in self.sessions():
            self.ask(connection, "DELETE", f"{_API}/{session['id']}")
        wait_for(lambda: not self.sessions(), "the end of all sessions", _PATIENCE)
        shutil.rmtree(self.homes / next(iter(self.homes.iterdir())).name)


class Bare:
    """What giestack starts for a session, to be started without giestack.

    Command and environment are those of a session that runs.
    """

    def __init__(self, programs: Programs, site: Site, session: dict[str, Any]) -> None:
        self._folder = programs.folder
        self._base = session["url"]
        run = site.giestack.data_dir / "run" / session["id"]
        run = run.resolve()
        (home,) = site.homes.iterdir()
        command, environment = _server_of(run)
        self._command, self._environment = command, environment
        self._places = {str(run): "run", str(home): "home"}

    def start(self) -> float:
        """Start it once; return the seconds until its page was there."""
        place = Path("/tmp") / f"giestack-bare-{time.monotonic_ns() % 10**9}"
        place.mkdir(mode=0o700)
        for name in ("home", "run", "run/tmp", "run/jupyter", "run/xdg"):
            (place / name).mkdir(mode=0o700)
        try:
            return self._run(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _run(self, place: Path) -> float:
        command = [self._at(place, word) for word in self._command]
        environment = {name: self._at(place, value) for name, value in self._environment.items()}
        began = time.monotonic()
        with subprocess.Popen(
            command,
            cwd=place / "home",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                while not self._answers(place / "run" / "socket"):
                    if process.poll() is not None or time.monotonic() > began + _PATIENCE:
                        raise Failed(f"{' '.join(command)} does not answer")
                    time.sleep(_LOOK)
                return time.monotonic() - began
            finally:
                process.terminate()

    def _at(self, place: Path, text: str) -> str:
        for former, name in self._places.items():
            text = text.replace(former, str(place / name))
        return text

    def _answers(self, path: Path) -> bool:
        connection = SocketConnection(path)
        try:
            connection.request("GET", f"{self._base}lab")
            response = connection.getresponse()
            response.read()
            return response.status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def _server_of(run: Path) -> tuple[list[str], dict[str, str]]:
    """Command and environment of the server whose socket is in a session's folder."""
    told = f"--socket={run}/socket"
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                command = (folder / "cmdline").read_text("utf-8").split("\0")[:-1]
                environment = (folder / "environ").read_text("utf-8").split("\0")[:-1]
            except (OSError, UnicodeDecodeError):
                continue
            if told in command and not any(word.endswith("reaper.py") for word in command):
                return command, dict(item.split("=", 1) for item in environment)
    raise Failed(f"no process listens in {run}")


def measure_starts(programs: Programs, site: Site, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of starts through giestack and of bare ones, in turns."""
    through, bare = [], []
    # The first round warms up: files are in memory, programs compiled.
    _start(site, "warm")
    other = Bare(programs, site, site.sessions()[0])
    site.clear()
    other.start()
    for number in range(rounds):
        _say(f"start {number + 1} of {rounds}")
        through.append(_start(site, f"start {number}"))
        site.clear()
        bare.append(other.start())
    return through, bare


def _start(site: Site, name: str) -> float:
    """Click; return the seconds until JupyterLab's page was there."""
    connection = site.connect()
    began = time.monotonic()
    session = site.click(connection, name)
    site.until_ready(session)
    status, _ = site.ask(connection, "GET", f"{session['url']}lab")
    if status != 200:
        raise Failed(f"JupyterLab's page is answered with {status}")
    seconds = time.monotonic() - began
    connection.close()
    return seconds


def measure_answers(site: Site, count: int) -> tuple[list[float], float]:
    """Seconds of answers while many sessions start, and of all starts together.

    An answer's time is from when it was due to be asked for, so that none hides behind another.
    """
    _say(f"{count} starts at once")
    connection, answers = site.connect(), []
    clicks = Thread(target=_click, args=(site, count), daemon=True)
    clicks.start()
    began = due = time.monotonic()
    while True:
        due += _ASK
        time.sleep(max(0.0, due - time.monotonic()))
        status, body = site.ask(connection, "GET", _API)
        now = time.monotonic()
        answers.append(now - due)
        states = [one["state"] for one in json.loads(body)] if status == 200 else []
        if status != 200 or "failed" in states or now > began + _PATIENCE:
            raise Failed(f"not all sessions start: {status} {body[:2000]!r}")
        if states.count("ready") == count:
            return answers, now - began


def _click(site: Site, count: int) -> None:
    """Ask for many sessions, one right after the other."""
    connection = site.connect()
    for number in range(count):
        site.click(connection, f"one of many {number}")


def _say(text: str) -> None:
    """Show what is going on, where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _spread(name: str, values: Sequence[float], scale: float, digits: int) -> list[str]:
    """A row of the table: the median, the 99th of 100, and how many there were."""
    percentiles = quantiles(values, n=100, method="inclusive")
    figures = (median(values), percentiles[98], max(values))
    return [name, *(f"{value * scale:,.{digits}f}" for value in figures), str(len(values))]


def _options(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m bench.sessions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="starts of each sort [7]")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help=f"at most {AT_ONCE}")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return 1 where a promise is not kept."""
    options = _options(arguments)
    try:
        others = busy(2)
        with Programs() as programs:
            site = Site(programs)
            through, bare = measure_starts(programs, site, options.rounds)
            answers, all_starts = measure_answers(site, options.at_once)
    except Failed as failure:
        _say("")
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _say("")
        return 130
    _say("")
    print(report.machine(None))
    print(f"{others:.0%} busy with other things before the start", end="\n\n")
    for name, values in (("giestack", through), ("bare", bare)):
        print(f"{name:10}", "  ".join(f"{value:.2f}" for value in values))
    print()
    many = f"answer while {options.at_once} start"
    rows = [
        ["", "median", "99 %", "longest", "count"],
        ["", "ms", "ms", "ms", ""],
        _spread("click to JupyterLab", through, 1e3, 0),
        _spread("bare start", bare, 1e3, 0),
        _spread(many, answers, 1e3, 1),
    ]
    print(*report.simple_table(rows), sep="\n", end="\n\n")
    ratio = median(through) / median(bare)
    late = quantiles(answers, n=100, method="inclusive")[98] * 1e3
    promises = (
        (f"start: {ratio:.2f} × a bare one, at most {SLOWER} × is promised", ratio <= SLOWER),
        (f"{many}: 99 % in {late:.1f} ms, at most {LATEST:g} ms is promised", late <= LATEST),
    )
    print(f"{options.at_once} starts at once took {all_starts:.1f} s")
    for line, kept in promises:
        print(f"{line}: {'ok' if kept else 'OVER'}")
        if not kept:
            print(f"bench: {line}", file=sys.stderr)
    return 0 if all(kept for _, kept in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
