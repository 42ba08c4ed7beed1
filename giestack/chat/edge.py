"""The edge of the chat: takes connections over from the front door, as WebSockets."""

from collections.abc import Callable
from typing import Protocol

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.interfaces import IReactorTime

from giestack.chat.at_rest import AT_REST
from giestack.chat.outlet import Conversation, Outlet
from giestack.chat.pulse import Pulse
from giestack.chat.websocket import LINGER, ChatSocket
from giestack.chat.wire import SUBPROTOCOL
from giestack.visitor import Anonymous, Identity


class Arrive(Protocol):
    """`giestack.chat.chat.Chat.arrive`."""

    def __call__(
        self, visitor: Identity | Anonymous | None, outlet: Outlet
    ) -> Conversation | None: ...


class Hold(Protocol):
    """Registers a connection under its visitor's session; see `giestack.proxy.front.Hold`."""

    def __call__(
        self, visitor: Identity | Anonymous | None, cut: Callable[[str], None]
    ) -> Callable[[], None]: ...


class Edge(WebSocketServerFactory):
    """Makes the protocols to which chat's connections are handed over.

    :ivar clock: what time it is.
    :ivar pulse: asks clients whether they are there.
    """

    def __init__(
        self, clock: IReactorTime, arrive: Arrive, hold: Hold, *, frame: int = 65536
    ) -> None:
        """
        :param frame: the largest message that a client may send, in bytes; 0 is no limit.
        """
        super().__init__(protocols=[SUBPROTOCOL], server=None, reactor=clock)
        self.clock = clock
        self.arrive = arrive
        self.hold = hold
        self.pulse = Pulse(clock)
        self._batched_timer = _Timer(clock)
        self.setProtocolOptions(
            versions=[13],
            webStatus=False,
            # Whole messages are checked, which are short: a checker each is not.
            utf8validateIncoming=False,
            failByDrop=False,
            openHandshakeTimeout=5,
            closeHandshakeTimeout=LINGER,
            # Who may come was checked at the front door, and Origin is not passed on.
            allowedOrigins=[],
        )
        options = {name: getattr(self, name) for name in ChatSocket.CONFIG_ATTRS}
        options["perMessageCompressionAccept"] = staticmethod(lambda offers: None)
        # There is nothing left to copy.
        options["CONFIG_ATTRS"] = ()
        self._socket: type[ChatSocket] = type("ChatSocket", (ChatSocket,), {**AT_REST, **options})
        self.configure(frame=frame)

    def configure(self, *, frame: int) -> None:
        """Take another limit, for connections that are open too; see above."""
        self._socket.maxFramePayloadSize = self._socket.maxMessagePayloadSize = frame

    def socket(self, visitor: Identity | Anonymous | None) -> ChatSocket:
        """Make the protocol for a connection on behalf of ``visitor``."""
        made: ChatSocket = self._socket(visitor)
        made.factory = self
        return made

    def start(self) -> None:
        self.pulse.start()

    def stop(self) -> None:
        self.pulse.stop()


class _Timer:
    """In the place of Autobahn's timers, which would be the global reactor's."""

    def __init__(self, clock: IReactorTime) -> None:
        self.call_later = clock.callLater
