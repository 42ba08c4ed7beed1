"""Cookie-routed environments: the visitor's session alone says where a request goes.

Galaxy's Interactive Environments (15.05 to 19.05) wrote one row for each session into their map,
under the value of the cookie ``galaxysession``; the Go proxy's rows also name a path. Many cookie
values mean one session, so that routes are looked up by what a cookie stands for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from giestack.address import Address


class Use(Protocol):
    """`giestack.proxy.decision.Use`."""

    def __call__(self, method: bytes, target: bytes) -> Callable[[], None] | None: ...


@dataclass(frozen=True, slots=True)
class EnvironmentRoute:
    """Where the requests of one session go.

    :ivar cookie: the session's cookie as the map holds it; never logged.
    :ivar address: where the container listens; None while that is not known yet.
    :ivar path: what a path behind the prefix of such environments starts with (the Go proxy's
        ``FrontendPath``); ``b""`` is any path.
    :ivar container_ids: the containers behind it, as Docker names them.
    :ivar use: is told of requests, where somebody wants to know.
    """

    cookie: str = field(repr=False)
    address: Address | None
    path: bytes = b""
    container_ids: tuple[str, ...] = ()
    use: Use | None = field(default=None, repr=False, compare=False)


BySession = Mapping[str, Sequence[EnvironmentRoute]]
"""Routes by what their cookies stand for; of several that fit, the longest path, then the last."""


class Sorter:
    """Sorts the routes of one map again and again: a cookie that was there before costs a look-up.

    To find out what a cookie stands for takes ten times as long, and the reactor waits for it.
    """

    def __init__(self, session_of: Callable[[str], str | None]) -> None:
        """``session_of`` a cookie is None where nobody can have that one; what it says stays so."""
        self._session_of = session_of
        self._known: dict[str, str | None] = {}

    def __call__(self, routes: Iterable[EnvironmentRoute]) -> BySession:
        """Return the routes by session."""
        before, self._known = self._known, {}
        known = self._known
        found: dict[str, tuple[EnvironmentRoute, ...]] = {}
        for route in routes:
            cookie = route.cookie
            session = before[cookie] if cookie in before else self._session_of(cookie)
            known[cookie] = session
            if session is not None:
                found[session] = (*found[session], route) if session in found else (route,)
        return found


Routes = Iterable[EnvironmentRoute]


def newest_at_each_address(
    routes: Routes, paced: Callable[[Routes], Routes] = iter
) -> tuple[EnvironmentRoute, ...]:
    """Leave out routes to addresses that have become another cookie's, in a later route.

    Galaxy forgets no row of a container that has ended, and Docker gives its port to the next
    one, which is somebody else's. ``paced`` may rest between some of them.
    """
    cookies: dict[Address, str] = {}
    kept = [
        route
        for route in paced(reversed(tuple(routes)))
        if route.address is None or cookies.setdefault(route.address, route.cookie) == route.cookie
    ]
    return tuple(reversed(kept))


def route_for(routes: Sequence[EnvironmentRoute], path: bytes) -> EnvironmentRoute | None:
    """Return the route that a path takes, as it is behind the prefix of such environments."""
    best = None
    for route in routes:
        if path.startswith(route.path) and (best is None or len(route.path) >= len(best.path)):
            best = route
    return best
