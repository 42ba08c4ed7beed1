"""All session maps that are watched; they may come and go while giestack runs."""

from collections.abc import Callable, Iterator, Mapping

from twisted.internet.defer import Deferred, gatherResults

from giestack.routing.environments import by_session
from giestack.routing.source import SourceRoutes
from giestack.routing.table import RouteTable
from giestack.routing.watch import WatchedMap


class SessionMaps(Mapping[str, WatchedMap]):
    """Session maps by name; what they hold goes into a route table.

    ``open_map`` makes the source for a location, not started. ``session_of`` says what a cookie
    stands for, by which an environment is looked up; None: nobody can have it.
    """

    def __init__(
        self,
        table: RouteTable,
        open_map: Callable[[str], WatchedMap],
        session_of: Callable[[str], str | None],
    ) -> None:
        self._table = table
        self._session_of = session_of
        self._open_map = open_map
        self._maps: dict[str, WatchedMap] = {}
        self._running = False
        self._leaving: set[Deferred[None]] = set()

    def __getitem__(self, name: str) -> WatchedMap:
        return self._maps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._maps)

    def __len__(self) -> int:
        return len(self._maps)

    @property
    def known(self) -> bool:
        """Whether each of them was read at least once, or is known to be empty."""
        return all(watched.known for watched in self._maps.values())

    def configure(self, locations: Mapping[str, str]) -> None:
        """Watch the maps at these locations, by name, in their order of precedence.

        Those that are watched already go on as they are; the routes of the others are gone.
        """
        old, self._maps = self._maps, {}
        self._table.keep(locations)
        for name, location in locations.items():
            watched = old.pop(name, None)
            if watched is None:
                watched = self._open_map(location)
                if self._running:
                    self._start(name, watched)
            self._maps[name] = watched
        if self._running:
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

    def _start(self, name: str, watched: WatchedMap) -> None:
        def publish(routes: SourceRoutes) -> None:
            environments = routes.environments
            sorted_ = None if environments is None else by_session(environments, self._session_of)
            self._table.replace(name, routes.entry_points, sorted_)

        watched.start(publish)

    def _leave(self, watched: WatchedMap) -> None:
        leaving = watched.stop()
        self._leaving.add(leaving)
        leaving.addCallback(lambda _: self._leaving.discard(leaving))
