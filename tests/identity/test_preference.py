"""What users had chosen in Galaxy, on SQLite and on a real PostgreSQL."""

import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from giestack.database import Database, DatabaseUnavailable, ask, open_engine
from giestack.identity.preference import Preferences, communication_server_of
from tests.identity.galaxy_fixture import sqlite_copy
from tests.neighbours.postgres import postgres
from tests.threaded_clock import ThreadedClock

ALICE, BOB, NOBODY = 1, 2, 99


class SQLiteTests(SynchronousTestCase):
    """What must hold on every kind of database."""

    def setUp(self) -> None:
        self.path = sqlite_copy(self)
        self.engine = open_engine(f"sqlite:///{self.path}")
        self.galaxys_own()
        self.change("DELETE FROM user_preference")

    def galaxys_own(self) -> None:
        """Rows as Galaxy's own model has written them."""
        self.assertEqual(
            [self.choice_of(user) for user in (ALICE, BOB, 11, NOBODY)], [True, False, True, None]
        )

    def change(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def add(self, id: int, user_id: int, value: str, name: str = "communication_server") -> None:
        self.change(f"INSERT INTO user_preference VALUES ({id}, {user_id}, '{name}', {value})")

    def choice_of(self, user_id: int) -> bool | None:
        return ask(self.engine, communication_server_of, user_id)

    def test_whoever_never_said(self) -> None:
        self.add(1, BOB, "'true'")
        self.add(2, ALICE, "'true'", name="beta_database")
        self.assertIsNone(self.choice_of(ALICE))
        self.assertIsNone(self.choice_of(NOBODY))

    def test_what_means_yes(self) -> None:
        for number, value in enumerate(("true", "True", "1", " true "), 1):
            self.add(number, number, f"'{value}'")
            self.assertIs(self.choice_of(number), True, value)

    def test_what_means_no(self) -> None:
        for number, value in enumerate(("false", "False", "0", "", "yes please"), 1):
            self.add(number, number, f"'{value}'")
            self.assertIs(self.choice_of(number), False, value)

    def test_no_value(self) -> None:
        self.add(1, ALICE, "NULL")
        self.assertIsNone(self.choice_of(ALICE))

    def test_the_last_of_two_counts(self) -> None:
        self.add(5, ALICE, "'false'")
        self.add(3, ALICE, "'true'")
        self.assertIs(self.choice_of(ALICE), False)

    def test_no_such_table(self) -> None:
        self.change("DROP TABLE user_preference")
        self.assertIsNone(self.choice_of(ALICE))

    def test_another_table(self) -> None:
        """Nobody has said no only because the question was not understood."""
        self.change("DROP TABLE user_preference", "CREATE TABLE user_preference (id INTEGER)")
        self.assertRaises(DatabaseUnavailable, self.choice_of, ALICE)

    def test_in_a_thread(self) -> None:
        self.add(1, ALICE, "'true'")
        clock = ThreadedClock()
        database = Database(self.engine, clock)
        preferences = Preferences(database)
        clock.failure_of(self, preferences.communication_server(ALICE), DatabaseUnavailable)
        database.start()
        self.assertIs(clock.result_of(self, preferences.communication_server(ALICE)), True)
        clock.result_of(self, database.stop())


class PostgreSQLTests(SQLiteTests):
    def setUp(self) -> None:
        self.name = postgres().new_database(self)
        self.engine = open_engine(postgres().url(self.name))
        self.addCleanup(self.engine.dispose)
        self.change(
            "CREATE TABLE user_preference (id INTEGER PRIMARY KEY, user_id INTEGER, "
            "name VARCHAR(255), value TEXT)"
        )

    def change(self, *statements: str) -> None:
        with postgres().connect(self.name) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def test_without_the_right_to_read_them(self) -> None:
        role = f"reader_{self.name}"
        self.change(f"CREATE ROLE {role} LOGIN")
        self.addCleanup(self.change, f"DROP ROLE {role}")
        engine = open_engine(postgres().url(self.name).replace("postgres@", f"{role}@"))
        self.addCleanup(engine.dispose)
        error = self.assertRaises(DatabaseUnavailable, ask, engine, communication_server_of, ALICE)
        self.assertIn("user_preference", str(error))
