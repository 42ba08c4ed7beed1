"""One request on its way: decided, sent to a backend, answered."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.proxy.backend import BackendConnection
from giestack.proxy.decision import (
    Decision,
    Destination,
    Forward,
    HandOver,
    Local,
    Redirect,
    Refuse,
    Request,
)
from giestack.proxy.handshake import handshake
from giestack.proxy.head import Malformed, canonical
from giestack.proxy.own_address import at_own_address
from giestack.proxy.request_head import trailer_lines
from giestack.proxy.response_head import ResponseHead, client_head, status_line
from giestack.proxy.response_parser import Fields, ParsedHead
from giestack.proxy.tunnel import Tunnel
from giestack.visitor import Anonymous, Identity

if TYPE_CHECKING:
    from giestack.proxy.client import ClientConnection

# RFC 9110 section 9.2.2: what may be sent a second time without asking.
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))

RESTARTING = Refuse(503, "restarting", "This server is being restarted.", retry_after=2)


class Exchange:
    """A request and its response, between one client and at most one backend connection.

    :ivar request: what was asked.
    :ivar destination: where it went; None until decided, and for own pages and refusals.
    :ivar visitor: on whose behalf, where known.
    :ivar kind: the sort of route for metrics; ``own``, ``refused``, or as in `Destination`.
    :ivar route: the route's name for logs.
    :ivar code: the word for why giestack refused it; "" where it did not.
    :ivar status: the status sent to the client; 0 before.
    :ivar received: body or tunnel bytes passed to the backend.
    :ivar sent: body or tunnel bytes passed to the client.
    :ivar started: seconds of the clock when the request's head was complete.
    :ivar asked: the same when it was decided what becomes of the request.
    :ivar answered: the same when the backend's head arrived; 0.0 before.
    :ivar touch: to be called whenever something of it moves, where somebody wants to know.
    """

    log = Logger()

    # One is made for every request: what most of them never change stands here.
    asked = 0.0
    answered = 0.0
    destination: Destination | None = None
    visitor: Identity | Anonymous | None = None
    kind = "refused"
    route = "-"
    code = ""
    status = 0
    sent = 0
    received = 0
    touch: Callable[[], None] | None = None
    _backend: BackendConnection | None = None
    _backend_full = False
    _chunked = False
    _hold: Callable[[], None] | None = None
    _keep_alive = False
    _over = False
    _pushed_end = False
    _target = b""
    _waiting: Deferred[Decision] | Deferred[BackendConnection] | None = None

    def __init__(self, client: "ClientConnection", request: Request, started: float) -> None:
        self._client = client
        self.request = request
        self.started = started

    # From the question to a backend.

    def start(self) -> None:
        """Ask what to do with the request, and do it."""
        try:
            decision = self._client.front.decide(self.request)
            if isinstance(decision, Deferred):
                self._waiting = decision
                decision.addCallback(self._decided_late).addErrback(self._failed)
            else:
                self.asked = self.started
                self._decided(decision)
        except Exception:
            self._failed(Failure())

    def _decided_late(self, decision: Decision) -> None:
        self.asked = self._client.front.clock.seconds()
        self._decided(decision)
        self._client.regulate()

    def _failed(self, failure: Failure) -> None:
        if self._over and failure.check(CancelledError):
            return
        self.log.failure("a request could not be decided", failure)
        self.refuse(Refuse(500, "internal-error", "Something went wrong inside giestack."))

    def _decided(self, decision: Decision) -> None:
        self._waiting = None
        if self._over:
            return
        if isinstance(decision, Forward):
            destination = decision.destination
            self.destination = destination
            self.kind = destination.kind
            self.route = destination.route
            self.visitor = destination.visitor
            self._target = decision.target
            if destination.use is not None:
                self.touch = destination.use(self.request.method, decision.target)
            self._forward(destination)
        elif isinstance(decision, Refuse):
            self.refuse(decision)
        elif isinstance(decision, Redirect):
            self.kind = "own"
            headers = ((b"Location", decision.location), *decision.headers)
            self._client.answer(302, b"".join([b"%b: %b\r\n" % field for field in headers]), b"")
        elif isinstance(decision, Local):
            self._answer_locally(decision)
        else:
            self._hand_over(decision)

    def _forward(self, destination: Destination) -> None:
        front = self._client.front
        request = self.request
        fields = request.fields
        if front.limits.body and (fields.content_length or 0) > front.limits.body:
            self.refuse(Refuse(413, "too-large", "The request is larger than allowed here."))
            return
        if self.request.fields.plain and self.request.method in _IDEMPOTENT:
            backend = front.pool.idle(destination.address)
            if backend is not None:
                self._attach(backend)
                return
        self._connect(destination)

    def _connect(self, destination: Destination) -> None:
        self._waiting = waiting = self._client.front.pool.connect(destination.address)
        waiting.addCallbacks(self._connected, self._unconnected)
        waiting.addErrback(self._failed)

    def _connected(self, backend: BackendConnection) -> None:
        self._waiting = None
        if self._over:
            backend.close()
        else:
            self._attach(backend)
            self._client.regulate()

    def _unconnected(self, failure: Failure) -> None:
        self._waiting = None
        if not self._over:
            assert self.destination is not None
            address = self.destination.address
            if self._client.front.pool.unreachable(address):
                self.log.info(
                    "no connection to {address} for {route}: {reason}; "
                    "not said again until there is one",
                    address=str(address),
                    route=self.route,
                    reason=failure.getErrorMessage(),
                )
            self._unreachable()

    def _unreachable(self) -> None:
        self.refuse(
            Refuse(
                502,
                "backend-down",
                "The application behind this address does not answer.",
                retry_after=2,
                kind=self.kind,
                route=self.route,
                visitor=self.visitor,
            )
        )

    def _answer_locally(self, decision: Local) -> None:
        self.kind = "own"
        self.visitor = decision.visitor
        self._target = self.request.target
        self._attach(self._client.front.local(decision, self.request))

    def _hand_over(self, decision: HandOver) -> None:
        """Its record ends here: the connection may stay open for days."""
        client = self._client
        front = client.front
        self.kind = self.route = decision.kind
        self.visitor = decision.visitor
        if front.draining:
            self.refuse(RESTARTING)
            return
        try:
            head = handshake(self.request, decision.subprotocol)
        except Malformed as error:
            self.refuse(Refuse(error.status, "bad-request", error.reason))
            return
        inner = front.take_over(decision, self.request)
        self.status = 101
        self.end()
        client.hand_over(inner, head)

    def _attach(self, backend: BackendConnection) -> None:
        """Send the head, and what of the body is here."""
        client = self._client
        client.wait_for_backend()
        self._backend = backend
        if self.touch is not None:
            self.touch()
        request = self.request
        head = b"%b %b HTTP/1.1\r\n%b" % (
            request.method,
            self._target,
            client.backend_fields(request, self.destination),
        )
        if request.complete and request.fields.plain:
            self._pushed_end = True
        else:
            head += self._take_body()
            if self._over:
                return
        backend.send_request(self, head, request.method == b"HEAD")

    # The request's body.

    def push(self) -> None:
        """Pass on what has arrived of the request's body."""
        if self._backend is None or self._over or self._pushed_end:
            return
        body = self._take_body()
        if body:
            self._client.wait_for_backend()
            self._backend.transport.write(body)
            if self.touch is not None:
                self.touch()

    def _take_body(self) -> bytes:
        request = self.request
        self._pushed_end = request.complete
        body = b""
        if request.body:
            body = b"".join(request.body)
            request.body.clear()
            self.received += len(body)
        if not request.fields.chunked:
            return body
        limit = self._client.front.limits.body
        if limit and self.received > limit:
            self.refuse(Refuse(413, "too-large", "The request is larger than allowed here."))
            return b""
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        if request.complete:
            forbidden = self._client.front.guarded.identity_headers
            if request.trailers and self.destination is not None:
                forbidden |= {canonical(name) for name, _ in self.destination.headers}
            chunk += b"0\r\n%b\r\n" % trailer_lines(request.trailers, forbidden)
        return chunk

    @property
    def settled(self) -> bool:
        """Whether all of the request is passed on, so that the client need not be slowed down."""
        return self._pushed_end and not self._backend_full

    def wants_less(self) -> bool:
        """Whether the client should not be read from now."""
        return self._backend_full or self.request.fields.websocket or self._backend is None

    # What the backend connection tells.

    def interim(self, head: ParsedHead) -> None:
        if self.request.version != "1.1" or self.status or self._over:
            return
        hidden = self._client.front.guarded.hidden_cookies
        host_name = self.request.seen.host_name
        try:
            shown = ResponseHead(head, host_name, hidden if self.destination else None, None)
        except Malformed as refusal:
            self._bad_answer(refusal.reason)
            return
        line = status_line(shown.status, shown.reason)
        self._client.write(b"%b%b\r\n" % (line, shown.lines))

    def response(
        self, head: ParsedHead | None, body: bytes, trailers: Fields, complete: bool
    ) -> None:
        out = b""
        if head is not None:
            try:
                out = self._response_head(head)
            except Malformed as refusal:
                self._bad_answer(refusal.reason)
                return
        self.sent += len(body)
        if self.touch is not None:
            self.touch()
        if self._chunked:
            if body:
                out += b"%x\r\n%b\r\n" % (len(body), body)
            if complete:
                out += b"0\r\n%b\r\n" % trailer_lines(trailers)
        else:
            out += body
        client = self._client
        if not complete:
            if self._hold is None:
                self._hold = client.front.hold(self.visitor, self.cut)
            client.wait_for_backend()
            client.write(out)
            return
        client.write(out)
        self._finish()

    def _response_head(self, parsed: ParsedHead) -> bytes:
        client, request = self._client, self.request
        self.answered = client.front.clock.seconds()
        to = self.destination
        origin = None
        if to is not None and request.fields.origin is not None:
            origin = request.fields.origin
            if origin.lower() not in to.allowed_origins and not client.same_origin(request):
                origin = None
        hidden = client.front.guarded.hidden_cookies if to is not None else None
        head = ResponseHead(parsed, request.seen.host_name, hidden, origin)
        self.status = head.status
        if 300 < head.status < 309 and to is not None and to.localhost_is_here:
            seen = request.seen
            if seen.host:
                origin = b"%b://%b" % (seen.scheme, seen.host)
                head.lines = at_own_address(head.lines, origin, to.prefix)
        keep = request.complete and client.may_stay(request)
        data, self._chunked, self._keep_alive = client_head(
            head, request.version, request.method == b"HEAD", keep, client.front.date_line
        )
        return data

    def _bad_answer(self, reason: str) -> None:
        self.log.warn("bad answer of {route}: {reason}", route=self.route, reason=reason)
        self.backend_lost(False)

    def _finish(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.release(self._pushed_end)
        self.end()
        self._client.finished(self._keep_alive)

    def backend_lost(self, clean: bool) -> None:
        """The backend is gone before its answer was complete."""
        if self._over:
            return
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()
        if self.status:
            # An answer cut short must not look complete (RFC 9112 section 8).
            self.abort()
        elif backend is not None and backend.used and self.destination:
            # It had been kept for too long: only what can be repeated was sent on it.
            self._connect(self.destination)
        else:
            self._unreachable()

    def switched(self, head: ParsedHead, early: bytes) -> None:
        """The backend speaks WebSocket now: from here on there is a tunnel."""
        request, client, backend = self.request, self._client, self._backend
        if not request.fields.websocket or backend is None:
            self._bad_answer("it switched protocols unasked")
            return
        try:
            hidden = client.front.guarded.hidden_cookies
            shown = ResponseHead(head, request.seen.host_name, hidden, None)
        except Malformed as refusal:
            self._bad_answer(refusal.reason)
            return
        self.answered = client.front.clock.seconds()
        self.status = 101
        self.sent += len(early)
        client.write(
            b"%b%bConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n%b"
            % (status_line(101, head.reason), shown.lines, early)
        )
        tunnel = Tunnel(client, backend, self, early)
        backend.become_tunnel(tunnel)
        client.become_tunnel(tunnel)

    # Back-pressure: each side is read only as fast as the other side takes it.

    def pause_client(self) -> None:
        self._backend_full = True
        self._client.regulate()

    def resume_client(self) -> None:
        self._backend_full = False
        self._client.regulate()

    def pause_backend(self) -> None:
        if self._backend is not None:
            self._backend.pause()

    def resume_backend(self) -> None:
        if self._backend is not None:
            self._backend.resume()

    # Ends before the end.

    def refuse(self, refuse: Refuse) -> None:
        """Answer with a refusal, or cut the connection where an answer has begun."""
        if self._over:
            return
        if self.status:
            self.abort()
            return
        self._drop_backend()
        self.code = refuse.code
        if refuse.kind != "refused":
            self.kind = refuse.kind
        if refuse.route != "-":
            self.route = refuse.route
        self.visitor = refuse.visitor or self.visitor
        self._client.refuse(refuse)

    def answered_by_us(self, status: int, size: int, keep_alive: bool) -> None:
        """The client connection has written an answer of giestack's own."""
        self.status = status
        self.sent = size
        self._keep_alive = keep_alive
        self._finish()

    def timed_out(self) -> None:
        """The client connection's deadline has passed while this was under way."""
        if self.status or self._client.blocked:
            self.log.info("{route} made no progress and was cut", route=self.route)
            self.abort()
        elif not self.request.complete and not self._backend_full:
            self.refuse(Refuse(408, "request-timeout", "The request did not arrive in time."))
        else:
            self.refuse(
                Refuse(
                    504,
                    "backend-slow",
                    "The application did not answer in time.",
                    kind=self.kind,
                    route=self.route,
                    visitor=self.visitor,
                )
            )

    def cut(self, reason: str) -> None:
        """The session on whose behalf this runs has ended."""
        self.log.info("{route} was cut: {reason}", route=self.route, reason=reason)
        self.abort()

    def abort(self) -> None:
        """End both sides at once, so that nobody takes what arrived for all of it."""
        if not self._over:
            self._drop_backend()
            self.end()
            self._client.abort()

    def client_gone(self) -> None:
        """The client has gone; nobody waits for the answer any more."""
        if not self._over:
            if not self.status:
                self.status = 499
            self._drop_backend()
            self.end()

    def _drop_backend(self) -> None:
        waiting, self._waiting = self._waiting, None
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()
        if waiting is not None:
            self._over, over = True, self._over
            waiting.cancel()
            self._over = over

    def end(self) -> None:
        """It is over: tell those who want to know."""
        self._over = True
        if self._hold is not None:
            self._hold()
            self._hold = None
        self._client.front.watch.finished(self, self._client.peer)
