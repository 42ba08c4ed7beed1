"""Loads that are put on a proxy: requests, transfers and tunnels."""

import base64
import os
import re
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from bench.processes import LOOPBACK, Failed, said_by

_CONNECTIONS = 64

# `done` runs once, after the load, so it costs nothing. Statuses are those above 399.
_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("REPORT %d %d %d %d %d %d %d\\n", summary.requests, summary.bytes,
    summary.duration, e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Requests:
    """What wrk did in one go.

    :ivar count: requests answered.
    :ivar per_second: the same per second.
    :ivar p99: 99 of 100 were answered within these milliseconds.
    """

    count: int
    per_second: float
    p99: float


class Wrk:
    """wrk with one thread and 64 connections that are kept open."""

    def __init__(self, folder: Path) -> None:
        self._script = folder / "report.lua"
        self._script.write_text(_REPORT, encoding="ascii")

    def __call__(
        self, port: int, path: str, headers: Mapping[str, str], answer: int, seconds: int
    ) -> Requests:
        """Ask for a path again and again.

        ``answer`` is how many bytes the right answer has on the wire, with its head.

        :raises Failed: where not all answers were good and that long.
        """
        command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "-s", str(self._script)]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
        said = said_by(*command, f"http://{LOOPBACK}:{port}{path}")
        report = re.search(r"^REPORT (.*)$", said, re.MULTILINE)
        if report is None:
            raise Failed(f"wrk did not do its work: {said}")
        count, size, duration, errors, statuses, _, p99 = map(int, report[1].split())
        # At the end each connection may hold a part of an answer, and an answer that is the last
        # one on its connection says so in other words.
        about_right = abs(size - count * answer) <= _CONNECTIONS * answer
        if not count or errors or statuses or not about_right:
            raise Failed(
                f"{count} answers with {size} bytes ({answer} each were expected), "
                f"{errors} broken connections, {statuses} bad statuses"
            )
        return Requests(count, count / duration * 1e6, p99 / 1e3)


def size_on_the_wire(port: int, path: str, headers: Mapping[str, str]) -> int:
    """Bytes of the answer to a GET, with its head, over a connection that is kept.

    :raises Failed: where the answer has no Content-Length.
    """
    with socket.create_connection((LOOPBACK, port), 10) as connection:
        connection.sendall(_head("GET", port, path, headers))
        head = _read_head(connection)
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        if length is None:
            raise Failed(f"no Content-Length in {head!r}")
        return head.index(b"\r\n\r\n") + 4 + int(length[1])


class Transfers:
    """Bodies, one after the other, over one connection where the proxy keeps it."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._connection = HTTPConnection(LOOPBACK, port, timeout=60)
        self._headers = dict(headers)
        self._room = memoryview(bytearray(1024 * 1024))

    def download(self, path: str, size: int) -> None:
        """Fetch ``size`` bytes.

        :raises Failed: where it is not as much.
        """
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        got = 0
        while count := response.readinto(self._room):
            got += count
        if response.status != 200 or got != size:
            raise Failed(f"a download of {size} bytes gave {response.status} and {got} bytes")

    def upload(self, path: str, body: bytes) -> None:
        """Send a body.

        :raises Failed: where less arrives.
        """
        self._connection.request("POST", path, body, self._headers)
        response = self._connection.getresponse()
        said = response.read()
        if response.status != 200 or said != b"%d" % len(body):
            raise Failed(f"an upload of {len(body)} bytes gave {response.status} {said[:200]!r}")

    def close(self) -> None:
        self._connection.close()


class Tunnels:
    """WebSockets through a proxy to `bench.echo`, all in this thread."""

    # A masked frame with 128 bytes in it (RFC 6455 section 5.2).
    _FRAME = b"\x82\xfe\x00\x80" + os.urandom(4) + os.urandom(128)

    # Twisted's listeners let 50 connections wait.
    _AT_ONCE = 32

    def __init__(self, port: int, path: str, headers: Mapping[str, str]) -> None:
        self._port = port
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        }
        self._head = _head("GET", port, path, {**headers, **upgrade})
        self._open: list[socket.socket] = []

    def open(self, count: int) -> None:
        """Open so many more.

        :raises Failed: where one is refused.
        """
        while count > 0:
            some = [
                socket.create_connection((LOOPBACK, self._port), 20)
                for _ in range(min(count, self._AT_ONCE))
            ]
            self._open += some
            for connection in some:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(self._head)
            for connection in some:
                head = _read_head(connection)
                connection.setblocking(True)
                if not head.startswith(b"HTTP/1.1 101 "):
                    raise Failed(f"a WebSocket was answered with {head[:60]!r}")
            count -= len(some)

    def echo(self, seconds: float) -> int:
        """Send a frame through every tunnel as soon as the last one is back; how many were.

        Afterwards nothing is on its way.

        :raises Failed: where a tunnel ends, or all are silent for 10 s.
        """
        poll = select.epoll()
        peers = {connection.fileno(): connection for connection in self._open}
        missing = dict.fromkeys(peers, len(self._FRAME))
        frame, trips, under_way = self._FRAME, 0, len(peers)
        for number, connection in peers.items():
            poll.register(number, select.EPOLLIN)
            connection.send(frame)
        end = time.monotonic() + seconds
        while under_way:
            ready = poll.poll(10)
            if not ready:
                raise Failed("the tunnels were silent for 10 s")
            over = time.monotonic() > end
            for number, _ in ready:
                data = peers[number].recv(missing[number])
                if not data:
                    raise Failed("a tunnel was closed")
                missing[number] -= len(data)
                if missing[number]:
                    continue
                trips += 1
                if over:
                    under_way -= 1
                else:
                    missing[number] = len(frame)
                    peers[number].send(frame)
        poll.close()
        return trips

    def close(self) -> None:
        """Close all of them."""
        while self._open:
            self._open.pop().close()


def _head(method: str, port: int, path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {LOOPBACK}:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(65536)
        if not data:
            raise Failed(f"a connection was closed after {head[:200]!r}")
        head += data
    return head
