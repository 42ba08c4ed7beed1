"""What the route table needs from whatever knows routes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred

from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import EntryPoint


@dataclass(frozen=True, slots=True)
class SourceRoutes:
    """Everything that a source knows at one time.

    A source may find out by looking which format it has.

    :ivar entry_points: by key; never changed after it was published.
    :ivar environments: the rows of formats that are keyed by a cookie (Galaxy's ``gxproxy`` and
        ``gxproxy2`` maps, the Go proxy's XML), in their order; None for other formats.
    """

    entry_points: Mapping[bytes, EntryPoint]
    environments: Sequence[EnvironmentRoute] | None = None


NO_FILE = "is no file"


class MapTrouble(Exception):
    """A session map cannot be read now; the text goes behind its name.

    :ivar kind: one word; troubles of one kind are said once. ``locked`` may pass by itself.
    :ivar missing: whether file or table is not there, as before the first interactive tool.
    """

    def __init__(self, kind: str, text: str, missing: bool = False) -> None:
        super().__init__(text)
        self.kind = kind
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Reading:
    """What a session map held.

    :ivar routes: the same object as before while nothing in it has changed.
    :ivar bad: keys of rows that were left out, shortened, with the reason.
    """

    routes: SourceRoutes
    bad: Mapping[str, str]


class Reader(Protocol):
    """Reads one session map. It may block: it is used in a thread, by one call at a time.

    :ivar reads: how often the whole map was read.
    """

    reads: int

    @property
    def look(self) -> Callable[..., Reading]:
        """Return what the map holds; the routes are the same object while nothing has changed.

        What it takes is what the threads give it: a connection to a database, or nothing. Raise
        `MapTrouble`.
        """
        ...

    def close(self) -> None:
        """Close what is open. Looking again is possible, and reads everything."""
        ...


Publish = Callable[[SourceRoutes], None]


class Source(Protocol):
    """A place that routes come from: a watched file, a polled or listening database, an API.

    A source keeps its last good routes through every trouble of its own, and says the trouble
    in its log and in `health`.
    """

    def start(self, publish: Publish) -> None:
        """Begin to watch.

        ``publish`` is called in the reactor's thread, with everything, whenever something has
        changed; for the first time as soon as the source could be read, or is known to be
        empty. It replaces what the same source published before.
        """
        ...

    def stop(self) -> Deferred[None]:
        """Stop watching; ``publish`` is not called any more.

        Fires when nothing is open and no thread is at work. It never fails.
        """
        ...

    def health(self) -> tuple[bool, str]:
        """Return whether the routes are up to date, and how things stand in words."""
        ...
