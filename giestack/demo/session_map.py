"""A session map for interactive tools, written as Galaxy 24.2 and later write it.

That is ``InteractiveToolPropagatorSQLAlchemy``: one transaction that makes the table where it
is missing, deletes a row with the same key and inserts the new one. Galaxy up to 24.1 also
takes a lock file, later ones leave that to SQLite.
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

KEY_TYPE = "interactivetoolentrypoint"

_CREATE = """
CREATE TABLE IF NOT EXISTS gxitproxy (
    "key" VARCHAR(16) NOT NULL, key_type TEXT NOT NULL, token VARCHAR(32), host TEXT,
    port INTEGER, info TEXT, PRIMARY KEY ("key", key_type)
)
"""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_BUSY_SECONDS = 2.0


def new_token() -> str:
    """Return a token as Galaxy 23.2 and later make it: 64 random bits in base 36."""
    value = secrets.randbits(64)
    digits = ""
    while value or not digits:
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
    return digits


class SessionMap:
    """An SQLite file with the table ``gxitproxy``; every method waits for the disk.

    They raise `sqlite3.Error` or OSError. File and table are made with the first row.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(
        self,
        key: str,
        token: str,
        host: str,
        port: int,
        *,
        requires_path_in_url: bool = False,
        requires_path_in_header_named: str | None = None,
    ) -> None:
        """Write an entry point's row in the place of an older one with this key.

        ``key`` is the entry point's id as `CookieCodec.entry_point_key` gives it.
        """
        info = {
            "requires_path_in_url": requires_path_in_url,
            "requires_path_in_header_named": requires_path_in_header_named,
        }
        # Tokens are secrets: the file is this user's alone from the beginning.
        os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        with self._transaction() as database:
            database.execute(_CREATE)
            self._delete(database, key)
            database.execute(
                'INSERT INTO gxitproxy ("key", key_type, token, host, port, info) '
                "VALUES (?, ?, ?, ?, ?, ?)",
                (key, KEY_TYPE, token, host, port, json.dumps(info)),
            )

    def remove(self, key: str) -> None:
        """Remove an entry point's row; one that is not there is no error."""
        if self._path.exists():
            with self._transaction() as database:
                database.execute(_CREATE)
                self._delete(database, key)

    def clear(self) -> None:
        """Remove all rows, those that a killed demo has left."""
        if self._path.exists():
            with self._transaction() as database:
                database.execute(_CREATE)
                database.execute("DELETE FROM gxitproxy")

    def _delete(self, database: sqlite3.Connection, key: str) -> None:
        database.execute('DELETE FROM gxitproxy WHERE "key" = ? AND key_type = ?', (key, KEY_TYPE))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, _BUSY_SECONDS, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
