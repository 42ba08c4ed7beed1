"""Backends for tests: one that answers by itself, and one whose every byte the test sends."""

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.neighbours.program import PATIENCE, CleanUp

_WEBSOCKET_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class _Tell(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        told = {"path": self.path, "headers": [list(field) for field in self.headers.items()]}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was reset is nothing to speak of."""


class Mirror:
    """Answers each GET with what it was sent: ``path`` and ``headers``, as JSON.

    :ivar port: where it listens on 127.0.0.1.
    """

    def __init__(self, test: CleanUp) -> None:
        self._server = _Quiet(("127.0.0.1", 0), _Tell)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        test.addCleanup(self._end)

    def _end(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Conversation:
    """A connection of which the test speaks one side.

    :ivar socket: the socket itself.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._rest = b""
        sock.settimeout(PATIENCE)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def head(self) -> bytes:
        """Read up to the empty line that ends a head, and return it with that line."""
        while b"\r\n\r\n" not in self._rest:
            data = self.socket.recv(65536)
            assert data, f"the connection ended within a head: {self._rest!r}"
            self._rest += data
        head, end, self._rest = self._rest.partition(b"\r\n\r\n")
        return head + end

    def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        while len(self._rest) < size:
            data = self.socket.recv(1 << 20)
            assert data, f"the connection ended before {size} bytes: {self._rest[:200]!r}"
            self._rest += data
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def until_the_end(self) -> tuple[bytes, bool]:
        """Read all that comes; tell also whether the connection was closed, not reset."""
        data, self._rest = self._rest, b""
        while True:
            try:
                more = self.socket.recv(1 << 20)
            except ConnectionResetError:
                return data, False
            if not more:
                return data, True
            data += more

    def answer_websocket(self, request: bytes) -> None:
        """Accept the WebSocket that a request's head asks for."""
        lines = (line.partition(b":") for line in request.split(b"\r\n")[1:])
        fields = {name.strip().lower(): value.strip() for name, _, value in lines}
        digest = hashlib.sha1(fields[b"sec-websocket-key"] + _WEBSOCKET_MAGIC).digest()
        self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % base64.b64encode(digest)
        )


class Listener:
    """A backend that does what the test does.

    :ivar port: where it listens on 127.0.0.1.
    """

    def __init__(self, test: CleanUp) -> None:
        self._test = test
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._socket.settimeout(PATIENCE)
        self.port: int = self._socket.getsockname()[1]
        test.addCleanup(self._socket.close)

    def accept(self) -> Conversation:
        """Wait for the next connection."""
        sock, _ = self._socket.accept()
        self._test.addCleanup(sock.close)
        return Conversation(sock)


def conversation(test: CleanUp, port: int) -> Conversation:
    """Connect to a port of 127.0.0.1."""
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    test.addCleanup(sock.close)
    return Conversation(sock)


def chunk(data: bytes) -> bytes:
    """A chunk of a body; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def body_of(talk: Conversation, head: bytes) -> Callable[[int], bytes]:
    """What reads so many bytes of the body that follows a head, however it is framed."""
    if b"transfer-encoding" not in head.lower():
        return talk.exactly
    kept = b""

    def read(size: int) -> bytes:
        nonlocal kept
        while len(kept) < size:
            line = b""
            while not line.endswith(b"\r\n"):
                line += talk.exactly(1)
            kept += talk.exactly(int(line, 16))
            talk.exactly(2)
        data, kept = kept[:size], kept[size:]
        return data

    return read


def request(path: str, *fields: str, method: str = "GET") -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *fields, "", ""]).encode()


WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
"""The fields of a request for a WebSocket (RFC 6455 section 1.3)."""
