"""The demo's host application: a small database as Galaxy 26.1 has it, written as Galaxy does.

`HostDatabase` waits for the disk and belongs into a thread; `DemoLogins` calls it in one. What
reads the database elsewhere does not know that there is no Galaxy behind it.
"""

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from giestack.demo.folder import DemoError
from giestack.demo.schema import SCHEMA, USERS
from giestack.identity.cookie import CookieCodec
from giestack.visitor import Anonymous, Identity

DOMAIN = "example.org"
ADMIN_USERS = f"admin@{DOMAIN}"
"""As in Galaxy's option of that name."""

_TOOL = "interactive_tool_jupyter_notebook"
_UNFINISHED = "('new', 'queued', 'running')"
_BUSY_SECONDS = 2.0


class UnknownUser(ValueError):
    """The demo has no such user; the text names those it has."""

    def __init__(self, username: str) -> None:
        *most, last = USERS
        super().__init__(
            f"the demo has no user {username[:40]!r}: there are {', '.join(most)} and {last}"
        )


@dataclass(frozen=True, slots=True)
class Tool:
    """An interactive tool that was asked for; it has no address yet.

    :ivar entry_point_id: ``interactivetool_entry_point.id``.
    :ivar job_id: ``job.id``.
    :ivar token: the secret in its URL.
    """

    entry_point_id: int
    job_id: int
    token: str = field(repr=False)


class HostDatabase:
    """Writes what Galaxy would write; every method waits for the disk and may be called anywhere.

    ``utcnow`` is the wall clock, naive UTC. The file is made where it is missing, all at once;
    `DemoError` where something else stands there.
    """

    def __init__(self, path: Path, utcnow: Callable[[], datetime]) -> None:
        self._path = path
        self._utcnow = utcnow
        try:
            if not path.exists():
                self._create()
            with self._transaction() as database:
                rows = database.execute("SELECT username FROM galaxy_user").fetchall()
                database.execute(
                    "SELECT 1 FROM interactivetool_entry_point, job, galaxy_session LIMIT 0"
                )
        except (sqlite3.Error, OSError) as error:
            raise DemoError(f"{path} is not the demo's database ({error}): move it away") from None
        if not {name for (name,) in rows}.issuperset(USERS):
            raise DemoError(f"{path} is not the demo's database: move it away")

    def start_session(self, username: str) -> str:
        """Make a valid login session of a user and return its session key.

        As Galaxy's login: 32 hexadecimal characters, valid, last action now. `UnknownUser`
        where there is no such user.
        """
        key = secrets.token_hex(16)
        now = self._now()
        with self._transaction() as database:
            made = database.execute(
                "INSERT INTO galaxy_session (create_time, update_time, user_id, remote_addr, "
                "session_key, is_valid, last_action) "
                "SELECT ?, ?, id, '127.0.0.1', ?, 1, ? FROM galaxy_user WHERE username = ?",
                (now, now, key, now, username),
            )
            if not made.rowcount:
                raise UnknownUser(username)
        return key

    def end_session(self, session_id: int, session_key: str) -> None:
        """Make a session invalid, as Galaxy's logout does; one that is not there is no error."""
        with self._transaction() as database:
            database.execute(
                "UPDATE galaxy_session SET is_valid = 0, update_time = ? "
                "WHERE id = ? AND session_key = ?",
                (self._now(), session_id, session_key),
            )

    def request_tool(self, username: str, name: str, token: str, entry_url: str) -> Tool:
        """Queue a job of a user with one path-based entry point, which has no address yet.

        `UnknownUser` where there is no such user.
        """
        now = self._now()
        with self._transaction() as database:
            job = database.execute(
                "INSERT INTO job (create_time, update_time, tool_id, tool_version, state, user_id, "
                "imported) SELECT ?, ?, ?, '1.0.0', 'queued', id, 0 FROM galaxy_user "
                "WHERE username = ?",
                (now, now, _TOOL, username),
            )
            if not job.rowcount:
                raise UnknownUser(username)
            entry_point = database.execute(
                "INSERT INTO interactivetool_entry_point (job_id, name, token, tool_port, "
                "entry_url, requires_domain, requires_path_in_url, info, configured, deleted, "
                "created_time, modified_time, label) "
                "VALUES (?, ?, ?, 8888, ?, 0, 1, '{}', 0, 0, ?, ?, 'jupyter')",
                (job.lastrowid, name, token, entry_url, now, now),
            )
            assert job.lastrowid is not None
            assert entry_point.lastrowid is not None
            return Tool(entry_point.lastrowid, job.lastrowid, token)

    def tool_started(self, tool: Tool) -> None:
        """The job runs; where its container listens is not known yet."""
        self._set_tool(tool, "running", None, None, None)

    def tool_configured(self, tool: Tool, host: str, port: int, header: str | None) -> None:
        """The container has told where it listens.

        ``header`` is what Galaxy calls ``requires_path_in_header_named``.
        """
        self._set_tool(tool, "running", host, port, header)

    def tool_queued(self, tool: Tool) -> None:
        """The container has gone, another one is to come."""
        self._set_tool(tool, "queued", None, None, None)

    def end_tools(self, state: str = "deleted") -> None:
        """End all jobs that have not ended, and their entry points."""
        now = self._now()
        with self._transaction() as database:
            database.execute(
                "UPDATE interactivetool_entry_point SET deleted = 1, modified_time = ? "
                f"WHERE job_id IN (SELECT id FROM job WHERE state IN {_UNFINISHED})",
                (now,),
            )
            database.execute(
                f"UPDATE job SET state = ?, update_time = ? WHERE state IN {_UNFINISHED}",
                (state, now),
            )

    def _set_tool(
        self, tool: Tool, state: str, host: str | None, port: int | None, header: str | None
    ) -> None:
        now = self._now()
        with self._transaction() as database:
            database.execute(
                "UPDATE job SET state = ?, update_time = ? WHERE id = ?", (state, now, tool.job_id)
            )
            database.execute(
                "UPDATE interactivetool_entry_point SET host = ?, port = ?, protocol = ?, "
                "configured = ?, requires_path_in_header_named = ?, modified_time = ? "
                "WHERE id = ?",
                (
                    host,
                    port,
                    "http" if host else None,
                    host is not None,
                    header,
                    now,
                    tool.entry_point_id,
                ),
            )

    def _create(self) -> None:
        new = self._path.with_name(f"{self._path.name}.new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        now = self._now()
        with closing(sqlite3.connect(new)) as database:
            database.executescript(SCHEMA)
            database.executemany(
                "INSERT INTO galaxy_user (create_time, update_time, email, username, password, "
                "last_password_change, external, deleted, purged, active) "
                "VALUES (?, ?, ?, ?, '*', ?, 0, 0, 0, 1)",
                [(now, now, f"{name}@{DOMAIN}", name, now) for name in USERS],
            )
            database.commit()
        new.replace(self._path)

    def _now(self) -> str:
        """A time as SQLAlchemy writes it to SQLite for Galaxy."""
        return self._utcnow().isoformat(" ", "microseconds")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, _BUSY_SECONDS, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")


class DemoLogins:
    """Lets the visitors of the demo become one of its users, and leave again.

    ``defer_to_thread(f, *args)`` runs ``f`` in a bounded pool, as
    `twisted.internet.threads.deferToThread` does.
    """

    def __init__(
        self,
        host: HostDatabase,
        codec: CookieCodec,
        defer_to_thread: Callable[..., Deferred[Any]],
    ) -> None:
        self._host = host
        self._codec = codec
        self._defer_to_thread = defer_to_thread

    def log_in(self, username: str) -> Deferred[str]:
        """Start a session and return the value of its ``galaxysession`` cookie.

        Fails with `UnknownUser`, or with `sqlite3.Error` where the disk does.
        """
        return self._defer_to_thread(self._host.start_session, username).addCallback(
            self._codec.encode
        )

    def log_out(self, visitor: Identity | Anonymous) -> Deferred[None]:
        """End the visitor's session, as Galaxy's logout does; fails with `sqlite3.Error`."""
        return self._defer_to_thread(
            self._host.end_session, visitor.session_id, visitor.session_key
        )
