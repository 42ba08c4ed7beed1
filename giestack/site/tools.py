"""The visitor's interactive tools: those that Galaxy's database has, and whether they run yet."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from giestack.proxy.seen import Seen
from giestack.site.tool_url import ToolPlaces
from giestack.visitor import Anonymous, Identity


class ToolEntry(Protocol):
    """An entry point of an interactive tool as Galaxy's database has it."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str | None: ...
    @property
    def token(self) -> str: ...
    @property
    def entry_url(self) -> str: ...
    @property
    def requires_domain(self) -> bool: ...
    @property
    def created_time(self) -> datetime | None:
        """Naive UTC."""


class EntryPoints(Protocol):
    """Lists the entry points of a visitor's unfinished jobs.

    Awaiting the answer may raise `giestack.database.DatabaseUnavailable`.
    """

    def __call__(self, visitor: Identity | Anonymous) -> Awaitable[Sequence[ToolEntry]]: ...


class FindRoute(Protocol):
    """Finds the route to a key and its token in the session maps; None where there is none."""

    def __call__(self, key: bytes, token: bytes) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Tool:
    """One interactive tool of a visitor.

    :ivar id: Galaxy's encoded id, which is the key in the tool's address.
    :ivar name: for people.
    :ivar label: the short name in the tool's description, or None.
    :ivar state: ``starting`` until the session map has it.
    :ivar url: where it is, or will be.
    :ivar created: aware, in UTC; None where Galaxy does not tell.
    """

    id: str
    name: str
    label: str | None
    state: Literal["running", "starting"]
    url: str
    created: datetime | None

    @property
    def called(self) -> str:
        """What to call it, for people."""
        return self.name or self.label or "Interactive tool"


class Tools:
    """Lists a visitor's tools.

    ``keys`` returns the spellings of an entry point's key, the present one first: Galaxy
    before 23.2 wrote another one into its map.
    """

    def __init__(
        self,
        entry_points: EntryPoints,
        keys: Callable[[int], Sequence[str]],
        find_route: FindRoute,
        places: ToolPlaces,
    ) -> None:
        self._entry_points = entry_points
        self._keys = keys
        self._find_route = find_route
        self._places = places

    async def of(self, visitor: Identity | Anonymous, seen: Seen) -> list[Tool]:
        """Return the visitor's tools, the newest first.

        Galaxy's are all there are: a visitor from elsewhere has none. Raises
        `giestack.database.DatabaseUnavailable`.
        """
        if isinstance(visitor, Identity) and visitor.host != "galaxy":
            return []
        entries = await self._entry_points(visitor)
        return [self._tool(entry, seen) for entry in sorted(entries, key=_age, reverse=True)]

    def _tool(self, entry: ToolEntry, seen: Seen) -> Tool:
        keys = self._keys(entry.id)
        routed = [key for key in keys if self._is_routed(key, entry.token)]
        key = (routed or keys)[0]
        return Tool(
            key,
            entry.name,
            entry.label,
            "running" if routed else "starting",
            self._places.url(key, entry.token, entry.entry_url, entry.requires_domain, seen),
            _moment(entry.created_time),
        )

    def _is_routed(self, key: str, token: str) -> bool:
        return self._find_route(key.encode(), token.encode()) is not None


def _age(entry: ToolEntry) -> tuple[datetime, int]:
    return entry.created_time or datetime.min, entry.id


def _moment(created: datetime | None) -> datetime | None:
    # What could not be read comes as the oldest time there is.
    return None if created in (None, datetime.min) else created.replace(tzinfo=UTC)
