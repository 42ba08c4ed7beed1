"""``make bench``: what a request, a transfer and a tunnel cost, beside other proxies.

The figures to trust are CPU of the proxy's own processes, and their ratios within one run: the
proxies take turns, and everything is on one machine. All have a session cookie's request to pass
on to the same nginx; giestack does all that it always does, nginx checks one cookie, sets the
forwarding fields and writes a log, gx-it-proxy and configurable-http-proxy look up a route.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from bench import node_packages, report
from bench.contenders import (
    CHP,
    GIESTACK,
    GX,
    LARGE_SIZE,
    NAMES,
    SMALL,
    Contender,
    Ground,
)
from bench.ending import Promise, ended, say
from bench.load import Transfers, Tunnels, Wrk, size_on_the_wire
from bench.node_packages import NodePackages
from bench.processes import Program, Programs, busy, settle
from bench.report import Result

MEASUREMENTS = ("requests", "transfers", "echo", "tunnels")

_ECHOING = 64
_LOG_SECONDS = 1.5
"""giestack writes its access log once a second; what that costs must be counted too."""

_LINES_WRITTEN = 0.95
"""The part of the requests that the access log must have, for there is a limit to its hurry."""

_REQUESTS = 'giestack_requests_total{kind="entry_point",status="200"}'
_MB = 1e6


class Bench:
    """One run.

    :ivar results: by the proxies' names; so are `versions`.
    """

    def __init__(self, ground: Ground, packages: NodePackages | None, options: Namespace) -> None:
        self._ground = ground
        self._packages = packages
        self._options = options
        self._contenders = [ground.start(name, packages) for name in options.names]
        self._giestack = ground.giestack
        self._wrk = Wrk(ground.programs.folder)
        self.versions = {contender.name: contender.version for contender in self._contenders}
        self.results = {contender.name: Result() for contender in self._contenders}

    def run(self) -> None:
        """Measure what the options ask for.

        :raises Failed: where a proxy does not do what it should.
        """
        measurements: dict[str, Callable[[Contender, Result], None]] = {
            "requests": self._requests,
            "transfers": self._transfers,
            "echo": self._echo,
        }
        for name, measure in measurements.items():
            if name in self._options.measurements:
                self._rounds(name, measure)
        if "tunnels" in self._options.measurements:
            for contender in self._contenders:
                say(f"{self._options.tunnels} idle tunnels: {contender.name}")
                # What the other measurements have left behind would hide what a tunnel needs.
                fresh = self._ground.start(contender.name, self._packages)
                self._tunnels(fresh, self.results[contender.name])
                fresh.program.end()

    def _rounds(self, name: str, measure: Callable[[Contender, Result], None]) -> None:
        # The first round warms up: caches, code that is compiled when it has run often enough.
        for number in range(self._options.rounds + 1):
            for contender in self._contenders:
                say(f"{name}, round {number or 'to warm up'}: {contender.name}")
                measure(contender, self.results[contender.name] if number else Result())

    def _requests(self, contender: Contender, result: Result) -> None:
        path, headers = f"{self._ground.files.path}/1k", self._ground.headers
        answer = size_on_the_wire(contender.port, path, headers)
        with _Cpu(contender.program) as cpu:
            done = self._wrk(contender.port, path, headers, answer, self._options.seconds)
            time.sleep(_LOG_SECONDS)
        result.request.append(cpu.used / done.count * 1e6)
        result.per_second.append(done.per_second)
        result.p99.append(done.p99)
        result.memory.append(contender.program.memory() / _MB)

    def _transfers(self, contender: Contender, result: Result) -> None:
        transfers = Transfers(contender.port, self._ground.headers)
        body = SMALL * (LARGE_SIZE // len(SMALL))
        count = self._options.transfers
        with _Cpu(contender.program) as cpu:
            for _ in range(count):
                transfers.download(f"{self._ground.files.path}/10m", LARGE_SIZE)
        result.download.append(cpu.used / count * 1e3)
        with _Cpu(contender.program) as cpu:
            for _ in range(count):
                transfers.upload(f"{self._ground.echo.path}/sink", body)
        result.upload.append(cpu.used / count * 1e3)
        transfers.close()

    def _echo(self, contender: Contender, result: Result) -> None:
        tunnels = self._to_echo(contender)
        tunnels.open(_ECHOING)
        with _Cpu(contender.program) as cpu:
            trips = tunnels.echo(self._options.seconds)
        result.echo.append(cpu.used / trips * 1e6)
        tunnels.close()

    def _tunnels(self, contender: Contender, result: Result) -> None:
        patience = self._options.patience
        count = self._options.tunnels
        tunnels = self._to_echo(contender)
        tunnels.open(_ECHOING)
        tunnels.echo(1)
        tunnels.close()
        before = settle(contender.program, patience)
        tunnels.open(count)
        result.tunnel.append((settle(contender.program, patience) - before) / count / 1e3)
        tunnels.close()
        time.sleep(patience / 2)
        result.kept.append((settle(contender.program, patience) - before) / _MB)

    def _to_echo(self, contender: Contender) -> Tunnels:
        return Tunnels(contender.port, f"{self._ground.echo.path}/ws", self._ground.headers)

    def not_switched_on(self) -> list[str]:
        """What giestack should have done beside all this, and has not."""
        if self._giestack is None or not self.results[GIESTACK].request:
            return []
        metrics = self._giestack.metrics() or {}
        requests = metrics.get(_REQUESTS)
        if not requests:
            return ["giestack has no metrics: the figures are not the promised ones"]
        try:
            with open(self._giestack.access_log, "rb") as file:
                lines = sum(1 for _ in file)
        except FileNotFoundError:
            lines = 0
        if lines < requests * _LINES_WRITTEN:
            part = f"{lines:,} lines for {requests:,.0f} requests"
            return [f"the access log has {part}: the figures are not the promised ones"]
        return []


class _Cpu:
    """Measures a program's CPU during a ``with`` block.

    :ivar used: seconds.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self.used = 0.0

    def __enter__(self) -> "_Cpu":
        self.used = -self._program.cpu()
        return self

    def __exit__(self, *_: object) -> None:
        self.used += self._program.cpu()


def _options(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m bench.proxies", description="What proxies cost.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each takes its turn [5]")
    parser.add_argument("--seconds", type=int, default=5, help="length of a turn [5]")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=(*NAMES, *MEASUREMENTS),
        default=[],
        metavar="WORD",
        help=f"proxies ({', '.join(NAMES)}) and measurements ({', '.join(MEASUREMENTS)})",
    )
    parser.add_argument("--quick", action="store_true", help="a rough look: 2 rounds of 2 s")
    options = parser.parse_args(arguments)
    options.transfers, options.tunnels, options.patience = 20, 2000, 10
    if options.quick:
        options.rounds, options.seconds = 2, 2
        options.transfers, options.tunnels, options.patience = 5, 500, 3
    options.names = [name for name in NAMES if name in options.only] or NAMES
    options.measurements = [m for m in MEASUREMENTS if m in options.only] or MEASUREMENTS
    return options


def _run(options: Namespace) -> list[Promise]:
    packages = None
    if GX in options.names or CHP in options.names:
        packages = node_packages.install(node_packages.GX_IT_PROXY, node_packages.HTTP_PROXY)
    others = busy(2)
    with Programs() as programs:
        ground = Ground(programs)
        bench = Bench(ground, packages, options)
        bench.run()
        missing = bench.not_switched_on()
    say("")
    print(report.machine(packages.node if packages else None))
    print(f"{others:.0%} busy with other things before the start", end="\n\n")
    print(*report.spread(bench.results), sep="\n", end="\n\n")
    print(*report.table(bench.results, bench.versions), sep="\n", end="\n\n")
    return report.ratios(bench.results) + [Promise(one, False) for one in missing]


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return 1 where a promise is not kept."""
    options = _options(arguments)
    return ended(lambda: _run(options))


if __name__ == "__main__":
    sys.exit(main())
