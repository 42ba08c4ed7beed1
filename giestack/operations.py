"""The proxy as administrators see it: its routes, its connections, and how to drain it."""

from collections.abc import Callable, Sequence

from giestack.proxy.front import Front
from giestack.routing.table import RouteTable
from giestack.site.operations import Connections, RouteRow
from giestack.spawner.entrance import Entrance


class ProxyOperations:
    """`giestack.site.operations.Operations` over the front door and its routes.

    ``front`` gives the front door, which need not be there yet; ``entrances`` the ways into
    all spawned sessions.
    """

    def __init__(
        self,
        front: Callable[[], Front],
        table: RouteTable,
        entrances: Callable[[], Sequence[Entrance]],
    ) -> None:
        self._front = front
        self._table = table
        self._entrances = entrances

    def routes(self) -> Sequence[RouteRow]:
        """Every route that leads somewhere now; no tokens."""
        rows = [
            RouteRow("spawner", "session", entrance.session_id, str(entrance.address))
            for entrance in self._entrances()
            if entrance.address is not None
        ]
        rows += [
            RouteRow("services", "service", service.path.decode("latin-1"), str(service.address))
            for service in self._table.services
        ]
        for source, entry_points in self._table.by_source().items():
            rows += [
                RouteRow(source, "entry_point", entry_point.key, str(entry_point.address))
                for entry_point in entry_points
            ]
        for source, environments in self._table.environments().items():
            rows += [
                RouteRow(source, "environment", one.path.decode("latin-1") or "/", str(one.address))
                for one in environments
                if one.address is not None
            ]
        return rows

    def connections(self) -> Connections:
        """How many there are now."""
        front = self._front()
        return Connections(front.connections, front.tunnels, front.pool.kept)

    def drain(self) -> None:
        """Take no new visitors: `/ready` says so, and every connection closes after its answer."""
        front = self._front()
        if not front.draining:
            front.drain()
