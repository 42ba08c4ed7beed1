"""The front door: what all client connections share, and their clock."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Protocol as Seam

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from giestack.proxy.backend import BackendConnection
from giestack.proxy.client import ClientConnection
from giestack.proxy.decision import Decide, HandOver, Local, Refuse, Request
from giestack.proxy.exchange import Exchange
from giestack.proxy.head import GuardedNames
from giestack.proxy.pool import Pool
from giestack.visitor import Anonymous, Identity

TICK = 0.5
"""Seconds between two looks at the connections' deadlines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may take, in bytes and seconds; 0 is no limit for head, body, connections."""

    head: int = 65536
    body: int = 0
    connections: int = 0
    connect_timeout: float = 5
    head_timeout: float = 10
    idle_timeout: float = 75
    response_timeout: float = 3600


class Watch(Seam):
    """Is told of every exchange when it is over."""

    def finished(self, exchange: Exchange, peer: bytes) -> None: ...


class Hold(Seam):
    """Registers a long-lived connection under its visitor's session.

    Returns what to call when the connection ends by itself; calls ``cut`` with a reason when
    the session ends first.
    """

    def __call__(
        self, visitor: Identity | Anonymous | None, cut: Callable[[str], None]
    ) -> Callable[[], None]: ...


class RefusalPage(Seam):
    """Renders a refusal as (header lines, body)."""

    def __call__(self, refuse: Refuse, request: Request) -> tuple[bytes, bytes]: ...


class AnswerLocally(Seam):
    """Makes a connection to giestack's own pages for one request."""

    def __call__(self, decision: Local, request: Request) -> BackendConnection: ...


class TakeOver(Seam):
    """Makes the protocol that a connection is handed over to."""

    def __call__(self, decision: HandOver, request: Request) -> Protocol: ...


def nobody(decision: HandOver, request: Request) -> Protocol:
    """Where nothing is ever handed over."""
    raise LookupError(f"nobody takes connections of kind {decision.kind}")


class Front(Factory):
    """Accepts client connections.

    :ivar now: the clock's seconds at the last tick; precise enough for time-outs.
    :ivar date_line: the Date field of answers at that tick; empty where nobody knows the date.
    :ivar draining: whether connections are closed once their request is answered.
    :ivar when_draining: called when that begins, so that what never ends by itself can end.
    :ivar accepted: connections taken so far.
    :ivar refused: connections turned away because there were too many.
    :ivar tunnels: connections that are tunnels now.
    :ivar handed_over: connections that belong to another protocol of giestack's own now.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        *,
        decide: Decide,
        pool: Pool,
        local: AnswerLocally,
        refusal_page: RefusalPage,
        hold: Hold,
        watch: Watch,
        guarded: GuardedNames,
        limits: Limits,
        trusted: Container[bytes],
        scheme: bytes = b"http",
        take_over: TakeOver = nobody,
        utcnow: Callable[[], datetime] | None = None,
    ) -> None:
        """
        :param trusted: addresses of fronts whose forwarding fields are believed.
        :param utcnow: the wall clock, naive UTC.
        :param scheme: what visitors use where a trusted front doesn't say.
        """
        self.clock = clock
        self.now = clock.seconds()
        self._utcnow = utcnow
        self.date_line = self._date_line()
        self.pool = pool
        self.hold = hold
        self.watch = watch
        self.draining = False
        self.when_draining: list[Callable[[], object]] = []
        self.refused = 0
        self.accepted = 0
        self.tunnels = 0
        self.handed_over = 0
        self._connections: set[ClientConnection] = set()
        self.configure(
            decide=decide,
            local=local,
            refusal_page=refusal_page,
            guarded=guarded,
            limits=limits,
            trusted=trusted,
            scheme=scheme,
            take_over=take_over,
        )
        self._ticker = LoopingCall(self._tick)
        self._ticker.clock = clock

    def configure(
        self,
        *,
        decide: Decide,
        local: AnswerLocally,
        refusal_page: RefusalPage,
        guarded: GuardedNames,
        limits: Limits,
        trusted: Container[bytes],
        scheme: bytes = b"http",
        take_over: TakeOver = nobody,
    ) -> None:
        """Go by other rules from the next request on, also of connections that are open.

        The arguments are those of the same names when it was made.
        """
        self.decide = decide
        self.local = local
        self.refusal_page = refusal_page
        self.guarded = guarded
        self.limits = limits
        self.trusted = trusted
        self.scheme = scheme
        self.take_over = take_over
        for connection in self._connections:
            connection.forget()

    def start(self) -> None:
        self._ticker.start(TICK, now=False)

    def stop(self) -> None:
        """Cut what is left."""
        if self._ticker.running:
            self._ticker.stop()
        for connection in list(self._connections):
            connection.abort()
        self.pool.close()

    def drain(self) -> None:
        """Close idle connections and tunnels now, the others after their answer."""
        self.draining = True
        for end in self.when_draining:
            with self._log.failuresHandled("something that was to end"):
                end()
        for connection in list(self._connections):
            connection.drain()

    @property
    def connections(self) -> int:
        return len(self._connections)

    def buildProtocol(self, addr: IAddress | None) -> ClientConnection:
        return ClientConnection(self)

    def connected(self, connection: ClientConnection) -> bool:
        """Count a new connection; False where it is one too many."""
        self.accepted += 1
        self._connections.add(connection)
        if 0 < self.limits.connections < len(self._connections):
            self.refused += 1
            return False
        return True

    def disconnected(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)

    @staticmethod
    def reason(status: int) -> bytes:
        """The reason phrase of a status that giestack itself answers with."""
        return HTTPStatus(status).phrase.encode()

    def _date_line(self) -> bytes:
        if self._utcnow is None:
            return b""
        date = format_datetime(self._utcnow().replace(tzinfo=UTC), usegmt=True)
        return b"Date: %b\r\n" % date.encode()

    def _tick(self) -> None:
        self.now = now = self.clock.seconds()
        self.date_line = self._date_line()
        late = [c for c in self._connections if 0.0 < c.deadline < now]
        for connection in late:
            # One in trouble must not stop the clock for all others.
            with self._log.failuresHandled("a connection that has timed out") as ended:
                connection.timed_out()
            if ended.failed:
                connection.abort()
        self.pool.sweep()
