"""Rewrites a session map every second: ``python -m bench.map_writer MAP TABLE ROWS``.

All rows change each time, in one transaction, which is more than any Galaxy does.
"""

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

TABLES = {
    "gxitproxy": (
        'CREATE TABLE IF NOT EXISTS gxitproxy ("key" VARCHAR(16) NOT NULL, key_type TEXT NOT NULL,'
        ' token VARCHAR(32), host TEXT, port INTEGER, info TEXT, PRIMARY KEY ("key", key_type))'
    ),
    "gxproxy2": (
        'CREATE TABLE IF NOT EXISTS gxproxy2 ("key" TEXT PRIMARY KEY, host TEXT, port INTEGER,'
        " container_ids TEXT, container_interface TEXT)"
    ),
}
_INFO = '{"requires_path_in_url": false, "requires_path_in_header_named": null}'


def rows(table: str, count: int, turn: int) -> Iterator[tuple[object, ...]]:
    """So many rows of a table, other ones for each turn."""
    for number in range(count):
        port = 1024 + (number + turn) % 60_000
        if table == "gxitproxy":
            key = f"bench{number:06d}"
            yield key, "interactivetoolentrypoint", f"token{number:06d}", "127.0.0.1", port, _INFO
        else:
            yield f"{number:080x}", "127.0.0.1", port, "[]", None


def write(path: Path, table: str, count: int, turn: int) -> None:
    """Write that many rows over those of the last turn."""
    with closing(sqlite3.connect(path, timeout=10)) as database, database:
        database.execute(TABLES[table])
        columns = ", ".join("?" * (6 if table == "gxitproxy" else 5))
        # The same as Galaxy's DELETE and INSERT, in the words of SQLite.
        database.executemany(
            f"INSERT OR REPLACE INTO {table} VALUES ({columns})", rows(table, count, turn)
        )


def main() -> None:
    path, table, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    turn = 0
    while True:
        turn += 1
        began = time.monotonic()
        write(path, table, count, turn)
        time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
