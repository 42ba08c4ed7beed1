"""A Galaxy's database for checks of it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from giestack.identity.cookie import CookieCodec
from tests.doctor.deployments import SECRET

CODEC = CookieCodec(SECRET)
KEY = "0123456789abcdef0123456789abcdef"

_TABLES = f"""
CREATE TABLE galaxy_user (
  id INTEGER PRIMARY KEY, email TEXT, username TEXT, deleted BOOLEAN, purged BOOLEAN,
  external BOOLEAN, active BOOLEAN);
CREATE TABLE galaxy_session (
  id INTEGER PRIMARY KEY, create_time TIMESTAMP, user_id INTEGER, session_key TEXT,
  is_valid BOOLEAN, prev_session_id INTEGER, last_action TIMESTAMP, current_history_id INTEGER);
CREATE TABLE job (id INTEGER PRIMARY KEY, user_id INTEGER, session_id INTEGER, state TEXT);
CREATE TABLE interactivetool_entry_point (
  id INTEGER PRIMARY KEY, job_id INTEGER, name TEXT, token TEXT, configured BOOLEAN,
  deleted BOOLEAN);
INSERT INTO galaxy_user VALUES (7, 'alice@example.org', 'alice', 0, 0, 0, 1);
INSERT INTO galaxy_session VALUES (3, '2026-01-01 00:00:00.0', 7, '{KEY}', 1, NULL, NULL, NULL);
INSERT INTO job VALUES (1, 7, 3, 'running'), (2, 7, 3, 'ok');
INSERT INTO interactivetool_entry_point VALUES (11, 1, 'a', 't', 1, 0), (12, 2, 'b', 't', 1, 0);
"""


def galaxy_database(path: Path, *more: str) -> str:
    """Make a database with alice, a running tool (11) and one that has ended (12); its URL."""
    with closing(sqlite3.connect(path)) as made:
        made.executescript(_TABLES)
        for statement in more:
            made.execute(statement)
        made.commit()
    return f"sqlite:///{path}"
