"""A client connection that another protocol of giestack's own has taken over."""

from typing import TYPE_CHECKING

from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger

from giestack.proxy.transport import Transport

if TYPE_CHECKING:
    from giestack.proxy.client import ClientConnection


class HandedOver:
    """Passes on what the transport tells; what the protocol writes goes out directly.

    The transport goes on knowing the client connection only: it may have bound its methods.
    """

    log = Logger()

    __slots__ = ("_client", "_inner")

    full = False
    """The protocol itself says whether the client is to be read."""

    def __init__(self, client: "ClientConnection", inner: Protocol) -> None:
        self._client = client
        self._inner = inner

    def begin(self, transport: Transport, data: bytes) -> None:
        """Let the protocol have the transport, and what has arrived for it."""
        with self.log.failuresHandled("a connection could not be handed over") as begun:
            self._inner.makeConnection(transport)
            self._inner.dataReceived(data)
        if begun.failed:
            self._client.abort()

    def from_client(self, data: bytes) -> None:
        self._inner.dataReceived(data)

    def client_half_closed(self) -> None:
        """The client will send no more: a WebSocket has ended then (RFC 6455 section 7.1.5)."""
        self._client.end_tunnel(True)
        self.client_gone()

    def client_gone(self) -> None:
        """The connection is lost; called once."""
        self._inner.connectionLost(connectionDone)
