"""One client connection: answers its requests one after the other, and keeps its limits."""

from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from giestack.proxy.decision import Destination, Refuse, Request
from giestack.proxy.exchange import Exchange
from giestack.proxy.handed_over import HandedOver
from giestack.proxy.handshake import UPGRADE_REQUIRED
from giestack.proxy.head import Malformed, RequestFields, origin_form
from giestack.proxy.request_head import backend_fields
from giestack.proxy.request_parser import RequestParser
from giestack.proxy.seen import UNIX_PEER, Seen, seen_by_visitor
from giestack.proxy.transport import Transport
from giestack.proxy.tunnel import Tunnel

if TYPE_CHECKING:
    from giestack.proxy.front import Front

QUEUE = 16
"""Requests that may wait on one connection before it is no longer read."""

LINGER = 2.0
"""Seconds for which a client that is still sending may read a final answer."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class ClientConnection(Protocol):
    """A client's connection to the front door.

    :ivar front: what all client connections share.
    :ivar peer: IP address at the other end; b"unix:" on a UNIX socket.
    :ivar deadline: seconds of the front's clock after which `timed_out` is due; 0.0 is never.
    :ivar blocked: whether the client reads too slowly for more to be written.
    """

    transport: Transport  # type: ignore[assignment]

    def __init__(self, front: "Front") -> None:
        self.front = front
        self.peer = b""
        self.deadline = 0.0
        self.blocked = False
        self._secure = False
        self._exchange: Exchange | None = None
        # What has come in the place of requests and answers.
        self._became: Tunnel | HandedOver | None = None
        self._incoming = RequestParser(front.limits.head, self._fields_of)
        self._paused = False
        self._beginning = False
        self._closing = False
        self._lost = False
        # The last request's fields, and what was made of them: most often the next are equal.
        self._known_raw: list[tuple[bytes, bytes]] | None = None
        self._known_version = ""
        self._known_fields: RequestFields | None = None
        self._known_seen: Seen | None = None
        self._known_to: Destination | None = None
        self._known_lines = b""

    # What the transport tells.

    def connectionMade(self) -> None:
        peer = self.transport.getPeer()
        if isinstance(peer, (IPv4Address, IPv6Address)):
            self.peer = peer.host.removeprefix("::ffff:").encode()
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)
        else:
            self.peer = UNIX_PEER
        self._secure = ISSLTransport.providedBy(self.transport)
        self.transport.registerProducer(self, True)
        self.deadline = self.front.now + self.front.limits.head_timeout
        if not self.front.connected(self):
            self._incoming.end(Malformed(503, "too many connections, try again soon"))
            self._next()
            # Under TLS it is still there: the handshake comes before the answer.
            self.deadline = self.front.now + LINGER

    def dataReceived(self, data: bytes) -> None:
        if self._became is not None:
            self._became.from_client(data)
            return
        if self._closing:
            return
        incoming = self._incoming
        refusal = incoming.feed(data)
        exchange = self._exchange
        if exchange is not None:
            if refusal is None:
                exchange.push()
            else:
                exchange.refuse(_refuse(refusal))
        elif incoming.queue:
            self._next()
        elif incoming.partial == len(data):
            self.deadline = self.front.now + self.front.limits.head_timeout
        exchange = self._exchange
        if self._paused or incoming.queue or (exchange is not None and not exchange.settled):
            self.regulate()

    def readConnectionLost(self) -> None:
        if self._became is not None:
            self._became.client_half_closed()
        elif self._closing:
            self.transport.loseConnection()
        elif self._exchange is not None:
            # Nobody waits for the answer: browsers close this way.
            self.abort()
        else:
            self._close()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        self._closing = True
        self.deadline = 0.0
        # The parser knows us, and we know it: nobody else would part the two.
        self._incoming = _NOTHING_INCOMING
        self._known_fields = self._known_seen = self._known_to = None
        self._leave()
        self.front.disconnected(self)

    def pauseProducing(self) -> None:
        self.blocked = True
        if isinstance(self._became, Tunnel):
            self._became.pause_backend()
        elif self._exchange is not None:
            self._exchange.pause_backend()
            self.deadline = self.front.now + self.front.limits.idle_timeout

    def resumeProducing(self) -> None:
        self.blocked = False
        if isinstance(self._became, Tunnel):
            self._became.resume_backend()
        elif self._exchange is not None:
            self._exchange.resume_backend()
            self.wait_for_backend()
        else:
            self._next()
            self.regulate()

    def stopProducing(self) -> None:
        pass

    def _fields_of(self, request: Request) -> RequestFields:
        if (
            request.raw == self._known_raw
            and request.version == self._known_version
            and self._known_fields is not None
        ):
            request.fields = self._known_fields
            assert self._known_seen is not None
            request.seen = self._known_seen
            return request.fields
        front = self.front
        fields = RequestFields(request.raw, request.version, front.guarded)
        request.seen = seen_by_visitor(fields, self.peer, front.trusted, self._secure, front.scheme)
        request.fields = self._known_fields = fields
        self._known_raw = request.raw
        self._known_version = request.version
        self._known_seen = request.seen
        self._known_to = None
        return fields

    def forget(self) -> None:
        """Look at the next request anew, whatever was made of the last one."""
        self._known_raw = self._known_fields = self._known_seen = self._known_to = None

    # One request after the other.

    def _next(self) -> None:
        """Begin the next request, if one is here and the client takes answers."""
        if self._beginning:
            # An answer that was ready at once: the loop below goes on by itself.
            return
        self._beginning = True
        try:
            self._begin_all()
        finally:
            self._beginning = False

    def _begin_all(self) -> None:
        queue = self._incoming.queue
        while queue and self._exchange is None and not self.blocked and not self._closing:
            item = queue.popleft()
            now = self.front.clock.seconds()
            refusal: Malformed | None = None
            if isinstance(item, Malformed):
                refusal = item
                item = Request(b"-", b"-", "1.1", [])
                item.complete = True
            else:
                try:
                    fields = self._fields_of(item)
                    item.target = origin_form(item.target, fields.host_name)
                except Malformed as error:
                    refusal = error
            self._exchange = exchange = Exchange(self, item, now)
            if refusal is None:
                exchange.start()
            else:
                self._incoming.stop()
                exchange.refuse(_refuse(refusal))

    def regulate(self) -> None:
        """Read from the client, or not, as what is under way allows."""
        if self._became is not None:
            pause = self._became.full
        else:
            exchange, incoming = self._exchange, self._incoming
            pause = (
                (exchange is not None and exchange.wants_less())
                or len(incoming.queue) >= QUEUE
                or bool(incoming.early)
            )
        if pause != self._paused and not self._lost:
            self._paused = pause
            if pause:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def wait_for_backend(self) -> None:
        """Something has moved: the exchange has its time again from now."""
        exchange = self._exchange
        if exchange is None:
            return
        limits = self.front.limits
        wait = limits.response_timeout if exchange.request.complete else limits.idle_timeout
        self.deadline = self.front.now + wait

    def finished(self, keep_alive: bool) -> None:
        """The exchange is over and its answer is written."""
        self._exchange = None
        if not keep_alive or self.front.draining:
            self._close()
        elif self._incoming.queue:
            self._next()
            self.regulate()
        else:
            limits = self.front.limits
            self.deadline = self.front.now + (
                limits.head_timeout if self._incoming.partial else limits.idle_timeout
            )
            if self._paused:
                self.regulate()

    def may_stay(self, request: Request) -> bool:
        """Whether the connection can go on after this request."""
        readable = self._incoming.readable or bool(self._incoming.queue)
        stays = request.fields.keep_alive and request.keep_alive
        return stays and readable and not self.front.draining

    def same_origin(self, request: Request) -> bool:
        """Whether the request's Origin is the host that it was sent to."""
        seen = request.seen
        return request.fields.origin == b"%b://%b" % (seen.scheme, seen.host)

    def backend_fields(self, request: Request, to: Destination | None) -> bytes:
        """The header lines for a backend; to None, giestack's own pages, as they came."""
        fields = request.fields
        if to is None:
            passed = [
                b"%b: %b\r\n" % (name, value)
                for name, value in request.raw
                if name.lower() not in _FRAMING
            ]
            return b"".join(passed) + fields.framing
        if fields is self._known_fields and to is self._known_to:
            return self._known_lines
        lines = backend_fields(fields, request.seen, to)
        if fields is self._known_fields:
            self._known_to = to
            self._known_lines = lines
        return lines

    # Answers of giestack's own.

    def refuse(self, refuse: Refuse) -> None:
        exchange = self._exchange
        assert exchange is not None
        lines, body = self.front.refusal_page(refuse, exchange.request)
        if refuse.status == 426:
            lines += UPGRADE_REQUIRED
        self.answer(refuse.status, lines, body)

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        """Write a whole answer; the connection goes on only where nothing is left unread."""
        exchange = self._exchange
        assert exchange is not None
        request = exchange.request
        keep = request.complete and self.may_stay(request)
        connection = b"" if keep and request.version == "1.1" else b"Connection: close\r\n"
        if keep and request.version == "1.0":
            connection = b"Connection: keep-alive\r\n"
        self.write(
            b"HTTP/1.1 %d %b\r\n%b%bContent-Length: %d\r\n%b\r\n%b"
            % (
                status,
                self.front.reason(status),
                self.front.date_line,
                lines,
                len(body),
                connection,
                b"" if request.method == b"HEAD" else body,
            )
        )
        exchange.answered_by_us(status, len(body), keep)

    def write(self, data: bytes) -> None:
        if data and not self._lost:
            self.transport.write(data)

    # Tunnels, and protocols of giestack's own.

    def become_tunnel(self, tunnel: Tunnel) -> None:
        """From here on what the client sends goes to the backend as it is."""
        self.front.tunnels += 1
        early = self._become(tunnel)
        if early:
            tunnel.from_client(early)
        self.regulate()

    def hand_over(self, inner: Protocol, head: bytes) -> None:
        """From here on the connection is another protocol's, as if it had begun with ``head``.

        It has the transport for itself, and the time that it takes is its own business.
        """
        self.front.handed_over += 1
        handed_over = HandedOver(self, inner)
        early = self._become(handed_over)
        self.transport.unregisterProducer()
        self.blocked = False
        self.regulate()
        handed_over.begin(self.transport, head + early)

    def _become(self, other: Tunnel | HandedOver) -> bytes:
        """Be something else than an end of exchanges; returns what the client has sent for it."""
        self._exchange = None
        self._became = other
        self.deadline = 0.0
        early = self._incoming.early
        # It may stay open for days: keep nothing for it that it does not need.
        self._incoming = _NOTHING_INCOMING
        self.forget()
        return early

    def _part(self) -> Tunnel | HandedOver | None:
        """Be it no longer; returns what it was."""
        other, self._became = self._became, None
        if isinstance(other, Tunnel):
            self.front.tunnels -= 1
        elif other is not None:
            self.front.handed_over -= 1
        return other

    def half_close(self) -> None:
        """The backend will send no more through the tunnel."""
        if self._secure:
            # TLS ends both ways, and not before the transport is rid of its producer.
            self.transport.unregisterProducer()
            self.transport.loseConnection()
            self.deadline = self.front.now + self.front.limits.idle_timeout
        else:
            self.transport.loseWriteConnection()

    def end_tunnel(self, clean: bool) -> None:
        """The other end is gone; what it has sent still goes out, unless it was reset."""
        self._part()
        if clean:
            self._closing = True
            self.transport.unregisterProducer()
            self.transport.loseConnection()
            self.deadline = self.front.now + LINGER
        else:
            self.abort()

    # Ends.

    def timed_out(self) -> None:
        """The deadline has passed."""
        self.deadline = 0.0
        if self._exchange is not None:
            self._exchange.timed_out()
        elif self._closing or self._became is not None:
            self.abort()
        elif self._incoming.partial:
            self._incoming.end(Malformed(408, "the request's head did not arrive in time"))
            self._next()
        else:
            self._close()

    def drain(self) -> None:
        """Finish what is under way, then close; a tunnel is closed at once.

        A protocol that was handed the connection ends by itself, see `Front.when_draining`.
        """
        if isinstance(self._became, Tunnel):
            self.abort()
        elif self._became is None and self._exchange is None and not self._closing:
            self._close()

    def _close(self) -> None:
        """Close after what is written has gone out.

        Closing a socket with unread bytes makes TCP throw away what was sent (RFC 9112 section
        9.6), so a client that is still sending is read, and ignored, for a moment.
        """
        self._closing = True
        self._incoming.queue.clear()
        if self._lost:
            return
        self.transport.unregisterProducer()
        if self._secure or not self._incoming.unread:
            self.transport.loseConnection()
            if not self._lost:
                # The client may not read what is left, and TLS waits for its goodbye.
                rest = self.front.limits.idle_timeout if self.deadline else LINGER
                self.deadline = self.front.now + rest
            return
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()
        self.deadline = self.front.now + LINGER
        self.transport.loseWriteConnection()

    def _leave(self) -> None:
        """Tell whoever works for the client that it will not be there any more."""
        partner = self._part() or self._exchange
        self._exchange = None
        if partner is not None:
            partner.client_gone()

    def abort(self) -> None:
        """Close at once; the client sees that something was cut short."""
        self._closing = True
        self._leave()
        if not self._lost:
            self.transport.unregisterProducer()
            self.transport.abortConnection()


_FRAMING = frozenset(
    b"connection transfer-encoding content-length upgrade expect keep-alive".split()
)


def _refuse(refusal: Malformed) -> Refuse:
    return Refuse(refusal.status, "bad-request", refusal.reason)


def _unsorted(request: Request) -> RequestFields:
    raise Malformed(400, "this connection is a tunnel")


_NOTHING_INCOMING = RequestParser(0, _unsorted)
