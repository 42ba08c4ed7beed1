"""``make bench-sessions``: how long people wait for a JupyterLab, and for pages meanwhile.

First: from the click to the page of JupyterLab, through the proxy and told by the events as a
browser is, beside a bare start of the same server: the same command and environment, asked on its
socket every 5 ms. The two take turns; each start finds a new home. Then: what the list of sessions
takes, asked for every 20 ms, while twenty sessions start at once.
"""

import shutil
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

from bench import report
from bench.ending import Promise, ended, say
from bench.processes import Failed, Programs, busy
from bench.site import PATIENCE, Site, is_there, measure_answers
from giestack.demo.settings import demo_settings

SLOWER = 1.15
"""How much longer than a bare start a session may take."""

LATEST = 50.0
"""ms within which 99 of 100 answers must come while sessions start."""

AT_ONCE = 20
_LOOK = 0.005


class SocketConnection(HTTPConnection):
    """HTTP on a UNIX socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


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
                    if process.poll() is not None or time.monotonic() > began + PATIENCE:
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
        return is_there(SocketConnection(path), f"{self._base}lab")


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
    site.start("jupyter")
    other = Bare(programs, site, site.sessions()[0])
    site.clear()
    other.start()
    for number in range(rounds):
        say(f"start {number + 1} of {rounds}")
        through.append(site.start("jupyter"))
        site.clear()
        bare.append(other.start())
    return through, bare


def _options(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m bench.sessions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="starts of each sort [7]")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help=f"at most {AT_ONCE}")
    return parser.parse_args(arguments)


def _run(options: Namespace) -> list[Promise]:
    others = busy(2)
    with Programs() as programs:
        spawner = {**demo_settings()["spawner"], "per_user": AT_ONCE, "total": AT_ONCE}
        site = Site(programs, spawner)
        through, bare = measure_starts(programs, site, options.rounds)
        answers, all_starts = measure_answers(site, "jupyter", options.at_once)
    say("")
    print(report.machine(None))
    print(f"{others:.0%} busy with other things before the start", end="\n\n")
    for name, values in (("giestack", through), ("bare", bare)):
        print(f"{name:10}", "  ".join(f"{value:.2f}" for value in values))
    print()
    many = f"answer while {options.at_once} start"
    rows = [
        *report.SECONDS,
        report.row_of("click to JupyterLab", through, 0),
        report.row_of("bare start", bare, 0),
        report.row_of(many, answers, 1),
    ]
    print(*report.simple_table(rows), sep="\n", end="\n\n")
    print(f"{options.at_once} starts at once took {all_starts:.1f} s")
    ratio = median(through) / median(bare)
    late = report.late(answers) * 1e3
    return [
        Promise(
            f"start: {ratio:.2f} × a bare one, at most {SLOWER} × is promised", ratio <= SLOWER
        ),
        Promise(
            f"{many}: 99 % in {late:.1f} ms, at most {LATEST:g} ms is promised", late <= LATEST
        ),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return 1 where a promise is not kept."""
    options = _options(arguments)
    return ended(lambda: _run(options))


if __name__ == "__main__":
    sys.exit(main())
