"""All session maps that are watched; they may come and go while giestack runs."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from twisted.internet.defer import Deferred, gatherResults

from giestack.routing.environments import Sorter
from giestack.routing.source import Source, SourceRoutes
from giestack.routing.table import RouteTable


class SessionMap(Source, Protocol):
    """One session map, as `giestack.routing.watch.WatchedMap` is.

    :ivar rows: how many entry points and environments are published.
    :ivar errors: how many looks failed, other than by a missing file or table.
    """

    rows: int
    errors: int

    @property
    def reads(self) -> int:
        """How often the whole map was read."""
        ...

    @property
    def known(self) -> bool:
        """Whether anything was published yet."""
        ...

    def configure(self, polling_interval: float) -> None:
        """Be looked at every so many seconds, where nothing tells of a change."""
        ...


class SessionMaps(Mapping[str, SessionMap]):
    """Session maps by name; what they hold goes into a route table.

    ``open_map`` makes the source for a location, not started. ``session_of`` says what a cookie
    stands for, by which an environment is looked up; None: nobody can have it.
    """

    def __init__(
        self,
        table: RouteTable,
        open_map: Callable[[str], SessionMap],
        session_of: Callable[[str], str | None],
    ) -> None:
        self._table = table
        self._session_of = session_of
        self._open_map = open_map
        self._maps: dict[str, SessionMap] = {}
        self._locations: Mapping[str, str] = {}
        self._running = False
        self._leaving: set[Deferred[None]] = set()

    def __getitem__(self, name: str) -> SessionMap:
        return self._maps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._maps)

    def __len__(self) -> int:
        return len(self._maps)

    @property
    def known(self) -> bool:
        """Whether each of them was read at least once, or is known to be empty."""
        return all(watched.known for watched in self._maps.values())

    def configure(self, locations: Mapping[str, str], polling_interval: float) -> None:
        """Watch the maps at these locations, by name, in their order of precedence.

        Those that are watched already go on as they are; the routes of the others are gone. One
        whose location has changed under the same name, which hides a password, is opened anew;
        its routes stay until it was read. ``polling_interval`` is for maps that cannot be watched
        in another way, in seconds.
        """
        opened = {
            name: self._open_map(location)
            for name, location in locations.items()
            if self._locations.get(name) != location
        }
        old, self._locations = self._maps, dict(locations)
        self._maps = {name: opened.get(name) or old.pop(name) for name in locations}
        self._table.keep(locations)
        for watched in self._maps.values():
            watched.configure(polling_interval)
        if self._running:
            for name, watched in opened.items():
                self._start(name, watched)
            for watched in old.values():
                self._leave(watched)

    def start(self) -> None:
        """Watch from now on."""
        self._running = True
        for name, watched in self._maps.items():
            self._start(name, watched)

    def stop(self) -> Deferred[list[None]]:
        """Watch no more; fires when nothing is open."""
        self._running = False
        for watched in self._maps.values():
            self._leave(watched)
        return gatherResults(list(self._leaving))

    def _start(self, name: str, watched: SessionMap) -> None:
        by_session = Sorter(self._session_of)

        def publish(routes: SourceRoutes) -> None:
            environments = routes.environments
            sorted_ = None if environments is None else by_session(environments)
            self._table.replace(name, routes.entry_points, sorted_)

        watched.start(publish)

    def _leave(self, watched: SessionMap) -> None:
        leaving = watched.stop()
        self._leaving.add(leaving)
        leaving.addCallback(lambda _: self._leaving.discard(leaving))
