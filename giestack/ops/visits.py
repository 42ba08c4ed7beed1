"""Who enters where, and who is turned away: for the audit log, seen from the front door."""

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from giestack.ops.audit_log import Audit
from giestack.ops.masking import Masking
from giestack.ops.traffic import Traffic

if TYPE_CHECKING:
    from giestack.proxy.exchange import Exchange

AWAY = 600.0
"""Seconds without a request after which a visitor who comes back enters anew."""

REMEMBERED = 10_000
"""Visits that are remembered."""

_LONGEST_PATH = 200


class _Visit:
    """When a visitor was last seen at a route."""

    __slots__ = ("last",)

    def __init__(self, now: float) -> None:
        self.last = now


class Visits:
    """A `giestack.proxy.front.Watch` in front of another: tells ``audit`` what it should know.

    ``entered`` is a visitor's first request that a backend answers, on any route but own pages,
    and the first one after `AWAY` seconds without any; a tunnel counts when it ends. ``refused``
    is each 403 of giestack's own. The secrets in paths are taken out by ``mask``.
    """

    def __init__(self, traffic: Traffic, audit: Audit, clock: IReactorTime, mask: Masking) -> None:
        self._count = traffic.finished
        self._audit = audit
        self._seconds = clock.seconds
        self._mask = mask
        self._visits: dict[tuple[str, str, str | bytes], _Visit] = {}

    def configure(self, mask: Masking) -> None:
        """Take other secrets out from now on."""
        self._mask = mask

    def finished(self, exchange: "Exchange", peer: bytes) -> None:
        """Look at an exchange that is over; ``peer`` is the other end of its connection."""
        self._count(exchange, peer)
        if exchange.destination is None:
            if exchange.status == 403:
                self._refused(exchange, peer)
        elif exchange.answered:
            visitor = exchange.visitor
            who = exchange.request.seen.address if visitor is None else visitor.session_key
            now = self._seconds()
            visit = self._visits.get((exchange.kind, exchange.route, who))
            if visit is None:
                self._remember((exchange.kind, exchange.route, who), now)
            elif now - visit.last <= AWAY:
                visit.last = now
                return
            else:
                visit.last = now
            self._audit(
                "entered",
                visitor,
                address=exchange.request.seen.address or peer,
                kind=exchange.kind,
                route=exchange.route,
            )

    def _remember(self, key: tuple[str, str, str | bytes], now: float) -> None:
        if len(self._visits) >= REMEMBERED:
            self._visits = {k: v for k, v in self._visits.items() if now - v.last <= AWAY}
        if len(self._visits) >= REMEMBERED:
            self._visits.clear()
        self._visits[key] = _Visit(now)

    def _refused(self, exchange: "Exchange", peer: bytes) -> None:
        path = None
        if exchange.route == "-":
            # An own page, or a tunnel that was opened by a foreign one.
            path = self._mask(exchange.request.target.partition(b"?")[0])[:_LONGEST_PATH]
        self._audit(
            "refused",
            exchange.visitor,
            address=exchange.request.seen.address or peer,
            kind=exchange.kind,
            route=None if path is not None else exchange.route,
            path=path,
            code=exchange.code or None,
        )
