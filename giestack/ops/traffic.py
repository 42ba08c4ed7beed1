"""What went through the proxy: counts for the metrics, and material for the access log.

`Traffic.finished` is on the hot path: it only adds to plain numbers and appends one tuple.
Everything that costs more is done when somebody reads them.
"""

from bisect import bisect_left
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from giestack.visitor import Identity

if TYPE_CHECKING:
    from giestack.proxy.exchange import Exchange

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Upper ends of the buckets of durations, in seconds; the last bucket has none."""

TUNNEL = 101
"""The status under which WebSocket tunnels are counted, and nothing else."""

LONGEST_TARGET = 2048
LONGEST_FIELD = 1024
"""Bytes kept of a request target, and of Referer and User-Agent each."""

LINES = 20_000
"""Lines that may wait for the access log."""

Line = tuple[
    float,  # when the exchange was over
    float,  # started
    float,  # asked
    float,  # answered
    bytes,  # the visitor's address
    str | None,  # user name
    bytes,  # method
    bytes,  # target, cut
    str,  # HTTP version
    int,  # status
    int,  # body bytes sent to the client
    bytes | None,  # Referer, cut
    bytes | None,  # User-Agent, cut
    str,  # route
]
"""One exchange for the access log; times are seconds of the clock, 0.0 where it never came."""


class Tally:
    """Sums over all exchanges of one kind and status.

    :ivar buckets: exchanges by duration, one more than `BOUNDS`.
    :ivar seconds: their durations together.
    :ivar received: body or tunnel bytes from clients.
    :ivar sent: body or tunnel bytes to clients.
    """

    __slots__ = ("buckets", "received", "seconds", "sent")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.received = 0
        self.sent = 0


class Traffic:
    """A `giestack.proxy.front.Watch` that counts and remembers what has finished.

    ``lines`` is how many exchanges may wait for the access log: those that come while so many
    wait are not logged, only counted. 0 where there is no access log.

    :ivar tallies: by kind of route and status. A tunnel has the status `TUNNEL`.
    :ivar dropped: exchanges that found no room in the access log.
    """

    def __init__(self, clock: IReactorTime, lines: int = LINES) -> None:
        self.tallies: dict[tuple[str, int], Tally] = {}
        self.dropped = 0
        self._seconds = clock.seconds
        self._room = self._limit = lines
        self._lines: list[Line] = []

    def keep(self, wanted: bool) -> None:
        """Say whether exchanges are to wait for the access log from now on."""
        self._limit = self._room if wanted else 0

    def take(self) -> list[Line]:
        """Return what waits for the access log, the oldest first; nothing waits afterwards."""
        taken, self._lines = self._lines, []
        return taken

    def finished(self, exchange: "Exchange", peer: bytes) -> None:
        """Count an exchange that is over; ``peer`` is the other end of its connection."""
        now = self._seconds()
        started = exchange.started
        status = exchange.status
        sent = exchange.sent
        try:
            tally = self.tallies[exchange.kind, status]
        except KeyError:
            tally = self.tallies[exchange.kind, status] = Tally()
        duration = now - started
        if duration < 0.0:
            # The system's clock was set back, and Twisted's clock with it.
            duration = 0.0
        tally.buckets[bisect_left(BOUNDS, duration)] += 1
        tally.seconds += duration
        tally.received += exchange.received
        tally.sent += sent
        if len(self._lines) >= self._limit:
            if self._limit:
                self.dropped += 1
            return
        request = exchange.request
        fields = request.fields
        visitor = exchange.visitor
        target = request.target
        if len(target) > LONGEST_TARGET:
            target = target[:LONGEST_TARGET]
        referer = fields.referer
        if referer is not None and len(referer) > LONGEST_FIELD:
            referer = referer[:LONGEST_FIELD]
        agent = fields.user_agent
        if agent is not None and len(agent) > LONGEST_FIELD:
            agent = agent[:LONGEST_FIELD]
        self._lines.append(
            (
                now,
                started,
                exchange.asked,
                exchange.answered,
                request.seen.address or peer,
                visitor.username if type(visitor) is Identity else None,
                request.method,
                target,
                request.version,
                status,
                sent,
                referer,
                agent,
                exchange.route,
            )
        )
