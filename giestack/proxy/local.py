"""Own pages: one request handed to a twisted.web Site over a connection in memory.

To the exchange it looks like any other backend, so framing, limits, back-pressure and the access
log are written once. Who the visitor is travels as an attribute of the Site's transport: a
resource reads ``request.channel.transport.visitor``; no header could be trusted with that.
"""

from collections.abc import Iterable
from typing import cast

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
    ITransport,
)
from twisted.python.failure import Failure
from twisted.web.server import Site
from zope.interface import implementer

from giestack.address import Address
from giestack.proxy.backend import BackendConnection
from giestack.proxy.decision import Local, Request
from giestack.proxy.seen import Seen
from giestack.visitor import Anonymous, Identity

_HERE = Address(path="giestack")


class _Unpooled:
    """A connection in memory serves one request and is never kept."""

    def give_back(self, connection: BackendConnection) -> None:
        connection.close()

    def forget(self, connection: BackendConnection) -> None:
        pass

    def leaving(self, connection: BackendConnection) -> None:
        pass


@implementer(ITransport, IPushProducer)
class LocalTransport:
    """What a Site's channel writes to: the exchange's end of the connection.

    :ivar visitor: who asks; None where there is no valid session.
    :ivar seen: how the visitor sees this server.
    """

    def __init__(self, visitor: Identity | Anonymous | None, seen: Seen) -> None:
        self.visitor = visitor
        self.seen = seen
        self.disconnecting = False
        self.producer: IPushProducer | None = None
        self._backend: BackendConnection | None = None

    def join(self, backend: BackendConnection) -> None:
        self._backend = backend

    def part(self) -> None:
        self._backend = None

    def write(self, data: bytes) -> None:
        if self._backend is not None and data:
            self._backend.dataReceived(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        self.disconnecting = True
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.connectionLost(Failure(ConnectionDone()))

    abortConnection = loseConnection

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        self.producer = producer
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self.seen.address.decode("latin-1"), 0)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", self.seen.host_name.decode("latin-1"), int(self.seen.port))

    def isSecure(self) -> bool:
        return self.seen.scheme == b"https"

    # A channel asks its transport to wait while it works on a request. Nothing is behind this
    # one but the same request, and a client that isn't read could not be seen to leave. But a
    # channel only takes part in back-pressure with a transport that can be asked.

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        self.loseConnection()

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


class _ToChannel:
    """The transport of the exchange's end: what is written goes to the Site's channel."""

    def __init__(self, channel: IProtocol, far: LocalTransport, clock: IReactorTime) -> None:
        self._channel: IProtocol | None = channel
        self._far = far
        self._clock = clock

    def write(self, data: bytes) -> None:
        if self._channel is not None:
            self._channel.dataReceived(data)

    def pauseProducing(self) -> None:
        if self._far.producer is not None:
            self._far.producer.pauseProducing()

    def resumeProducing(self) -> None:
        if self._far.producer is not None:
            self._far.producer.resumeProducing()

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        pass

    def abortConnection(self) -> None:
        self._far.part()
        channel, self._channel = self._channel, None
        if channel is not None:
            # Without this the channel's time-outs would stay behind. Not at once: the write that
            # completed the answer has still to return to the resource, which then finishes.
            self._clock.callLater(0, channel.connectionLost, Failure(ConnectionDone()))

    loseConnection = abortConnection
    loseWriteConnection = abortConnection


class OwnPages:
    """Opens a connection in memory to a Site, for one request."""

    def __init__(self, site: Site, clock: IReactorTime) -> None:
        self._site = site
        self._clock = clock

    def __call__(self, decision: Local, request: Request) -> BackendConnection:
        far = LocalTransport(decision.visitor, request.seen)
        channel = self._site.buildProtocol(far.getPeer())
        assert channel is not None
        backend = BackendConnection(_HERE, _Unpooled())
        far.join(backend)
        backend.makeConnection(cast(ITCPTransport, _ToChannel(channel, far, self._clock)))
        channel.makeConnection(far)
        return backend
