"""One connection to a backend: sends requests, and tells the exchange what comes back.

Between two exchanges the connection idles in the pool.
"""

from collections.abc import Callable
from typing import Protocol as Seam

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from giestack.address import Address
from giestack.proxy.response_parser import Fields, ParsedHead, ResponseParser
from giestack.proxy.transport import Transport


class Exchange(Seam):
    """What a backend connection tells the exchange it works for, in this order."""

    def interim(self, head: ParsedHead) -> None:
        """A 1xx head that is not the answer yet."""

    def response(
        self, head: ParsedHead | None, body: bytes, trailers: Fields, complete: bool
    ) -> None:
        """Something of the answer: its head (once), body bytes, and whether that was all."""

    def switched(self, head: ParsedHead, early: bytes) -> None:
        """The backend answered 101; ``early`` are the first bytes of the new protocol."""

    def backend_lost(self, clean: bool) -> None:
        """The connection ended before the answer was complete."""

    def pause_client(self) -> None: ...

    def resume_client(self) -> None: ...


class Tunnel(Seam):
    """What a backend connection tells the tunnel that it has become one end of."""

    def tunnelled(self, data: bytes) -> None: ...

    def backend_half_closed(self) -> None: ...

    def backend_lost(self, clean: bool) -> None: ...

    def pause_client(self) -> None: ...

    def resume_client(self) -> None: ...


class Idle(Seam):
    """What becomes of a connection between two exchanges."""

    def give_back(self, connection: "BackendConnection") -> None: ...

    def forget(self, connection: "BackendConnection") -> None: ...

    def leaving(self, connection: "BackendConnection") -> None: ...


@implementer(IHalfCloseableProtocol, IPushProducer)
class BackendConnection(Protocol):
    """A connection to one backend address.

    :ivar address: what it is connected to.
    :ivar when_made: called once the connection is made.
    :ivar used: how many exchanges it has carried before the present one.
    """

    transport: Transport  # type: ignore[assignment]

    def __init__(self, address: Address, pool: Idle) -> None:
        self.address = address
        self.used = 0
        self.idle_since = 0.0
        self._pool = pool
        self._exchange: Exchange | None = None
        self._tunnel: Tunnel | None = None
        self._response = ResponseParser()
        self.when_made: Callable[[BackendConnection], None] | None = None
        self._lost = False
        self._paused = False
        self._ended_cleanly = False

    # What the exchange does.

    def send_request(self, exchange: Exchange, data: bytes, head_only: bool) -> None:
        """Begin an exchange with the first bytes of a request.

        :param head_only: whether the request is a HEAD, whose answer has no body.
        """
        self._exchange = exchange
        if self.used or head_only:
            self._response.begin(head_only)
        self.transport.write(data)

    def release(self, reusable: bool) -> None:
        """End the exchange; keep the connection for another one where that is safe."""
        self._exchange = None
        self.used += 1
        if reusable and self._response.reusable and not self._lost:
            self.resume()
            self._pool.give_back(self)
        else:
            self.close()

    def become_tunnel(self, tunnel: Tunnel) -> None:
        """From here on only bytes are relayed."""
        self._exchange = None
        self._tunnel = tunnel
        self._response = _NO_RESPONSE

    def close(self) -> None:
        """End the connection at once; nothing of it is of use any more."""
        self._exchange = None
        self._tunnel = None
        if not self._lost:
            self.transport.unregisterProducer()
            self.transport.abortConnection()

    def pause(self) -> None:
        """Read nothing from the backend until `resume`."""
        self._paused = True
        self.transport.pauseProducing()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()

    def finish(self) -> None:
        """End the connection after what is written has gone out."""
        self._exchange = None
        self._tunnel = None
        if not self._lost:
            # First, since the connection may end, and be forgotten, at once.
            self._pool.leaving(self)
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def half_close(self) -> None:
        """Say that nothing more will be sent; the backend may still answer."""
        if self.address.tls:
            # TLS says nothing before the transport is rid of its producer.
            self.transport.unregisterProducer()
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()

    # What the transport tells.

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        when_made, self.when_made = self.when_made, None
        if when_made is not None:
            when_made(self)

    def dataReceived(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.tunnelled(data)
            return
        exchange = self._exchange
        if exchange is None:
            # Nobody asked: whatever this is, the next answer could not be trusted.
            self._pool.forget(self)
            self.close()
        else:
            response = self._response
            response.feed(data)
            if response.interim or response.broken:
                self._tell_odd(exchange, response)
            elif response.head is not None or response.body or response.done:
                exchange.response(response.head, response.body, response.trailers, response.done)

    def _tell_odd(self, exchange: Exchange, response: ResponseParser) -> None:
        """Tell of what is not just a piece of an answer."""
        interim, response.interim = response.interim, []
        for head in interim:
            if head.status == 101:
                if response.switched is None:
                    exchange.backend_lost(False)
                else:
                    exchange.switched(head, response.switched)
                return
            exchange.interim(head)
            if self._exchange is None:
                return
        if response.broken and not response.started:
            exchange.backend_lost(False)
        elif response.started:
            exchange.response(response.head, response.body, response.trailers, response.done)
            if response.broken:
                exchange.backend_lost(False)

    def readConnectionLost(self) -> None:
        if self._tunnel is not None:
            self._tunnel.backend_half_closed()
        else:
            self._ended_cleanly = True
            self.transport.unregisterProducer()
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        # The parser knows the response and the response its parser: nobody else would part them.
        self._response, response = _NO_RESPONSE, self._response
        self._pool.forget(self)
        exchange, self._exchange = self._exchange, None
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.backend_lost(self._is_clean(reason))
        if exchange is None:
            return
        clean = self._is_clean(reason)
        if response.end(clean):
            exchange.response(None, b"", [], True)
        else:
            exchange.backend_lost(clean)

    def _is_clean(self, reason: Failure) -> bool:
        return self._ended_cleanly or reason.check(ConnectionDone) is not None

    # The transport's buffer is full, or empty again.

    def pauseProducing(self) -> None:
        partner = self._tunnel or self._exchange
        if partner is not None:
            partner.pause_client()

    def resumeProducing(self) -> None:
        partner = self._tunnel or self._exchange
        if partner is not None:
            partner.resume_client()

    def stopProducing(self) -> None:
        pass


# A tunnel may stay open for days: nothing is kept for it that it does not need.
_NO_RESPONSE = ResponseParser()
