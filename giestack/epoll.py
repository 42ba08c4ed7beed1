"""Twisted's epoll reactor, with TCP transports that send when they are written to.

Twisted's transports only note what is to be written and ask the reactor to tell them when the
socket is writable. That is two system calls (epoll_ctl to begin and to end waiting) around
nearly every write, though the socket nearly always has room at once. Protocols notice nothing.
"""

from select import EPOLLIN
from typing import Any

from twisted.internet import tcp
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.log import callWithLogger  # noqa: TID251 - what the base class wraps events in


class _Eager(tcp.Connection):
    """A TCP transport that sends at once, as long as nothing waits to be sent."""

    def write(self, bytes: bytes) -> None:
        if (
            self._tempDataBuffer
            or self.dataBuffer
            or self.TLS
            or self.disconnecting
            or self._writeDisconnected
            or self._aborting
            # A pull producer is asked for more once the reactor has written.
            or not (self.producer is None or self.streamingProducer)
            or not self.connected
        ):
            super().write(bytes)
            return
        try:
            sent = self.socket.send(bytes)
        except OSError:
            # No room, or no connection: the ordinary way finds out which.
            sent = 0
        if sent != len(bytes):
            super().write(bytes[sent:])

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        if not streaming:
            # What it has written before may be gone already: then nobody else would ask for more.
            self.startWriting()


class EagerServer(_Eager, tcp.Server):
    """The transport of an accepted connection."""


class EagerClient(_Eager, tcp.Client):
    """The transport of a connection that was asked for."""


class EagerPort(tcp.Port):
    """A listening port whose connections are `EagerServer`."""

    transport = EagerServer


class EagerConnector(tcp.Connector):
    """Connects, by `EagerClient`."""

    def _makeTransport(self) -> EagerClient:
        return EagerClient(self.host, self.port, self.bindAddress, self, self.reactor)


# Twisted's default is short for a server that many browsers reconnect to at the same moment.
_DEFAULT_BACKLOG = 50
_BACKLOG = 1024


class EagerEPollReactor(EPollReactor):
    """An epoll reactor whose TCP transports write first."""

    _log = Logger()

    def listenTCP(
        self, port: int, factory: Any, backlog: int = _DEFAULT_BACKLOG, interface: str = ""
    ) -> EagerPort:
        if backlog == _DEFAULT_BACKLOG:
            backlog = _BACKLOG
        listening = EagerPort(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> EagerConnector:
        connector = EagerConnector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    def doPoll(self, timeout: float | None) -> None:
        try:
            events = self._poller.poll(timeout, len(self._selectables))
        except InterruptedError:
            return
        selectables = self._selectables
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                continue
            if event == EPOLLIN and isinstance(selectable, _Eager):
                self._read(selectable)
            else:
                callWithLogger(selectable, self._doReadOrWrite, selectable, fd, event)

    doIteration = doPoll

    def _read(self, transport: _Eager) -> None:
        """What `_doReadOrWrite` does for a read event, without a logging context."""
        why: Any
        try:
            why = transport.doRead()
        except BaseException:
            why = Failure()
            self._log.failure("a protocol failed", why)
        if why:
            self._disconnectSelectable(transport, why, True)


def install() -> None:
    """Make this the process's reactor; call it before anything imports ``reactor``."""
    installReactor(EagerEPollReactor())
