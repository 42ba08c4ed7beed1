"""Small servers in threads for whoever waits: what each connection is told is a function."""

import json
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

from giestack.probe import HEADER, is_pass, key_of
from giestack.proxy.head import GuardedNames, RequestFields, origin_form
from giestack.proxy.seen import seen_by_visitor
from giestack.site.doctor import FIRST, LAST, arrival
from tests.doctor.deployments import NOW, SECRET
from tests.neighbours.program import CleanUp

PATIENCE = 30.0

Fields = list[tuple[bytes, bytes]]
Serve = Callable[[socket.socket], None]


class Server:
    """Listens on an address, or on a UNIX socket, until the test has ended.

    ``serve`` gets each connection; it is closed afterwards.

    :ivar port: 0 for a UNIX socket.
    """

    def __init__(
        self,
        test: CleanUp,
        serve: Serve,
        *,
        tls: ssl.SSLContext | None = None,
        path: Path | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self._serve = serve
        self._tls = tls
        self._ended = False
        if path is None:
            self._listener = socket.create_server((host, 0))
            self.port: int = self._listener.getsockname()[1]
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen()
            self.port = 0
        self._open: list[socket.socket] = []
        self._thread = Thread(target=self._accept, daemon=True)
        self._thread.start()
        test.addCleanup(self.end)

    def end(self) -> None:
        self._ended = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._thread.join(PATIENCE)

    def _accept(self) -> None:
        while not self._ended:
            try:
                made, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(made)
            Thread(target=self._one, args=(made,), daemon=True).start()

    def _one(self, made: socket.socket) -> None:
        with suppress(OSError, ValueError):
            made.settimeout(PATIENCE)
            if self._tls is not None:
                made = self._tls.wrap_socket(made, server_side=True)
                self._open.append(made)
            self._serve(made)
            made.shutdown(socket.SHUT_RDWR)
        made.close()


def says(data: bytes) -> Serve:
    """Answers every request with these bytes."""

    def serve(made: socket.socket) -> None:
        read_head(made)
        made.sendall(data)

    return serve


def reply(status: int, body: bytes = b"", *fields: bytes) -> bytes:
    """An answer."""
    lines = [b"HTTP/1.1 %d Said" % status, b"Content-Length: %d" % len(body), *fields, b"", body]
    return b"\r\n".join(lines)


def json_reply(status: int, value: object, *fields: bytes) -> bytes:
    """An answer in JSON."""
    return reply(status, json.dumps(value).encode(), b"Content-Type: application/json", *fields)


def read_head(made: socket.socket) -> bytes:
    """The head of a request, with its blank line."""
    data = b""
    while b"\r\n\r\n" not in data:
        some = made.recv(65536)
        if not some:
            raise ConnectionError
        data += some
    return data


class Asked:
    """A request as it has come, to be changed by a front.

    :ivar fields: of its head.
    """

    def __init__(self, head: bytes) -> None:
        lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")
        self.method, self.target, _ = lines[0].split(b" ")
        self.fields: Fields = [
            (name, value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:])
        ]

    @property
    def head(self) -> bytes:
        lines = [b"%b %b HTTP/1.1" % (self.method, self.target)]
        return b"\r\n".join([*lines, *(b"%b: %b" % one for one in self.fields), b"", b""])

    def value(self, name: bytes) -> bytes | None:
        return next((value for field, value in self.fields if field.lower() == name), None)

    def drop(self, *names: bytes) -> None:
        self.fields = [one for one in self.fields if one[0].lower() not in names]

    def put(self, name: bytes, value: bytes) -> None:
        self.drop(name.lower())
        self.fields.append((name, value))


Change = Callable[[Asked], bytes | None]
"""What a front makes of a request: it changes it, or answers it itself."""


def unchanged(asked: Asked) -> None:
    """A front that changes nothing."""


class FakeGiestack:
    """As much of a giestack as its doctor asks for, behind a front that ``change`` makes."""

    def __init__(
        self,
        change: Change = unchanged,
        *,
        secret: str = SECRET,
        trusted: tuple[bytes, ...] = (b"127.0.0.1",),
        told: bytes = b"http",
    ) -> None:
        self.change = change
        self._key = key_of(secret)
        self._trusted = trusted
        self._told = told

    def __call__(self, made: socket.socket) -> None:
        asked = Asked(read_head(made))
        answer = self.change(asked)
        if answer is None:
            answer = self._answer(asked)
        made.sendall(answer)

    def _answer(self, asked: Asked) -> bytes:
        fields = RequestFields(asked.fields, "1.1", GuardedNames())
        seen = seen_by_visitor(fields, b"127.0.0.1", self._trusted, False, self._told)
        target = origin_form(asked.target, fields.host_name)
        told = arrival(seen, asked.method, target, asked.fields)
        ours = is_pass(self._key, asked.value(HEADER.lower()) or b"", NOW)
        path = target.partition(b"?")[0]
        date = b"Date: Tue, 14 Nov 2023 22:13:20 GMT"
        if not ours or path.endswith(b"/nothing"):
            return json_reply(404, {"error": "no-such-route", "message": "Nothing."}, date)
        if asked.method == b"POST":
            return b"HTTP/1.1 100 Continue\r\n\r\n"
        if path.endswith(b"/socket"):
            return self._socket(fields, told)
        if path.endswith(b"/events"):
            return self._events()
        return json_reply(200 if b"/seen" in path else 404, told, date)

    def _socket(self, fields: RequestFields, told: object) -> bytes:
        if not fields.websocket:
            return json_reply(404, {"error": "no-such-route", "message": "Nothing."})
        text = json.dumps(told).encode()
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
        return head + b"\x81\x7e" + len(text).to_bytes(2, "big") + text + b"\x88\x00"

    @staticmethod
    def _events() -> bytes:
        """Held back until all of it is there."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        return head + FIRST + LAST
