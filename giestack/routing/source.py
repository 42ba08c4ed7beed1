"""What the route table needs from whatever knows routes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred

from giestack.routing.formats import EntryPoint


@dataclass(frozen=True, slots=True)
class SourceRoutes:
    """Everything that a source knows at one time.

    Formats that are keyed by a cookie (Galaxy's ``gxproxy`` and ``gxproxy2`` maps, the Go
    proxy's XML) have no entry points. Their rows belong in a second mapping here, from the
    cookie as the file holds it to the address, so that a source may find out which format it
    has by looking.

    :ivar entry_points: by key; never changed after it was published.
    """

    entry_points: Mapping[bytes, EntryPoint]


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
