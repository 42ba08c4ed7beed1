"""What the proxy is told to do with a request, as values, and the seam through which it asks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.defer import Deferred

from giestack.address import Address
from giestack.proxy.head import GuardedNames, RequestFields
from giestack.proxy.seen import Seen
from giestack.visitor import Anonymous, Identity

_NO_FIELDS = RequestFields([], "1.0", GuardedNames())
_NOT_SEEN = Seen(b"", b"http", b"", b"")


class Request:
    """One request as it came in; the body arrives while the request is already under way.

    :ivar method: upper-case method.
    :ivar target: absolute path and query, as sent.
    :ivar version: "1.1" or "1.0".
    :ivar raw: the header fields as parsed, (name, value).
    :ivar fields: the same, checked and sorted.
    :ivar seen: how the visitor sees this server.
    :ivar body: pieces of the body that have arrived and are not passed on yet.
    :ivar complete: whether all of the request has arrived.
    :ivar trailers: trailer fields, once complete.
    """

    __slots__ = (
        "body",
        "complete",
        "fields",
        "keep_alive",
        "method",
        "raw",
        "seen",
        "target",
        "trailers",
        "version",
    )

    def __init__(
        self, method: bytes, target: bytes, version: str, raw: list[tuple[bytes, bytes]]
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.raw = raw
        self.fields = _NO_FIELDS
        self.seen = _NOT_SEEN
        self.body: list[bytes] = []
        self.complete = False
        self.keep_alive = True
        self.trailers: list[tuple[bytes, bytes]] = []


class Use(Protocol):
    """Is told of each request that goes to a destination.

    Returns what to call whenever bytes of that request, its answer, or data frames of its
    tunnel move; None where the request is no use of what is behind it.
    """

    def __call__(self, method: bytes, target: bytes) -> Callable[[], None] | None: ...


@dataclass(frozen=True, slots=True)
class Destination:
    """Where requests of one visitor for one route go; the same value serves many requests.

    :ivar address: the backend.
    :ivar kind: the sort of route for metrics: ``entry_point``, ``session``, ``service``.
    :ivar route: the route's name for logs; holds no token.
    :ivar visitor: on whose behalf.
    :ivar prefix: path below which the visitor sees the backend, for X-Forwarded-Prefix.
    :ivar headers: fields to set, after removing what the client sent under those names; with
        an empty value only removed.
    :ivar allowed_origins: lower-cased origins that may read answers across origins.
    :ivar visible_host: whether Host is the one that the visitor sees, and not as it was sent.
    :ivar use: is told of requests, where somebody wants to know.
    :ivar localhost_is_here: whether a redirect to ``http://localhost/`` means the address at
        which the visitor sees the backend.
    """

    address: Address
    kind: str
    route: str
    visitor: Identity | Anonymous | None
    prefix: bytes = field(default=b"", repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    allowed_origins: frozenset[bytes] = field(default=frozenset(), repr=False)
    visible_host: bool = False
    use: Use | None = field(default=None, repr=False)
    localhost_is_here: bool = False


class Forward:
    """Pass the request on to a backend.

    :ivar destination: where to.
    :ivar target: the request target that the backend sees.
    """

    __slots__ = ("destination", "target")

    def __init__(self, destination: Destination, target: bytes) -> None:
        self.destination = destination
        self.target = target


@dataclass(frozen=True, slots=True)
class Local:
    """Answer from giestack's own pages.

    :ivar visitor: who asks; None where there is no valid session.
    """

    visitor: Identity | Anonymous | None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with a refusal.

    :ivar status: HTTP status.
    :ivar code: the stable word of the JSON answer, for example ``not-owner``.
    :ivar message: what to say to a person; holds no secret.
    :ivar retry_after: seconds after which it is worth trying again, or None.
    :ivar kind: the sort of route, as in `Destination`.
    :ivar route: the route's name for logs.
    :ivar visitor: who was refused, where known.
    :ivar state: how the session that was asked for is, in one word; "" for all else.
    :ivar log: the last lines of what it printed, for the visitor.
    :ivar link: the address of a page that tells more, or None.
    :ivar again: the path on this host at which logging in begins anew, or None.
    """

    status: int
    code: str
    message: str
    retry_after: int | None = None
    kind: str = "refused"
    route: str = "-"
    visitor: Identity | Anonymous | None = None
    state: str = ""
    log: tuple[str, ...] = field(default=(), repr=False)
    link: str | None = None
    again: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the browser elsewhere with ``302 Found``.

    :ivar location: where to, a path or a URL.
    :ivar headers: fields to send along.
    """

    location: bytes = field(repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class HandOver:
    """Hand the connection over to a WebSocket of giestack's own.

    :ivar visitor: on whose behalf; None where there is no valid session.
    :ivar subprotocol: what will be spoken; a client that does not offer it is refused.
    :ivar kind: the sort of route for metrics, and the route's name for logs.
    """

    visitor: Identity | Anonymous | None
    subprotocol: bytes
    kind: str


Decision = Forward | Local | Refuse | Redirect | HandOver


class Decide(Protocol):
    """Says what to do with a request; at once where it can, else by a Deferred."""

    def __call__(self, request: Request) -> Decision | Deferred[Decision]: ...
