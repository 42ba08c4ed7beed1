"""One client's WebSocket: Autobahn's, with little memory for one that is idle.

Autobahn 26 reads and checks frames (RFC 6455) and shakes hands at both ends of a connection.
What it leaves open is settled here: it has no bound on what one read may cost, none on what a
client does not read, its timers cost more than an idle connection, an exception in a callback
would end in the reactor or in an HTTP answer, and it keeps all that a handshake needs.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from giestack.chat.at_rest import slim
from giestack.chat.outlet import Batch, Conversation, batch
from giestack.chat.wire import (
    CLOSE_FLOOD,
    CLOSE_FORBIDDEN,
    CLOSE_NOT_LOGGED_IN,
    CLOSE_TOO_SLOW,
    SUBPROTOCOL,
    Err,
)
from giestack.visitor import USER_DELETED, Anonymous, Identity

if TYPE_CHECKING:
    from giestack.chat.edge import Edge

SLOW = 30.0
"""Seconds for which a client may leave unread what was sent."""

LINGER = 1.0
"""Seconds that a client has for its side of a close."""

STEPS = 128
"""Parts of frames that are looked at in one turn of the reactor: others wait too."""

ODD = 1000
"""Pings, fragments and the like between two beats of the pulse; more is a flood."""

_INTERNAL_ERROR = 1011
_LONGEST_REASON = 123
_PING = b"\x89\x00"
_TEXT_ONLY = batch(Err(code="bad", message="only text frames are understood"))

_OPEN = WebSocketServerProtocol.STATE_OPEN
_CLOSED = WebSocketServerProtocol.STATE_CLOSED
_CONNECTING = WebSocketServerProtocol.STATE_CONNECTING


class _Unheard:
    """Autobahn's log and the events that nobody waits for."""

    def debug(self, *args: object, **fields: object) -> None: ...

    trace = info = warn = callback = debug

    error = critical = Logger(namespace="autobahn").error


_UNHEARD = _Unheard()


@implementer(IPushProducer)
class ChatSocket(WebSocketServerProtocol):
    """One client's WebSocket, and a `giestack.chat.outlet.Outlet`."""

    factory: "Edge"
    transport: Any
    maxFramePayloadSize: int
    maxMessagePayloadSize: int
    heard = True
    beat = 0
    log = _UNHEARD
    _log = Logger()

    # What Autobahn would make for each connection, and nobody asks for.
    is_open = is_closed = _UNHEARD
    peer = ""

    _conversation: Conversation | None = None
    _release: Callable[[], None] | None = None
    _slow: IDelayedCall | None = None
    _later: IDelayedCall | None = None
    _lingering: IDelayedCall | None = None
    _odd = 0

    def __init__(self, visitor: Identity | Anonymous | None) -> None:
        self._visitor = visitor

    # What the transport tells.

    def connectionMade(self) -> None:
        self._connectionMade()

    def dataReceived(self, data: bytes) -> None:
        self.heard = True
        if self.state == _CLOSED:
            return
        if self._later is not None:
            self.data += data
            return
        try:
            self._dataReceived(data)
        except Exception:
            self._failed("reading")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._cancel_all()
        self._connectionLost("")

    def pauseProducing(self) -> None:
        if self._slow is None and self.state == _OPEN:
            self._slow = self.factory.clock.callLater(SLOW, self._too_slow)
            if self._conversation is not None:
                self._call(self._conversation.pause)

    def resumeProducing(self) -> None:
        slow, self._slow = self._slow, None
        if slow is not None:
            slow.cancel()
            if self._conversation is not None and self.state == _OPEN:
                self._call(self._conversation.resume)

    def stopProducing(self) -> None:
        pass

    def _too_slow(self) -> None:
        self._slow = None
        self.close(CLOSE_TOO_SLOW, "did not read for too long")

    # What Autobahn tells.

    def onConnect(self, request: ConnectionRequest) -> str:
        if SUBPROTOCOL not in request.protocols:
            raise ConnectionDeny(400)
        return SUBPROTOCOL

    def succeedHandshake(self, accepted: object) -> None:
        super().succeedHandshake(accepted)
        self.__dict__ = slim(vars(self))

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        # The reason may be the text of an exception.
        super().failHandshake(HTTPStatus(code).phrase, code, responseHeaders)

    def _onOpen(self) -> None:
        # In the place of Autobahn's, which would look into a TLS connection first.
        self.factory.pulse.add(self)
        self.transport.registerProducer(self, True)
        self._call(self._arrive)

    def _arrive(self) -> None:
        conversation = self.factory.arrive(self._visitor, self)
        if conversation is None:
            return
        self._conversation = conversation
        if self._visitor is not None:
            self._release = self.factory.hold(self._visitor, self._cut)
        if self._slow is not None:
            conversation.pause()

    def consumeData(self) -> None:
        if self.state == _CONNECTING:
            super().consumeData()
            return
        for _ in range(STEPS):
            if self.state == _CLOSED or self.failedByMe:
                # Nothing more is read (RFC 6455 section 7.1.7).
                self.data = b""
                return
            if not self.processData():
                return
        self._later = self.factory.clock.callLater(0, self._go_on)
        self.transport.pauseProducing()

    def _go_on(self) -> None:
        self._later = None
        self.transport.resumeProducing()
        self.dataReceived(b"")

    def onFrameBegin(self) -> None:
        frame = self.current_frame
        if frame.opcode > 7 or not frame.fin:
            self._count_odd()
        super().onFrameBegin()

    def onMessageEnd(self) -> None:
        # In the place of Autobahn's, which would tell listeners too.
        pieces = self.message_data
        del self.message_data
        if self.failedByMe or self.state != _OPEN or self._conversation is None:
            return
        if self.message_is_binary:
            self._count_odd()
            self.send(_TEXT_ONLY)
            return
        data = b"".join(pieces)
        try:
            data.decode()
        except UnicodeDecodeError:
            self._invalid_payload("not UTF-8")
        else:
            self._call(self._conversation.received, data)

    def _count_odd(self) -> None:
        self._odd += 1
        if self._odd > ODD:
            self.close(CLOSE_FLOOD, "too many frames")
            self.failedByMe = True

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        conversation, self._conversation = self._conversation, None
        release, self._release = self._release, None
        if release is not None:
            release()
        if conversation is not None:
            self._call(conversation.gone)

    # What the pulse asks for.

    def ask(self) -> None:
        self._odd = 0
        if self.state == _OPEN:
            self.transport.write(_PING)

    def nobody_there(self) -> None:
        # Who reads slowly answers late, and has a limit of their own.
        if self._slow is None:
            self.dropConnection(abort=True)

    # An outlet.

    def send(self, batch: Batch) -> None:
        if self.state == _OPEN:
            self.transport.write(batch.frames)

    def close(self, code: int, reason: str) -> None:
        # Autobahn's `sendClose` knows no 1012.
        text = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
        self.sendCloseFrame(code, text.encode())

    def _cut(self, reason: str) -> None:
        if reason == USER_DELETED:
            self.close(CLOSE_FORBIDDEN, reason)
        else:
            self.close(CLOSE_NOT_LOGGED_IN, "your session has ended")

    # Ends.

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            function(*arguments)
        except Exception:
            self._failed(getattr(function, "__name__", "the chat"))

    def _failed(self, what: str) -> None:
        self._log.failure("a WebSocket failed: {what}", what=what)
        if self.state == _CONNECTING:
            self.dropConnection(abort=True)
        else:
            self.close(_INTERNAL_ERROR, "something went wrong here")
            self.failedByMe = True

    def dropConnection(self, abort: bool = False) -> None:
        if self.state == _CLOSED:
            return
        self._cancel_all()
        # Both sides have said goodbye: a reset could be taken for a failure.
        super().dropConnection(abort and not self.wasClean)

    def _closeConnection(self, abort: bool = False) -> None:
        if abort:
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()
            # Not for ever: there may be nobody who reads what is still to be sent.
            self._lingering = self.factory.clock.callLater(LINGER, self._abort)

    def _abort(self) -> None:
        self._lingering = None
        self.transport.abortConnection()

    def _cancel_all(self) -> None:
        self.factory.pulse.discard(self)
        for name in ("_slow", "_later", "_lingering", "closeHandshakeTimeoutCall"):
            call = getattr(self, name)
            if call is not None:
                setattr(self, name, None)
                call.cancel()
