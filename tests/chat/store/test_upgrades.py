"""The schema is made, brought up to date, or left alone."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import text
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.storage import NewMessage, Who
from giestack.chat.store.engines import open_engines
from giestack.chat.store.store import ChatStore
from giestack.chat.store.upgrades import STEPS, SchemaTooNew, upgrade
from giestack.chat.wire import FOR_EVER
from giestack.database import DatabaseUnavailable
from tests.chat.store.test_engines import new_path
from tests.chat.store_suite import answer_of
from tests.threaded_clock import ThreadedClock

FROZEN = Path(__file__).parent.parent.parent / "data" / "chat"


def schema_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute("SELECT name, sql FROM sqlite_master"))


def version_of(path):
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT value FROM chat_meta WHERE name = 'version'"
        return connection.execute(query).fetchone()[0]


def add_table(connection):
    connection.execute(text("CREATE TABLE chat_new (value integer)"))


def fail_then(connection):
    add_table(connection)
    connection.execute(text("SELECT * FROM nothing"))


class UpgradeTests(SynchronousTestCase):
    def setUp(self):
        self.path = new_path(self)

    def upgrade(self, *steps):
        engines = open_engines(f"sqlite:///{self.path}")
        try:
            return upgrade(engines, steps)
        finally:
            engines.dispose()

    def names(self):
        return sorted(one.name for one in self.path.parent.iterdir())

    def test_new(self):
        epoch = self.upgrade()
        self.assertTrue(epoch)
        self.assertEqual(version_of(self.path), "1")
        self.assertEqual(self.upgrade(), epoch)
        self.assertEqual(self.names(), ["chat.sqlite"])

    def test_each_log_has_its_epoch(self):
        first = self.upgrade()
        self.path.unlink()
        self.assertNotEqual(self.upgrade(), first)

    def test_a_step(self):
        epoch = self.upgrade()
        before = schema_of(self.path)
        self.assertEqual(self.upgrade(add_table), epoch)
        self.assertEqual(version_of(self.path), "2")
        self.assertEqual(self.names(), ["chat.sqlite", "chat.sqlite.v1.bak"])
        copy = self.path.with_name("chat.sqlite.v1.bak")
        self.assertEqual((schema_of(copy), version_of(copy)), (before, "1"))
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.upgrade(add_table), epoch)
        self.assertEqual(version_of(self.path), "2")

    def test_a_new_database_needs_no_steps(self):
        self.upgrade(fail_then, fail_then)
        self.assertEqual(version_of(self.path), "3")
        self.assertEqual(self.names(), ["chat.sqlite"])

    def test_a_step_that_fails_changes_nothing(self):
        self.upgrade()
        before = schema_of(self.path)
        self.assertRaises(DatabaseUnavailable, self.upgrade, fail_then)
        self.assertEqual((schema_of(self.path), version_of(self.path)), (before, "1"))
        self.upgrade(add_table)
        self.assertEqual(version_of(self.path), "2")

    def test_a_newer_schema_is_left_alone(self):
        self.upgrade(add_table)
        error = self.assertRaises(SchemaTooNew, self.upgrade)
        self.assertIn("version 2", str(error))
        self.assertIn("knows 1", str(error))
        self.assertEqual(version_of(self.path), "2")

    def test_no_folder(self):
        self.path = self.path.parent / "none" / "chat.sqlite"
        error = self.assertRaises(DatabaseUnavailable, self.upgrade)
        self.assertIn(str(self.path), str(error))

    def test_something_else_in_the_file(self):
        self.path.write_text("Dear diary, " * 100)
        self.assertRaises(DatabaseUnavailable, self.upgrade)
        self.assertTrue(self.path.read_text().startswith("Dear diary"))

    def test_open_says_what_is_wrong(self):
        self.upgrade(add_table)
        clock = ThreadedClock()
        store = ChatStore(f"sqlite:///{self.path}", clock)
        clock.failure_of(self, store.open(), SchemaTooNew)
        self.successResultOf(store.close())


class FrozenFileTests(SynchronousTestCase):
    """Files as earlier versions have left them; see `tests.chat.store.file_of_version`."""

    def test_all_are_brought_up_to_date(self):
        fresh = new_path(self)
        engines = open_engines(f"sqlite:///{fresh}")
        upgrade(engines)
        engines.dispose()
        versions = range(1, len(STEPS) + 2)
        self.assertEqual(
            sorted(one.name for one in FROZEN.glob("v*.sqlite")),
            [f"v{version}.sqlite" for version in versions],
        )
        for version in versions:
            path = new_path(self)
            shutil.copy(FROZEN / f"v{version}.sqlite", path)
            self.check(path)
            self.assertEqual(schema_of(path), schema_of(fresh))

    def check(self, path):
        clock = ThreadedClock()
        store = ChatStore(f"sqlite:///{path}", clock)

        def get(deferred):
            return answer_of(clock, deferred)

        get(store.open())
        ann, bob = [
            get(store.person(Who(host="galaxy", user_id=n, id=f"id-{name}", name=name)))
            for n, name in enumerate(("Ann", "Bob"), 1)
        ]
        ngs, *own = get(store.rooms_of(bob))
        self.assertEqual((ngs.name, ngs.last, ngs.read, ngs.unread), ("NGS", 7, 1, 1))
        self.assertEqual([one.peer for one in own], [ann.user])
        events = get(store.events(ngs.id, limit=100)).events
        self.assertEqual(
            [getattr(one, "text", None) for one in events],
            [
                "Which aligner for long reads, @bob?",
                "minimap2 😀",
                "Café at five",
                "",
                "Café at five",
                None,
                None,
            ],
        )
        self.assertEqual(events[0].mentions, ("id-Bob",))
        self.assertEqual(len(get(store.search(bob, "cafe", None, None, 9)).events), 1)
        (sanction,) = get(store.sanctions())
        self.assertEqual((sanction.person, sanction.until), (bob, FOR_EVER))
        self.assertEqual(get(store.reports(9))[0].reason, "why not")
        self.assertEqual(get(store.audited(9))[0].action, "mute")
        said = NewMessage(room=ngs.id, author=ann, ts=1, cid="c0", text="again")
        self.assertFalse(get(store.append(said)).new)
        get(store.close())
