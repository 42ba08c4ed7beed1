"""Finds out what a decision needs (where, who, whose), then asks `giestack.access`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from twisted.internet.defer import Deferred

from giestack import access
from giestack.access import Policy, Standing
from giestack.host_login import HostLogin
from giestack.identity.tickets import Vouched
from giestack.login_page import LoginPage
from giestack.proxy.decision import Decision, Destination, Forward, Refuse, Request, Use
from giestack.questions import CheckKey, CheckSession, FindEnvironment, Locate, StandingTo
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import EntryPoint
from giestack.routing.places import (
    Environment,
    HostEntryPoint,
    OwnPage,
    PathEntryPoint,
    Place,
    SpawnedSession,
    UnknownEntryPoint,
)
from giestack.routing.table import has_dot_segment
from giestack.site.entitled import SESSIONS_UNKNOWN
from giestack.spawner.entrance import Entrance
from giestack.visitor import Anonymous, Identity, Refused, Visitor

DOT_SEGMENT = Refuse(400, "bad-request", "dot segments in the path")

TOOLS_UNKNOWN = Refuse(
    503, "routes-unavailable", "Which tools are running is not known yet.", retry_after=1
)

_TOOLS = (UnknownEntryPoint, HostEntryPoint)
_NO_LOGIN = Refused("no login on this host")
_REMEMBERED = 10_000
_USED = ("entry_point", "session", "environment")


class UseOf(Protocol):
    """Makes what is told of a visitor's use of their tools and sessions.

    ``use`` is who wants to know of it already.
    """

    def __call__(self, visitor: Identity | Anonymous, use: Use | None) -> Use | None: ...


def no_entrance(session_id: str) -> None:
    """Where nothing is spawned."""


def no_environment(session: str, path: bytes) -> None:
    """Where nothing is routed by cookie."""


class Gate:
    """The front door's `Decide`."""

    def __init__(
        self,
        locate: Locate,
        check_session: CheckSession,
        standing: StandingTo,
        policy: Policy,
        entrance: Callable[[str], Entrance | None] = no_entrance,
        use_of: UseOf | None = None,
        tools_known: Callable[[], bool] = lambda: True,
        sessions_known: Callable[[], bool] = lambda: True,
        environment: FindEnvironment = no_environment,
        login: HostLogin | None = None,
        check_key: CheckKey | None = None,
    ) -> None:
        """
        :param entrance: the way into the spawned session of this id; None where there is none.
        :param tools_known: whether all session maps were read: a tool that is in none of them is
            gone only then.
        :param sessions_known: the same of spawned sessions and engines.
        :param use_of: who else wants to know of use; None: nobody.
        :param login: lets visitors in on hosts that Galaxy's cookie does not reach; without it,
            and ``check_key``, nobody gets in there.
        """
        self._locate = locate
        self._check_session = check_session
        self._standing = standing
        self._entrance = entrance
        self._use_of = use_of
        self._tools_known = tools_known
        self._sessions_known = sessions_known
        self._environment = environment
        self._login = login
        self._check_key = check_key
        self._login_page: LoginPage | None = None
        if login is not None:
            self._login_page = LoginPage(login, policy, locate, check_session, standing, entrance)
        self.policy = policy
        # Then whose page sends a request is looked at each time; see `giestack.access.decide`.
        self._guards_paths = policy.session_domain is not None
        # What was decided before for a path or session, what is there, and a visitor who may enter.
        self._known: dict[bytes, tuple[EntryPoint | Entrance, Visitor, Destination]] = {}

    def __call__(self, request: Request) -> Decision | Deferred[Decision]:
        """Decide at once where everything is known, else as soon as it is."""
        path = request.target.partition(b"?")[0]
        if has_dot_segment(path):
            return DOT_SEGMENT
        place = self._locate(request.seen.host_name, path)
        entrance = self._entrance(place.id) if isinstance(place, SpawnedSession) else None
        if entrance is None and isinstance(place, SpawnedSession) and not self._sessions_known():
            return SESSIONS_UNKNOWN
        if not access.needs_visitor(place, request, self.policy, entrance):
            if isinstance(place, Environment):
                return self._by_cookie(place, request)
            decision = access.decide(place, request, self.policy, None, None)
            if (
                isinstance(place, _TOOLS)
                and decision is access.NOT_FOUND
                and not self._tools_known()
            ):
                return TOOLS_UNKNOWN
            return decision
        fields = request.fields
        remote_user = _remote_user(request) if fields.remote_user else None
        if isinstance(place, PathEntryPoint):
            pass  # as most requests are, which have no time for the questions below
        elif isinstance(place, (HostEntryPoint, SpawnedSession)):
            if self._is_out_of_reach(place, request):
                return self._by_ticket(place, request, remote_user)
        elif isinstance(place, OwnPage) and place.rest == b"/login" and self._login_page:
            return self._login_page(request, remote_user)
        visitor = self._check_session(fields.session_cookies, remote_user)
        if isinstance(visitor, Deferred):
            return visitor.addCallback(self._standing_of, place, request)
        return self._standing_of(visitor, place, request)

    def _is_out_of_reach(self, place: Place, request: Request) -> bool:
        """Whether it is a host where Galaxy's cookie does not arrive.

        One that arrives there all the same is somebody's trick.
        """
        on_host = isinstance(place, HostEntryPoint) or (
            isinstance(place, SpawnedSession) and place.on_host
        )
        return on_host and not access.cookie_reaches(request.seen, self.policy)

    def _by_ticket(
        self, place: HostEntryPoint | SpawnedSession, request: Request, remote_user: str | None
    ) -> Decision | Deferred[Decision]:
        """By the cookie that a ticket has become."""
        login, check_key = self._login, self._check_key
        vouched: Vouched | None = None
        if login is not None:
            if place.ticket:
                return login.redeem(request)
            vouched = login.vouched(request)
        if vouched is None or check_key is None:
            return self._standing_of(_NO_LOGIN, place, request)
        # A front that names users on Galaxy's host alone has named this one at the login.
        visitor = check_key(vouched.session_key, remote_user or vouched.remote_user)
        if isinstance(visitor, Deferred):
            return visitor.addCallback(self._standing_of, place, request)
        return self._standing_of(visitor, place, request)

    def _standing_of(
        self, visitor: Visitor, place: Place, request: Request
    ) -> Decision | Deferred[Decision]:
        if not isinstance(place, (PathEntryPoint, HostEntryPoint)):
            if isinstance(place, SpawnedSession):
                return self._into_session(visitor, place, request)
            route = None
            if isinstance(place, Environment) and isinstance(visitor, (Identity, Anonymous)):
                route = self._environment(visitor.session_key, place.rest)
            return self._decide(None, place, request, visitor, None, route)
        if not isinstance(visitor, (Identity, Anonymous)) or place.entry_point is None:
            return self._decide(None, place, request, visitor)
        standing = self._standing(place.entry_point.key, visitor)
        if isinstance(standing, Deferred):
            return standing.addCallback(self._decide, place, request, visitor)
        if standing == "owner" and isinstance(place, PathEntryPoint):
            known = self._known.get(place.prefix)
            if known is not None and known[0] is place.entry_point and known[1] is visitor:
                guarded = self._guards_paths and request.method != b"GET"
                if not (request.fields.websocket or guarded):
                    return Forward(known[2], access.entry_point_target(place, request))
            else:
                decision = self._decide(standing, place, request, visitor)
                return self._remember(decision, place.prefix, place.entry_point)
        return self._decide(standing, place, request, visitor)

    def _by_cookie(self, place: Environment, request: Request) -> Decision:
        """Without a host that knows sessions: by the cookie alone, as the old proxies did."""
        found = {
            route
            for cookie in request.fields.session_cookies
            if (route := self._environment(cookie.decode("latin-1"), place.rest)) is not None
        }
        route = found.pop() if len(found) == 1 else None
        return access.decide(place, request, self.policy, None, None, None, route)

    def _into_session(self, visitor: Visitor, place: SpawnedSession, request: Request) -> Decision:
        # Asked for only now: the session may have ended while the visitor was looked up.
        entrance = self._entrance(place.id)
        name = b"session " + place.id.encode("latin-1")
        known = None if entrance is None else self._known.get(name)
        same = known is not None and known[0] is entrance and known[1] is visitor
        plain = not request.fields.websocket and (not place.on_host or request.method == b"GET")
        if same and place.rest and plain:
            assert entrance is not None and known is not None
            return Forward(known[2], access.session_target(place, entrance, request))
        decision = self._decide(None, place, request, visitor, entrance)
        if same or entrance is None:
            return decision
        return self._remember(decision, name, entrance)

    def _decide(
        self,
        standing: Standing | None,
        place: Place,
        request: Request,
        visitor: Visitor,
        entrance: Entrance | None = None,
        route: EnvironmentRoute | None = None,
    ) -> Decision:
        decision = access.decide(place, request, self.policy, visitor, standing, entrance, route)
        if decision is access.NOT_LOGGED_IN:
            if self._login is not None and self._is_out_of_reach(place, request):
                return self._login.leave(request)
            return decision
        if self._use_of is None or not isinstance(decision, Forward):
            return decision
        to = decision.destination
        if to.visitor is None or to.kind not in _USED:
            return decision
        use = self._use_of(to.visitor, to.use)
        return Forward(replace(to, use=use), decision.target)

    def _remember(self, decision: Decision, prefix: bytes, what: EntryPoint | Entrance) -> Decision:
        """Keep what all paths below a prefix will be decided to: only the target differs."""
        if isinstance(decision, Forward) and decision.destination.visitor is not None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            destination = decision.destination
            assert destination.visitor is not None
            self._known[prefix] = (what, destination.visitor, destination)
        return decision


def _remote_user(request: Request) -> str | None:
    """The user that a trusted front names; None where it names none, or several."""
    named = request.fields.remote_user
    if not request.seen.by_front or len(named) != 1 or not named[0].isascii():
        return None
    return named[0].decode() or None
