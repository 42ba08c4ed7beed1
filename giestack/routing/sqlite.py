"""Galaxy's session maps in an SQLite file, read when it has changed.

One file may hold several: the table ``gxitproxy`` of interactive tools, ``gxproxy2`` and
``gxproxy`` of the Interactive Environments before them. All that are there are read.

Whether there is something new is asked of SQLite, over a connection that is kept open:
``PRAGMA data_version`` costs microseconds, tells every commit of others in rollback-journal
mode (Galaxy's) and in WAL mode, and asks the file itself, so it depends neither on the
granularity of time stamps nor on how long a network file system caches them. It cannot see that
the path leads to another file now; a ``stat`` before it does.
"""

import os
import sqlite3
import stat
from collections.abc import Iterable
from urllib.parse import quote

from giestack.routing.cookie_rows import TABLES, CookieRowParser
from giestack.routing.rows import COLUMNS, Row, RowParser
from giestack.routing.source import NO_FILE, MapTrouble, Reading, SourceRoutes

LONGEST_TEXT = 16 * 1024 * 1024
"""Bytes of one row that are read; where one is longer, none is."""

MOST_ROWS = 1_000_000
"""Rows of a table that are read; where it has more, none is."""

_TABLES = {"gxitproxy": COLUMNS} | {table.name: table.columns for table in TABLES}
_TABLES_TOLD = 8
# Longer than a commit takes; short, because a thread waits for it.
_BUSY_TIMEOUT = 0.25

_TROUBLES = {
    sqlite3.SQLITE_BUSY: ("locked", "is locked by another program"),
    sqlite3.SQLITE_LOCKED: ("locked", "is locked by another program"),
    sqlite3.SQLITE_NOTADB: ("corrupt", "is no SQLite database"),
    sqlite3.SQLITE_CORRUPT: ("corrupt", "is a damaged SQLite database"),
    sqlite3.SQLITE_TOOBIG: ("too-large", f"has a row of more than {LONGEST_TEXT >> 20} MiB"),
    sqlite3.SQLITE_READONLY: (
        "unfinished",
        "holds a write that was cut off: the next program that writes to it repairs it",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "unreadable",
        "cannot be opened (in WAL mode its folder has to be writable)",
    ),
}


class SQLiteReader:
    """A `giestack.routing.source.Reader` of one file.

    :ivar reads: how often the whole map was read.
    """

    def __init__(self, path: str) -> None:
        self.reads = 0
        self._path = os.path.abspath(path)
        self._connection: sqlite3.Connection | None = None
        self._seen: tuple[int, ...] = ()
        self._version = 0
        self._rows = RowParser()
        self._cookie_rows = CookieRowParser()
        self._reading: Reading | None = None

    def look(self) -> Reading:
        """Return what the map holds; the routes are the same object while nothing has changed.

        Raise `MapTrouble`.
        """
        try:
            return self._look()
        except FileNotFoundError:
            self.close()
            raise MapTrouble("missing", "is not there", missing=True) from None
        except OSError as error:
            self.close()
            raise MapTrouble("unreadable", f"cannot be read: {error.strerror}") from None
        except sqlite3.Error as error:
            self.close()
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            raise MapTrouble(*_TROUBLES.get(code, ("error", f"cannot be read: {error}"))) from None
        except MapTrouble:
            self.close()
            raise

    def close(self) -> None:
        """Close the file. The next look opens it and reads everything."""
        connection, self._connection, self._seen = self._connection, None, ()
        if connection is not None:
            connection.close()

    def _look(self) -> Reading:
        status = os.stat(self._path)
        if not stat.S_ISREG(status.st_mode):
            # SQLite would wait for somebody to write into a pipe.
            raise MapTrouble("unreadable", NO_FILE)
        seen = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if seen != self._seen:
            # Perhaps another file, perhaps one copied over this: nothing cached may be believed.
            self.close()
        if self._connection is None:
            self._connection = _connect(self._path)
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if seen == self._seen and version == self._version and self._reading is not None:
            return self._reading
        self._reading = reading = self._read(self._connection)
        # As of before the read: a commit in between is looked at once more.
        self._seen, self._version = seen, version
        return reading

    def _read(self, connection: sqlite3.Connection) -> Reading:
        self.reads += 1
        rows = {
            name: _rows(connection, name, columns)
            for name, columns in _TABLES.items()
            if _is_there(connection, name, columns)
        }
        if not rows:
            raise MapTrouble("empty", _without_map(connection), missing=True)
        reading = self._rows.parse(rows.pop("gxitproxy", ()))
        if not rows:
            return reading
        environments, bad = self._cookie_rows.parse(rows)
        routes = SourceRoutes(reading.routes.entry_points, environments)
        if self._reading is not None and routes == self._reading.routes:
            routes = self._reading.routes
        return Reading(routes, {**reading.bad, **bad})


def _is_there(connection: sqlite3.Connection, table: str, columns: Iterable[str]) -> bool:
    found = connection.execute("SELECT rootpage FROM sqlite_master WHERE lower(name) = ?", (table,))
    pages = [page for (page,) in found.fetchall()]
    if not pages:
        return False
    if pages == [0]:
        # What a view or a virtual table does is up to whoever made it, and may have no end.
        raise MapTrouble("columns", f"has a view {table} in the place of Galaxy's table")
    info = connection.execute("SELECT lower(name) FROM pragma_table_info(?)", (table,))
    if not {name for (name,) in info.fetchall()}.issuperset(columns):
        raise MapTrouble("columns", f"has a table {table} without Galaxy's columns")
    return True


def _rows(connection: sqlite3.Connection, table: str, columns: Iterable[str]) -> list[Row]:
    """All rows in the order of writing: of two with one key the newer one counts."""
    names = ", ".join(f'"{name}"' for name in columns)
    rows = connection.execute(
        f"SELECT {names} FROM {table} ORDER BY rowid LIMIT {MOST_ROWS + 1}"
    ).fetchall()
    if len(rows) > MOST_ROWS:
        raise MapTrouble("too-large", f"has more than {MOST_ROWS} rows in {table}")
    return rows


def _without_map(connection: sqlite3.Connection) -> str:
    """What is there instead, in words."""
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
    )
    names = [ascii(str(name)[:40])[1:-1] for (name,) in found.fetchall()]
    text = "has none of the tables gxitproxy, gxproxy2 and gxproxy"
    if not names:
        return text
    more = f" and {len(names) - _TABLES_TOLD} more" if len(names) > _TABLES_TOLD else ""
    return f"{text}; it holds {', '.join(names[:_TABLES_TOLD])}{more}"


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file://{quote(os.fsencode(path))}?mode=ro",
        uri=True,
        timeout=_BUSY_TIMEOUT,
        isolation_level=None,
        # One look at a time, but in whichever thread of the pool is free.
        check_same_thread=False,
    )
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_TEXT)
    # One text that is no UTF-8 must not cost the whole table: its row is refused.
    connection.text_factory = _text
    return connection


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
