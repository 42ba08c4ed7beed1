"""Finds out what a decision needs (where, who, whose), then asks `giestack.access`."""

from typing import Protocol

from twisted.internet.defer import Deferred

from giestack import access
from giestack.access import Policy, Standing
from giestack.proxy.decision import Decision, Destination, Forward, Refuse, Request
from giestack.routing.formats import EntryPoint
from giestack.routing.places import HostEntryPoint, PathEntryPoint, Place
from giestack.routing.table import has_dot_segment
from giestack.visitor import Anonymous, Identity, Visitor

DOT_SEGMENT = Refuse(400, "bad-request", "dot segments in the path")

_REMEMBERED = 10_000


class Locate(Protocol):
    """Where a host and a raw path lead."""

    def __call__(self, host: bytes, path: bytes) -> Place: ...


class CheckSession(Protocol):
    """Who sends these session cookies; at once where it is known."""

    def __call__(
        self, cookies: tuple[bytes, ...], remote_user: str | None = None
    ) -> Visitor | Deferred[Visitor]: ...


class StandingTo(Protocol):
    """How a visitor stands to the entry point with this key; at once where it is known."""

    def __call__(
        self, key: str, visitor: Identity | Anonymous
    ) -> Standing | Deferred[Standing]: ...


class Gate:
    """The front door's `Decide`."""

    def __init__(
        self, locate: Locate, check_session: CheckSession, standing: StandingTo, policy: Policy
    ) -> None:
        self._locate = locate
        self._check_session = check_session
        self._standing = standing
        self.policy = policy
        # What was decided before for a path, an entry point and a visitor who may enter.
        self._known: dict[bytes, tuple[EntryPoint, Visitor, Destination]] = {}

    def __call__(self, request: Request) -> Decision | Deferred[Decision]:
        """Decide at once where everything is known, else as soon as it is."""
        path = request.target.partition(b"?")[0]
        if has_dot_segment(path):
            return DOT_SEGMENT
        place = self._locate(request.seen.host_name, path)
        if not access.needs_visitor(place, self.policy):
            return access.decide(place, request, self.policy, None, None)
        fields = request.fields
        remote_user = _remote_user(request) if fields.remote_user else None
        visitor = self._check_session(fields.session_cookies, remote_user)
        if isinstance(visitor, Deferred):
            return visitor.addCallback(self._standing_of, place, request)
        return self._standing_of(visitor, place, request)

    def _standing_of(
        self, visitor: Visitor, place: Place, request: Request
    ) -> Decision | Deferred[Decision]:
        if (
            not isinstance(place, (PathEntryPoint, HostEntryPoint))
            or not isinstance(visitor, (Identity, Anonymous))
            or place.entry_point is None
        ):
            return self._decide(None, place, request, visitor)
        standing = self._standing(place.entry_point.key, visitor)
        if isinstance(standing, Deferred):
            return standing.addCallback(self._decide, place, request, visitor)
        if standing == "owner" and isinstance(place, PathEntryPoint):
            known = self._known.get(place.prefix)
            if known is not None and known[0] is place.entry_point and known[1] is visitor:
                if not request.fields.websocket:
                    return Forward(known[2], access.entry_point_target(place, request))
            else:
                return self._remember(self._decide(standing, place, request, visitor), place)
        return self._decide(standing, place, request, visitor)

    def _decide(
        self, standing: Standing | None, place: Place, request: Request, visitor: Visitor
    ) -> Decision:
        return access.decide(place, request, self.policy, visitor, standing)

    def _remember(self, decision: Decision, place: PathEntryPoint) -> Decision:
        """Keep what the tool's other paths will be decided to as well: only the target differs."""
        if isinstance(decision, Forward) and decision.destination.visitor is not None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            destination = decision.destination
            assert destination.visitor is not None
            self._known[place.prefix] = (place.entry_point, destination.visitor, destination)
        return decision


def _remote_user(request: Request) -> str | None:
    """The user that a trusted front names; None where it names none, or several."""
    named = request.fields.remote_user
    if not request.seen.by_front or len(named) != 1 or not named[0].isascii():
        return None
    return named[0].decode() or None
