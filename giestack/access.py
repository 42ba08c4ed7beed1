"""Who may go where: what becomes of a request, as one pure function.

`decide` takes what is known about a request (where it leads, who asks, whose route it is) and
says what to do. It asks nobody and remembers nothing; `giestack.gate` finds out what it needs.
"""

import re
from dataclasses import dataclass
from typing import Literal

from giestack.address import Address
from giestack.chat.wire import SUBPROTOCOL
from giestack.double_proxy import through
from giestack.origins import DEFAULT_PORTS, by_a_tool, may_change, origin_allowed
from giestack.proxy.decision import (
    Decision,
    Destination,
    Forward,
    HandOver,
    Local,
    Redirect,
    Refuse,
    Request,
)
from giestack.proxy.seen import Seen
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import EntryPoint
from giestack.routing.places import (
    ChatPlace,
    Environment,
    HostEntryPoint,
    Nowhere,
    OwnPage,
    PathEntryPoint,
    Place,
    ServicePlace,
    SpawnedSession,
    UnknownEntryPoint,
)
from giestack.spawner.entrance import Entrance
from giestack.spawner.view import ENDED
from giestack.visitor import Anonymous, Identity, Refused, Unavailable, Visitor

Standing = Literal["owner", "other", "gone", "unavailable"]
"""How a visitor stands to an entry point: ``gone`` is a tool that Galaxy no longer runs."""

PUBLIC_PAGES = frozenset((b"/demo", b"/login", b"/favicon.ico"))
"""Own pages that anybody may see, so that there is a way in."""

PUBLIC_FOLDERS = (b"/demo/", b"/doctor/", b"/login/", b"/static/")
"""The ways in, what pages are made of, and what answers only who has a pass of the doctor's."""


# Galaxy's old RStudio signs its visitors in by a form that RStudio reads only without a character
# set, and is told apart by its path alone. Without a value the field is only removed.
_RSTUDIOS = ((b"X-RStudio-Root-Path", b""),)

# What a header field can hold in only one way: blanks would be trimmed, a comma makes a list.
_TELLABLE = re.compile(r"[!-+\--~]+")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the site's administrator has decided.

    :ivar check_owner: whether an interactive tool is open to its owner only; else its URL is
        the secret, as with gx-it-proxy.
    :ivar galaxy_origin: ``scheme://host[:port]`` of Galaxy in lower case, or None.
    :ivar allowed_origins: further origins, in lower case.
    :ivar cookie_domain: the parent domain for which Galaxy sets its cookie, or None.
    :ivar chat: whether there is a chat.
    :ivar checks_sessions: whether there is a host whose sessions can be checked; else a
        cookie-routed environment is open to whoever has the cookie that its map names.
    :ivar far_end: the second proxy, by which interactive tools are reached; None: directly.
    :ivar reverse_proxy: whether tools that redirect to ``http://localhost/`` mean their own
        address.
    :ivar session_domain: the domain below which each spawned session has a host of its own, or
        None.
    :ivar prefix: that of giestack's own pages.
    :ivar tool_domains: below which interactive tools have hosts of their own, in lower case, each
        with a dot before it.
    """

    check_owner: bool = True
    galaxy_origin: bytes | None = None
    allowed_origins: frozenset[bytes] = frozenset()
    cookie_domain: bytes | None = None
    chat: bool = False
    checks_sessions: bool = True
    far_end: Address | None = None
    reverse_proxy: bool = False
    session_domain: bytes | None = None
    prefix: bytes = b"/giestack"
    tool_domains: tuple[bytes, ...] = ()

    @property
    def origins(self) -> frozenset[bytes]:
        """Every origin that is trusted beside the request's own host."""
        if self.galaxy_origin is None:
            return self.allowed_origins
        return self.allowed_origins | {self.galaxy_origin}


_NO_ROUTE = (UnknownEntryPoint, Nowhere)

NOT_FOUND = Refuse(404, "no-such-route", "There is nothing at this address.")
NOT_LOGGED_IN = Refuse(401, "not-logged-in", "Please log in to see this page.")
UNAVAILABLE = Refuse(
    503,
    "identity-unavailable",
    "Galaxy's database does not answer, so nobody's login can be checked right now.",
    retry_after=5,
)
FOREIGN_ORIGIN = Refuse(
    403, "foreign-origin", "This connection was opened by a page of another site."
)
UPGRADE_REQUIRED = Refuse(426, "upgrade-required", "Only WebSockets are spoken at this address.")


# RFC 9110 section 9.2.1: what is meant to change nothing.
_SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE"))

_PASSED_ON = (PathEntryPoint, ServicePlace, Environment)


def needs_visitor(
    place: Place, request: Request, policy: Policy, entrance: Entrance | None = None
) -> bool:
    """Whether the decision depends on who is asking; ``entrance`` as for `decide`."""
    if isinstance(place, PathEntryPoint):
        return policy.check_owner
    if isinstance(place, HostEntryPoint):
        return policy.check_owner and place.entry_point is not None
    if isinstance(place, SpawnedSession):
        return entrance is not None
    if isinstance(place, Environment):
        return policy.checks_sessions
    if isinstance(place, ChatPlace):
        return policy.chat and _asks_who(place, request)
    return isinstance(place, (ServicePlace, OwnPage))


def decide(
    place: Place,
    request: Request,
    policy: Policy,
    visitor: Visitor | None,
    standing: Standing | None,
    entrance: Entrance | None = None,
    route: EnvironmentRoute | None = None,
) -> Decision:
    """Say what to do with a request.

    :param visitor: the answer of the session check; None where `needs_visitor` is false.
    :param standing: how the visitor stands to the entry point, where the place is one and the
        visitor has a session.
    :param entrance: the way into the spawned session, where the place is one and it exists.
    :param route: where the visitor's own environment is, where the place may be one and there is.
    """
    if isinstance(place, _NO_ROUTE):
        return NOT_FOUND
    if isinstance(place, SpawnedSession) and entrance is None:
        return NOT_FOUND
    if isinstance(place, Environment) and route is None:
        return _no_environment(place, policy, visitor)
    if isinstance(place, HostEntryPoint) and (place.entry_point is None or place.ticket):
        return NOT_FOUND
    if isinstance(place, SpawnedSession) and place.ticket:
        return NOT_FOUND
    if request.fields.websocket and not origin_allowed(request, policy.origins):
        return FOREIGN_ORIGIN
    changes = request.method not in _SAFE
    if changes and _is_foreign(place, request, policy):
        return FOREIGN_ORIGIN
    if isinstance(place, OwnPage):
        return _own_page(place, visitor)
    if isinstance(place, ChatPlace):
        return _chat(place, request, visitor) if policy.chat else NOT_FOUND
    if isinstance(place, ServicePlace):
        return _service(place, request, policy, visitor)
    if isinstance(place, SpawnedSession):
        assert entrance is not None
        return _session(place, entrance, request, policy, visitor)
    if isinstance(place, Environment):
        assert route is not None
        return _environment(route, request, policy, visitor)
    return _entry_point(place, request, policy, visitor, standing)


def _own_page(place: OwnPage, visitor: Visitor | None) -> Decision:
    if isinstance(visitor, (Identity, Anonymous)):
        return Local(visitor)
    if place.rest in PUBLIC_PAGES or place.rest.startswith(PUBLIC_FOLDERS):
        return Local(None)
    return UNAVAILABLE if isinstance(visitor, Unavailable) else NOT_LOGGED_IN


def _asks_who(place: ChatPlace, request: Request) -> bool:
    """Whether it makes a difference there who is asking."""
    if place.way == "socket":
        return request.fields.websocket
    if place.way == "personal":
        # What a browser asks before it asks across origins has no cookie (Fetch section 3.2.2).
        return request.method != b"OPTIONS"
    return place.way == "page"


def _chat(place: ChatPlace, request: Request, visitor: Visitor | None) -> Decision:
    if place.way == "folder":
        return Redirect(request.target.partition(b"?")[0] + b"/" + query(request))
    if place.way == "socket" and not request.fields.websocket:
        return UPGRADE_REQUIRED
    if isinstance(visitor, Unavailable):
        return UNAVAILABLE
    known = visitor if isinstance(visitor, (Identity, Anonymous)) else None
    if place.way == "socket":
        # Without a session too: a page can read why a WebSocket was closed, not why refused.
        return HandOver(known, SUBPROTOCOL.encode(), "chat")
    return NOT_LOGGED_IN if place.way == "page" and known is None else Local(known)


def _service(
    place: ServicePlace, request: Request, policy: Policy, visitor: Visitor | None
) -> Decision:
    service = place.service
    route = service.path.decode("latin-1")
    if isinstance(visitor, Unavailable):
        return UNAVAILABLE
    if not isinstance(visitor, Identity):
        return NOT_LOGGED_IN
    if service.require == "admin" and not visitor.is_admin:
        return Refuse(
            403, "not-admin", "This page is for administrators.", None, "service", route, visitor
        )
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if service.user_header:
        if not _TELLABLE.fullmatch(visitor.email):
            return Refuse(
                403,
                "unusable-email",
                "Your e-mail address can't be told to this application.",
                None,
                "service",
                route,
                visitor,
            )
        headers = ((service.user_header, visitor.email.encode()),)
    destination = Destination(
        service.address,
        "service",
        route,
        visitor,
        service.path if service.strip_path else b"",
        headers,
        policy.origins,
    )
    return Forward(destination, place.target + query(request))


def _session(
    place: SpawnedSession,
    entrance: Entrance,
    request: Request,
    policy: Policy,
    visitor: Visitor | None,
) -> Decision:
    if isinstance(visitor, Unavailable):
        return UNAVAILABLE
    if not isinstance(visitor, Identity):
        return NOT_LOGGED_IN
    refused = session_refusal(entrance, visitor)
    if refused is not None:
        return refused
    if policy.session_domain is not None and not place.on_host:
        return _to_own_host(place, entrance, request, policy.session_domain)
    if not place.rest:
        return Redirect(request.target.partition(b"?")[0] + b"/" + query(request))
    if entrance.address is None:
        return _not_ready(entrance, visitor, policy, place.on_host)
    destination = Destination(
        entrance.address,
        "session",
        entrance.session_id,
        visitor,
        entrance.prefix if _is_stripped(place, entrance) else b"",
        entrance.headers,
        policy.origins,
        visible_host=True,
        use=entrance.use,
    )
    return Forward(destination, session_target(place, entrance, request))


def session_refusal(entrance: Entrance, visitor: Identity | Anonymous) -> Refuse | None:
    """Why a visitor may not enter a spawned session; None: they may."""
    if not isinstance(visitor, Identity):
        return NOT_LOGGED_IN
    if entrance.owner.is_(visitor):
        return None
    return Refuse(
        403,
        "not-owner",
        "This session belongs to somebody else.",
        None,
        "session",
        entrance.session_id,
        visitor,
    )


def _to_own_host(
    place: SpawnedSession, entrance: Entrance, request: Request, domain: bytes
) -> Decision:
    if request.method not in (b"GET", b"HEAD") or request.fields.websocket:
        return NOT_FOUND
    seen = request.seen
    port = b"" if int(seen.port) == DEFAULT_PORTS[seen.scheme] else b":" + seen.port
    host = b"%b://%b.%b%b" % (seen.scheme, place.id.encode("latin-1"), domain, port)
    base = b"" if entrance.strip_path else entrance.base
    return Redirect(host + base + (place.rest or b"/") + query(request))


def _not_ready(entrance: Entrance, visitor: Identity, policy: Policy, on_host: bool) -> Refuse:
    moment = entrance.moment
    ended = moment.state in ENDED
    # On a host of its own nothing is giestack's.
    own_pages = ((policy.galaxy_origin or b"") if on_host else b"") + policy.prefix
    return Refuse(
        502,
        "backend-down",
        (moment.reason or moment.message) if ended else moment.message,
        None if ended else 2,
        "session",
        entrance.session_id,
        visitor,
        moment.state,
        moment.log,
        f"{own_pages.decode('latin-1')}/sessions/{entrance.session_id}",
    )


def session_target(place: SpawnedSession, entrance: Entrance, request: Request) -> bytes:
    """The request target that a spawned session sees; ``place.rest`` is not empty."""
    return place.rest + query(request) if _is_stripped(place, entrance) else request.target


def _is_stripped(place: SpawnedSession, entrance: Entrance) -> bool:
    """Whether the way to a session is cut off from the paths below it.

    On a host of its own there is nothing to cut off. A session that was started to have one,
    before there were none any more, knows nothing of the way to it.
    """
    return not place.on_host and (entrance.strip_path or not entrance.base)


def _no_environment(place: Environment, policy: Policy, visitor: Visitor | None) -> Decision:
    if not policy.checks_sessions:
        return NOT_FOUND
    if isinstance(visitor, Unavailable):
        return UNAVAILABLE
    known = isinstance(visitor, (Identity, Anonymous))
    return NOT_LOGGED_IN if place.below_prefix and not known else NOT_FOUND


def _environment(
    route: EnvironmentRoute, request: Request, policy: Policy, visitor: Visitor | None
) -> Decision:
    known = visitor if isinstance(visitor, (Identity, Anonymous)) else None
    if route.address is None:
        return Refuse(
            502, "backend-down", "The container is starting.", 2, "environment", "-", known
        )
    destination = Destination(
        route.address,
        "environment",
        str(route.address).partition("://")[2],
        known,
        headers=_RSTUDIOS if b"rstudio" in request.target else (),
        allowed_origins=policy.origins,
        use=route.use,
        localhost_is_here=policy.reverse_proxy,
    )
    return Forward(destination, request.target)


def _entry_point(
    place: HostEntryPoint | PathEntryPoint,
    request: Request,
    policy: Policy,
    visitor: Visitor | None,
    standing: Standing | None,
) -> Decision:
    entry_point = place.entry_point
    assert entry_point is not None
    known: Identity | Anonymous | None = None
    if policy.check_owner:
        if isinstance(visitor, Unavailable):
            return UNAVAILABLE
        if visitor is None or isinstance(visitor, Refused):
            return NOT_LOGGED_IN
        known = visitor
        refused = standing_refusal(standing, entry_point.key, known)
        if refused is not None:
            return refused
    return Forward(
        entry_point_destination(place, entry_point, known, policy),
        entry_point_target(place, request),
    )


def standing_refusal(
    standing: Standing | None, key: str, visitor: Identity | Anonymous
) -> Refuse | None:
    """Why a visitor may not enter an entry point; None: they may."""
    if standing == "unavailable":
        return UNAVAILABLE
    if standing == "gone":
        return NOT_FOUND
    if standing == "owner":
        return None
    return Refuse(
        403,
        "not-owner",
        "This interactive tool belongs to somebody else.",
        None,
        "entry_point",
        key,
        visitor,
    )


def entry_point_destination(
    place: HostEntryPoint | PathEntryPoint,
    entry_point: EntryPoint,
    visitor: Identity | Anonymous | None,
    policy: Policy,
) -> Destination:
    """Where requests of a visitor who may enter go; the same for all of the tool's paths."""
    prefix = path = b""
    if isinstance(place, PathEntryPoint):
        path = place.prefix
        if not entry_point.requires_path_in_url:
            prefix = path
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if entry_point.requires_path_in_header_named:
        # On a host of its own the tool is told nothing, by the client neither.
        headers = ((entry_point.requires_path_in_header_named.encode(), path),)
    destination = Destination(
        entry_point.address,
        "entry_point",
        entry_point.key,
        visitor,
        prefix,
        headers,
        policy.origins,
        localhost_is_here=policy.reverse_proxy,
    )
    return destination if policy.far_end is None else through(destination, policy.far_end)


def entry_point_target(place: HostEntryPoint | PathEntryPoint, request: Request) -> bytes:
    """The request target that the tool sees."""
    if isinstance(place, HostEntryPoint) or place.entry_point.requires_path_in_url:
        return request.target
    return place.rest + query(request)


def query(request: Request) -> bytes:
    """The query of the request target with its question mark, or b""."""
    _, mark, text = request.target.partition(b"?")
    return mark + text


def cookie_reaches(seen: Seen, policy: Policy) -> bool:
    """Whether Galaxy sets its cookie for this host too (its option ``cookie_domain``)."""
    return name_covered(seen.host_name, policy)


def name_covered(name: bytes, policy: Policy) -> bool:
    """The same for a host name, in lower case and without port."""
    domain = policy.cookie_domain
    return domain is not None and (name == domain or name.endswith(b"." + domain))


def _is_foreign(place: Place, request: Request, policy: Policy) -> bool:
    """Whether it is changed there by the page of somebody else."""
    if _is_guarded(place, policy):
        return not may_change(request, policy.origins)
    # Whoever writes to a path-based tool knows its token.
    if not policy.tool_domains or not isinstance(place, (ServicePlace, Environment)):
        return False
    return by_a_tool(request, policy.tool_domains, policy.origins)


def _is_guarded(place: Place, policy: Policy) -> bool:
    """Whether it is a host of its own that knows its visitor by a cookie.

    Where sessions have hosts of their own, so that their pages can do nothing in their visitor's
    name, everything else that is passed on is guarded as well.
    """
    if isinstance(place, SpawnedSession):
        return place.on_host
    if isinstance(place, HostEntryPoint):
        return policy.check_owner
    return policy.session_domain is not None and isinstance(place, _PASSED_ON)
