"""``python bench/fuzz.py``: damaged requests, as raw bytes, against a real front door.

A front door in a process of its own sends everything on to a backend that this program plays.
Each request gets a connection from an address of its own (all of 127.0.0.0/8 is loopback), so
the backend knows by X-Forwarded-For, which no client can forge, who has sent what it gets. It
must get what `bench.strict_reader` finds in the client's bytes, and nothing else; every
connection must end; and the front door must live on, say no traceback, and keep its size.
"""

import asyncio
import random
import re
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

from bench.mutated import LAST, conversation
from bench.processes import LOOPBACK, Failed, Program, Programs, free_ports, settle
from bench.strict_reader import Found, Passed, passed, read

BOUND = 15.0
"""Seconds within which every connection must have ended; the time-outs are far shorter."""

GROWTH = 8_000_000
"""Bytes by which the front door may be larger at the end than after the warm-up."""

_AT_ONCE = 200
_MARK = b"1234567"
_USER = b"alice@example.org"
_HIDDEN = {"galaxysession", "galaxytoolrunnersession", "giestack"}
_TROUBLE = re.compile(rb"Traceback|Unhandled|critical|error\]", re.I)
_ANSWER = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
_LENGTH = re.compile(rb"^Content-Length: ([0-9]+)\r$", re.M)


@dataclass
class Visit:
    """What a client has sent and got.

    :ivar end: how the connection ended: ``closed``, ``reset`` or ``stuck``.
    """

    sent: bytes
    got: bytes = b""
    end: str = "closed"


@dataclass
class Run:
    """All that clients and backends have seen.

    :ivar visits: by the client's address.
    :ivar arrived: what the backend got, by the client's address.
    :ivar trouble: what should not have been.
    """

    visits: dict[bytes, Visit] = field(default_factory=dict)
    arrived: defaultdict[bytes, list[Found]] = field(default_factory=lambda: defaultdict(list))
    trouble: list[str] = field(default_factory=list)

    # The backend.

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection of the front door."""
        data = b""
        try:
            while True:
                if b"\r\nExpect: 100-continue\r\n" in data and data.endswith(b"\r\n\r\n"):
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                found = passed(data)
                if found is not None:
                    data = found[1]
                    if not self._answer(found[0], writer):
                        await _end_tunnel(reader, writer)
                        break
                elif more := await reader.read(65536):
                    data += more
                else:
                    break
        except ValueError as error:
            self.trouble.append(f"the backend can't read {error}")
        except (ConnectionError, asyncio.CancelledError):
            # The front door gave it up, or the run is over.
            pass
        writer.close()

    def _answer(self, got: Passed, writer: asyncio.StreamWriter) -> bool:
        """Note and answer a request; False where the connection is then a tunnel."""
        visitor = b",".join(got.fields.get(b"x-forwarded-for", []))
        self._check(got, visitor)
        count = len(self.arrived[visitor])
        self.arrived[visitor].append(got.request)
        if b"upgrade" in got.fields:
            writer.write(
                b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
            )
            return False
        body = b"%b %d" % (visitor, count)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), b"" if got.request.method == b"HEAD" else body)
        )
        return True

    def _check(self, got: Passed, visitor: bytes) -> None:
        named: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for name, values in got.fields.items():
            named[re.sub(rb"[^a-z0-9]", b"-", name)] += values
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(b"; ".join(named[b"cookie"]).decode("latin-1"))
        except CookieError:
            pass
        for wrong, what in (
            (visitor not in self.visits, "who is nobody"),
            (named[b"remote-user"] != [_USER], "with another user"),
            (b"192.0.2.1" in visitor, "with a forged address"),
            (len(named[b"x-forwarded-host"]) > 1, "with a forged host"),
            (bool({name.lower() for name in cookies} & _HIDDEN), "with a hidden cookie"),
        ):
            if wrong:
                self.trouble.append(f"a request of {visitor!r} {what}: {got.fields}")

    # The clients.

    async def visit(self, number: int, port: int, pick: random.Random) -> None:
        """Send one damaged request, with good ones around it, and read until the end."""
        mark = b"%07d" % number
        parts = [part.replace(_MARK, mark) for part in conversation(pick)]
        data = b"".join(parts)
        address = f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"
        visit = self.visits[address.encode()] = Visit(data)
        try:
            async with asyncio.timeout(BOUND):
                await _talk(visit, (address, port), parts)
        except TimeoutError:
            visit.end = "stuck"
            self.trouble.append(f"stuck: {data!r}")
        except ConnectionError:
            visit.end = "reset"

    def compare(self) -> Counter[str]:
        """Hold what has arrived against what was sent; how often each status was the last."""
        statuses: Counter[str] = Counter()
        for address, visit in self.visits.items():
            wanted, arrived = read(visit.sent), self.arrived[address]
            if arrived != wanted[: len(arrived)]:
                self.trouble.append(f"{visit.sent!r} became {arrived}")
            last = self._last_status(visit, address, arrived)
            statuses[last if visit.end == "closed" else f"{last} {visit.end}"] += 1
        return statuses

    def _last_status(self, visit: Visit, address: bytes, arrived: list[Found]) -> str:
        rest, last, count = visit.got, "none", 0
        while rest:
            match = _ANSWER.match(rest)
            if match is None:
                self.trouble.append(f"{visit.sent!r} was answered with {visit.got!r}")
                break
            last, rest = match[1].decode(), rest[match.end() :]
            if last == "101":
                break
            if last == "100":
                continue
            length = _LENGTH.search(match[2])
            body = rest[: int(length[1])] if length else b""
            if last != "200":
                rest = rest[len(body) :]
                continue
            if count >= len(arrived) or (
                arrived[count].method != b"HEAD" and body != b"%b %d" % (address, count)
            ):
                self.trouble.append(f"{visit.sent!r} got somebody else's answer: {visit.got!r}")
                break
            if arrived[count].method != b"HEAD":
                rest = rest[len(body) :]
            count += 1
        return last


async def _end_tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    while await reader.read(65536):
        pass


async def _talk(visit: Visit, address: tuple[str, int], parts: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, address[1], local_addr=(address[0], 0))

    async def listen() -> None:
        while more := await reader.read(65536):
            visit.got += more

    listening = asyncio.ensure_future(listen())
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            # Long enough for most parts to be read one by one.
            await asyncio.sleep(0.002 if len(part) > 1 else 0)
        await listening
    finally:
        listening.cancel()
        writer.close()


async def _send(run: Run, numbers: range, port: int, seed: int) -> None:
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        # Each by its own dice, so that the order in which they run does not matter.
        async with free:
            await run.visit(number, port, random.Random(f"{seed} {number}"))

    await asyncio.gather(*(one(number) for number in numbers))


async def _fuzz(options: Namespace, front: Program, backend: int) -> tuple[Run, int]:
    """Do all visits; what was seen, and by how many bytes the front door grew meanwhile."""
    run = Run()
    server = await asyncio.start_server(run.serve, LOOPBACK, backend)
    # So long until the interpreter has the memory that it will keep.
    warm_up = max(options.count // 5, 4000)
    await _send(run, range(warm_up), options.port, options.seed)
    await asyncio.sleep(6)
    before = settle(front, 10)
    await _send(run, range(warm_up, warm_up + options.count), options.port, options.seed)
    await asyncio.sleep(6)
    growth = settle(front, 10) - before
    good = Visit(LAST)
    run.visits[b"127.0.0.1"] = good
    await asyncio.wait_for(_talk(good, ("127.0.0.1", options.port), [LAST]), BOUND)
    if not good.got.endswith(b"\r\n\r\n127.0.0.1 0"):
        run.trouble.append(f"at the end a good request was answered with {good.got!r}")
    server.close()
    return run, growth


def serve(port: int, backend: int) -> None:
    """Be the front door, until the process is ended."""
    from giestack import epoll

    epoll.install()
    from twisted.internet import reactor  # noqa: TID251 - a program of its own, like giestack.tap
    from twisted.logger import globalLogBeginner, textFileLogObserver

    from bench.front_door import front_door

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    factory: Any = front_door(reactor, backend)
    reactor.listenTCP(port, factory, interface=LOOPBACK)
    reactor.run()


def _options(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python bench/fuzz.py", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another one: other requests [1]")
    parser.add_argument("--count", type=int, default=20_000, help="how many [20000]")
    parser.add_argument("--port", type=int, default=0, help="of the front door [a free one]")
    parser.add_argument("--serve", type=int, nargs=2, metavar=("PORT", "BACKEND"))
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return 1 where anything was wrong."""
    options = _options(arguments)
    if options.serve:
        serve(*options.serve)
        return 0
    try:
        with Programs() as programs:
            free, backend = free_ports(2)
            options.port = options.port or free
            front = programs.start_module(
                "bench.fuzz", "--serve", str(options.port), str(backend), ports=(options.port,)
            )
            started = time.monotonic()
            run, growth = asyncio.run(_fuzz(options, front, backend))
            seconds = time.monotonic() - started
            statuses = run.compare()
            front.must_run()
            log = (programs.folder / "bench.fuzz.log").read_bytes()
    except Failed as failure:
        print(f"fuzz: {failure}", file=sys.stderr)
        return 1
    if growth > GROWTH:
        run.trouble.append(f"the front door has grown by {growth / 1e6:.1f} MB")
    if _TROUBLE.search(log):
        run.trouble.append(f"the front door said: {log[-3000:].decode(errors='replace')}")
    for line in run.trouble[:20]:
        print(f"fuzz: {line}", file=sys.stderr)
    arrived = sum(map(len, run.arrived.values()))
    said = ", ".join(f"{count:,} × {status}" for status, count in sorted(statuses.items()))
    print(
        f"seed {options.seed}: {len(run.visits):,} connections in {seconds:.0f} s, {arrived:,}"
        f" requests passed on; last answers: {said}; grown by {growth / 1e6:+.1f} MB;"
        f" {len(run.trouble)} troubles"
    )
    return 1 if run.trouble else 0


if __name__ == "__main__":
    sys.exit(main())
