"""Entry points as a source publishes them."""

from collections.abc import Iterable

from giestack.routing.formats import EntryPoint


def by_key(entry_points: Iterable[EntryPoint]) -> dict[bytes, EntryPoint]:
    """Return the mapping that `giestack.routing.table.RouteTable` looks keys up in."""
    return {entry_point.key.encode(): entry_point for entry_point in entry_points}
