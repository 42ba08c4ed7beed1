"""The way into a session, for the front door."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from giestack.address import Address
from giestack.spawner.owner import Owner
from giestack.spawner.view import Moment


class Use(Protocol):
    """Is told of each request of a visitor.

    Returns what to call whenever bytes of that request, its answer, or data frames of its
    tunnel move; None where the request is no use of the session, as a page's own polling.
    """

    def __call__(self, method: bytes, target: bytes) -> Callable[[], None] | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """What becomes of requests for a session; a new one whenever something of it changes.

    :ivar prefix: ``{prefix}/session/ID``, without a slash at the end.
    :ivar home: the path at which visitors begin, below `prefix`.
    :ivar base: the path below which its program believes to be seen, without a slash at the end:
        `prefix`, or b"" if it was started to have a host of its own.
    :ivar address: where it listens; None unless it is ready.
    :ivar strip_path: whether `prefix` is cut off before a request goes on.
    :ivar headers: fields of every request that goes on; what a visitor sends under their names
        does not.
    :ivar moment: how it is.
    :ivar use: is told of requests.
    """

    session_id: str
    owner: Owner
    prefix: bytes
    home: bytes
    base: bytes
    address: Address | None
    strip_path: bool
    moment: Moment
    use: Use
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
