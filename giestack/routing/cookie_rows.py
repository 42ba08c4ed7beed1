"""Rows of the tables ``gxproxy`` and ``gxproxy2`` to routes: those that are keyed by a cookie."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from giestack.routing.environment_formats import gxproxy2_row, gxproxy_row
from giestack.routing.environments import EnvironmentRoute, newest_at_each_address
from giestack.routing.formats import BadRow
from giestack.routing.pieces import in_pieces
from giestack.routing.rows import Row


@dataclass(frozen=True, slots=True)
class CookieTable:
    """One of these tables.

    :ivar columns: of Galaxy's, those that matter, in the order of a `Row`.
    :ivar parse: makes a route of them, or raises `BadRow`.
    """

    name: str
    columns: tuple[str, ...]
    parse: Callable[..., EnvironmentRoute]


TABLES = (
    CookieTable("gxproxy", ("key", "secret"), gxproxy_row),
    CookieTable("gxproxy2", ("key", "host", "port", "container_ids"), gxproxy2_row),
)
"""The oldest first: what is in a newer one is what Galaxy means now."""


class CookieRowParser:
    """Makes routes of all rows of both tables; rows seen before cost a look-up."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str, Row], EnvironmentRoute | BadRow] = {}

    def parse(
        self, rows: Mapping[str, Iterable[Row]]
    ) -> tuple[tuple[EnvironmentRoute, ...], Mapping[str, str]]:
        """Return what the rows, by table and in their order, mean; and why some were left out.

        Of several for one cookie, or at one address, the last one counts. Bad rows are named by
        their number.
        """
        before, self._parsed = self._parsed, {}
        found: dict[str, EnvironmentRoute] = {}
        bad: dict[str, str] = {}
        for table in TABLES:
            for number, row in enumerate(in_pieces(rows.get(table.name, ())), 1):
                parsed = before.get((table.name, row))
                if parsed is None:
                    try:
                        parsed = table.parse(*row)
                    except BadRow as error:
                        parsed = error.with_traceback(None)
                self._parsed[table.name, row] = parsed
                if isinstance(parsed, BadRow):
                    bad[f"{table.name} {number}"] = str(parsed)
                else:
                    found.pop(parsed.cookie, None)
                    found[parsed.cookie] = parsed
        return newest_at_each_address(found.values(), in_pieces), bad
