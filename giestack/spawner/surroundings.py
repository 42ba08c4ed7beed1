"""What sessions are given: a clock, a queue, and ways to ask and to tell others."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IReactorTime

from giestack.address import Address
from giestack.spawner.admission import Waiting
from giestack.spawner.durations import Durations
from giestack.spawner.history import History
from giestack.spawner.hooks import Hooks
from giestack.spawner.jupyter_activity import Activity
from giestack.spawner.owner import Owner
from giestack.visitor import Identity, Operator

if TYPE_CHECKING:
    from giestack.spawner.session import Session


class WaitUntilReady(Protocol):
    """Waits until a server answers; raises `NotReady`."""

    def __call__(self, address: Address, path: str, timeout: float) -> Awaitable[None]: ...


class AskActivity(Protocol):
    """Asks a server what it is doing; never raises."""

    def __call__(self, address: Address, base: str) -> Awaitable[Activity]: ...


class Audit(Protocol):
    """Takes note of what people did; ``who`` is the owner where it happened by itself."""

    def __call__(self, event: str, who: Identity | Owner | Operator, **fields: object) -> None: ...


class KeyOf(Protocol):
    """Finds a user's key to the host's API; raises `EngineError` where there is none."""

    def __call__(self, owner: Owner) -> Awaitable[str]: ...


class WaitForRoom(Protocol):
    """Where sessions wait for room."""

    def enter(self, session: "Session") -> None:
        """Call `Session.admit` as soon as there is room, perhaps at once."""

    def leave(self, session: "Session") -> None: ...

    def waiting(self, session: "Session") -> Waiting | None:
        """Where a session stands; None where it does not wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all sessions share.

    :ivar prefix: that of giestack's own pages.
    :ivar durations: seconds by step.
    :ivar count: to be called with a profile and what came of a session of it.
    :ivar room_changed: to be called when a session has ceased to take up room.
    :ivar forget: to be called with a session that is gone.
    """

    clock: IReactorTime
    prefix: str
    queue: WaitForRoom
    hooks: Hooks
    wait_until_ready: WaitUntilReady
    ask_activity: AskActivity
    audit: Audit
    api_key: KeyOf
    history: History
    durations: Durations
    count: Callable[[str, str], None]
    room_changed: Callable[[], None]
    forget: Callable[["Session"], None]
