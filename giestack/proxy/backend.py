"""One connection to a backend: sends requests, parses responses, tells the exchange.

A response is parsed by llhttp as far as needed: once a body's length is known and more than one
read long, its bytes are only counted. Between two exchanges the connection idles in the pool.
"""

from typing import Protocol as Seam

import httptools
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from giestack.address import Address
from giestack.proxy.transport import Transport

Fields = list[tuple[bytes, bytes]]


class ParsedHead:
    """A response head as the parser saw it."""

    __slots__ = ("fields", "keep_alive", "reason", "status", "version")

    def __init__(
        self, status: int, reason: bytes, version: str, fields: Fields, keep_alive: bool
    ) -> None:
        self.status = status
        self.reason = reason
        self.version = version
        self.fields = fields
        self.keep_alive = keep_alive


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

    def tunnelled(self, data: bytes) -> None:
        """Bytes of the new protocol."""

    def backend_half_closed(self) -> None:
        """The backend will send no more; it may still read."""

    def backend_lost(self, clean: bool) -> None:
        """The connection ended before the answer was complete."""

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
    :ivar used: how many exchanges it has carried before the present one.
    """

    transport: Transport  # type: ignore[assignment]

    def __init__(self, address: Address, pool: Idle) -> None:
        self.address = address
        self.used = 0
        self.idle_since = 0.0
        self._pool = pool
        self._exchange: Exchange | None = None
        self._tunnel = False
        self._parser: httptools.HttpResponseParser | None = None
        self._left = 0
        self._head_only = False
        self._until_close = False
        self._keep_alive = False
        self._lost = False
        self._paused = False
        self._ended_cleanly = False
        self._reset()

    def _reset(self) -> None:
        self._fields: Fields = []
        self._trailers: Fields = []
        self._reason = b""
        self._heads: list[ParsedHead] = []
        self._chunks: list[bytes] = []
        self._in_body = False
        self._done = False
        self._excess = False
        self._head_seen = False

    # What the exchange does.

    def send_request(self, exchange: Exchange, data: bytes, head_only: bool) -> None:
        """Begin an exchange with the first bytes of a request.

        :param head_only: whether the request is a HEAD, whose answer has no body.
        """
        self._exchange = exchange
        self._head_only = head_only
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self.transport.write(data)

    def release(self, reusable: bool) -> None:
        """End the exchange; keep the connection for another one where that is safe."""
        self._exchange = None
        self.used += 1
        if reusable and self._keep_alive and not self._excess and not self._until_close:
            self._reset()
            self.resume()
            self._pool.give_back(self)
        else:
            self.close()

    def close(self) -> None:
        """End the connection at once; nothing of it is of use any more."""
        self._exchange = None
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
        if not self._lost:
            self.transport.unregisterProducer()
            self.transport.loseConnection()
            self._pool.leaving(self)

    def half_close(self) -> None:
        """Say that nothing more will be sent; the backend may still answer."""
        if self.address.tls:
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()

    # What the transport tells.

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            # Nobody asked: whatever this is, the next answer could not be trusted.
            self._excess = True
            self._pool.forget(self)
            self.close()
        elif self._tunnel:
            exchange.tunnelled(data)
        elif self._left:
            self._count_body(exchange, data)
        elif self._until_close:
            exchange.response(None, data, [], False)
        else:
            self._parse(exchange, data)

    def _count_body(self, exchange: Exchange, data: bytes) -> None:
        left = self._left - len(data)
        if left < 0:
            self._excess = True
            data = data[: self._left]
            left = 0
        self._left = left
        exchange.response(None, data, [], left == 0)

    def _parse(self, exchange: Exchange, data: bytes) -> None:
        assert self._parser is not None
        rest: bytes | None = None
        broken = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserError:
            # Junk after a complete answer only spoils the connection.
            broken = not self._done
            self._excess = True
        self._tell(exchange, rest, broken)

    def _tell(self, exchange: Exchange, rest: bytes | None, broken: bool) -> None:
        heads, chunks = self._heads, self._chunks
        final: ParsedHead | None = None
        for head in heads:
            if head.status >= 200:
                final = head
            elif head.status == 101:
                if rest is None or broken:
                    exchange.backend_lost(False)
                else:
                    self._tunnel = True
                    exchange.switched(head, rest)
                return
            else:
                exchange.interim(head)
        if broken and not self._head_seen:
            exchange.backend_lost(False)
            return
        if heads:
            self._heads = []
        body = b""
        if chunks:
            body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._chunks = []
        if final is not None and not self._done:
            self._skip_parser(final, len(body))
        if self._done:
            exchange.response(final, body, self._trailers, True)
        elif final is not None or body:
            exchange.response(final, body, [], False)
        if broken:
            exchange.backend_lost(False)

    def _skip_parser(self, head: ParsedHead, arrived: int) -> None:
        """After the head: find out how the body ends, and whether it must be parsed at all."""
        if self._head_only:
            # The parser would take the next answer for this one's body.
            self._done = True
            self._parser = None
            return
        length: int | None = None
        chunked = False
        for name, value in head.fields:
            low = name.lower()
            if low == b"content-length" and value.isdigit():
                length = int(value)
            elif low == b"transfer-encoding":
                chunked = True
        if length is not None:
            self._left = length - arrived
            self._parser = None
        else:
            self._until_close = not chunked
            if self._until_close:
                self._parser = None

    def readConnectionLost(self) -> None:
        if self._tunnel and self._exchange is not None:
            self._exchange.backend_half_closed()
        else:
            self._ended_cleanly = True
            self.transport.unregisterProducer()
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        self._pool.forget(self)
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        clean = self._ended_cleanly or reason.check(ConnectionDone) is not None
        if self._until_close and clean:
            exchange.response(None, b"", [], True)
        else:
            exchange.backend_lost(clean)

    # The transport's buffer is full, or empty again.

    def pauseProducing(self) -> None:
        if self._exchange is not None:
            self._exchange.pause_client()

    def resumeProducing(self) -> None:
        if self._exchange is not None:
            self._exchange.resume_client()

    def stopProducing(self) -> None:
        pass

    # What the parser tells. Nothing is acted upon in here: a head may still turn out bad.

    def on_message_begin(self) -> None:
        if self._done:
            self._excess = True

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        (self._trailers if self._in_body else self._fields).append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser is None or self._excess:
            return
        status = parser.get_status_code()
        self._keep_alive = parser.should_keep_alive()
        self._heads.append(
            ParsedHead(
                status, self._reason, parser.get_http_version(), self._fields, self._keep_alive
            )
        )
        self._fields = []
        self._reason = b""
        if status >= 200:
            self._in_body = self._head_seen = True

    def on_body(self, data: bytes) -> None:
        if not self._excess:
            self._chunks.append(data)

    def on_message_complete(self) -> None:
        if self._head_seen:
            self._done = True
