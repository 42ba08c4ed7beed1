"""A backend that tells exactly what has arrived, and answers the bytes that it is told to."""

import base64
import hashlib
import re
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Literal

from tests.neighbours.program import PATIENCE, CleanUp

_WEBSOCKET_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_KEY = re.compile(rb"\r\nsec-websocket-key:[ \t]*(\S*)", re.IGNORECASE)
_NO_LINGER = struct.pack("ii", 1, 0)

Fields = tuple[tuple[bytes, bytes], ...]


class Gone(Exception):
    """The other side has closed the connection before all had come."""


@dataclass(frozen=True)
class Answer:
    """What the witness does with a request.

    :ivar wire: what it sends; ``{accept}`` stands for the answer to the key of a WebSocket.
    :ivar then: ``stay`` for the next request, ``close`` or ``reset`` the connection, or ``echo``
        what comes from now on.
    """

    wire: bytes
    then: Literal["stay", "close", "reset", "echo"] = "stay"


OK = Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@dataclass(frozen=True)
class Arrived:
    """A request as it has arrived.

    :ivar fields: names and values, in their order and letter case.
    :ivar framing: how the end of the body was told.
    """

    method: bytes
    target: bytes
    version: bytes
    fields: Fields
    framing: Literal["none", "length", "chunks"]
    body: bytes


class Wire:
    """A connection that is read by heads, sizes and chunks; each reading may raise `Gone`."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.rest = b""

    def more(self) -> None:
        """Wait for more to come."""
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionError:
            data = b""
        if not data:
            raise Gone
        self.rest += data

    def until(self, mark: bytes) -> bytes:
        """Read up to a mark, which is dropped."""
        while mark not in self.rest:
            self.more()
        data, _, self.rest = self.rest.partition(mark)
        return data

    def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        while len(self.rest) < size:
            self.more()
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def chunks(self, body: bytearray) -> None:
        """Read a body in chunks (RFC 9112 section 7.1), and leave out its trailers."""
        while size := int(self.until(b"\r\n").partition(b";")[0], 16):
            body += self.exactly(size)
            self.exactly(2)
        while self.until(b"\r\n"):
            pass

    def head(self) -> tuple[bytes, Fields]:
        """Read a head: its first line, and its fields."""
        first, *lines = self.until(b"\r\n\r\n").split(b"\r\n")
        split = (line.partition(b":") for line in lines)
        return first, tuple((name, value.strip(b" \t")) for name, _, value in split)


def values(fields: Fields, name: bytes) -> list[bytes]:
    """The values of all fields of a name, which is in lower case."""
    return [value for one, value in fields if one.lower() == name]


class Witness:
    """Listens, and remembers the last request.

    :ivar port: where it listens on 127.0.0.1.
    :ivar answer: what the next requests are answered with.
    :ivar arrived: the last request; None where none has come since it was set so.
    """

    def __init__(self, test: CleanUp, port: int = 0) -> None:
        self.answer = OK
        self.arrived: Arrived | None = None
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()
        test.addCleanup(self._end)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _end(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _serve(self, sock: socket.socket) -> None:
        wire = Wire(sock)
        try:
            with sock:
                while self._one(wire):
                    pass
        except (Gone, OSError, ValueError):
            # What is no request any more is nobody's: whoever counts them will miss it.
            pass
        finally:
            self._open.discard(sock)

    def _one(self, wire: Wire) -> bool:
        """Read a request and answer it; whether there may be another."""
        first, fields = wire.head()
        method, target, version = first.split(b" ", 2)
        lengths = values(fields, b"content-length")
        body = bytearray()
        framing: Literal["none", "length", "chunks"] = "none"
        if values(fields, b"transfer-encoding"):
            framing = "chunks"
            wire.chunks(body)
        elif lengths:
            framing = "length"
            body += wire.exactly(int(lengths[0]))
        self.arrived = Arrived(method, target, version, fields, framing, bytes(body))
        answer = self.answer
        key = _KEY.search(b"\r\n" + b"\r\n".join(b"%b:%b" % field for field in fields))
        accept = b""
        if key is not None:
            accept = base64.b64encode(hashlib.sha1(key[1] + _WEBSOCKET_MAGIC).digest())
        wire.socket.sendall(answer.wire.replace(b"{accept}", accept))
        if answer.then == "echo":
            self._echo(wire)
        if answer.then == "reset":
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        return answer.then == "stay" and b"close" not in values(fields, b"connection")

    def _echo(self, wire: Wire) -> None:
        wire.socket.sendall(wire.rest)
        wire.rest = b""
        while data := wire.socket.recv(1 << 18):
            wire.socket.sendall(data)
