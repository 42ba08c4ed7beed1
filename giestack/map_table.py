"""Makes the table of a session map, before Galaxy does with its first interactive tool.

In PostgreSQL it gets a trigger, too, so that nobody has to wait for the next look at the table.
"""

import re
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from sqlalchemy import Connection

from giestack.database import BadDatabaseURL, DatabaseUnavailable, ask, open_engine
from giestack.routing.map_name import map_name
from giestack.routing.postgres import PostgresReader
from giestack.routing.rows import COLUMNS
from giestack.routing.source import MapTrouble
from giestack.settings.databases import database_url, sqlite_path
from giestack.settings.problems import Wrong

_SUFFIXES = (".sqlite", ".sqlite3", ".db")
_SECONDS = 4.0
_GALAXYS = "is Galaxy's own database: give the session map one of its own"


class CannotMake(Exception):
    """The table cannot be made; the text says where and why, in a line without secrets."""


def postgres_sql() -> str:
    """The SQL that makes table and trigger in PostgreSQL, as ``etc/gxitproxy.sql`` has it."""
    return files("giestack.routing").joinpath("gxitproxy.sql").read_text(encoding="utf-8")


def sqlite_sql() -> str:
    """The SQL that makes the table in SQLite: there is nothing to tell, the file is watched."""
    found = re.search(r"^CREATE TABLE .*?;\n", postgres_sql(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[0]


def make_map(location: str, folder: Path) -> str:
    """Make the table at a URL of Galaxy's ``interactivetoolsproxy_map``, or in an SQLite file.

    What is there already stays, but for the trigger, which is made anew. Relative paths start at
    ``folder``. Return in words what is there now; raise `CannotMake`.
    """
    path = _path(location)
    if path is None:
        return _in_postgres(database_url(location))
    return _in_sqlite(folder / path)


def sql_for(location: str) -> str:
    """The SQL that `make_map` would run; raise `CannotMake`."""
    return postgres_sql() if _path(location) is None else sqlite_sql()


def _path(location: str) -> str | None:
    """The file, or None for PostgreSQL."""
    if "://" not in location and location.endswith(_SUFFIXES):
        return location
    try:
        return sqlite_path(database_url(location))
    except Wrong as wrong:
        raise CannotMake(f"the URL {wrong}") from None


def _in_postgres(url: str) -> str:
    name = map_name(url)
    try:
        engine = open_engine(url, writes=True)
        try:
            ask(engine, _make)
        finally:
            engine.dispose()
    except MapTrouble as trouble:
        raise CannotMake(f"{name} {trouble}") from None
    except (BadDatabaseURL, DatabaseUnavailable) as error:
        raise CannotMake(f"{name}: {error}") from None
    return f"{name}: the table gxitproxy and its trigger are there"


def _make(connection: Connection) -> None:
    reader = PostgresReader()
    try:
        reader.look(connection)
    except MapTrouble as trouble:
        if not trouble.missing:
            raise
    # In the transaction of this connection, which limits how long it takes.
    statements = re.sub(r"^(?:BEGIN|COMMIT);\n", "", postgres_sql(), flags=re.MULTILINE)
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(statements)
    reader.look(connection)
    connection.commit()


def _in_sqlite(path: Path) -> str:
    try:
        with closing(sqlite3.connect(path, timeout=_SECONDS, isolation_level=None)) as connection:
            if _columns(connection, "galaxy_session"):
                raise CannotMake(f"{path} {_GALAXYS}")
            connection.execute(sqlite_sql())
            if not _columns(connection, "gxitproxy").issuperset(COLUMNS):
                raise CannotMake(f"{path} has a table gxitproxy without Galaxy's columns")
    except sqlite3.Error as error:
        raise CannotMake(f"{path}: {error}") from None
    return f"{path}: the table gxitproxy is there"


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    found = connection.execute("SELECT lower(name) FROM pragma_table_info(?)", (table,))
    return {name for (name,) in found}
