"""Keys to Galaxy's API, on SQLite and on a real PostgreSQL."""

import sqlite3
from contextlib import closing

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import Database, DatabaseUnavailable, ask, open_engine
from giestack.identity.api_key import ApiKeys, api_key_of
from tests.identity.galaxy_fixture import postgres_copy, sqlite_copy
from tests.neighbours.postgres import postgres
from tests.threaded_clock import ThreadedClock

ALICE, BOB, NOBODY = 1, 2, 99
DAYS = {number: f"2026-03-{number:02} 10:00:00.000123" for number in range(1, 10)}


class SQLiteTests(SynchronousTestCase):
    """What must hold on every kind of database."""

    def setUp(self) -> None:
        self.path = sqlite_copy(self)
        self.engine = open_engine(f"sqlite:///{self.path}")
        self.without_galaxys_own()

    def change(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def without_galaxys_own(self) -> None:
        """Galaxy 26.1 has made a key for alice."""
        self.assertEqual(self.key_of(ALICE), "a" * 32)
        self.change("DELETE FROM api_keys")

    def add(self, id: int, user_id: int, key: str, day: int | None, deleted: str = "false") -> None:
        when = "NULL" if day is None else f"'{DAYS[day]}'"
        text = f"{id}, {when}, {user_id}, '{key}', {deleted}"
        self.change(
            f'INSERT INTO api_keys (id, create_time, user_id, "key", deleted) VALUES ({text})'
        )

    def key_of(self, user_id: int) -> str:
        return ask(self.engine, api_key_of, user_id)

    def test_none(self) -> None:
        self.change("DELETE FROM api_keys")
        self.assertEqual(self.key_of(ALICE), "")
        self.add(101, BOB, "b" * 32, 1)
        self.assertEqual((self.key_of(ALICE), self.key_of(BOB)), ("", "b" * 32))
        self.assertEqual(self.key_of(NOBODY), "")

    def test_the_newest_counts(self) -> None:
        self.add(103, ALICE, "first", 1)
        self.add(101, ALICE, "last", 7)
        self.add(102, ALICE, "middle", 3)
        self.assertEqual(self.key_of(ALICE), "last")
        # Made at the same time: the later row.
        self.add(104, ALICE, "later", 7)
        self.assertEqual(self.key_of(ALICE), "later")
        # Nobody knows when this one was made.
        self.add(105, ALICE, "undated", None)
        self.assertEqual(self.key_of(ALICE), "later")

    def test_a_deleted_one_is_none(self) -> None:
        self.add(101, ALICE, "kept", 1)
        self.add(102, ALICE, "deleted", 2, "true")
        self.assertEqual(self.key_of(ALICE), "kept")
        self.change("UPDATE api_keys SET deleted = true")
        self.assertEqual(self.key_of(ALICE), "")

    def test_null_is_not_deleted(self) -> None:
        """In a database that was once one of an older release."""
        self.drop_deleted()
        self.change("ALTER TABLE api_keys ADD COLUMN deleted BOOLEAN")
        self.add(101, ALICE, "old", 1, "NULL")
        self.assertEqual(self.key_of(ALICE), "old")

    def drop_deleted(self) -> None:
        self.change("DROP INDEX IF EXISTS ix_api_keys_deleted")
        self.change("ALTER TABLE api_keys DROP COLUMN deleted")

    def test_a_release_that_deletes_none(self) -> None:
        """Before Galaxy 23.0."""
        self.add(101, ALICE, "first", 1)
        self.add(102, ALICE, "second", 2)
        self.drop_deleted()
        self.assertEqual(self.key_of(ALICE), "second")

    def test_a_row_without_a_key(self) -> None:
        self.add(101, ALICE, "older", 1)
        self.add(102, ALICE, "", 2)
        self.assertEqual(self.key_of(ALICE), "older")

    def test_in_a_thread(self) -> None:
        self.add(101, ALICE, "the-key", 1)
        clock = ThreadedClock()
        database = Database(self.engine, clock)
        database.start()
        keys = ApiKeys(database)

        def asked() -> "Deferred[str]":
            return Deferred.fromCoroutine(keys.key_of(ALICE))

        self.assertEqual(clock.result_of(self, asked()), "the-key")
        self.change("DROP TABLE api_keys")
        with capturedLogs() as logs:
            clock.failure_of(self, asked(), DatabaseUnavailable)
        [event] = [one for one in logs if one["log_level"] is LogLevel.warn]
        self.assertIn("api_keys", event["reason"])
        self.assertNotIn("the-key", str(logs))
        clock.result_of(self, database.stop())


class PostgreSQLTests(SQLiteTests):
    def setUp(self) -> None:
        self.name = postgres_copy(self)
        self.engine = open_engine(postgres().url(self.name))
        self.addCleanup(self.engine.dispose)
        self.without_galaxys_own()

    def change(self, *statements: str) -> None:
        with postgres().connect(self.name) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def test_without_the_right_to_read_keys(self) -> None:
        role = f"reader_{self.name}"
        self.change(f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON galaxy_session TO {role}")
        self.addCleanup(
            self.change, f"REVOKE ALL ON galaxy_session FROM {role}", f"DROP ROLE {role}"
        )
        engine = open_engine(postgres().url(self.name).replace("postgres@", f"{role}@"))
        self.addCleanup(engine.dispose)
        error = self.assertRaises(DatabaseUnavailable, ask, engine, api_key_of, ALICE)
        self.assertIn("api_keys", str(error))
