"""Rows of Galaxy's table ``gxitproxy`` to routes, whichever database holds them."""

from collections.abc import Iterable

from giestack.routing.formats import BadRow, EntryPoint, gxitproxy_row
from giestack.routing.pieces import in_pieces
from giestack.routing.source import Reading, SourceRoutes

COLUMNS = ("key", "key_type", "token", "host", "port", "info")
"""Galaxy's columns, in the order of a `Row`."""

Row = tuple[object, ...]


class RowParser:
    """Makes a `Reading` of all rows of a table; rows that it has seen before cost a look-up.

    It takes its time, so that it belongs into a thread.

    :ivar reading: what the last rows were; None before the first.
    """

    def __init__(self) -> None:
        self.reading: Reading | None = None
        self._parsed: dict[Row, EntryPoint | BadRow] = {}

    def parse(self, rows: Iterable[Row]) -> Reading:
        """Return what all rows of the table mean; of two with one key the later one counts.

        The routes are the same object as before where no row of meaning has changed.
        """
        before, self._parsed = self._parsed, {}
        entry_points: dict[bytes, EntryPoint] = {}
        bad: dict[str, str] = {}
        for row in in_pieces(rows):
            parsed = before.get(row)
            if parsed is None:
                try:
                    parsed = gxitproxy_row(*row)
                except BadRow as error:
                    parsed = error.with_traceback(None)
            self._parsed[row] = parsed
            if isinstance(parsed, BadRow):
                bad[_shown(row[0])] = str(parsed)
                continue
            key = parsed.key.encode()
            if key in entry_points:
                bad[_shown(row[0])] = "two rows have this key, the later one is taken"
            entry_points[key] = parsed
        routes = SourceRoutes(entry_points)
        if self.reading is not None and routes == self.reading.routes:
            routes = self.reading.routes
        self.reading = Reading(routes, bad)
        return self.reading


def _shown(key: object) -> str:
    return key[:40] if isinstance(key, str) else f"({type(key).__name__})"
