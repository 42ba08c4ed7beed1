"""The two proxies side by side, on one session map and before one backend."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.gx_it_proxy_difference.answers import ANSWERS
from tests.gx_it_proxy_difference.asking import ask
from tests.gx_it_proxy_difference.cases import PLAIN, PREFIX_BYTES, TOOLS, Case, cases
from tests.gx_it_proxy_difference.difference import Difference, Seen, differences
from tests.gx_it_proxy_difference.expected import EXPECTED
from tests.gx_it_proxy_difference.malformed import MALFORMED
from tests.gx_it_proxy_difference.requests import REQUESTS
from tests.neighbours.galaxy import PREFIX, new_folder
from tests.neighbours.gx_it_proxy import GxItProxy
from tests.neighbours.program import PATIENCE, CleanUp, Program, free_port
from tests.neighbours.proxy_command import start_proxy
from tests.neighbours.witness import Witness
from tests.routing.galaxy_map import CREATE, TYPE

THEMES = {**REQUESTS, **MALFORMED, **ANSWERS}

_HANGS = 0.7
"""Seconds for which gx-it-proxy is waited for where it has never been heard of again."""


@dataclass
class Outcome:
    """What became of cases.

    :ivar cases: how many there were.
    :ivar explained: how often each sort of difference that is meant was seen, by name.
    :ivar unexplained: differences that nobody has meant.
    """

    cases: int = 0
    explained: Counter[str] = field(default_factory=Counter)
    unexplained: list[tuple[Case, Difference]] = field(default_factory=list)

    @property
    def idle(self) -> list[str]:
        """The sorts that were never seen: their reasons are no reasons any more."""
        return [one.name for one in EXPECTED if not self.explained[one.name]]


class Beside:
    """gx-it-proxy and giestack-proxy, started with the same words."""

    def __init__(self, test: CleanUp) -> None:
        self._witness = Witness(test)
        map_file = new_folder(test) / "interactivetools_map.sqlite"
        write_map(map_file, self._witness.port, free_port())
        self._gx = GxItProxy(test, map_file)
        self._port = free_port()
        options = ["--ip", "127.0.0.1", "--port", str(self._port), "--sessions", str(map_file)]
        options += ["--proxyPathPrefix", PREFIX, "--verbose"]
        self._ours = start_proxy(test, new_folder(test), new_folder(test), options)
        path = f"{PLAIN.key}/{PLAIN.token}/".encode()
        first = Case(
            "", PLAIN, False, b"GET", PREFIX_BYTES + b"/" + path, ((b"Host", b"localhost"),)
        )
        for program, port in ((self._gx.program, self._gx.port), (self._ours, self._port)):
            program.until_it_accepts(port)
            program.until(partial(_answers, port, first), "the map")

    def run(self, those: Iterable[Case]) -> Outcome:
        """Send each case to both, one after the other."""
        outcome = Outcome()
        for case in those:
            outcome.cases += 1
            gx = self._see(case, self._gx.port, self._gx.program, _HANGS if hangs(case) else None)
            ours = self._see(case, self._port, self._ours, None)
            for difference in differences(gx, ours):
                sort = next((one for one in EXPECTED if one.explains(case, difference)), None)
                if sort is None:
                    outcome.unexplained.append((case, difference))
                else:
                    outcome.explained[sort.name] += 1
        return outcome

    def _see(self, case: Case, port: int, program: Program, patience: float | None) -> Seen:
        self._witness.arrived, self._witness.answer = None, case.answer
        got = ask(port, case, patience or PATIENCE)
        assert program.running, f"{case} has ended it: {program.output[-2000:]}"
        return Seen(self._witness.arrived, got)


def _answers(port: int, case: Case) -> bool:
    return ask(port, case, PATIENCE).status == 200


def hangs(case: Case) -> bool:
    """Whether gx-it-proxy leaves its client waiting for ever."""
    return case.theme in ("cut", "unasked switch")


def by_chance(seed: int, count: int) -> Iterable[Case]:
    """So many cases of all themes."""
    return cases(seed, count, THEMES)


def write_map(path: Path, alive: int, dead: int) -> None:
    """Write the session map; ``alive`` and ``dead`` are ports of 127.0.0.1."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(CREATE)
        for tool in TOOLS:
            port = dead if tool.dead else alive
            row = (tool.key, TYPE, tool.token, "127.0.0.1", port, tool.info)
            database.execute("INSERT INTO gxitproxy VALUES (?, ?, ?, ?, ?, ?)", row)
