"""A database made by Galaxy 26.1's own model, as SQLite file and copied into PostgreSQL."""

import json
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

from psycopg import sql

from giestack.identity.cookie import CookieCodec, MalformedCookie
from giestack.identity.rules import GalaxyPolicy
from tests.neighbours.postgres import postgres

DATA = Path(__file__).parents[1] / "data" / "galaxy"
FIXTURE = json.loads((DATA / "galaxy.sqlite.json").read_text(encoding="utf-8"))
CASES = FIXTURE["cases"]
BY_NAME = {case["case"]: case for case in CASES}
SECRET = FIXTURE["meta"]["id_secret"]
CODEC = CookieCodec(SECRET)
POLICY = GalaxyPolicy(admin_users=frozenset(FIXTURE["meta"]["admin_users"].split(",")))
# The ages that the cases speak of are counted from the moment the file was made.
NOW = datetime.fromisoformat(FIXTURE["meta"]["created_utc"])

TABLES = ("galaxy_user", "galaxy_session", "job", "interactivetool_entry_point", "api_keys")
_POSTGRESQL_TYPES = {"DATETIME": "timestamp", "BLOB": "json", "BOOLEAN": "boolean"}


def cookie_of(name):
    """The cookie of a case, as it stands in a request."""
    return BY_NAME[name]["cookie"].encode()


def key_of(name):
    """The session key behind the cookie of a case; None where it does not decode."""
    try:
        return CODEC.decode(cookie_of(name))
    except MalformedCookie:
        return None


def sqlite_copy(test):
    """Copy the SQLite database for a test that changes it; return its path."""
    path = Path(test.mktemp()).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(DATA / "galaxy.sqlite", path)
    return path


def postgres_copy(test):
    """Copy the fixture into a PostgreSQL database for a test; return its name."""
    server = postgres()
    name = server.new_database(test)
    source = sqlite3.connect(f"file:{DATA / 'galaxy.sqlite'}?mode=ro", uri=True)
    with server.connect(name) as target:
        for table in TABLES:
            _copy_table(source, target, table)
    source.close()
    return name


def _copy_table(source, target, table):
    columns = [
        (name, _POSTGRESQL_TYPES.get(kind, kind), " PRIMARY KEY" if key else "")
        for _, name, kind, _, _, key in source.execute(f"PRAGMA table_info({table})")
    ]
    target.execute(
        sql.SQL("CREATE TABLE {} ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(
                sql.SQL("{} " + kind + key).format(sql.Identifier(name))
                for name, kind, key in columns
            ),
        )
    )
    copy = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
    with target.cursor().copy(copy) as rows:
        for row in source.execute(f"SELECT * FROM {table}"):
            rows.write_row(
                tuple(
                    value
                    if value is None
                    else bool(value)
                    if kind == "boolean"
                    else value.decode()
                    if isinstance(value, bytes)
                    else value
                    for value, (_, kind, _) in zip(row, columns, strict=True)
                )
            )
