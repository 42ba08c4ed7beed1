"""The places a request can go to: the answers of `giestack.routing.table.RouteTable.locate`.

They are made once per request, so they are plain objects with slots. Nobody changes them.
"""

from dataclasses import dataclass, field
from typing import Literal

from giestack.address import Address
from giestack.routing.formats import EntryPoint


@dataclass(frozen=True, slots=True)
class Service:
    """A configured service behind the proxy, known by the path it stands below.

    :ivar path: without a slash at the end; ``b""`` is every path.
    :ivar address: where it listens.
    :ivar user_header: the header that tells it who the visitor is; ``b""`` for none.
    :ivar strip_path: whether ``path`` is cut off before the request goes on.
    :ivar require: who may use it.
    """

    path: bytes
    address: Address
    user_header: bytes = b""
    strip_path: bool = True
    require: Literal["user", "admin"] = "user"


@dataclass(slots=True)
class HostEntryPoint:
    """A host below the interactive tools' domains; no other rule applies to such a host.

    :ivar entry_point: the tool that KEY-TOKEN names, or None: unknown key and wrong token alike.
    :ivar ticket: whether the path is ``{own prefix}/ticket``, the only one that is ours there.
    """

    entry_point: EntryPoint | None
    ticket: bool


@dataclass(slots=True)
class SpawnedSession:
    """``{own prefix}/session/ID``, or the host ID below the sessions' domain.

    :ivar id: the session's id, not looked up, any text without a slash.
    :ivar rest: the path after ID as it stands: ``b""`` or beginning with a slash; on a host of
        its own the whole path.
    :ivar on_host: whether it is a host of its own; no other rule applies to such a host.
    :ivar ticket: whether the path there is ``{own prefix}/ticket``, the only one that is ours.
    """

    id: str
    rest: bytes
    on_host: bool = False
    ticket: bool = False


@dataclass(slots=True)
class OwnPage:
    """Below the own prefix.

    :ivar rest: the path after the prefix as it stands: ``b""`` or beginning with a slash.
    """

    rest: bytes


ChatWay = Literal["public", "personal", "page", "socket", "folder"]
"""What stands at one of chat's addresses.

``public`` is for anybody; ``personal`` says something else to each visitor, and says itself what
it does without one; ``page`` needs a login; ``socket`` speaks WebSocket only; ``folder`` lacks
its closing slash.
"""


@dataclass(slots=True)
class ChatPlace:
    """One of chat's own addresses."""

    way: ChatWay


@dataclass(slots=True)
class PathEntryPoint:
    """``{interactivetools prefix}/KEY/TOKEN`` of a known entry point.

    :ivar rest: the path after TOKEN, at least ``b"/"``.
    :ivar prefix: ``{interactivetools prefix}/KEY/TOKEN``; holds the token.
    """

    entry_point: EntryPoint
    rest: bytes
    prefix: bytes = field(repr=False)


@dataclass(slots=True)
class UnknownEntryPoint:
    """Below the interactive tools' prefix, but unknown key and wrong token alike."""


@dataclass(slots=True)
class ServicePlace:
    """Below a service's path.

    :ivar rest: the path after the service's path, at least ``b"/"``.
    :ivar target: the path to ask the backend for.
    """

    service: Service
    rest: bytes
    target: bytes


@dataclass(slots=True)
class Environment:
    """Nothing of the above: the visitor's own cookie-routed environment, should there be one.

    :ivar below_prefix: whether the path is below the prefix of such environments.
    :ivar rest: the path as it stands, without that prefix.
    """

    below_prefix: bool
    rest: bytes


@dataclass(slots=True)
class Nowhere:
    """No route."""


Place = (
    HostEntryPoint
    | SpawnedSession
    | OwnPage
    | ChatPlace
    | PathEntryPoint
    | UnknownEntryPoint
    | ServicePlace
    | Environment
    | Nowhere
)
