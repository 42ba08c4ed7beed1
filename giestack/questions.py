"""What a decision asks of others: where a request leads, who sends it, whose the thing is."""

from typing import Protocol

from twisted.internet.defer import Deferred

from giestack.access import Standing
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.places import Place
from giestack.visitor import Anonymous, Identity, Visitor


class Locate(Protocol):
    """Where a host and a raw path lead."""

    def __call__(self, host: bytes, path: bytes) -> Place: ...


class FindEnvironment(Protocol):
    """Where the requests of a session go; see `giestack.routing.table.RouteTable.environment`."""

    def __call__(self, session: str, path: bytes) -> EnvironmentRoute | None: ...


class CheckSession(Protocol):
    """Who sends these session cookies; at once where it is known."""

    def __call__(
        self, cookies: tuple[bytes, ...], remote_user: str | None = None
    ) -> Visitor | Deferred[Visitor]: ...


class CheckKey(Protocol):
    """Whom a session key stands for; at once where it is known."""

    def __call__(
        self, session_key: str, remote_user: str | None = None
    ) -> Visitor | Deferred[Visitor]: ...


class StandingTo(Protocol):
    """How a visitor stands to the entry point with this key; at once where it is known."""

    def __call__(
        self, key: str, visitor: Identity | Anonymous
    ) -> Standing | Deferred[Standing]: ...
