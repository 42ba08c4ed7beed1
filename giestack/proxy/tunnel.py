"""A WebSocket tunnel: after the backend's 101 bytes are only relayed, both ways, as they come."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

from giestack.proxy.backend import BackendConnection
from giestack.proxy.frames import Frames

if TYPE_CHECKING:
    from giestack.proxy.client import ClientConnection
    from giestack.proxy.exchange import Exchange


class Tunnel:
    """Two connections that have become one.

    The exchange that it began as keeps its record: who, where to, how many bytes.
    """

    log = Logger()

    __slots__ = (
        "_asked",
        "_backend",
        "_client",
        "_exchange",
        "_half_closed",
        "_release",
        "_told",
        "_touch",
        "full",
    )

    def __init__(
        self,
        client: "ClientConnection",
        backend: BackendConnection,
        exchange: "Exchange",
        early: bytes,
    ) -> None:
        """
        :param early: what the backend has sent through it, and is on its way already.
        """
        self._client = client
        self._backend = backend
        self._exchange = exchange
        self._half_closed = False
        self._release: Callable[[], None] | None = client.front.hold(exchange.visitor, self.cut)
        self.full = False
        self._touch = exchange.touch
        if self._touch is not None:
            self._asked, self._told = Frames(), Frames()
            if self._told.feed(early):
                self._touch()

    def from_client(self, data: bytes) -> None:
        self._exchange.received += len(data)
        self._backend.transport.write(data)
        if self._touch is not None and self._asked.feed(data):
            self._touch()

    def tunnelled(self, data: bytes) -> None:
        self._exchange.sent += len(data)
        self._client.write(data)
        if self._touch is not None and self._told.feed(data):
            self._touch()

    # Back-pressure: each side is read only as fast as the other side takes it.

    def pause_client(self) -> None:
        self.full = True
        self._client.regulate()

    def resume_client(self) -> None:
        self.full = False
        self._client.regulate()

    def pause_backend(self) -> None:
        self._backend.pause()

    def resume_backend(self) -> None:
        self._backend.resume()

    # Ends.

    def client_half_closed(self) -> None:
        """The client will send no more; it may still read."""
        self._backend.half_close()
        self._count_half_close()

    def backend_half_closed(self) -> None:
        """The backend will send no more; it may still read."""
        self._client.half_close()
        self._count_half_close()

    def _count_half_close(self) -> None:
        """Once nobody will send any more, nothing would ever end the two connections."""
        if self._half_closed:
            self._end()
            self._backend.finish()
            self._client.end_tunnel(True)
        self._half_closed = True

    def backend_lost(self, clean: bool) -> None:
        """The backend is gone; a reset is passed on as one."""
        self._end()
        self._client.end_tunnel(clean)

    def client_gone(self) -> None:
        """The client is gone; nobody would read what the backend sends."""
        self._end()
        self._backend.close()

    def cut(self, reason: str) -> None:
        """The session on whose behalf this runs has ended."""
        self.log.info("{route} was cut: {reason}", route=self._exchange.route, reason=reason)
        self._client.abort()

    def _end(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()
            self._exchange.end()
