"""Twisted's epoll reactor, with TCP transports that are sent from once a turn.

Twisted's transports only note what is to be written and ask the reactor to tell them when the
socket is writable. That is two system calls (epoll_ctl to begin and to end waiting) around
nearly every write, though the socket nearly always has room at once. Here what is written during
a turn of the reactor is sent at its end; only what then finds no room waits for epoll. To send at
once would be worse: each send wakes the other side, which costs most while it sleeps. Protocols
notice nothing.
"""

from errno import ENOBUFS
from select import EPOLLIN
from time import monotonic
from typing import Any

from twisted.internet import tcp
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST, installReactor
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.log import callWithLogger  # noqa: TID251 - what the base class wraps events in

# A write that is larger is sent at once: it fills a segment by itself.
_LARGE = 32768


class _Eager(tcp.Connection):
    """A TCP transport that is sent from at the end of the reactor's turn."""

    reactor: Any

    # Whether sending has failed: the socket tells an error once, and after that a clean end.
    _broken = False

    def doRead(self) -> Any:
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_LOST if self._broken else CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def write(self, bytes: bytes) -> None:
        if (
            self.dataBuffer
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
        size = len(bytes)
        if size > _LARGE:
            sent = 0 if self._tempDataBuffer else self._try_to_send(bytes)
            if sent != size:
                super().write(bytes[sent:])
            return
        if size + self._tempDataLen > self.bufferSize:
            # Only what the kernel does not take is too much: there the producer is to pause.
            self.send_now()
            if self.dataBuffer:
                super().write(bytes)
                return
        if size:
            if not self._tempDataBuffer:
                self.reactor.send_later(self)
            self._tempDataBuffer.append(bytes)
            self._tempDataLen += size

    def _try_to_send(self, data: bytes) -> int:
        """Send what there is room for; returns how many bytes that was."""
        try:
            sent: int = self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            # The ordinary way finds out the same.
            self._broken = error.errno != ENOBUFS
            return 0
        return sent

    def send_now(self) -> None:
        """Send what was written in this turn of the reactor."""
        waiting = self._tempDataBuffer
        if not waiting or not self.connected or self._aborting:
            return
        if self.dataBuffer or self.TLS:
            self.startWriting()
            return
        data = waiting[0] if len(waiting) == 1 else b"".join(waiting)
        sent = self._try_to_send(data)
        self._tempDataBuffer = []
        self._tempDataLen = 0
        if sent != len(data):
            self.dataBuffer = data[sent:]
            self.startWriting()
        elif self.disconnecting or self._writeDisconnecting or self.producerPaused:
            # Whatever else is to happen after the last byte happens in the ordinary way.
            self.startWriting()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        if not streaming and not self.disconnected:
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
    """An epoll reactor that sends before it waits, with a clock that nobody sets."""

    _log = Logger()

    def __init__(self) -> None:
        self._unsent: list[_Eager] = []
        self._began = EPollReactor.seconds() - monotonic()
        super().__init__()

    def seconds(self) -> float:
        """Seconds since the epoch, by the machine's clock as it was at the beginning.

        Twisted's own would end idle sessions when that clock is set forward, and do nothing that
        is due for as long as it is set back.
        """
        return self._began + monotonic()

    def send_later(self, transport: _Eager) -> None:
        """Have `_Eager.send_now` called before the next look at the sockets."""
        self._unsent.append(transport)

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
        if self._unsent:
            unsent, self._unsent = self._unsent, []
            for transport in unsent:
                transport.send_now()
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
