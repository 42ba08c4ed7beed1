"""Reading gxitproxy from real SQLite files."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing import sqlite as sqlite_module
from giestack.routing.formats import EntryPoint
from giestack.routing.source import MapTrouble, SourceRoutes
from giestack.routing.sqlite import SQLiteReader
from tests.routing.galaxy_map import (
    CREATE,
    CREATE_OLD,
    FIXTURE,
    INFO,
    TYPE,
    keys,
    remove,
    save,
    save_all,
)

# Dies in the middle of a transaction that is partly in the file already: a hot journal stays.
DIE_WHILE_WRITING = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 2")
connection.execute("BEGIN")
connection.execute("UPDATE gxitproxy SET port = 2")
os._exit(7)
"""

# Two rows are always written together; their ports are equal after each transaction.
WRITE_PAIRS = """
import sqlite3, sys
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = sqlite3.connect(path, isolation_level=None, timeout=60)
connection.execute("PRAGMA synchronous = OFF")
for port in range(1, count + 1):
    connection.execute("BEGIN IMMEDIATE")
    for key in (name + "1", name + "2"):
        connection.execute("DELETE FROM gxitproxy WHERE key = ?", (key,))
        connection.execute(
            "INSERT INTO gxitproxy VALUES (?, 'interactivetoolentrypoint', 't', 'h', ?, NULL)",
            (key, port),
        )
    connection.execute("COMMIT")
"""


class ReaderTestCase(SynchronousTestCase):
    def setUp(self):
        self.patch(sqlite_module, "_BUSY_TIMEOUT", 0.01)
        self.path = os.path.abspath(self.mktemp())
        self.reader = SQLiteReader(self.path)
        self.addCleanup(self.reader.close)

    def connect(self, path=None):
        connection = sqlite3.connect(path or self.path, isolation_level=None)
        self.addCleanup(connection.close)
        return connection

    def trouble(self, kind, missing=False):
        error = self.assertRaises(MapTrouble, self.reader.look)
        self.assertEqual((error.kind, error.missing), (kind, missing), str(error))

    def keys(self):
        return keys(self.reader.look())


class LookTests(ReaderTestCase):
    def test_galaxys_own_map(self):
        reader = SQLiteReader(str(FIXTURE))
        self.addCleanup(reader.close)
        reading = reader.look()
        self.assertEqual(
            reading.routes.entry_points,
            {
                key.encode(): EntryPoint(key, TYPE, token, Address("127.0.0.1", port), in_url, name)
                for key, token, port, in_url, name in (
                    ("3r3tktmrlsiv6", "ca0068bfc0ac", 40001, False, None),
                    ("1ymwmk1r49zi4", "c26ab9ff8d43", 40002, False, "X-My-Path"),
                    ("3mwo44siz5tsc", "665265b680ae", 40003, True, None),
                    ("35xad27v2k753", "3972f968a683", 40004, False, None),
                    ("2ec82rxf1ibew", "b5d6ee16bbc3", 40005, False, None),
                )
            },
        )
        self.assertEqual(reading.bad, {})

    def test_the_map_of_an_older_galaxy(self):
        row = ("f6c98f95c62e6f82", TYPE, "0123456789abcdef" * 2, "node7", 40001, None)
        save_all(self.connect(), [row], CREATE_OLD)
        entry_point = self.reader.look().routes.entry_points[b"f6c98f95c62e6f82"]
        self.assertEqual(entry_point.address, Address("node7", 40001))

    def test_nothing_new_is_not_read(self):
        save(self.path, "a")
        routes = self.reader.look().routes
        self.assertIs(self.reader.look().routes, routes)
        self.assertEqual(self.reader.reads, 1)

    def test_changes(self):
        save(self.path, "a")
        self.assertEqual(self.keys(), ["a"])
        save(self.path, "b")
        self.assertEqual(self.keys(), ["a", "b"])
        save(self.path, "b", port=5)
        self.assertEqual(self.reader.look().routes.entry_points[b"b"].address.port, 5)
        remove(self.path, "a")
        self.assertEqual(self.keys(), ["b"])
        remove(self.path, "b")
        self.assertEqual(self.keys(), [])

    def test_time_stamps_do_not_matter(self):
        save(self.path, "a", port=1)
        self.reader.look()
        before = os.stat(self.path)
        save(self.path, "a", port=2)
        os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        after = os.stat(self.path)
        self.assertEqual(
            (before.st_ino, before.st_size, before.st_mtime_ns),
            (after.st_ino, after.st_size, after.st_mtime_ns),
        )
        self.assertEqual(self.reader.look().routes.entry_points[b"a"].address.port, 2)

    def test_what_has_not_changed_stays_the_same_object(self):
        connection = self.connect()
        save_all(connection, [(f"k{n}", TYPE, "t", "h", 1, INFO) for n in range(10_000)])
        before = self.reader.look().routes.entry_points
        save(self.path, "k7", port=2)
        after = self.reader.look().routes.entry_points
        self.assertEqual([k for k in after if after[k] is not before[k]], [b"k7"])
        self.assertEqual(before[b"k7"].address.port, 1, "what was published does not change")

    def test_the_same_written_again_is_no_change(self):
        save(self.path, "a")
        save(self.path, "b")
        routes = self.reader.look().routes
        save(self.path, "a")
        self.assertIs(self.reader.look().routes, routes)
        self.assertEqual(self.reader.reads, 2)

    def test_reading_leaves_nothing_behind(self):
        folder = self.mktemp()
        os.mkdir(folder)
        path = os.path.abspath(os.path.join(folder, "map.sqlite"))
        save(path, "a")
        with open(path, "rb") as file:
            before = file.read()
        reader = SQLiteReader(path)
        reader.look()
        self.assertEqual(os.listdir(folder), ["map.sqlite"])
        reader.close()
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_odd_paths(self):
        folder = os.fsencode(os.path.abspath(self.mktemp()))
        os.mkdir(folder)
        for name in (b"a b?mode=rwc&x#y%2e%41.sqlite", "é;'\".sqlite".encode(), b"\xff\n.sqlite"):
            path = os.fsdecode(os.path.join(folder, name))
            save(path, "a")
            for spelled in (path, "/" + path, os.path.relpath(path)):
                reader = SQLiteReader(spelled)
                self.assertEqual(keys(reader.look()), ["a"])
                reader.close()
        self.assertEqual(len(os.listdir(folder)), 3)

    def test_a_closed_reader_looks_again(self):
        save(self.path, "a")
        routes = self.reader.look().routes
        self.reader.close()
        self.assertIs(self.reader.look().routes, routes)


class TroubleTests(ReaderTestCase):
    def test_a_missing_file(self):
        self.trouble("missing", missing=True)
        save(self.path, "a")
        self.assertEqual(self.keys(), ["a"])
        os.remove(self.path)
        self.trouble("missing", missing=True)
        save(self.path, "b")
        self.assertEqual(self.keys(), ["b"])

    def test_a_missing_table(self):
        open(self.path, "wb").close()
        self.trouble("empty", missing=True)
        self.connect().execute("CREATE TABLE other (x)")
        self.trouble("empty", missing=True)
        save(self.path, "a")
        self.assertEqual(self.keys(), ["a"])
        self.connect().execute("DROP TABLE gxitproxy")
        self.trouble("empty", missing=True)

    def test_another_table_of_that_name(self):
        self.connect().execute("CREATE TABLE gxitproxy (key TEXT, secret TEXT)")
        self.trouble("columns")

    def test_a_file_that_is_no_database(self):
        with open(self.path, "wb") as file:
            file.write(b"<html>" * 1000)
        self.trouble("corrupt")
        os.remove(self.path)
        save(self.path, "a")
        self.assertEqual(self.keys(), ["a"])

    def test_a_half_written_copy(self):
        other = self.path + ".other"
        connection = self.connect(other)
        save_all(connection, [(f"k{n}", TYPE, "t" * 20, "h", 1, INFO) for n in range(500)])
        save(self.path, "a")
        self.assertEqual(self.keys(), ["a"])
        with open(other, "rb") as file:
            whole = file.read()
        with open(self.path, "wb") as file:
            file.write(whole[: len(whole) // 2])
        self.trouble("corrupt")
        with open(self.path, "wb") as file:
            file.write(whole)
        self.assertEqual(len(self.keys()), 500)

    def test_a_replaced_file(self):
        save(self.path, "a")
        self.assertEqual(self.keys(), ["a"])
        other = self.path + ".other"
        save(other, "b")
        status = os.stat(self.path)
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(other, self.path)
        self.assertEqual(self.keys(), ["b"])
        save(self.path, "c")
        self.assertEqual(self.keys(), ["b", "c"])

    def test_another_file_copied_over_it(self):
        # Both have seen as many transactions: SQLite itself would trust its cache.
        other = self.path + ".other"
        save(self.path, "a")
        save(other, "b")
        self.assertEqual(self.keys(), ["a"])
        shutil.copyfile(other, self.path)
        self.assertEqual(self.keys(), ["b"])

    def test_a_locked_file(self):
        save(self.path, "a")
        self.assertEqual(self.keys(), ["a"])
        other = self.connect()
        other.execute("BEGIN EXCLUSIVE")
        self.trouble("locked")
        other.execute("UPDATE gxitproxy SET port = 2")
        self.trouble("locked")
        other.execute("COMMIT")
        self.assertEqual(self.reader.look().routes.entry_points[b"a"].address.port, 2)

    def test_a_writer_that_has_not_committed_is_not_in_the_way(self):
        save(self.path, "a")
        other = self.connect()
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM gxitproxy")
        self.assertEqual(self.keys(), ["a"])
        other.execute("COMMIT")
        self.assertEqual(self.keys(), [])

    def test_a_writer_that_died(self):
        connection = self.connect()
        save_all(connection, [(f"k{n}", TYPE, "t" * 20, "h", 1, INFO) for n in range(500)])
        connection.close()
        dead = subprocess.run([sys.executable, "-c", DIE_WHILE_WRITING, self.path], check=False)
        self.assertEqual(dead.returncode, 7)
        self.trouble("unfinished")
        save(self.path, "k0", port=3)
        ports = {e.address.port for e in self.reader.look().routes.entry_points.values()}
        self.assertEqual(ports, {1, 3}, "nothing of the lost transaction")

    def test_a_file_that_cannot_be_opened(self):
        with closing(socket.socket(socket.AF_UNIX)) as listening:
            # Relative, as a socket's path has at most 107 bytes.
            listening.bind(os.path.relpath(self.path))
            self.trouble("unreadable")

    def test_a_path_that_leads_nowhere(self):
        os.symlink(self.path, self.path)
        self.trouble("unreadable")

    def test_a_path_that_may_not_be_looked_at(self):
        def stat(path):
            raise PermissionError(13, "Permission denied", path)

        self.patch(os, "stat", stat)
        self.trouble("unreadable")

    def test_no_file(self):
        os.mkdir(self.path)
        self.trouble("unreadable")
        os.rmdir(self.path)
        save(self.path, "a")
        self.assertEqual(self.keys(), ["a"])
        os.remove(self.path)
        # Whoever opens a pipe would wait for somebody to write.
        os.mkfifo(self.path)
        self.trouble("unreadable")
        os.remove(self.path)
        save(self.path, "b")
        self.assertEqual(self.keys(), ["b"])

    def test_what_looks_like_a_table_and_has_no_end(self):
        connection = self.connect()
        connection.execute(
            "CREATE VIEW gxitproxy AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
            "FROM n) SELECT 'k' || x AS key, '' AS key_type, 't' AS token, 'h' AS host, 1 AS port, "
            "'' AS info, x AS rowid FROM n LIMIT 5"
        )
        self.trouble("columns")
        connection.execute("DROP VIEW gxitproxy")
        save(self.path, "a")
        self.assertEqual(self.keys(), ["a"])

    def test_a_text_without_end(self):
        self.patch(sqlite_module, "LONGEST_TEXT", 1000)
        save(self.path, "a")
        self.assertEqual(self.keys(), ["a"])
        self.connect().execute("UPDATE gxitproxy SET info = hex(zeroblob(1000))")
        self.trouble("too-large")
        self.connect().execute("UPDATE gxitproxy SET info = NULL")
        self.assertEqual(self.keys(), ["a"])

    def test_too_many_rows(self):
        self.patch(sqlite_module, "MOST_ROWS", 2)
        save(self.path, "a")
        save(self.path, "b")
        self.assertEqual(self.keys(), ["a", "b"])
        save(self.path, "c")
        self.trouble("too-large")


class WriteAheadLogTests(ReaderTestCase):
    def test_changes_are_seen_when_committed(self):
        writer = self.connect()
        writer.execute("PRAGMA journal_mode = WAL")
        save_all(writer, [("a", TYPE, "t", "h", 1, None)])
        self.assertEqual(self.keys(), ["a"])
        writer.execute("BEGIN")
        writer.execute("UPDATE gxitproxy SET port = 2")
        routes = self.reader.look().routes
        self.assertEqual(routes.entry_points[b"a"].address.port, 1)
        writer.execute("COMMIT")
        self.assertEqual(self.reader.look().routes.entry_points[b"a"].address.port, 2)
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer.close()
        save(self.path, "b")
        self.assertEqual(self.keys(), ["a", "b"])


class BadRowTests(ReaderTestCase):
    def test_bad_rows_are_left_out(self):
        connection = self.connect()
        connection.execute(CREATE)
        insert = "INSERT INTO gxitproxy VALUES (?, ?, ?, ?, ?, ?)"
        rows = [
            ("good", TYPE, "s3cret", "h", 1, None),
            ("a/b", TYPE, "s3cret", "h", 1, None),
            ("noport", TYPE, "s3cret", "h", None, None),
            ("n" * 99, TYPE, "s3cret", "a b", 1, None),
            ("notoken", TYPE, "s3cret!", "h", 1, None),
            (b"\0", TYPE, "s3cret", "h", 1, None),
        ]
        connection.executemany(insert, rows)
        latin = "INSERT INTO gxitproxy VALUES ('latin', ?, ?, CAST(x'E9' AS TEXT), 1, NULL)"
        connection.execute(latin, (TYPE, "s3cret"))
        reading = self.reader.look()
        self.assertEqual(keys(reading), ["good"])
        self.assertEqual(
            set(reading.bad), {"a/b", "noport", "n" * 40, "notoken", "(bytes)", "latin"}
        )
        self.assertNotIn("s3cret", repr(reading))

    def test_a_row_may_get_better(self):
        save(self.path, "a", port=0)
        self.assertEqual(list(self.reader.look().bad), ["a"])
        save(self.path, "b")
        self.assertEqual(list(self.reader.look().bad), ["a"])
        save(self.path, "a", port=1)
        reading = self.reader.look()
        self.assertEqual((keys(reading), reading.bad), (["a", "b"], {}))

    def test_of_two_rows_with_one_key_the_newer_counts(self):
        save(self.path, "a", port=1, key_type="z")
        save(self.path, "a", port=2, key_type="b")
        reading = self.reader.look()
        self.assertEqual(reading.routes.entry_points[b"a"].address.port, 2)
        self.assertEqual(list(reading.bad), ["a"])


class OldTablesTests(ReaderTestCase):
    """The tables of Galaxy's Interactive Environments, as Galaxy made and wrote them."""

    COOKIE = "c6ca0ddb55be603a" * 5
    OTHER = "0123456789abcdef" * 5
    CREATE_2 = (
        "CREATE TABLE gxproxy2 (key text PRIMARY KEY, host text, port integer, "
        "container_ids text, container_interface text)"
    )
    CREATE_1 = "CREATE TABLE gxproxy (key text PRIMARY_KEY, secret text)"

    def put(self, key, port):
        connection = self.connect()
        connection.execute("DELETE FROM gxproxy2 WHERE key = ?", (key,))
        row = (key, "localhost", port, '["abc"]', None)
        connection.execute("INSERT INTO gxproxy2 VALUES (?, ?, ?, ?, ?)", row)

    def ports(self):
        environments = self.reader.look().routes.environments or ()
        return [(e.cookie, e.address and e.address.port) for e in environments]

    def test_gxproxy2(self):
        self.connect().execute(self.CREATE_2)
        self.assertEqual(self.reader.look().routes, SourceRoutes({}, ()))
        self.put(self.COOKIE, -8888)
        self.assertEqual(self.ports(), [(self.COOKIE, None)])
        self.connect().execute("UPDATE gxproxy2 SET host = 'localhost', port = 32768")
        self.assertEqual(self.ports(), [(self.COOKIE, 32768)])
        self.put(self.OTHER, 1)
        self.put(self.COOKIE, 32769)
        self.assertEqual(self.ports(), [(self.OTHER, 1), (self.COOKIE, 32769)])

    def test_gxproxy_where_nothing_is_unique(self):
        connection = self.connect()
        connection.execute(self.CREATE_1)
        for port, cookie in ((1, self.COOKIE), (2, self.OTHER), (3, self.COOKIE)):
            connection.execute("INSERT INTO gxproxy VALUES (?, ?)", (f"h:{port}", cookie))
        self.assertEqual(self.ports(), [(self.OTHER, 2), (self.COOKIE, 3)])

    def test_all_tables_of_a_file(self):
        connection = self.connect()
        connection.execute(self.CREATE_1)
        connection.execute("INSERT INTO gxproxy VALUES ('h:1', ?)", (self.COOKIE,))
        connection.execute(self.CREATE_2)
        self.put(self.COOKIE, 2)
        save(self.path, "a")
        self.assertEqual((self.keys(), self.ports()), (["a"], [(self.COOKIE, 2)]))
        routes = self.reader.look().routes
        self.put(self.COOKIE, 2)
        self.assertIs(self.reader.look().routes, routes)

    def test_bad_rows_say_no_cookie(self):
        self.connect().execute(self.CREATE_2)
        self.put(self.COOKIE, 0)
        self.put(None, 1)
        save(self.path, "a/b")
        bad = self.reader.look().bad
        self.assertEqual(set(bad), {"a/b", "gxproxy2 1", "gxproxy2 2"})
        self.assertNotIn(self.COOKIE[:8], repr(bad))

    def test_another_table_of_that_name(self):
        self.connect().execute("CREATE TABLE gxproxy2 (key text, secret text)")
        self.trouble("columns")


class BusyWritersTests(ReaderTestCase):
    COUNT = 150

    def write_and_look(self, *journal):
        self.patch(sqlite_module, "_BUSY_TIMEOUT", 5.0)
        connection = self.connect()
        for pragma in journal:
            connection.execute(pragma)
        connection.execute(CREATE)
        arguments = [sys.executable, "-c", WRITE_PAIRS, self.path]
        processes = [subprocess.Popen([*arguments, name, str(self.COUNT)]) for name in ("a", "b")]
        thread = Thread(target=self.write_in_a_thread)
        thread.start()
        before = dict.fromkeys("abc", 0)
        while thread.is_alive() or any(process.poll() is None for process in processes):
            before = self.look_at_pairs(before)
        thread.join()
        self.assertEqual([process.returncode for process in processes], [0, 0])
        self.assertEqual(self.look_at_pairs(before), dict.fromkeys("abc", self.COUNT))

    def write_in_a_thread(self):
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=60)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            for port in range(1, self.COUNT + 1):
                connection.execute("BEGIN IMMEDIATE")
                for key in ("c1", "c2"):
                    connection.execute(
                        "INSERT OR REPLACE INTO gxitproxy VALUES (?, ?, 't', 'h', ?, NULL)",
                        (key, TYPE, port),
                    )
                connection.execute("COMMIT")

    def look_at_pairs(self, before):
        reading = self.reader.look()
        self.assertEqual(reading.bad, {})
        ports = {k.decode(): e.address.port for k, e in reading.routes.entry_points.items()}
        seen = {}
        for name in "abc":
            self.assertEqual(ports.get(f"{name}1", 0), ports.get(f"{name}2", 0))
            seen[name] = ports.get(f"{name}1", 0)
            self.assertGreaterEqual(seen[name], before[name])
        return seen

    def test_rollback_journal(self):
        self.write_and_look()

    def test_write_ahead_log(self):
        self.write_and_look("PRAGMA journal_mode = WAL")
