"""What answers on a UNIX socket, byte by byte as a test has it, in place of a Docker engine."""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httptools
from twisted.internet import reactor as global_reactor  # noqa: TID251 - it has a socket
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from giestack.docker.docker import Docker
from giestack.docker.endpoint import agent_for
from giestack.docker.location import Location

reactor: Any = global_reactor


@dataclass
class Asked:
    """A request.

    :ivar path: without the API's version, which is `version`.
    :ivar connection: the number of its connection, from 1.
    """

    method: str
    path: str
    version: str
    query: dict[str, list[str]]
    connection: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


Reply = Callable[["Wire"], None]


def said(status: int, content: Any = None, **headers: str) -> Reply:
    """An answer at once; ``content`` is JSON unless it is bytes."""
    body = b"" if content is None else content
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said"]
    if status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join([*lines, "", ""]).encode() + body)


def raw(data: bytes, *, close: bool = False) -> Reply:
    def reply(wire: "Wire") -> None:
        assert wire.transport is not None
        wire.transport.write(data)
        if close:
            wire.transport.loseConnection()

    return reply


def pieces(*parts: bytes, end: bool = True, cut: bool = False, status: int = 200) -> Reply:
    """An answer in chunks, which arrive one by one as they are here.

    :param end: whether it is over then.
    :param cut: the connection is.
    """

    def reply(wire: "Wire") -> None:
        wire.begin(status)
        for part in parts:
            wire.more(part)
        if end and not cut:
            wire.end()
        if cut:
            wire.cut()

    return reply


def cut(wire: "Wire") -> None:
    """No answer: the connection is closed."""
    wire.cut()


def silent(wire: "Wire") -> None:
    """No answer."""


class Wire(Protocol):
    """One connection."""

    factory: "Site"

    def connectionMade(self) -> None:
        self.engine = self.factory.engine
        self.engine.connections += 1
        self.number = self.engine.connections
        self.engine.open[self.number] = self
        self._parser = httptools.HttpRequestParser(self)

    def dataReceived(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connectionLost(self, reason: Any = None) -> None:
        del self.engine.open[self.number]
        self.engine.changed()

    # What the parser tells.

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        self.engine.heads += 1
        early = self.engine.early.get(f"{self._parser.get_method().decode()} {self._place()[1]}")
        if early is not None:
            self.transport.pauseProducing()  # type: ignore[union-attr]
            early(self)
        self.engine.changed()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        version, path, query = self._place()
        self.engine.heard(
            self,
            Asked(
                self._parser.get_method().decode(),
                path,
                version,
                parse_qs(query, keep_blank_values=True),
                self.number,
                self._headers,
                self._body,
            ),
        )

    def _place(self) -> tuple[str, str, str]:
        path, _, query = self._target.decode().partition("?")
        if not path.startswith("/v1."):
            return "", path, query
        version, _, rest = path[2:].partition("/")
        return version, f"/{rest}", query

    # What replies do.

    def begin(self, status: int = 200) -> None:
        self._write(f"HTTP/1.1 {status} Said\r\nTransfer-Encoding: chunked\r\n\r\n".encode())

    def more(self, part: bytes) -> None:
        self._write(b"%x\r\n%s\r\n" % (len(part), part))

    def end(self) -> None:
        self._write(b"0\r\n\r\n")

    def cut(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def _write(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class Site(Factory):
    protocol: Any = Wire
    noisy = False

    def __init__(self, engine: "ScriptedEngine") -> None:
        self.engine = engine


class ScriptedEngine:
    """Answers as it is told.

    :ivar asked: all requests but those for the version, of which `pings` is the number.
    :ivar open: connections by their numbers.
    :ivar early: what is answered to the head of a request, whose body is not read.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="scripted-"))
        self.location = Location(f"unix://{self._folder}/d.sock")
        self.asked: list[Asked] = []
        self.pings = 0
        self.heads = 0
        self.connections = 0
        self.version: str | None = "1.41"
        self.open: dict[int, Wire] = {}
        self.early: dict[str, Reply] = {}
        self.wires: list[Wire] = []
        self._replies: dict[str, list[Reply]] = {}
        self._waiting: list[tuple[Callable[[], object], Deferred[None]]] = []
        self._port: Any = None
        self._others: list[Any] = []
        self.up()

    def up(self) -> None:
        """Listen on the UNIX socket."""
        self._port = reactor.listenUNIX(self.location.path, Site(self))

    def listen(self, host: str = "127.0.0.1", options: Any = None) -> Location:
        """Listen by TCP, or TLS where there are options, too; where."""
        site: Any = Site(self)
        if options is None:
            port: Any = reactor.listenTCP(0, site, interface=host)
        else:
            port = reactor.listenSSL(0, site, options, interface=host)
        self._others.append(port)
        return Location(f"tcp://{host}:{port.getHost().port}")

    async def down(self) -> None:
        """Listen no more; connections are closed."""
        for wire in list(self.open.values()):
            wire.cut()
        if self._port is not None:
            port, self._port = self._port, None
            await port.stopListening()
        for other in self._others:
            await other.stopListening()
        self._others.clear()
        await self.until(lambda: not self.open)

    async def end(self) -> None:
        await self.down()
        shutil.rmtree(self._folder)

    def on(self, what: str, *replies: Reply) -> None:
        """What is answered to ``METHOD /path``, one after the other; the last one stays."""
        self._replies[what] = list(replies)

    def heard(self, wire: Wire, asked: Asked) -> None:
        what = f"{asked.method} {asked.path}"
        if what == "GET /_ping" and what not in self._replies:
            self.pings += 1
            said(200, b"OK", **({"Api_Version": self.version} if self.version else {}))(wire)
            return
        self.asked.append(asked)
        self.wires.append(wire)
        replies = self._replies.get(what) or [said(404, {"message": f"no {what}"})]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        reply(wire)
        self.changed()

    def kinds(self) -> list[str]:
        """Requests as ``METHOD /path``."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def changed(self) -> None:
        # Whoever waits goes on when nobody else is at work.
        reactor.callLater(0, self._look)

    def _look(self) -> None:
        for condition, waiting in list(self._waiting):
            if condition() and not waiting.called:
                self._waiting.remove((condition, waiting))
                waiting.callback(None)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until this holds; it is looked at whenever a request or connection ends."""
        if not condition():
            waiting: Deferred[None] = Deferred()
            self._waiting.append((condition, waiting))
            await waiting


@implementer(IBodyProducer)
class Producer:
    """A body of these parts, each in a turn of the reactor; it fails at None.

    :ivar is_stopped: whether it was told to stop.
    """

    length = UNKNOWN_LENGTH

    def __init__(self, parts: Sequence[bytes | None], *, ends: bool = True) -> None:
        self._parts = parts
        self._ends = ends
        self.is_stopped = False

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._produce(consumer))

    async def _produce(self, consumer: IConsumer) -> None:
        for part in self._parts:
            await deferLater(reactor, 0)
            consumer.write(part if part is not None else bytes(1 // 0))
        if not self._ends:
            await Deferred()

    def stopProducing(self) -> None:
        self.is_stopped = True

    def pauseProducing(self) -> None:
        """It is small."""

    def resumeProducing(self) -> None:
        """It is small."""


class ScriptedCase(TestCase):
    """A client of a scripted engine; it may leave no connection behind."""

    timeout = 20

    def setUp(self) -> None:
        self.clock = Clock()
        self.engine = ScriptedEngine()
        self.told: list[tuple[str, int]] = []
        self.agent = agent_for(reactor, self.engine.location)
        self.docker = Docker(
            self.clock, self.agent, tell=lambda kind, status, _: self.told.append((kind, status))
        )
        self.addCleanup(self.clean)

    async def clean(self) -> None:
        await self.docker.close()
        await self.engine.until(lambda: not self.engine.open)
        await self.engine.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def start(self, doing: Any) -> "Deferred[Any]":
        """Begin something that a test waits for later, or cancels."""
        return Deferred.fromCoroutine(doing)

    async def failing(self, kind: type[BaseException], doing: Any) -> Any:
        """The failure of something that must fail."""
        return await self.assertFailure(Deferred.fromCoroutine(doing), kind)
