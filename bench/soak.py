"""``make soak``: is anything left behind by very many visits, of which many end badly?

A real giestack is warmed up, then visited 200,000 times, with 5,000 tunnels beside. Once after
the warm-up and once at the end all visitors and backends go away, and what giestack then still
has in memory, and open, is compared.
"""

import asyncio
import random
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bench.galaxy import BROWSER, Galaxy, Giestack, start_giestack, wait_until_it_answers
from bench.page_visits import PAGES
from bench.processes import Failed, Program, Programs, free_ports, settle
from bench.tunnel_visits import TUNNELS
from bench.visits import Kind, Kinds, Places, Visitor, pay

BOUND = 8_000_000
"""Bytes by which memory may be larger at the end than after the warm-up."""

_AT_ONCE = 48
_TUNNELS_AT_ONCE = 24
_MB = 1e6
_OPEN_NOW = ("giestack_client_connections", "giestack_open_tunnels")


@dataclass(frozen=True, slots=True)
class Standing:
    """What giestack has when nobody visits.

    :ivar memory: bytes (RSS).
    :ivar descriptors: open descriptors by kind.
    :ivar open: connections and tunnels that it counts as open itself.
    """

    memory: int
    descriptors: Counter[str]
    open: dict[str, float]

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.descriptors.items()))
        own = ", ".join(
            f"{count:.0f} {name.removeprefix('giestack_')}" for name, count in self.open.items()
        )
        return f"{self.memory / _MB:.1f} MB; descriptors: {kinds}; by its own count open: {own}"


class Soak:
    """One run.

    :ivar outcomes: how often each kind of visit had which outcome.
    """

    def __init__(self, programs: Programs, seed: int) -> None:
        self._programs = programs
        steady, mortal, gone, foreign = free_ports(4)
        names = (
            "alice running",
            "alice path-based, header",
            "alice path-based, path in url",
            "bob running",
        )
        galaxy = Galaxy(
            programs.folder, dict(zip(names, (steady, mortal, gone, foreign), strict=True))
        )
        self._ports = {"steady": steady, "mortal": mortal}
        self._backends: dict[str, Program] = {}
        self.giestack: Giestack = start_giestack(programs, galaxy)
        paths = [galaxy.tools[name].path for name in names]
        self._places = Places(
            port=self.giestack.port,
            steady=paths[0],
            mortal=paths[1],
            gone=paths[2],
            foreign=paths[3],
            headers={**BROWSER, "Cookie": galaxy.cookie},
            nobody=BROWSER,
            ended={**BROWSER, "Cookie": galaxy.ended_cookie},
        )
        self._random = random.Random(seed)
        self.outcomes: dict[Kind, Counter[str]] = {kind: Counter() for kind in (*PAGES, *TUNNELS)}

    def run(self, requests: int, tunnels: int) -> Standing:
        """Let so many visits happen, then all go away; what giestack has then."""
        for name in self._ports:
            self._start_backend(name)
        wait_until_it_answers(
            self.giestack.program,
            self.giestack.port,
            f"{self._places.steady}/hello/1",
            self._places.headers,
            bytes(1),
        )
        asyncio.run(self._visits(requests, tunnels))
        for backend in self._backends.values():
            backend.kill()
        # Connections that wait for a next request end with their backends.
        program = self.giestack.program
        deadline = time.monotonic() + 20
        while any(self._open().values()) and time.monotonic() < deadline:
            time.sleep(0.2)
        memory = settle(program, 15)
        return Standing(memory, program.descriptors(), self._open())

    def _open(self) -> dict[str, float]:
        metrics = self.giestack.metrics() or {}
        return {name: metrics.get(name, -1.0) for name in _OPEN_NOW}

    def _start_backend(self, name: str) -> None:
        port = self._ports[name]
        self._backends[name] = self._programs.start_module("bench.backend", str(port), ports=[port])

    async def _visits(self, requests: int, tunnels: int) -> None:
        killing = asyncio.ensure_future(self._kill_now_and_then())
        try:
            async with asyncio.TaskGroup() as group:
                for kinds, count, at_once in (
                    (PAGES, requests, _AT_ONCE),
                    (TUNNELS, tunnels, _TUNNELS_AT_ONCE),
                ):
                    chosen = self._choose(kinds, count)
                    for _ in range(at_once):
                        group.create_task(self._visit(chosen))
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)

    def _choose(self, kinds: Kinds, count: int) -> Iterator[Kind]:
        return iter(self._random.choices(kinds, [kind.share for kind in kinds], k=count))

    async def _visit(self, chosen: Iterator[Kind]) -> None:
        visitor = Visitor(self._places)
        for kind in chosen:
            self.outcomes[kind][await pay(kind, visitor)] += 1
        await visitor.leave()

    async def _kill_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(1, 4))
            await asyncio.to_thread(self._backends["mortal"].kill)
            await asyncio.sleep(0.2)
            await asyncio.to_thread(self._start_backend, "mortal")


def _left_over(before: Standing, after: Standing) -> list[str]:
    """What there is at the end that was not there after the warm-up."""
    found = []
    grown = after.memory - before.memory
    if grown > BOUND:
        found.append(f"memory grew by {grown / _MB:.1f} MB, {BOUND / _MB:.0f} MB at most is right")
    for kind, count in sorted((after.descriptors - before.descriptors).items()):
        found.append(f"{count} descriptors more: {kind}")
    found += [f"{count:.0f} {name} at the end" for name, count in after.open.items() if count]
    return found


def _wrong(outcomes: dict[Kind, Counter[str]]) -> list[str]:
    """Outcomes that should not have been."""
    return [
        f"{kind.name}: {count} × {outcome}"
        for kind, counter in outcomes.items()
        for outcome, count in counter.items()
        if outcome not in kind.expected
    ]


def _table(outcomes: dict[Kind, Counter[str]]) -> Iterator[str]:
    total: Counter[str] = Counter()
    for kind, counter in outcomes.items():
        total += counter
        said = ", ".join(f"{count:,} × {outcome}" for outcome, count in sorted(counter.items()))
        yield f"  {kind.name:36} {said}"
    said = ", ".join(f"{count:,} × {outcome}" for outcome, count in sorted(total.items()))
    yield f"  {'all':36} {said}"


def _options(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m bench.soak", description="Is anything left behind?")
    parser.add_argument("--requests", type=int, default=200_000, help="how many [200000]")
    parser.add_argument("--tunnels", type=int, default=5_000, help="how many beside [5000]")
    parser.add_argument("--seed", type=int, default=1, help="another one: another order [1]")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return 1 where something was left or wrong."""
    options = _options(arguments)
    try:
        with Programs() as programs:
            soak = Soak(programs, options.seed)
            print("warm-up …", flush=True)
            before = soak.run(max(options.requests // 5, 10_000), max(options.tunnels // 5, 500))
            print(f"after the warm-up: {before}", flush=True)
            started = time.monotonic()
            after = soak.run(options.requests, options.tunnels)
            print(f"at the end:        {after}")
            print(f"{time.monotonic() - started:.0f} s; what visitors saw, warm-up included:")
            print(*_table(soak.outcomes), sep="\n")
            said = soak.giestack.program.last_words()
            since = time.monotonic()
            status = soak.giestack.program.end()
            print(f"giestack ended with {status} in {time.monotonic() - since:.1f} s")
    except Failed as failure:
        print(f"soak: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    trouble = _left_over(before, after) + _wrong(soak.outcomes)
    if status:
        trouble.append(f"giestack ended with status {status}: {said}")
    for line in trouble:
        print(f"soak: {line}", file=sys.stderr)
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
