"""Connections to the chat's SQLite file, and copies of it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.store.engines import back_up, make_file, open_engines
from giestack.chat.store.words_index import FTS5, TSVector
from giestack.database import BadDatabaseURL


def new_path(test, name="chat.sqlite"):
    path = Path(test.mktemp()).absolute() / name
    path.parent.mkdir(parents=True)
    return path


class EnginesTests(SynchronousTestCase):
    def opened(self, path):
        make_file(path)
        engines = open_engines(f"sqlite:///{path}")
        self.addCleanup(engines.dispose)
        return engines

    def test_sqlite(self):
        path = new_path(self, "odd name%20#")
        engines = self.opened(path)
        self.assertEqual(engines.path, path)
        self.assertIsInstance(engines.words, FTS5)
        with engines.write.connect() as connection:
            for pragma, value in (
                ("journal_mode", "wal"),
                ("synchronous", 2),
                ("foreign_keys", 1),
                ("busy_timeout", 2000),
                ("secure_delete", 1),
            ):
                self.assertEqual(connection.scalar(text(f"PRAGMA {pragma}")), value, pragma)

    def test_readers_go_beside_the_writer(self):
        engines = self.opened(new_path(self))
        with engines.write.connect() as writer, engines.read.connect() as reader:
            writer.execute(text("CREATE TABLE number (value)"))
            self.assertEqual(reader.scalar(text("SELECT count(*) FROM sqlite_master")), 0)
            writer.commit()
            reader.rollback()
            self.assertEqual(reader.scalar(text("SELECT count(*) FROM sqlite_master")), 1)
            with self.assertRaises(OperationalError):
                reader.execute(text("DROP TABLE number"))

    def test_a_file_that_is_not_there_is_not_made_by_a_connection(self):
        path = new_path(self)
        engines = open_engines(f"sqlite:///{path}")
        self.assertRaises(OperationalError, engines.write.connect)
        self.assertFalse(path.exists())

    def test_postgresql(self):
        engines = open_engines("postgresql://u:p@127.0.0.1:1/x")
        self.assertIsInstance(engines.words, TSVector)
        self.assertIsNone(engines.path)

    def test_bad_urls(self):
        for url in ("mysql://x/y", "sqlite://", "sqlite:///:memory:", "chat.sqlite", ""):
            self.assertRaises(BadDatabaseURL, open_engines, url)

    def test_only_the_owner_may_read_the_file(self):
        path = new_path(self)
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        engines = self.opened(path)
        with engines.write.connect() as connection:
            connection.execute(text("CREATE TABLE number (value)"))
            connection.commit()
            for one in path.parent.iterdir():
                self.assertEqual(one.stat().st_mode & 0o777, 0o600, one.name)
        make_file(path)
        with closing(sqlite3.connect(path)) as connection:
            self.assertEqual(connection.execute("SELECT count(*) FROM number").fetchone(), (0,))

    def test_back_up(self):
        path, copy = new_path(self), new_path(self, "copy")
        copy.write_text("what was there before")
        copy.with_name("copy.unfinished").write_text("left over")
        engines = self.opened(path)
        with engines.write.connect() as connection:
            connection.execute(text("CREATE TABLE number AS SELECT 42 AS value"))
            connection.commit()
            back_up(path, copy)
        self.assertEqual([one.name for one in copy.parent.iterdir()], ["copy"])
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        with closing(sqlite3.connect(copy)) as connection:
            self.assertEqual(connection.execute("SELECT value FROM number").fetchone(), (42,))
