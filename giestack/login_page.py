"""The login page: who comes from a host that Galaxy's cookie does not reach is checked here.

It is no page to look at: it sends visitors back with a ticket, or says why not. It sends nobody
to a host that is not one of ours, with a tool or session on it that is the visitor's.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from giestack import access
from giestack.access import Policy, Standing
from giestack.host_login import HostLogin, Wish
from giestack.identity.tickets import Vouched
from giestack.proxy.decision import Decision, Redirect, Refuse, Request
from giestack.questions import CheckSession, Locate, StandingTo
from giestack.routing.places import HostEntryPoint, Place, SpawnedSession
from giestack.spawner.entrance import Entrance
from giestack.visitor import Anonymous, Identity, Refused, Unavailable, Visitor


class LoginPage:
    """Decides about requests for the login page."""

    def __init__(
        self,
        login: HostLogin,
        policy: Policy,
        locate: Locate,
        check_session: CheckSession,
        standing: StandingTo,
        entrance: Callable[[str], Entrance | None],
    ) -> None:
        """The callables are those of `giestack.gate.Gate`."""
        self._login = login
        self._policy = policy
        self._locate = locate
        self._check_session = check_session
        self._standing = standing
        self._entrance = entrance

    def __call__(self, request: Request, remote_user: str | None) -> Decision | Deferred[Decision]:
        """Decide; ``remote_user`` is whom a trusted front names."""
        if request.method not in (b"GET", b"HEAD") or request.fields.websocket:
            return access.NOT_FOUND
        wish = self._login.wish(request)
        if isinstance(wish, Refuse):
            return wish
        place: Place | None = None
        if wish is not None:
            place = self._locate(wish.host.encode(), b"/")
            if not self._is_there(place):
                return access.NOT_FOUND
        visitor = self._check_session(request.fields.session_cookies, remote_user)
        if isinstance(visitor, Deferred):
            return visitor.addCallback(self._checked, request, wish, place, remote_user)
        return self._checked(visitor, request, wish, place, remote_user)

    def _is_there(self, place: Place) -> bool:
        """Whether it is a host of its own, with something on it that has an owner.

        Where a tool's URL is the secret nobody logs in, and a stranger's host may look like it.
        """
        if isinstance(place, SpawnedSession):
            return place.on_host and self._entrance(place.id) is not None
        is_tool = isinstance(place, HostEntryPoint) and place.entry_point is not None
        return is_tool and self._policy.check_owner

    def _checked(
        self,
        visitor: Visitor,
        request: Request,
        wish: Wish | None,
        place: Place | None,
        remote_user: str | None,
    ) -> Decision | Deferred[Decision]:
        if isinstance(visitor, Unavailable):
            return access.UNAVAILABLE
        if wish is None or place is None:
            known = not isinstance(visitor, Refused)
            return Redirect(self._login.prefix.encode() + b"/") if known else access.NOT_LOGGED_IN
        if isinstance(visitor, Refused):
            return self._login.log_in(request, wish, access.NOT_LOGGED_IN)
        vouched = Vouched(visitor.session_key, remote_user)
        if isinstance(place, SpawnedSession):
            return self._to_session(visitor, place, request, wish, vouched)
        assert isinstance(place, HostEntryPoint) and place.entry_point is not None
        standing = self._standing(place.entry_point.key, visitor)
        if isinstance(standing, Deferred):
            return standing.addCallback(self._to_tool, visitor, place, request, wish, vouched)
        return self._to_tool(standing, visitor, place, request, wish, vouched)

    def _to_tool(
        self,
        standing: Standing,
        visitor: Identity | Anonymous,
        place: HostEntryPoint,
        request: Request,
        wish: Wish,
        vouched: Vouched,
    ) -> Decision:
        assert place.entry_point is not None
        refused = access.standing_refusal(standing, place.entry_point.key, visitor)
        if refused is None:
            return self._admit(wish, vouched)
        if refused.status == 403 and isinstance(visitor, Anonymous):
            return self._login.log_in(request, wish, refused)
        return refused

    def _to_session(
        self,
        visitor: Identity | Anonymous,
        place: SpawnedSession,
        request: Request,
        wish: Wish,
        vouched: Vouched,
    ) -> Decision:
        entrance = self._entrance(place.id)
        if entrance is None:
            return access.NOT_FOUND
        refused = access.session_refusal(entrance, visitor)
        if refused is None:
            return self._admit(wish, vouched)
        if refused.status == 401:
            return self._login.log_in(request, wish, refused)
        return refused

    def _admit(self, wish: Wish, vouched: Vouched) -> Decision:
        if access.name_covered(wish.host.encode(), self._policy):
            return self._login.send_on(wish)
        return self._login.admit(wish, vouched)
