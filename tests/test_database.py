"""Database URLs, and calls in threads against SQLite files and a real PostgreSQL."""

import socket
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import cast
from unittest import mock

import psycopg
from sqlalchemy import text
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import (
    THREADS,
    BadDatabaseURL,
    Database,
    DatabaseBusy,
    DatabaseUnavailable,
    ask,
    engine_url,
    open_engine,
)
from tests.neighbours.postgres import postgres
from tests.threaded_clock import ThreadedClock


def value_of(connection, statement):
    return connection.execute(text(statement)).scalar_one()


def sqlite_file(test):
    path = Path(test.mktemp()).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE number (value)")
        connection.execute("INSERT INTO number VALUES (42)")
        connection.commit()
    return path


class EngineURLTests(SynchronousTestCase):
    """The forms of Galaxy's ``database_connection``."""

    def test_postgresql(self):
        for scheme in (
            "postgresql",
            "postgresql+psycopg2",
            "postgresql+psycopg",
            "postgresql+asyncpg",
            "postgres",
            "PostgreSQL",
        ):
            url = engine_url(f"{scheme}://u:p%40ss@h:5433/db?sslmode=require")
            self.assertEqual(url.drivername, "postgresql+psycopg")
            self.assertEqual((url.username, url.password, url.host), ("u", "p@ss", "h"))
            self.assertEqual((url.port, url.database), (5433, "db"))
            self.assertEqual(dict(url.query), {"sslmode": "require"})

    def test_postgresql_socket(self):
        url = engine_url("postgresql:///galaxy?host=/var/run/postgresql")
        self.assertEqual((url.host, url.database), (None, "galaxy"))
        self.assertEqual(dict(url.query), {"host": "/var/run/postgresql"})

    def test_sqlite(self):
        """Read-only, not waiting long for a writer, and the query dropped."""
        for given, name in (
            ("sqlite:///database/universe.sqlite", "file:database/universe.sqlite"),
            (
                "sqlite:////srv/universe.sqlite?isolation_level=IMMEDIATE",
                "file:/srv/universe.sqlite",
            ),
            ("sqlite+pysqlite:////srv/a", "file:/srv/a"),
            ("sqlite:////srv/odd #%20 name", "file:/srv/odd%20%23%2520%20name"),
        ):
            url = engine_url(given)
            self.assertEqual((url.drivername, url.database), ("sqlite", name))
            self.assertEqual(dict(url.query), {"mode": "ro", "uri": "true", "timeout": "2.0"})

    def test_odd_file_name(self):
        path = sqlite_file(self)
        path = path.rename(path.with_name("odd #%20 näme"))
        engine = open_engine(f"sqlite:///{path}")
        self.assertEqual(ask(engine, value_of, "SELECT value FROM number"), 42)

    def test_unusable(self):
        for url, words in (
            ("mysql://u:geheim@h/db", "mysql databases are not supported"),
            ("mysql+pymysql://u:geheim@h/db", "mysql databases are not supported"),
            ("oracle://u:geheim@h/db", "oracle databases are not supported"),
            ("u:geheim@h/db", "not supported"),
            ("", "not supported"),
            ("geheim", "not supported"),
            ("postgresql", "not a database URL"),
            ("postgresql://u:geheim@h:port/db", "not a database URL"),
            ("postgresql://u:ge@heim@h/db", "%40"),
            ("sqlite://", "must name a file"),
            ("sqlite:///", "must name a file"),
            ("sqlite:///:memory:", "must name a file"),
            ("sqlite:///file:x?uri=true", "must name a file"),
            ("sqlite://galaxy.sqlite", "three slashes"),
            ("sqlite:galaxy.sqlite", "three slashes"),
        ):
            error = self.assertRaises(BadDatabaseURL, engine_url, url)
            self.assertIn(words, str(error))
            self.assertNotIn("heim", str(error))

    def test_driver_missing(self):
        """PostgreSQL's driver is an extra; SQLite works without it."""
        with mock.patch.dict(sys.modules, psycopg=None):
            error = self.assertRaises(BadDatabaseURL, open_engine, "postgresql://u:geheim@h/db")
        self.assertIn("giestack[postgres]", str(error))


class SQLiteTests(SynchronousTestCase):
    def setUp(self):
        self.path = sqlite_file(self)
        self.clock = ThreadedClock()
        self.engine = open_engine(f"sqlite:///{self.path}")

    def database(self, **options):
        database = Database(self.engine, self.clock, **options)
        database.start()
        self.addCleanup(lambda: self.clock.result_of(self, database.stop()))
        return database

    def test_answer(self):
        """The function runs in another thread, the answer arrives in ours."""

        def number(connection, factor):
            value = factor * value_of(connection, "SELECT value FROM number")
            return value, threading.current_thread()

        deferred = self.database().run(number, 2)
        deferred.addCallback(lambda answer: (*answer, threading.current_thread()))
        value, asked, answered = self.clock.result_of(self, deferred)
        self.assertEqual(value, 84)
        self.assertIsNot(asked, threading.current_thread())
        self.assertIs(answered, threading.current_thread())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_read_only(self):
        deferred = self.database().run(value_of, "DELETE FROM number RETURNING value")
        error = self.clock.failure_of(self, deferred, DatabaseUnavailable)
        self.assertIn("readonly", str(error))

    def test_written_where_that_is_asked_for(self):
        def write(connection):
            connection.execute(text("UPDATE number SET value = 43"))
            connection.commit()

        for url in (f"sqlite:///{self.path}", engine_url(f"sqlite:///{self.path}")):
            self.engine = open_engine(url, writes=True)
            self.clock.result_of(self, self.database().run(write))
            with closing(sqlite3.connect(self.path)) as connection:
                self.assertEqual(connection.execute("SELECT value FROM number").fetchone(), (43,))

    def test_a_file_that_is_not_there_is_never_made(self):
        missing = self.path.with_suffix(".missing")
        self.engine = open_engine(f"sqlite:///{missing}", writes=True)
        deferred = self.database().run(value_of, "SELECT 1")
        self.clock.failure_of(self, deferred, DatabaseUnavailable)
        self.assertFalse(missing.exists())

    def test_other_errors_pass(self):
        def wrong(connection):
            raise KeyError("a mistake of ours")

        self.clock.failure_of(self, self.database().run(wrong), KeyError)

    def test_texts_hold_no_values(self):
        def wrong(connection):
            connection.execute(text("SELECT nope FROM number WHERE value = :v"), {"v": "s3cret"})

        error = self.clock.failure_of(self, self.database().run(wrong), DatabaseUnavailable)
        self.assertEqual(str(error), "OperationalError: no such column: nope")

    def test_os_error(self):
        def wrong(connection):
            raise OSError

        error = self.clock.failure_of(self, self.database().run(wrong), DatabaseUnavailable)
        self.assertEqual(str(error), "OSError")

    def test_missing_then_there(self):
        away = self.path.with_suffix(".away")
        self.path.rename(away)
        database = self.database()
        deferred = database.run(value_of, "SELECT value FROM number")
        self.clock.failure_of(self, deferred, DatabaseUnavailable)
        self.assertFalse(self.path.exists())
        away.rename(self.path)
        deferred = database.run(value_of, "SELECT value FROM number")
        self.assertEqual(self.clock.result_of(self, deferred), 42)

    def test_replaced(self):
        """A new file under the name is read at once."""
        database = self.database()
        self.clock.result_of(self, database.run(value_of, "SELECT value FROM number"))
        with closing(sqlite3.connect(self.path.with_suffix(".new"))) as connection:
            connection.execute("CREATE TABLE number AS SELECT 7 AS value")
            connection.commit()
        self.path.with_suffix(".new").rename(self.path)
        deferred = database.run(value_of, "SELECT value FROM number")
        self.assertEqual(self.clock.result_of(self, deferred), 7)

    def test_locked(self):
        """Another program writes for long: no answer now, one afterwards."""
        self.engine = open_engine(
            engine_url(f"sqlite:///{self.path}").update_query_dict({"timeout": "0.01"})
        )
        database = self.database()
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            deferred = database.run(value_of, "SELECT value FROM number")
            error = self.clock.failure_of(self, deferred, DatabaseUnavailable)
        self.assertIn("locked", str(error))
        deferred = database.run(value_of, "SELECT value FROM number")
        self.assertEqual(self.clock.result_of(self, deferred), 42)

    def test_busy(self):
        """A bounded number of calls waits or runs; then there is room again."""
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        database = self.database(outstanding=6)
        running = [database.run(lambda connection: go_on.wait(20)) for _ in range(6)]
        self.failureResultOf(database.run(value_of, "SELECT 1"), DatabaseBusy)
        go_on.set()
        for deferred in running:
            self.assertIs(self.clock.result_of(self, deferred), True)
        self.assertEqual(self.clock.result_of(self, database.run(value_of, "SELECT 1")), 1)

    def test_deadline(self):
        """Nobody waits for a thread that hangs, but it still counts as busy."""
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        database = self.database(outstanding=1, deadline=4.5)
        deferred = database.run(lambda connection: go_on.wait(20))
        self.clock.advance(4.4)
        self.assertNoResult(deferred)
        self.clock.advance(0.2)
        error = self.failureResultOf(deferred, DatabaseUnavailable).value
        self.assertEqual(str(error), "the database gave no answer within 4.5 s")
        self.failureResultOf(database.run(value_of, "SELECT 1"), DatabaseBusy)
        go_on.set()
        self.clock.let_happen()
        self.assertEqual(self.clock.result_of(self, database.run(value_of, "SELECT 1")), 1)

    def test_cancel(self):
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        database = self.database(outstanding=1)
        deferred = database.run(lambda connection: go_on.wait(20))
        deferred.cancel()
        self.failureResultOf(deferred, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        go_on.set()
        self.clock.let_happen()
        self.assertEqual(self.clock.result_of(self, database.run(value_of, "SELECT 1")), 1)

    def test_given_up_before_it_began(self):
        """Calls that nobody waits for any more do not keep the others waiting."""
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        calls: list[object] = []
        database = self.database()
        for _ in range(THREADS):
            database.run(lambda connection: go_on.wait(20))
        given_up = database.run(calls.append)
        given_up.addErrback(lambda _: None)
        given_up.cancel()
        go_on.set()
        self.assertEqual(self.clock.result_of(self, database.run(value_of, "SELECT 1")), 1)
        self.clock.result_of(self, database.stop())
        self.assertEqual(calls, [])

    def test_not_running(self):
        """Before the start and after the end there are no answers."""
        database = Database(self.engine, self.clock)
        self.failureResultOf(database.run(value_of, "SELECT 1"), DatabaseUnavailable)
        self.assertIsNone(self.successResultOf(database.stop()))
        database.start()
        self.clock.result_of(self, database.stop())
        self.failureResultOf(database.run(value_of, "SELECT 1"), DatabaseUnavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_with_a_hanging_call(self):
        """Stopping takes two seconds at most, and the thread keeps no process alive."""
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        threads = []

        def hang(connection):
            threads.append(threading.current_thread())
            started.set()
            go_on.wait(20)

        started = threading.Event()
        database = Database(self.engine, self.clock)
        database.start()
        database.run(hang)
        self.assertTrue(started.wait(20))
        stopped = database.stop()
        self.clock.advance(1.9)
        self.assertNoResult(stopped)
        self.clock.advance(0.2)
        self.successResultOf(stopped)
        self.assertTrue(threads[0].daemon)
        go_on.set()
        self.clock.let_happen()
        self.clock.let_happen()


class PostgreSQLTests(SynchronousTestCase):
    def setUp(self):
        self.server = postgres()
        self.clock = ThreadedClock()
        self.name = self.server.new_database(self)
        self.engine = open_engine(self.server.url(self.name))
        self.database = Database(self.engine, self.clock)
        self.database.start()
        self.addCleanup(lambda: self.clock.result_of(self, self.database.stop()))

    def ask(self, statement):
        return self.clock.result_of(self, self.database.run(value_of, statement))

    def refusal(self, statement):
        deferred = self.database.run(value_of, statement)
        return str(self.clock.failure_of(self, deferred, DatabaseUnavailable))

    def test_limits(self):
        """Each call is read-only and gives up on long statements."""
        for _ in range(2):
            self.assertEqual(self.ask("SHOW statement_timeout"), "4s")
            self.assertEqual(self.ask("SHOW transaction_read_only"), "on")
            self.assertIn("read-only", self.refusal("CREATE TABLE x AS SELECT 1"))

    def test_nothing_stays_behind(self):
        """PgBouncer may give the server's session to Galaxy, which writes."""
        self.ask("SELECT 1")
        with closing(self.engine.raw_connection()) as pooled:
            connection = cast(psycopg.Connection, pooled.driver_connection)
            connection.read_only = None
            for setting, value in (
                ("statement_timeout", "0"),
                ("transaction_read_only", "off"),
                ("default_transaction_read_only", "off"),
            ):
                self.assertEqual(connection.execute(f"SHOW {setting}").fetchone(), (value,))

    def test_statement_timeout(self):
        def sleep(connection):
            connection.execute(text("SET LOCAL statement_timeout = '20ms'"))
            return value_of(connection, "SELECT 1 FROM pg_sleep(20)")

        deferred = self.database.run(sleep)
        error = self.clock.failure_of(self, deferred, DatabaseUnavailable)
        self.assertIn("statement timeout", str(error))

    def test_outage(self):
        """The server goes away and comes back: so do the answers."""
        self.assertEqual(self.ask("SELECT 1"), 1)
        self.server.stop()
        try:
            for _ in range(2):
                self.assertIn("OperationalError", self.refusal("SELECT 2"))
        finally:
            self.server.start()
        self.assertEqual(self.ask("SELECT 3"), 3)

    def test_restart_between_calls(self):
        """A connection that died while nobody used it is replaced before it is used."""
        pid = self.ask("SELECT pg_backend_pid()")
        self.server.stop()
        self.server.start()
        self.assertNotEqual(self.ask("SELECT pg_backend_pid()"), pid)

    def test_password_is_not_shown(self):
        url = self.server.url("no such s3cret database").replace("postgres@", "postgres:s3cret@")
        error = self.assertRaises(DatabaseUnavailable, ask, open_engine(url), value_of, "SELECT 1")
        self.assertIn("no such *** database", str(error))

    def test_a_password_in_the_query_is_not_shown_either(self):
        url = self.server.url("no such s3cret database") + "&password=s3cret"
        error = self.assertRaises(DatabaseUnavailable, ask, open_engine(url), value_of, "SELECT 1")
        self.assertIn("no such *** database", str(error))

    def test_a_database_without_an_encoding(self):
        """As initdb makes it where LANG is C."""
        name = f"{self.name}_ascii"
        with self.server.connect() as connection:
            options = "ENCODING 'SQL_ASCII' TEMPLATE template0"
            connection.execute(f"CREATE DATABASE {name} {options}".encode())
        engine = open_engine(self.server.url(name))
        self.addCleanup(self.drop, name)
        self.addCleanup(engine.dispose)
        self.assertEqual(ask(engine, value_of, "SELECT 'é'"), "é")

    def drop(self, name):
        with self.server.connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def test_silent_server(self):
        """Something that accepts and never answers is given up."""
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.settimeout(20)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        database = Database(open_engine(f"postgresql://u@127.0.0.1:{port}/x"), self.clock)
        database.start()
        deferred = database.run(value_of, "SELECT 1")
        accepted = listener.accept()[0]
        self.clock.advance(4.5)
        self.failureResultOf(deferred, DatabaseUnavailable)
        # Only now the thread itself sees that nothing will come.
        accepted.close()
        self.clock.let_happen()
        self.clock.result_of(self, database.stop())
