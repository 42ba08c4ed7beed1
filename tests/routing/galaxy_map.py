"""Writes session maps in the way Galaxy does."""

import sqlite3
from contextlib import closing
from pathlib import Path

FIXTURE = Path(__file__).parent.parent / "data" / "galaxy" / "interactivetools_map.sqlite"
TYPE = "interactivetoolentrypoint"
INFO = '{"requires_path_in_url": false, "requires_path_in_header_named": null}'

CREATE = """CREATE TABLE IF NOT EXISTS gxitproxy (
 "key" VARCHAR(16) NOT NULL, key_type TEXT NOT NULL,
 token VARCHAR(32), host TEXT, port INTEGER, info TEXT, PRIMARY KEY ("key", key_type))"""
# Galaxy ≤ 24.1 has no types but TEXT.
CREATE_OLD = CREATE.replace("INTEGER", "TEXT")


def save(path, key, token="t0ken", host="127.0.0.1", port=40001, info=INFO, key_type=TYPE):
    """Write one row as Galaxy ≥ 24.2 does: everything in one transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        save_all(connection, [(key, key_type, token, host, port, info)])


def save_all(connection, rows, create=CREATE):
    """Write rows in one transaction."""
    connection.execute("BEGIN")
    connection.execute(create)
    for row in rows:
        connection.execute('DELETE FROM gxitproxy WHERE "key" = ? AND key_type = ?', row[:2])
        connection.execute("INSERT INTO gxitproxy VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.execute("COMMIT")


def remove(path, key, key_type=TYPE):
    """Remove one row, as Galaxy does when a tool ends."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            'DELETE FROM gxitproxy WHERE "key" = ? AND key_type = ?', (key, key_type)
        )


def keys(reading_or_routes):
    """Return the keys of a Reading or SourceRoutes, sorted."""
    routes = getattr(reading_or_routes, "routes", reading_or_routes)
    return sorted(key.decode() for key in routes.entry_points)
