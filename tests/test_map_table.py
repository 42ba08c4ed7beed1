"""Session maps made before Galaxy makes them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from unittest import mock

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import ask, open_engine
from giestack.map_table import CannotMake, make_map, postgres_sql, sql_for, sqlite_sql
from giestack.routing.postgres import PostgresReader
from giestack.routing.sqlite import SQLiteReader
from tests.neighbours.postgres import postgres
from tests.neighbours.postgres_map import TRIGGER, PostgresGalaxyMap, row
from tests.routing.galaxy_map import CREATE, keys, save

ROOT = Path(__file__).parent.parent

COLUMNS = """
SELECT column_name, data_type, character_maximum_length, is_nullable
FROM information_schema.columns WHERE table_name = 'gxitproxy' ORDER BY ordinal_position
"""
KEY = "SELECT indexdef FROM pg_indexes WHERE tablename = 'gxitproxy'"


def squeezed(sql):
    words = " ".join(sql.replace('"', "").rstrip(";\n").split())
    return words.replace("( ", "(").replace(" )", ")")


class SqlTests(SynchronousTestCase):
    def test_the_file_for_administrators(self):
        file = ROOT / "etc" / "gxitproxy.sql"
        self.assertEqual(file.read_text(encoding="utf-8"), postgres_sql())

    def test_sqlite(self):
        self.assertEqual(squeezed(sqlite_sql()), squeezed(CREATE))

    def test_sql_for(self):
        self.assertEqual(sql_for("postgres://h/map"), postgres_sql())
        for location in ("sqlite:///map", "map.sqlite", "sqlite:////map?isolation_level=X"):
            self.assertEqual(sql_for(location), sqlite_sql())


class PostgresTests(SynchronousTestCase):
    def setUp(self):
        self.galaxy = PostgresGalaxyMap(self, postgres())
        self.reader = PostgresReader()
        self.engine = open_engine(self.galaxy.url)
        self.addCleanup(self.engine.dispose)

    def make(self, url=None):
        return make_map(url or self.galaxy.url, Path("/nowhere"))

    def rows(self, statement):
        with self.galaxy.connect() as connection:
            return connection.execute(statement.encode()).fetchall()

    def refused(self, words, url=None):
        error = self.assertRaises(CannotMake, self.make, url)
        self.assertIn(words, str(error))
        self.assertEqual(len(str(error).splitlines()), 1)
        self.assertNotIn("s3cret", str(error))

    def test_as_galaxy_makes_it(self):
        said = self.make()
        self.assertTrue(said.endswith(": the table gxitproxy and its trigger are there"), said)
        columns, key = self.rows(COLUMNS), self.rows(KEY)
        self.galaxy.execute("DROP TABLE gxitproxy")
        self.galaxy.execute(CREATE)
        self.assertEqual((self.rows(COLUMNS), self.rows(KEY)), (columns, key))

    def test_every_change_is_told_once(self):
        self.make()
        with self.galaxy.connect() as listening:
            listening.execute("LISTEN gxitproxy")
            for change in (
                lambda: self.galaxy.save(row("a"), row("b")),
                lambda: self.galaxy.remove("a"),
                lambda: self.galaxy.execute("UPDATE gxitproxy SET port = 1"),
                lambda: self.galaxy.execute("TRUNCATE gxitproxy"),
            ):
                change()
                self.assertEqual(len(list(listening.notifies(timeout=20, stop_after=1))), 1)
                self.assertEqual(len(list(listening.notifies(timeout=0))), 0)

    def test_again_and_over_what_is_there(self):
        self.galaxy.save(row("a"))
        self.galaxy.execute(TRIGGER)
        for _ in range(2):
            self.make()
            self.assertEqual(keys(ask(self.engine, self.reader.look)), ["a"])
            self.assertIs(self.reader.has_trigger, True)
        self.assertEqual(len(self.rows("SELECT 1 FROM pg_trigger WHERE NOT tgisinternal")), 1)

    def test_the_file_does_the_same(self):
        for _ in range(2):
            self.galaxy.execute(postgres_sql())
        self.assertEqual(keys(ask(self.engine, self.reader.look)), [])
        self.assertIs(self.reader.has_trigger, True)
        self.galaxy.execute("DROP TABLE gxitproxy; CREATE TABLE galaxy_session (id INTEGER)")
        self.assertRaises(psycopg.errors.RaiseException, self.galaxy.execute, postgres_sql())

    def test_galaxys_own_database(self):
        self.galaxy.execute("CREATE TABLE galaxy_session (id INTEGER)")
        self.refused("is in Galaxy's own database")
        self.assertEqual(self.rows(COLUMNS), [])

    def test_another_table_of_that_name(self):
        self.galaxy.execute("CREATE TABLE gxitproxy (key TEXT, secret TEXT)")
        self.refused("without Galaxy's columns")

    def test_who_may_not(self):
        self.galaxy.save(row("a"))
        self.galaxy.execute("CREATE ROLE stranger LOGIN PASSWORD 's3cret'")
        self.addCleanup(self.galaxy.execute, "DROP OWNED BY stranger; DROP ROLE stranger")
        self.galaxy.execute("GRANT SELECT ON gxitproxy TO stranger")
        self.refused("permission denied", self.galaxy.url.replace("postgres@", "stranger:s3cret@"))
        self.assertEqual(self.rows("SELECT 1 FROM pg_trigger WHERE NOT tgisinternal"), [])

    def test_nobody_there(self):
        self.refused("does not exist", self.galaxy.url.replace(self.galaxy.name, "nothing"))
        self.refused("postgresql://u:***@/m", "postgresql://u:s3cret@/m?host=/nowhere")
        with mock.patch.dict("sys.modules", psycopg=None):
            self.refused("giestack[postgres]", "postgresql://u:s3cret@h/m")


class SQLiteTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "map.sqlite"

    def refused(self, location, words):
        error = self.assertRaises(CannotMake, make_map, location, self.folder)
        self.assertIn(words, str(error))
        self.assertEqual(len(str(error).splitlines()), 1)

    def test_made(self):
        for location in ("map.sqlite", "sqlite:///map.sqlite", f"sqlite:///{self.path}"):
            self.assertEqual(
                make_map(location, self.folder), f"{self.path}: the table gxitproxy is there"
            )
        save(self.path, "a")
        make_map(str(self.path), self.folder)
        reader = SQLiteReader(str(self.path))
        self.addCleanup(reader.close)
        self.assertEqual(keys(reader.look()), ["a"])

    def test_galaxys_own_database(self):
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("CREATE TABLE galaxy_session (id INTEGER)")
        self.refused(str(self.path), "is Galaxy's own database")

    def test_another_table_of_that_name(self):
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("CREATE TABLE gxitproxy (key TEXT, secret TEXT)")
        self.refused(str(self.path), "without Galaxy's columns")

    def test_files_that_cannot_be_used(self):
        self.refused("no/folder.sqlite", "unable to open")
        self.path.write_bytes(b"<html>" * 1000)
        self.refused("map.sqlite", "not a database")

    def test_what_is_no_url(self):
        for location in ("", "map.json", "mysql://u:s3cret@h/m", "sqlite://", "postgresql:x"):
            self.refused(location, "the URL must be")

    @settings(max_examples=30)
    @given(st.text(max_size=30))
    def test_any_text_has_an_answer(self, text):
        try:
            sql = sql_for(text)
        except CannotMake:
            return
        self.assertIn("gxitproxy", sql)
