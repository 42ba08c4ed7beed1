"""``python -m bench.maps``: what large session maps cost, and large ones that change all the time.

A request's cost must not grow with the rows of a map, and nobody may be kept waiting while a map
is read. Under load CPU per request is measured; without, how long single requests take that come
every few ms: where something holds the reactor, one of them waits for its end.
"""

import shutil
import socket
import sys
import time
from argparse import ArgumentParser, Namespace
from contextlib import closing
from dataclasses import dataclass, field
from statistics import median

from bench.contenders import SMALL, Ground
from bench.ending import Promise, ended, say
from bench.galaxy import Giestack, start_giestack, wait_until_it_answers
from bench.load import Wrk, size_on_the_wire
from bench.map_writer import write
from bench.processes import LOOPBACK, Failed, Programs, busy, wait_for
from bench.report import late, machine, simple_table

GROWS, WAITS, HELD = 1.1, 10.0, 50.0
"""CPU per request beside a small map; ms for 99 of 100 single requests, and for all, meanwhile."""

_PACE = 0.004


@dataclass(frozen=True, slots=True)
class Map:
    """A session map.

    :ivar rows: how many there are beside those that are asked for.
    :ivar changes: whether all of them change every second.
    """

    name: str
    table: str
    rows: int
    changes: bool = False


MAPS = (
    Map("few rows", "gxitproxy", 0),
    Map("50,000 rows", "gxitproxy", 50_000),
    Map("10,000 rows that change", "gxitproxy", 10_000, True),
    Map("10,000 environments", "gxproxy2", 10_000),
    Map("10,000 environments that change", "gxproxy2", 10_000, True),
)


@dataclass(slots=True)
class Result:
    """What was measured with one map.

    :ivar request: CPU µs for a request under load, one value per round; that of the reading of
        the map is in it.
    :ivar p99: 99 of 100 requests under load were answered within these ms.
    :ivar single: seconds that single requests have taken.
    :ivar reads: how often the map was read while they were made.
    """

    request: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)
    reads: int = 0


class Bench:
    """One run.

    :ivar results: by the maps' names.
    """

    def __init__(self, programs: Programs, options: Namespace) -> None:
        self._programs = programs
        self._options = options
        self._ground = Ground(programs)
        self._small = programs.folder / "small.sqlite"
        shutil.copyfile(self._ground.galaxy.session_map, self._small)
        self._wrk = Wrk(programs.folder)
        self.results = {one.name: Result() for one in MAPS}

    def run(self) -> None:
        """Measure each map in turn.

        :raises Failed: where giestack does not do what it should.
        """
        for number in range(self._options.rounds):
            for one in MAPS:
                say(f"round {number + 1}: {one.name}")
                self._measure(one, self.results[one.name])

    def _measure(self, one: Map, result: Result) -> None:
        # In the place of the last one: that is where giestack looks.
        path = self._ground.galaxy.session_map
        shutil.copyfile(self._small, path)
        if one.rows:
            write(path, one.table, one.rows, 0)
        giestack = start_giestack(self._programs, self._ground.galaxy)
        asked = f"{self._ground.files.path}/1k"
        headers = self._ground.headers
        wait_until_it_answers(giestack.program, giestack.port, asked, headers, SMALL)
        _wait_for_rows(giestack, one.rows)
        writer = None
        if one.changes:
            words = (str(path), one.table, str(one.rows))
            writer = self._programs.start_module("bench.map_writer", *words)
            before = _reads(giestack)
            wait_for(lambda: _reads(giestack) > before, "a change to be seen", 30, writer)
        size = size_on_the_wire(giestack.port, asked, headers)
        cpu = -giestack.program.cpu()
        done = self._wrk(giestack.port, asked, headers, size, self._options.seconds)
        result.request.append((cpu + giestack.program.cpu()) / done.count * 1e6)
        result.p99.append(done.p99)
        reads = _reads(giestack)
        result.single += _single_requests(giestack.port, asked, headers, self._options.seconds)
        result.reads += _reads(giestack) - reads
        if writer is not None:
            writer.end()
        giestack.program.end()


def _single_requests(port: int, path: str, headers: dict[str, str], seconds: float) -> list[float]:
    """Seconds that requests take that come one by one, at a pace that does not depend on them."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {LOOPBACK}:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = "\r\n".join([*lines, "", ""]).encode()
    taken: list[float] = []
    with closing(socket.create_connection((LOOPBACK, port), 30)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due = time.perf_counter()
        end = due + seconds
        while due < end:
            time.sleep(max(0.0, due - time.perf_counter()))
            sock.sendall(request)
            answer = b""
            while not answer.endswith(SMALL):
                data = sock.recv(65536)
                if not data:
                    raise Failed("giestack has closed the connection")
                answer += data
            # From when it was due: whoever waits for the one before waits too.
            taken.append(time.perf_counter() - due)
            due += _PACE
    return taken


def _reads(giestack: Giestack) -> int:
    return int(_metric(giestack, "giestack_route_source_reads_total"))


def _metric(giestack: Giestack, name: str) -> float:
    found = giestack.metrics() or {}
    values = [value for key, value in found.items() if key.startswith(name)]
    if not values:
        raise Failed(f"giestack has no metric {name}")
    return sum(values)


def _wait_for_rows(giestack: Giestack, rows: int) -> None:
    wait_for(
        lambda: _metric(giestack, "giestack_routes{") >= rows,
        f"{rows} rows",
        60,
        giestack.program,
    )


def table(results: dict[str, Result]) -> list[str]:
    """The medians of the rounds."""
    rows = [
        ["", "request", "99 %", "single", "99 %", "longest", "reads"],
        ["", "CPU µs", "ms", "ms", "ms", "ms", ""],
    ]
    for name, one in results.items():
        single = (median(one.single), late(one.single), max(one.single))
        cells = [f"{median(one.request):.1f}", f"{median(one.p99):.1f}"]
        rows.append([name, *cells, *(f"{value * 1e3:.2f}" for value in single), str(one.reads)])
    return simple_table(rows)


def promises(results: dict[str, Result]) -> list[Promise]:
    """The bars."""
    few, many = (median(results[one.name].request) for one in MAPS[:2])
    text = f"CPU per request with {MAPS[1].name}: {many / few:.2f} × that with few"
    found = [Promise(f"{text}, at most {GROWS} × is promised", many / few <= GROWS)]
    for one in MAPS:
        if one.changes:
            single = results[one.name].single
            waits, longest = late(single) * 1e3, max(single) * 1e3
            text = f"{one.name}: 99 of 100 single requests within {waits:.1f} ms, all {longest:.0f}"
            kept = waits <= WAITS and longest <= HELD
            found.append(Promise(f"{text}; {WAITS:g} and {HELD:g} are promised", kept))
    return found


def _run(options: Namespace) -> list[Promise]:
    others = busy(2)
    with Programs() as programs:
        bench = Bench(programs, options)
        bench.run()
    say("")
    print(machine(None))
    print(f"{others:.0%} busy with other things before the start", end="\n\n")
    print(*table(bench.results), sep="\n", end="\n\n")
    return promises(bench.results)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return 1 where a promise is not kept."""
    parser = ArgumentParser(prog="python -m bench.maps", description="What session maps cost.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each has its turn [3]")
    parser.add_argument("--seconds", type=int, default=8, help="length of a measurement [8]")
    options = parser.parse_args(arguments)
    return ended(lambda: _run(options))


if __name__ == "__main__":
    sys.exit(main())
