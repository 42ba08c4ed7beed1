"""Twisted's epoll reactor, but it tries to write before it asks epoll whether it may.

Twisted's transports only note what is to be written and ask the reactor to tell them when the
socket is writable. That is two system calls (epoll_ctl to begin and to end waiting) around
nearly every write, and the socket nearly always has room at once. This reactor calls `doWrite`
of those who asked before it waits for events, and registers only those who are not done then.
Protocols and transports notice nothing.
"""

from select import EPOLLIN

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.log import callWithLogger  # noqa: TID251 - what the base class wraps events in


class EagerEPollReactor(EPollReactor):
    """An epoll reactor that writes first."""

    _log = Logger()

    def __init__(self) -> None:
        # Writers who asked since the last look; a dict keeps their order.
        self._eager: dict[IWriteDescriptor, None] = {}
        self._trying: IWriteDescriptor | None = None
        super().__init__()

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
