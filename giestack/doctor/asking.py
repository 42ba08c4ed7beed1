"""Requests over connections of one's own, that wait: with words for everything that fails."""

import errno
import http.client
import json
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any

from giestack.doctor.check import CannotTell

SECONDS = 4.0
"""What one step, connecting or reading, may take."""

LARGEST = 256 * 1024
"""Bytes of an answer that are read."""


class NoAnswer(CannotTell):
    """Nobody answers, or not in HTTP; the text says it with the place.

    :ivar refused: whether nobody listens there.
    """

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Place:
    """Where to connect to.

    :ivar path: of a UNIX socket; host and port count for nothing then.
    :ivar tls: whether TLS is spoken there.
    :ivar name: whose certificate is wanted, and told at the handshake (SNI); "": that of host.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    tls: bool = False
    name: str = ""

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    :ivar headers: the first value of each field, by its lower-case name.
    :ivar body: `LARGEST` bytes at most.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def __str__(self) -> str:
        server = self.headers.get("server", "")
        by = f" (Server: {server[:40]})" if server else ""
        return f"HTTP {self.status}{by}"


def trusting_all() -> ssl.SSLContext:
    """For TLS where the certificate is another check's business."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def address_of(host: str) -> str:
    """A host as the system resolves it; names below localhost are this machine (RFC 6761)."""
    return "127.0.0.1" if host.endswith(".localhost") else host


def connect(
    place: Place, context: ssl.SSLContext | None = None, seconds: float = SECONDS
) -> socket.socket:
    """Open a connection; raises `NoAnswer`."""
    try:
        if place.path:
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(seconds)
            made.connect(place.path)
        else:
            made = socket.create_connection((address_of(place.host), place.port), seconds)
    except OSError as error:
        raise _unconnected(place, error, seconds) from None
    if not place.tls:
        return made
    try:
        return (context or trusting_all()).wrap_socket(
            made, server_hostname=place.name or place.host
        )
    except ssl.SSLCertVerificationError as error:
        made.close()
        raise NoAnswer(f"the certificate at {place}: {error.verify_message}") from None
    except (OSError, ValueError) as error:
        made.close()
        if isinstance(error, TimeoutError):
            raise NoAnswer(f"{place} does not end the TLS handshake") from None
        raise NoAnswer(f"{place} does not speak TLS as it should") from None


def ask(
    place: Place,
    target: str,
    headers: Mapping[str, str],
    *,
    method: str = "GET",
    body: bytes = b"",
    context: ssl.SSLContext | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """Send one request and read its answer; nothing is followed, nothing added but framing.

    :param headers: ``Host`` too; a Content-Length that is in them is sent as it is.
    :raises NoAnswer: where there is none in time.
    """
    with closing(connect(place, context, seconds)) as made:
        response = _begun(made, place, target, headers, method, body)
        try:
            content = b"" if response.status < 200 else response.read(LARGEST)
        except (OSError, http.client.HTTPException):
            raise NoAnswer(f"{place} does not finish its answer") from None
        if response.length and 0 < len(content) < LARGEST:
            raise NoAnswer(f"{place} does not finish its answer")
        return Answer(response.status, _fields(response), content)


def open_socket(
    place: Place,
    target: str,
    headers: Mapping[str, str],
    *,
    context: ssl.SSLContext | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """Open a WebSocket; the body is that of the first message, where it was agreed to.

    :raises NoAnswer: where there is no answer, or no message after the handshake.
    """
    key = b64encode(token_bytes(16)).decode()
    asking = {
        **headers,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
    }
    with closing(connect(place, context, seconds)) as made:
        made.sendall(_head("GET", target, asking))
        try:
            head, early = _read_head(made)
            status = int(head.split(b" ", 2)[1])
            names = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
            fields = {
                name.decode("latin-1").lower(): value.decode("latin-1").strip()
                for name, _, value in names
            }
            if status == 101:
                return Answer(status, fields, _read_message(made, early))
            length = min(int(fields.get("content-length", "0")), LARGEST)
            while len(early) < length:
                early += _some(made)
            return Answer(status, fields, early[:length])
        except TimeoutError:
            raise NoAnswer(f"{place} agrees to a WebSocket, and then nothing comes") from None
        except (OSError, ValueError, IndexError):
            raise NoAnswer(f"{place} does not answer a WebSocket's handshake in HTTP") from None


def event_gap(
    place: Place,
    target: str,
    headers: Mapping[str, str],
    *,
    context: ssl.SSLContext | None = None,
    seconds: float = SECONDS,
) -> tuple[Answer, float]:
    """Read an event stream to its end: the answer, and seconds from its first bytes to its last."""
    with closing(connect(place, context, seconds)) as made:
        response = _begun(made, place, target, headers, "GET", b"")
        content, first, last = b"", 0.0, 0.0
        try:
            while some := response.read1(LARGEST):
                last = time.monotonic()
                first = first or last
                content += some
                if len(content) > LARGEST:
                    break
        except (OSError, http.client.HTTPException):
            raise NoAnswer(f"{place} does not finish its stream") from None
        return Answer(response.status, _fields(response), content), last - first


def announced(
    place: Place,
    target: str,
    headers: Mapping[str, str],
    size: int,
    *,
    context: ssl.SSLContext | None = None,
    seconds: float = 2.0,
) -> Answer | None:
    """Announce a body of so many bytes and send none of it: what is said to that, if anything."""
    more = {"Content-Length": str(size), "Expect": "100-continue"}
    with closing(connect(place, context, seconds)) as made:
        try:
            made.sendall(_head("POST", target, {**headers, **more}))
            head, _ = _read_head(made)
            return Answer(int(head.split(b" ", 2)[1]), {}, b"")
        except TimeoutError:
            return None
        except (OSError, ValueError, IndexError):
            raise NoAnswer(
                f"{place} closes the connection when a large body is announced"
            ) from None


def _begun(
    made: socket.socket,
    place: Place,
    target: str,
    headers: Mapping[str, str],
    method: str,
    body: bytes,
) -> http.client.HTTPResponse:
    given = dict(headers)
    if body:
        given.setdefault("Content-Length", str(len(body)))
    given.setdefault("Connection", "close")
    try:
        made.sendall(_head(method, target, given) + body)
    except OSError:
        pass  # It may have answered already, without having read everything.
    response = http.client.HTTPResponse(made, method=method)
    try:
        response.begin()
    except TimeoutError:
        raise NoAnswer(f"{place} does not answer") from None
    except (OSError, http.client.HTTPException, ValueError):
        raise NoAnswer(f"{place} does not answer in HTTP") from None
    return response


def _head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"{method} {target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _fields(response: http.client.HTTPResponse) -> Mapping[str, str]:
    return {name.lower(): value for name, value in reversed(response.getheaders())}


def _some(made: socket.socket) -> bytes:
    data = made.recv(65536)
    if not data:
        raise ConnectionError
    return data


def _read_head(made: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data and len(data) < LARGEST:
        data += _some(made)
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _read_message(made: socket.socket, data: bytes) -> bytes:
    """The first message (RFC 6455, section 5.2): short, whole, unmasked."""
    while True:
        if len(data) >= 4:
            length = data[1] & 0x7F
            begin = 2
            if length == 126:
                length, begin = int.from_bytes(data[2:4], "big"), 4
            if len(data) >= begin + length:
                return data[begin : begin + length]
        data += _some(made)


def _unconnected(place: Place, error: OSError, seconds: float) -> NoAnswer:
    if isinstance(error, socket.gaierror):
        return NoAnswer(f"the name {place.host} has no address")
    if isinstance(error, TimeoutError):
        return NoAnswer(f"{place} does not answer within {seconds:g} s")
    refused = error.errno in (errno.ECONNREFUSED, errno.ENOENT)
    if refused:
        return NoAnswer(f"nobody listens at {place}", refused=True)
    return NoAnswer(f"{place}: {error.strerror or type(error).__name__}")
