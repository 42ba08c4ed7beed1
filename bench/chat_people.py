"""Thousands of people with sessions at a Galaxy."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.galaxy import Galaxy
from giestack.identity.cookie import CookieCodec

_FIRST = 1_000_000
"""Ids that the test data does not have."""

_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


class People:
    """As many people as are wanted, each with a session, added to a Galaxy's database.

    :ivar cookies: a file with the values of their cookies, one in a line.
    :ivar sessions: a file with the same and, after a space, their names.
    """

    def __init__(self, galaxy: Galaxy, folder: Path, count: int) -> None:
        codec = CookieCodec(galaxy.id_secret)
        keys = [f"{number:032x}" for number in range(_FIRST, _FIRST + count)]
        _insert(galaxy.database, keys)
        cookies = [codec.encode(key) for key in keys]
        self.cookies = folder / "cookies"
        self.cookies.write_text("".join(f"{cookie}\n" for cookie in cookies), encoding="ascii")
        self.sessions = folder / "sessions"
        named = (f"{cookie} {_name(number)}\n" for number, cookie in enumerate(cookies))
        self.sessions.write_text("".join(named), encoding="ascii")


def _insert(database: Path, keys: Sequence[str]) -> None:
    users = [
        (_FIRST + number, f"{_name(number)}@example.org", _name(number))
        for number in range(len(keys))
    ]
    sessions = [(_FIRST + number, _FIRST + number, key) for number, key in enumerate(keys)]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO galaxy_user (id, create_time, update_time, email, username, password, "
            f"external, deleted, purged, active) VALUES (?, {_NOW}, {_NOW}, ?, ?, '*', 0, 0, 0, 1)",
            users,
        )
        connection.executemany(
            "INSERT INTO galaxy_session (id, create_time, update_time, user_id, remote_addr, "
            f"session_key, is_valid, last_action) VALUES (?, {_NOW}, {_NOW}, ?, '127.0.0.1', ?, 1, "
            f"{_NOW})",
            sessions,
        )


def _name(number: int) -> str:
    return f"person-{number}"
