"""Galaxy's database: the only file that knows its tables, and it only reads them.

The functions wait for the database and belong into a thread; `GalaxyDatabase` calls them in
one. Table and column names are those of Galaxy 15.05 to 26.1, the same on SQLite and
PostgreSQL. Booleans may be NULL in old rows, which means false; times are naive UTC and
plain text in SQLite.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Connection,
    RowMapping,
    String,
    column,
    literal_column,
    select,
    table,
)
from twisted.internet.defer import Deferred

from giestack.database import Database
from giestack.identity.entry_point import EntryPoint, EntryPointOwner
from giestack.identity.rules import SessionRow
from giestack.visitor import Anonymous, Identity

# PostgreSQL takes 65,535 values in a statement, SQLite 32,766.
_AT_ONCE = 10_000
# Job.non_ready_states of Galaxy 26.1: the jobs that /api/entry_points?running=true lists.
_UNFINISHED = ("new", "resubmitted", "upload", "waiting", "queued", "running")

T = TypeVar("T")

_session = table(
    "galaxy_session",
    column("id", BigInteger),
    column("session_key", String),
    *map(column, ("user_id", "is_valid", "create_time", "last_action", "prev_session_id")),
    column("current_history_id"),
)
_user = table(
    "galaxy_user", *map(column, ("id", "email", "username", "deleted", "purged", "external"))
)
_job = table(
    "job",
    column("id", BigInteger),
    column("user_id", BigInteger),
    column("session_id", BigInteger),
    column("state", String),
)
_entry_point = table(
    "interactivetool_entry_point", column("id", BigInteger), *map(column, ("job_id", "deleted"))
)


def _sessions_statement() -> Any:
    s, u = _session, _user
    previous, earlier = s.alias("previous"), s.alias("earlier")
    earlier_user = u.alias("earlier_user")
    return select(
        s.c.id.label("session_id"),
        s.c.session_key,
        s.c.is_valid,
        s.c.user_id,
        s.c.create_time,
        s.c.last_action,
        u.c.email,
        u.c.username,
        u.c.deleted,
        u.c.purged,
        u.c.external,
        previous.c.user_id.label("previous_user_id"),
        previous.c.create_time.label("previous_create_time"),
        previous.c.current_history_id.label("previous_history_id"),
        earlier.c.user_id.label("earlier_user_id"),
        earlier_user.c.email.label("earlier_email"),
    ).select_from(
        s.outerjoin(u, u.c.id == s.c.user_id)
        .outerjoin(previous, previous.c.id == s.c.prev_session_id)
        .outerjoin(earlier, earlier.c.id == previous.c.prev_session_id)
        .outerjoin(earlier_user, earlier_user.c.id == earlier.c.user_id)
    )


_sessions = _sessions_statement()
_owners = select(
    _entry_point.c.id, _entry_point.c.deleted, _job.c.user_id, _job.c.session_id, _job.c.state
).select_from(_entry_point.outerjoin(_job, _job.c.id == _entry_point.c.job_id))
# All columns by their own names: which of them exist depends on Galaxy's release.
_entry_points = (
    select(literal_column("interactivetool_entry_point.*"), _job.c.state.label("job_state"))
    .select_from(_entry_point.join(_job, _job.c.id == _entry_point.c.job_id))
    .where(_job.c.state.in_(_UNFINISHED))
    .order_by(_entry_point.c.id)
)


def sessions_by_key(connection: Connection, keys: Collection[str]) -> dict[str, SessionRow]:
    """Find sessions, ended ones too, by their keys; keys without a session are left out."""
    found = {}
    for some in _portions(keys):
        for row in connection.execute(_sessions.where(_session.c.session_key.in_(some))).mappings():
            found[row["session_key"]] = SessionRow(
                **{
                    **row,
                    "is_valid": bool(row["is_valid"]),
                    "deleted": bool(row["deleted"]),
                    "purged": bool(row["purged"]),
                    "external": bool(row["external"]),
                    "create_time": _moment(row["create_time"]),
                    "last_action": _moment(row["last_action"]),
                    "previous_create_time": _moment(row["previous_create_time"]),
                }
            )
    return found


def owners_by_id(connection: Connection, ids: Collection[int]) -> dict[int, EntryPointOwner]:
    """Find the owners of entry points, ended ones too; unknown ids are left out."""
    found = {}
    for some in _portions(ids):
        for row in connection.execute(_owners.where(_entry_point.c.id.in_(some))):
            active = not row.deleted and row.state in _UNFINISHED
            found[row.id] = EntryPointOwner(row.id, row.user_id, row.session_id, active)
    return found


def entry_points_of(connection: Connection, visitor: Identity | Anonymous) -> list[EntryPoint]:
    """List the entry points of a visitor's unfinished jobs, oldest first.

    For a user those of all their jobs, for an anonymous visitor those of jobs that this
    session has started.
    """
    if isinstance(visitor, Identity):
        whose = _job.c.user_id == visitor.user_id
    else:
        whose = (_job.c.session_id == visitor.session_id) & _job.c.user_id.is_(None)
    rows = connection.execute(_entry_points.where(whose)).mappings()
    return [_read_entry_point(row) for row in rows if not row["deleted"]]


def _read_entry_point(row: RowMapping) -> EntryPoint:
    return EntryPoint(
        id=row["id"],
        name=row["name"] or "",
        label=row.get("label"),
        token=row["token"] or "",
        configured=bool(row["configured"]),
        job_state=row["job_state"],
        entry_url=row["entry_url"] or "",
        requires_domain=row.get("requires_domain") is None or bool(row["requires_domain"]),
        requires_path_in_url=bool(row.get("requires_path_in_url")),
        requires_path_in_header_named=row.get("requires_path_in_header_named"),
        created_time=_moment(row["created_time"]),
    )


def _moment(value: datetime | str | None) -> datetime | None:
    """Read a naive UTC time; an unreadable one is older than anything."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return datetime.min
    if value is not None and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def _portions(values: Collection[T]) -> Iterator[list[T]]:
    listed = list(values)
    return (listed[start : start + _AT_ONCE] for start in range(0, len(listed), _AT_ONCE))


class GalaxyDatabase:
    """Galaxy's database, asked in a thread; every Deferred may fail with `DatabaseUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sessions(self, keys: Collection[str]) -> Deferred[Mapping[str, SessionRow]]:
        """As `sessions_by_key`."""
        return self._database.run(sessions_by_key, keys)

    def owners(self, ids: Collection[int]) -> Deferred[Mapping[int, EntryPointOwner]]:
        """As `owners_by_id`."""
        return self._database.run(owners_by_id, ids)

    def entry_points(self, visitor: Identity | Anonymous) -> Deferred[list[EntryPoint]]:
        """As `entry_points_of`."""
        return self._database.run(entry_points_of, visitor)
