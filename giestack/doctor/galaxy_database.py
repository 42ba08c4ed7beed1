"""What Galaxy's database says, asked once for all who want to know."""

from collections.abc import Callable, Mapping
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection, Engine, inspect, text

from giestack.database import BadDatabaseURL, DatabaseUnavailable, ask, open_engine
from giestack.doctor.check import CannotTell
from giestack.doctor.once import Once

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEEDED: Mapping[str, frozenset[str]] = {
    "galaxy_session": _words(
        "id session_key user_id is_valid create_time last_action prev_session_id current_history_id"
    ),
    "galaxy_user": _words("id email username deleted purged external"),
    "job": _words("id user_id session_id state"),
    "interactivetool_entry_point": _words("id job_id name token configured deleted"),
}
"""Tables and columns that giestack reads."""


class GalaxyTables:
    """Galaxy's database.

    Everything raises `CannotTell` where it does not answer.

    :ivar is_sqlite: whether it is a file.
    :ivar reachable: returns where it answers; cheap after the first time.
    """

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self._url = url
        self._engine = Once(self._open)
        self.reachable = Once(self._reach)

    def ask(self, function: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        """Call a function with a connection that only reads."""
        try:
            return ask(self._engine(), function, *args)
        except DatabaseUnavailable as error:
            raise CannotTell(f"Galaxy's database: {error}") from None

    def _open(self) -> Engine:
        try:
            return open_engine(self._url)
        except BadDatabaseURL as error:
            raise CannotTell(str(error), "mend galaxy.database_connection") from None

    def _reach(self) -> None:
        self.ask(lambda connection: connection.execute(text("SELECT 1")).scalar())


def missing_columns(connection: Connection) -> Mapping[str, frozenset[str] | None]:
    """What of `NEEDED` is not there, by table; None: the whole table. It changes nothing."""
    look = inspect(connection)
    there = set(look.get_table_names()) | set(look.get_view_names())
    missing: dict[str, frozenset[str] | None] = {}
    for table, columns in NEEDED.items():
        if table not in there:
            missing[table] = None
        elif lacking := columns - {column["name"] for column in look.get_columns(table)}:
            missing[table] = lacking
    return missing


def unreadable_tables(connection: Connection) -> list[str]:
    """Tables of PostgreSQL that this role may not read."""
    asks = text("SELECT has_table_privilege(:table, 'SELECT')")
    return [table for table in NEEDED if not connection.execute(asks, {"table": table}).scalar()]


def too_much(connection: Connection) -> str | None:
    """What this role of PostgreSQL may do and needs not, in words; None: nothing."""
    superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    if connection.execute(text(superuser)).scalar():
        return "is a superuser"
    asks = text("SELECT has_table_privilege(:table, 'INSERT, UPDATE, DELETE')")
    written = [table for table in NEEDED if connection.execute(asks, {"table": table}).scalar()]
    return f"may write to {', '.join(written)}" if written else None


def may_stamp(connection: Connection) -> bool:
    """Whether this role of PostgreSQL may write ``galaxy_session.last_action``."""
    asks = "SELECT has_column_privilege('galaxy_session', 'last_action', 'UPDATE')"
    return bool(connection.execute(text(asks)).scalar())


def clock(connection: Connection) -> float:
    """PostgreSQL's wall clock, in seconds since the epoch."""
    return float(
        connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
    )


def configured_and_running(connection: Connection) -> list[int]:
    """The ids of entry points that Galaxy has told where to find, and whose jobs run."""
    asks = text(
        "SELECT e.id FROM interactivetool_entry_point e JOIN job j ON j.id = e.job_id "
        "WHERE e.configured AND NOT coalesce(e.deleted, :no) AND j.state = 'running' "
        "ORDER BY e.id LIMIT 1000"
    )
    return [row[0] for row in connection.execute(asks, {"no": False})]
