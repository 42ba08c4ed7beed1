"""Connections to the chat's database: some that read, and one that writes.

The chat's SQLite file is its own, so that its connections are kept and it has a write-ahead log:
readers and the writer don't wait for each other. ``synchronous=FULL`` makes a commit mean that
it is on the disk.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import URL, Connection, Engine, create_engine, event

from giestack.chat.store.words_index import FTS5, TSVector, WordsIndex
from giestack.database import THREADS, engine_url, open_engine

_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # What was deleted leaves no traces in the file.
    "secure_delete = ON",
)


@dataclass(frozen=True)
class Engines:
    """Both kinds of connections to one database.

    :ivar words: how messages are found in it.
    :ivar path: its file, where it is one.
    """

    write: Engine
    read: Engine
    words: WordsIndex
    path: Path | None = None

    def dispose(self) -> None:
        """Close all connections that are not in use."""
        self.read.dispose()
        self.write.dispose()


def open_engines(url: str) -> Engines:
    """Return engines for ``sqlite:////path`` or ``postgresql://…``; nothing is opened yet.

    :raises BadDatabaseURL: where the URL is none of these, or the driver is missing.
    """
    parsed = engine_url(url)
    if parsed.drivername != "sqlite":
        return Engines(open_engine(parsed, writes=True), open_engine(parsed), TSVector())
    # The URL names its file as a URI.
    path = Path(unquote((parsed.database or "").removeprefix("file:")))
    opened = parsed.update_query_dict({"mode": "rw"})
    return Engines(
        _sqlite(opened, "BEGIN IMMEDIATE", _PRAGMAS),
        _sqlite(opened, "BEGIN", (*_PRAGMAS, "query_only = ON")),
        FTS5(),
        path,
    )


def _sqlite(url: URL, begin: str, pragmas: tuple[str, ...]) -> Engine:
    engine = create_engine(url, pool_size=THREADS, max_overflow=0, hide_parameters=True)
    event.listen(engine, "connect", _with(pragmas))
    event.listen(engine, "begin", _beginning(begin))
    return engine


def _with(pragmas: tuple[str, ...]) -> Callable[[Any, object], None]:
    def connected(connection: Any, record: object) -> None:
        # Otherwise the driver begins transactions, and only before the first write.
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    return connected


def _beginning(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin


def make_file(path: Path) -> None:
    """Make an empty file that nobody else may read, if there is none. Raises OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def back_up(path: Path, copy: Path) -> None:
    """Copy a SQLite file as it is now, also while it is in use. Raises OSError, sqlite3.Error."""
    unfinished = copy.with_name(copy.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    make_file(unfinished)
    with closing(sqlite3.connect(path)) as there, closing(sqlite3.connect(unfinished)) as here:
        there.backup(here)
    with open(unfinished, "rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(copy)
