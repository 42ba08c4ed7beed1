"""All tests in a few processes side by side, the lanes, and one account of what they say.

    python -m tests.lanes [--lanes N]

A lane takes one module of tests after the other that no lane has taken yet; so a new module
needs no place in any list. Modules that use the Docker engine of the tests are for the first lane
alone, as are those that fetch packages: an engine can keep containers apart only where it is the
one engine of a machine. The other lanes are in networks of their own: their browsers would give up
what they are loading whenever the interface of a container comes or goes. What a lane prints is
shown when a module is over; what has failed is shown at the end, as trial does.
"""

import ast
import ctypes
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from functools import cache
from pathlib import Path
from typing import TextIO

from twisted.trial.itrial import ITestCase
from twisted.trial.reporter import TreeReporter
from twisted.trial.runner import TestLoader, TestSuite, TrialRunner
from twisted.trial.unittest import decorate

from tests.neighbours.elsewhere import new_network

ROOT = Path(__file__).parent.parent
ENGINE = "tests.neighbours.docker"
PYPI = "tests.neighbours.pypi"
REAL = "tests.real."
LANES = 2
PAUSE = 0.2
"""Seconds between two looks at what the lanes have printed."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_OVER = re.compile(rb"^\(tests[\w.]+: \d+\.\d s\)\n", re.MULTILINE)
_SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)


# Which tests there are, and who may take them.


def modules(root: Path = ROOT) -> list[str]:
    """The names of all modules of tests; first those with real neighbours, which take long."""
    found = (path.relative_to(root).with_suffix("") for path in root.glob("tests/**/test_*.py"))
    names = (".".join(path.parts) for path in found)
    return sorted(names, key=lambda name: (not name.startswith(REAL), name))


def is_for_first(name: str) -> bool:
    """Whether a module needs the machine's own network, as others do that it imports."""
    seen, ahead = {name}, [name]
    while ahead:
        found = imported(ahead.pop())
        if {ENGINE, PYPI} & found:
            return True
        ahead += found - seen
        seen |= found
    return False


@cache
def imported(name: str) -> Set[str]:
    """What a module of the tests imports of them: modules, and names that may be modules."""
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    if not name.startswith("tests.") or not path.exists():
        return set()
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {one for one in found if one.startswith("tests.")}


def takes(lane: int, names: Sequence[str], for_first: Callable[[str], bool]) -> list[str]:
    """Which modules a lane may take, in this order."""
    if lane == 0:
        return sorted(names, key=lambda name: not for_first(name))
    return [name for name in names if not for_first(name)]


class Claims:
    """Which modules have been taken, and which are over: files in a folder that all lanes see."""

    def __init__(self, folder: Path) -> None:
        self._taken, self._over = folder / "taken", folder / "over"
        self._taken.mkdir(exist_ok=True)
        self._over.mkdir(exist_ok=True)

    def take(self, name: str) -> bool:
        """Take a module; False where another lane has it."""
        try:
            (self._taken / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def end(self, name: str) -> None:
        """All tests of a module have been run."""
        (self._over / name).touch()

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those that nobody has run to the end."""
        return [name for name in names if not (self._over / name).exists()]


# A lane.


class Unclaimed(TestSuite):
    """Modules that are loaded and run when their turn comes, unless another lane has them."""

    def __init__(self, names: Sequence[str], claims: Claims, stream: TextIO) -> None:
        """
        :param stream: where it is said that a module is over.
        """
        super().__init__()
        self._names = names
        self._claims = claims
        self._stream = stream

    def run(self, result, debug=False):
        for name in self._names:
            if result.shouldStop:
                break
            if self._claims.take(name):
                began = time.monotonic()
                decorate(TestLoader().loadByNames([name], recurse=True), ITestCase)(result)
                self._claims.end(name)
                seconds = time.monotonic() - began
                print(f"({name}: {seconds:.1f} s)", file=self._stream, flush=True)
        return result


def work(lane: int, folder: Path) -> int:
    """Be a lane; the exit status."""
    if lane and os.geteuid() == 0:
        _enter_network()
    names = takes(lane, modules(), is_for_first)
    result = TrialRunner(TreeReporter).run(Unclaimed(names, Claims(folder), sys.stdout))
    return 0 if result.wasSuccessful() else 1


class Lane:
    """The process of a lane, and what it prints."""

    def __init__(self, number: int, folder: Path) -> None:
        path = folder / f"lane-{number}"
        words = ["-b", "-W", "error::DeprecationWarning:giestack", "-m", "coverage", "run"]
        words += ["-m", "tests.lanes", "--lane", str(number), "--folder", str(folder)]
        with path.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_end_with_parent,
            )
        self._output = path.open("rb")
        self._kept = b""

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def status(self) -> int:
        """How it has ended."""
        return self._process.wait()

    def news(self) -> str:
        """What it has printed since the last time, up to the end of a module."""
        self._kept += self._output.read()
        ends = [match.end() for match in _OVER.finditer(self._kept)]
        shown, self._kept = self._kept[: max([0, *ends])], self._kept[max([0, *ends]) :]
        return shown.decode(errors="replace")

    def rest(self) -> str:
        """All that is left, once it has ended: what has failed, and how many."""
        return (self._kept + self._output.read()).decode(errors="replace")


def _end_with_parent() -> None:
    # SIGTERM: its own neighbours are to end with it, too.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _enter_network() -> None:
    """Be in a network that has a loopback, with addresses as cards have them.

    Without one of IPv4 that is no loopback's, beside one of IPv6, resolvers that ask for what a
    machine is configured for (AI_ADDRCONFIG) find no IPv4 address of ``localhost``.
    """
    new_network()
    _add_address("192.0.2.1/32")
    # A machine may have no IPv6.
    _add_address("fe80::1/64", "nodad")


def _add_address(address: str, *options: str) -> None:
    command = ["ip", "address", "add", address, "dev", "lo", *options]
    subprocess.run(command, check=False, stderr=subprocess.DEVNULL)


# The account.


def summary(rests: Iterable[str]) -> tuple[str, bool]:
    """One line for all lanes, as trial ends with; and whether each lane has come to its own.

    :param rests: what lanes have printed at their ends.
    """
    counts: Counter[str] = Counter()
    whole = True
    for rest in rests:
        found = _SUMMARY.findall(rest)
        whole = whole and bool(found)
        for name, number in re.findall(r"(\w+)=(\d+)", "".join(found[-1:])):
            counts[name] += int(number)
    bad = any(counts[name] for name in ("failures", "errors", "unexpectedSuccesses"))
    told = ", ".join(f"{name}={number}" for name, number in counts.items())
    return f"{'FAILED' if bad else 'PASSED'} ({told})", whole


def run(count: int, folder: Path) -> int:
    """Run all tests in so many lanes; the exit status."""
    names = modules()
    lanes = [Lane(number, folder) for number in range(count)]
    while any(lane.running for lane in lanes):
        time.sleep(PAUSE)
        for lane in lanes:
            print(lane.news(), end="", flush=True)
    rests = [lane.rest() for lane in lanes]
    for number, rest in enumerate(rests, 1):
        print(f"\nLane {number}\n{rest}", end="")
    line, whole = summary(rests)
    missing = Claims(folder).missing(names)
    for name in missing:
        print(f"{name} has not been run to its end")
    statuses = [lane.status for lane in lanes]
    if not whole:
        print(f"a lane has ended without a word of its tests; statuses: {statuses}")
    print(f"\n{len(names)} modules in {count} lanes\n{line}", flush=True)
    return 0 if whole and not missing and not any(statuses) else 1


def main() -> int:
    parser = ArgumentParser()
    parser.add_argument("--lanes", type=int, default=LANES)
    parser.add_argument("--lane", type=int, help="be one of them")
    parser.add_argument("--folder", type=Path, help="where lanes say what they have taken")
    given = parser.parse_args()
    if given.lane is not None:
        return work(given.lane, given.folder)
    with tempfile.TemporaryDirectory(prefix="giestack-lanes-") as folder:
        return run(given.lanes, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
