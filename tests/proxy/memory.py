"""The front door on transports in memory: what a client and its backends send and see."""

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from giestack.address import Address
from giestack.proxy.backend import BackendConnection
from giestack.proxy.client import ClientConnection
from giestack.proxy.decision import Decision, Destination, Forward, Refuse, Request
from giestack.proxy.exchange import Exchange
from giestack.proxy.front import Front, Limits
from giestack.proxy.head import GuardedNames
from giestack.proxy.pool import Pool

GUARDED = GuardedNames(
    session_cookie=b"galaxysession",
    hidden_cookies=frozenset((b"galaxysession", b"galaxytoolrunnersession", b"giestack")),
    identity_headers=frozenset((b"remote-user",)),
    remote_user_header=b"remote-user",
)

BACKEND = Address("127.0.0.1", 9000)


class Wire:
    """A transport: keeps what is written, and says what has been done to it."""

    def __init__(self, protocol: Any, peer: str = "203.0.113.9") -> None:
        self.protocol = protocol
        self.peer = peer
        self.written = b""
        self.paused = False
        self.closing = False
        self.aborted = False
        self.write_closed = False
        self.producer: Any = None
        self.gone = False

    def take(self) -> bytes:
        """What was written since the last time."""
        written, self.written = self.written, b""
        return written

    def send(self, data: bytes) -> None:
        """The other side sends."""
        assert not self.gone
        self.protocol.dataReceived(data)

    def lose(self, reason: Exception | None = None) -> None:
        """The other side, or the network, ends the connection."""
        if not self.gone:
            self.gone = True
            self.protocol.connectionLost(Failure(reason or ConnectionDone()))

    def fin(self) -> None:
        """The other side half-closes."""
        self.protocol.readConnectionLost()

    @property
    def open(self) -> bool:
        return not (self.closing or self.aborted or self.gone)

    # The transport's own methods.

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        if not self.gone and not self.aborted:
            self.written += data

    def loseConnection(self) -> None:
        assert self.producer is None, "a registered producer would keep the transport open"
        self.closing = True

    def loseWriteConnection(self) -> None:
        self.write_closed = True

    def abortConnection(self) -> None:
        if not self.gone:
            self.aborted = True
            self.lose(ConnectionLost())

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        assert self.producer is None, "a transport knows one producer at a time"
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self.peer, 40000)

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass


class Backends:
    """Stands in for the network: every connection made to a backend is a `Wire`."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.down = False
        self.slow = False
        self._waiting: list[tuple[Deferred[Any], Any]] = []

    def __call__(self, address: Address) -> "Backends":
        return self

    def connect(self, factory: Any) -> Deferred[Any]:
        if self.down:
            return fail(ConnectionRefusedError())
        if self.slow:
            later: Deferred[Any] = Deferred()
            self._waiting.append((later, factory))
            return later
        return succeed(self._made(factory))

    def _made(self, factory: Any) -> BackendConnection:
        connection: BackendConnection = factory.buildProtocol(None)
        wire = Wire(connection)
        self.wires.append(wire)
        connection.makeConnection(wire)
        return connection

    def finish_connecting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for later, factory in waiting:
            if not later.called:
                later.callback(self._made(factory))

    def __getitem__(self, number: int) -> Wire:
        return self.wires[number]

    def __len__(self) -> int:
        return len(self.wires)


class Record:
    """A `Watch` that remembers."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def finished(self, exchange: Exchange, peer: bytes) -> None:
        self.exchanges.append(exchange)


class Uses:
    """The `Use` of a destination, that counts.

    :ivar asked: method and target of each request that it was told of.
    """

    def __init__(self, counts: bool = True) -> None:
        self._counts = counts
        self._touched = 0
        self.asked: list[tuple[bytes, bytes]] = []

    def __call__(self, method: bytes, target: bytes) -> Callable[[], None] | None:
        self.asked.append((method, target))
        return self._touch if self._counts else None

    def _touch(self) -> None:
        self._touched += 1

    def taken(self) -> int:
        """How often it was used since the last time."""
        touched, self._touched = self._touched, 0
        return touched


class House:
    """A front door with one decision for all requests.

    :ivar decision: what every request gets; a callable is asked.
    :ivar held: the ``cut`` of each connection held under a session.
    """

    def __init__(
        self, limits: Limits | None = None, trusted: frozenset[bytes] = frozenset(), **options: Any
    ) -> None:
        self.clock = Clock()
        self.backends = Backends()
        self.record = Record()
        self.requests: list[Request] = []
        self.held: list[Any] = []
        self.decision: Any = None
        self.pool = Pool(self.clock, self.backends)  # type: ignore[arg-type]
        self.front = Front(
            self.clock,
            decide=self._decide,
            pool=self.pool,
            local=options.get("local"),  # type: ignore[arg-type]
            refusal_page=self._page,
            hold=self._hold,
            watch=self.record,
            guarded=GUARDED,
            limits=limits or Limits(),
            trusted=trusted,
            utcnow=options.get("utcnow"),
        )
        self.front.start()

    def _decide(self, request: Request) -> Decision | Deferred[Decision]:
        self.requests.append(request)
        if self.decision is None:
            return Forward(to(), request.target)
        answer: Decision | Deferred[Decision] = (
            self.decision(request) if callable(self.decision) else self.decision
        )
        return answer

    def _page(self, refuse: Refuse, request: Request) -> tuple[bytes, bytes]:
        return b"Content-Type: text/plain\r\n", refuse.code.encode()

    def _hold(self, visitor: object, cut: Any) -> Any:
        self.held.append(cut)
        return lambda: self.held.remove(cut)

    def connect(self, peer: str = "203.0.113.9") -> Wire:
        """A client connects."""
        connection: ClientConnection = self.front.buildProtocol(None)
        wire = Wire(connection, peer)
        connection.makeConnection(wire)
        return wire

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with every tick in between."""
        for _ in range(int(seconds * 2) + 1):
            self.clock.advance(0.5)


def to(**options: Any) -> Destination:
    """A destination at the one backend."""
    return Destination(BACKEND, "entry_point", "k1", None, **options)


def get(path: str = "/x", *fields: str) -> bytes:
    """A GET request."""
    lines = [f"GET {path} HTTP/1.1", "Host: galaxy.example.org", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def answer(body: bytes = b"ok", *fields: str) -> bytes:
    """A response with a length."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_START = re.compile(rb"[A-Z-]+ /[!-\"$-~]* HTTP/1\.1")


class Unreadable(AssertionError):
    """A strict backend can't tell what it was asked."""


def read_request(data: bytes) -> tuple[bytes, bytes] | None:
    """The first request in ``data``, in one spelling, and what follows; None if incomplete.

    Reads as strictly as any backend may. The spelling is the head as sent, with the body in one
    chunk where it came in chunks.
    """
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    start, *lines = head.split(b"\r\n")
    if not _START.fullmatch(start) or not all(map(_LINE.fullmatch, lines)):
        raise Unreadable(head)
    names = [line.partition(b":")[0].lower().replace(b"_", b"-") for line in lines]
    framing = [name for name in names if name in (b"content-length", b"transfer-encoding")]
    if names.count(b"host") != 1 or len(framing) > 1:
        raise Unreadable(head)
    if not framing:
        return head + blank, rest
    value = lines[names.index(framing[0])].partition(b": ")[2]
    if framing == [b"content-length"]:
        if not value.isdigit():
            raise Unreadable(head)
        if len(rest) < int(value):
            return None
        return head + blank + rest[: int(value)], rest[int(value) :]
    if value != b"chunked":
        raise Unreadable(head)
    chunks = read_chunks(rest)
    return None if chunks is None else (head + blank + chunks[0], chunks[1])


def read_chunks(data: bytes) -> tuple[bytes, bytes] | None:
    """A chunked body with its trailers as one chunk, and what follows; None if incomplete."""
    body = trailers = b""
    size = -1
    while size:
        line, line_end, data = data.partition(b"\r\n")
        if line_end and not re.fullmatch(rb"[0-9a-f]+", line):
            raise Unreadable(line)
        size = int(line, 16) if line_end else 0
        if not line_end or len(data) < size + 2:
            return None
        body += data[:size]
        if size and data[size : size + 2] != b"\r\n":
            raise Unreadable(data)
        data = data[size + 2 :] if size else data
    while not data.startswith(b"\r\n"):
        line, line_end, data = data.partition(b"\r\n")
        if not line_end:
            return None
        if not _LINE.fullmatch(line):
            raise Unreadable(line)
        trailers += line + line_end
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return chunk + b"0\r\n" + trailers + b"\r\n", data[2:]


class StrictBackends:
    """Reads what all backends of a house get, and answers each request with its target.

    :ivar requests: those that were complete, as `read_request` spells them.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._unread: dict[Wire, bytes] = {}
        self.requests: list[bytes] = []

    def answer(self) -> None:
        """Answer until nothing more is asked."""
        busy = True
        while busy:
            busy = False
            for wire in self._house.backends.wires:
                data = self._unread.get(wire, b"") + wire.take()
                found = read_request(data) if wire.open else None
                if found is not None:
                    self.requests.append(found[0])
                    data = found[1]
                    busy = True
                self._unread[wire] = data
                if found is not None:
                    wire.send(answer(found[0].split(b" ")[1]))

    @property
    def incomplete(self) -> list[Wire]:
        """Backends that still wait for the rest of a request."""
        return [wire for wire, data in self._unread.items() if data and wire.open]


def read_answers(data: bytes) -> list[tuple[int, bytes]]:
    """(status, body) of each answer that a client got; all of them have a length."""
    answers = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        [length] = re.findall(rb"(?m)^Content-Length: (\d+)\r?$", head)
        answers.append((int(head.split(b" ")[1]), rest[: int(length)]))
        data = rest[int(length) :]
    return answers
