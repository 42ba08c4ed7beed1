"""Twisted's epoll reactor, but it writes before it asks epoll whether it may.

Twisted's transports only note what is to be written and ask the reactor to tell them when the
socket is writable. That is two system calls (epoll_ctl to begin and to end waiting) around
nearly every write, though the socket nearly always has room at once. Here a TCP transport sends
what it can when it is written to; and the reactor calls `doWrite` of all others who asked before
it waits for events, and registers only those who are not done then. Protocols notice nothing.
"""

from select import EPOLLIN
from typing import Any

from twisted.internet import tcp
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
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
    """An epoll reactor that writes first."""

    _log = Logger()

    def __init__(self) -> None:
        # Writers who asked since the last look; a dict keeps their order.
        self._eager: dict[IWriteDescriptor, None] = {}
        self._trying: IWriteDescriptor | None = None
        super().__init__()

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

    def addWriter(self, writer: IWriteDescriptor) -> None:
        if writer.fileno() not in self._writes:
            if writer is self._trying:
                self._trying = None
            self._eager[writer] = None

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        if writer is self._trying:
            self._trying = None
        if writer in self._eager:
            del self._eager[writer]
        else:
            super().removeWriter(writer)

    def getWriters(self) -> list[IWriteDescriptor]:
        return [*super().getWriters(), *self._eager]

    def removeAll(self) -> list[IReadDescriptor | IWriteDescriptor]:
        eager = [writer for writer in self._eager if writer.fileno() not in self._reads]
        self._eager.clear()
        return [*super().removeAll(), *eager]

    def doPoll(self, timeout: float | None) -> None:
        if self._eager:
            eager = self._eager
            self._eager = {}
            while eager:
                writer = next(iter(eager))
                del eager[writer]
                self._trying = writer
                self._write(writer)
            if self._eager:
                timeout = 0
        try:
            events = self._poller.poll(timeout, len(self._selectables))
        except InterruptedError:
            return
        selectables = self._selectables
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                continue
            if event == EPOLLIN:
                self._read(selectable)
            else:
                callWithLogger(selectable, self._doReadOrWrite, selectable, fd, event)

    doIteration = doPoll

    def _read(self, reader: IReadDescriptor) -> None:
        """What `_doReadOrWrite` does for a read event, without a logging context."""
        try:
            why = reader.doRead()
        except BaseException:
            why = Failure()
            self._log.failure("a transport failed", why)
        if why:
            self._disconnectSelectable(reader, why, True)

    def _write(self, writer: IWriteDescriptor) -> None:
        try:
            why = writer.doWrite()
        except BaseException:
            why = Failure()
            self._log.failure("a transport failed", why)
        wants_more = self._trying is writer
        self._trying = None
        if why:
            self._disconnectSelectable(writer, why, False)
        elif wants_more:
            super().addWriter(writer)


def install() -> None:
    """Make this the process's reactor; call it before anything imports ``reactor``."""
    installReactor(EagerEPollReactor())
