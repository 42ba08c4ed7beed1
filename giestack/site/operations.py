"""What administrators ask of the proxy itself, and tell it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One route, without what is secret of it.

    :ivar source: where it was read: a session map as configured, ``spawner``, ``services``.
    :ivar kind: ``entry_point``, ``session``, ``service`` or ``environment``.
    :ivar name: the entry point's key, the session's id, the service's path, what an
        environment's paths start with.
    :ivar address: where the backend listens, as text.
    """

    source: str
    kind: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections there are now.

    :ivar clients: of visitors, tunnels among them.
    :ivar tunnels: WebSocket tunnels.
    :ivar backends: to backends, idle ones that are kept for the next request.
    """

    clients: int
    tunnels: int
    backends: int


class Operations(Protocol):
    """The proxy as administrators see it."""

    def routes(self) -> Sequence[RouteRow]: ...

    def connections(self) -> Connections: ...

    def drain(self) -> None:
        """Take no new visitors from now on; a second time does nothing."""
