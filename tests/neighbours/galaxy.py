"""A Galaxy for tests with real processes: copies of its database and of its session map."""

import hashlib
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from giestack.demo.session_map import SessionMap
from tests.identity.galaxy_fixture import BY_NAME, CODEC, DATA, FIXTURE, SECRET
from tests.neighbours.program import CleanUp

PREFIX = "/interactivetool/ep"

ALICE = "user valid"
ALICE_ELSEWHERE = "user valid, second browser"
BOB = "ordinary login"
ADMIN = "admin valid"
LOGGED_OUT = "user logged out"
ANONYMOUS = "anonymous valid"

PLAIN = "alice running"
PATH_IN_HEADER = "alice path-based, header"
PATH_IN_URL = "alice path-based, path in url"
BOBS = "bob running"

_ADDED: dict[str, str] = {}
_ENTRIES = {entry["name"]: entry for entry in FIXTURE["entry_points"]}


def new_folder(test: CleanUp, prefix: str = "giestack-") -> Path:
    """A folder that goes with the test, its path short enough for UNIX sockets."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    test.addCleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


def cookie(case: str) -> str:
    """The value of the session cookie of a case, or of a user whom `Galaxy.add_user` has added."""
    if case in _ADDED:
        return _ADDED[case]
    value: str = BY_NAME[case]["cookie"]
    return value


def path_of(tool: str) -> str:
    """Where visitors find a tool; without a slash at the end."""
    return f"{PREFIX}/{_ENTRIES[tool]['key']}/{_ENTRIES[tool]['token']}"


def token_of(tool: str) -> str:
    """The secret in a tool's address."""
    token: str = _ENTRIES[tool]["token"]
    return token


class Galaxy:
    """Alice, bob and the others, in files of their own.

    :ivar folder: where the files are.
    :ivar id_secret: what cookies are encrypted with.
    :ivar database: the database's file.
    :ivar database_url: the same as Galaxy's ``database_connection``.
    :ivar map_file: the session map.
    """

    def __init__(self, test: CleanUp) -> None:
        self.folder = new_folder(test)
        self.id_secret: str = SECRET
        self.database = self.folder / "galaxy.sqlite"
        shutil.copyfile(DATA / "galaxy.sqlite", self.database)
        self.database_url = f"sqlite:///{self.database}"
        self.map_file = self.folder / "interactivetools_map.sqlite"
        self._map = SessionMap(self.map_file)

    def publish(self, tool: str, port: int) -> str:
        """Write into the session map where a tool listens, as Galaxy does; return its path."""
        entry = _ENTRIES[tool]
        self._map.save(entry["key"], entry["token"], "127.0.0.1", port, **entry["info"])
        return path_of(tool)

    def withdraw(self, tool: str) -> None:
        """Remove a tool from the session map."""
        self._map.remove(_ENTRIES[tool]["key"])

    def log_out(self, case: str) -> None:
        """End a session, as Galaxy's logout does."""
        with closing(self.connect()) as database, database:
            database.execute(
                "UPDATE galaxy_session SET is_valid = 0 WHERE id = ?",
                (BY_NAME[case]["session_id"],),
            )

    def add_user(self, name: str) -> str:
        """Have one more user, who is logged in; return the name, which `cookie` knows."""
        key = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        with closing(self.connect()) as database, database:
            user = database.execute(
                "INSERT INTO galaxy_user (email, username, password, external, deleted, purged,"
                " active, create_time, update_time) VALUES (?, ?, 'x', 0, 0, 0, 1, ?, ?)",
                (f"{name}@example.org", name, now, now),
            ).lastrowid
            database.execute(
                "INSERT INTO galaxy_session (user_id, session_key, is_valid, create_time,"
                " update_time, last_action) VALUES (?, ?, 1, ?, ?, ?)",
                (user, key, now, now, now),
            )
        _ADDED[name] = CODEC.encode(key)
        return name

    def connect(self) -> sqlite3.Connection:
        """A connection to the database, to change it or to lock it."""
        return sqlite3.connect(self.database)
