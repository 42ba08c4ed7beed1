"""An HTTP client that is good at behaving badly."""

import asyncio
import base64
import os
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping
from dataclasses import dataclass

from bench.processes import LOOPBACK

PATIENCE = 30.0
"""Seconds for anything to happen; afterwards it counts as hanging."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that came in whole.

    :ivar keep: whether the connection may be used again.
    """

    status: int
    body: bytes
    keep: bool


class Line:
    """One connection to a proxy; an ``async with`` block closes it.

    What is cut short raises `ConnectionError` or `asyncio.IncompleteReadError`; what does not
    come raises `TimeoutError`.
    """

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, room: int = 0) -> "Line":
        """Connect; ``room`` is the size of the kernel's receive buffer, 0 for the usual."""
        sock = socket.socket()
        sock.setblocking(False)
        if room:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        try:
            await asyncio.wait_for(
                asyncio.get_running_loop().sock_connect(sock, (LOOPBACK, port)), PATIENCE
            )
        except BaseException:
            sock.close()
            raise
        return cls(*await asyncio.open_connection(sock=sock, limit=65536))

    async def __aenter__(self) -> "Line":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self.close()
        else:
            self.reset()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await asyncio.wait_for(self._writer.drain(), PATIENCE)

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Send a request and read its answer."""
        if body:
            headers = {**headers, "Content-Length": str(len(body))}
        await self.send(head(method, path, headers) + body)
        return await self.answer(method == "HEAD")

    async def answer(self, head_only: bool = False) -> Answer:
        """Read an answer."""
        return await asyncio.wait_for(self._answer(head_only), PATIENCE)

    async def status(self) -> int:
        """Read an answer's head alone, and return its status."""
        status, _ = await asyncio.wait_for(self._head(), PATIENCE)
        return status

    async def at_end(self) -> bool:
        """Wait for bytes or the connection's end; whether it was the end."""
        return not await asyncio.wait_for(self.reader.read(1), PATIENCE)

    def end_sending(self) -> None:
        """Send no more, but still read."""
        self._writer.write_eof()

    async def close(self) -> None:
        """End the connection as it should be."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            pass

    def reset(self) -> None:
        """End the connection like somebody who pulls the plug."""
        if not self._writer.is_closing():
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()

    async def _head(self) -> tuple[int, dict[bytes, bytes]]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        return int(first.split(b" ")[1]), {
            name.lower(): value.strip().lower() for name, _, value in pairs
        }

    async def _answer(self, head_only: bool) -> Answer:
        status, fields = await self._head()
        keep = fields.get(b"connection") != b"close"
        if head_only or status in (101, 204, 304):
            return Answer(status, b"", keep)
        if fields.get(b"transfer-encoding") == b"chunked":
            return Answer(status, await self._chunks(), keep)
        if b"content-length" in fields:
            body = await self.reader.readexactly(int(fields[b"content-length"]))
            return Answer(status, body, keep)
        return Answer(status, await self.reader.read(), False)

    async def _chunks(self) -> bytes:
        pieces = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            pieces.append((await self.reader.readexactly(size + 2))[:-2])
        await self.reader.readuntil(b"\r\n")
        return b"".join(pieces)


def head(method: str, path: str, headers: Mapping[str, str], version: str = "1.1") -> bytes:
    """A request's head."""
    lines = [f"{method} {path} HTTP/{version}", "Host: giestack.test"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def upgrade(headers: Mapping[str, str]) -> dict[str, str]:
    """Fields that ask for a WebSocket, beside others."""
    return {
        **headers,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
