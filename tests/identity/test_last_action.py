"""Telling Galaxy that a visitor is at work."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, cast

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import Database, open_engine
from giestack.identity.last_action import INTERVAL, MOST, LastAction
from giestack.visitor import Anonymous, Identity
from tests.identity.galaxy_fixture import postgres_copy, sqlite_copy
from tests.neighbours.postgres import postgres
from tests.threaded_clock import ThreadedClock

NOW = datetime(2026, 5, 6, 7, 8, 9, 123456)


def user(session_id, host="galaxy"):
    return Identity(host, 1, "e1", "alice", "a@b", False, session_id, "key")


class OnSQLite(SynchronousTestCase):
    """Against a copy of a file that Galaxy's own model has made."""

    def setUp(self):
        self.clock = ThreadedClock()
        self.now = NOW
        self.make()
        rows = self.rows()
        self.valid = [one for one, (_, is_valid) in rows.items() if is_valid]
        self.ended = [one for one, (_, is_valid) in rows.items() if not is_valid]
        self.before = {one: last for one, (last, _) in rows.items()}
        self.last_action.start()
        self.stopped = False
        self.addCleanup(self.stop)
        self.said = []
        hear: Any = self.hear
        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)

    def make(self):
        self.path = sqlite_copy(self)
        self.use_engine(f"sqlite:///{self.path}")

    def use_engine(self, url):
        database = Database(open_engine(url, writes=True), self.clock)
        self.last_action = LastAction(database, self.clock, lambda: self.now)

    def rows(self):
        """last_action and is_valid of each session."""
        with closing(sqlite3.connect(self.path)) as connection:
            found = connection.execute("SELECT id, last_action, is_valid FROM galaxy_session")
            return {
                number: (last and datetime.fromisoformat(last), bool(valid))
                for number, last, valid in found
            }

    def stop(self):
        if not self.stopped:
            self.stopped = True
            self.clock.result_of(self, self.last_action.stop())

    def hear(self, event):
        if event.get("log_namespace", "").endswith("LastAction"):
            self.said.append(event["log_level"])

    def minute(self, calls=1):
        """Let a minute pass, and what is written then be written."""
        self.clock.advance(INTERVAL)
        for _ in range(calls):
            self.clock.let_happen()
        self.now += timedelta(seconds=INTERVAL)

    def changed(self):
        """The sessions whose last_action is another now."""
        rows = self.rows()
        return {one: last for one, (last, _) in rows.items() if last != self.before[one]}

    def break_it(self):
        self.path.rename(self.path.with_suffix(".away"))

    def mend(self):
        self.path.with_suffix(".away").rename(self.path)

    def test_once_a_minute(self):
        first, second, *_ = self.valid
        for _ in range(5):
            self.last_action.used(user(first))
        self.last_action.used(Anonymous(second, "key"))
        self.clock.advance(INTERVAL - 1)
        self.assertEqual(self.changed(), {})
        self.clock.advance(1)
        self.clock.let_happen()
        self.assertEqual(self.changed(), {first: NOW, second: NOW})
        self.now += timedelta(minutes=2)
        self.last_action.used(user(second))
        self.minute()
        self.assertEqual(self.changed(), {first: NOW, second: NOW + timedelta(minutes=2)})

    def test_who_is_idle_is_not_named_again(self):
        self.last_action.used(user(self.valid[0]))
        self.minute()
        self.minute(calls=0)
        self.assertEqual(self.changed(), {self.valid[0]: NOW})

    def test_ended_sessions_stay_as_they_are(self):
        self.assertTrue(self.ended)
        for number in (*self.ended, 999_999):
            self.last_action.used(user(number))
        self.last_action.used(user(self.valid[0]))
        self.minute()
        self.assertEqual(self.changed(), {self.valid[0]: NOW})

    def test_users_of_another_host_are_not_galaxys(self):
        self.last_action.used(user(self.valid[0], "openbis"))
        self.minute(calls=0)
        self.assertEqual(self.changed(), {})

    def test_what_fails_is_said_once_and_tried_again(self):
        self.break_it()
        first, second, *_ = self.valid
        self.last_action.used(user(first))
        self.minute()
        self.last_action.used(user(second))
        self.minute()
        self.assertEqual(self.said, [LogLevel.warn])
        self.mend()
        self.minute()
        later = NOW + timedelta(seconds=2 * INTERVAL)
        self.assertEqual(self.changed(), {first: later, second: later})
        self.assertEqual(self.said, [LogLevel.warn, LogLevel.info])

    def test_it_keeps_so_many_and_no_more(self):
        self.break_it()
        for number in range(1_000_000, 1_000_000 + MOST + 5):
            self.last_action.used(user(number))
        self.minute()
        self.last_action.used(user(self.valid[0]))
        self.mend()
        self.minute()
        self.assertEqual(self.changed(), {})
        self.last_action.used(user(self.valid[0]))
        self.minute()
        self.assertEqual(list(self.changed()), [self.valid[0]])

    def test_the_rest_is_written_at_the_end(self):
        self.last_action.used(user(self.valid[0]))
        self.stop()
        self.assertEqual(self.changed(), {self.valid[0]: NOW})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_end_waits_two_seconds(self):
        self.last_action.used(user(self.valid[0]))
        self.stopped = True
        stopping = self.last_action.stop()
        self.clock.advance(1.9)
        self.assertNoResult(stopping)
        self.clock.advance(0.1)
        self.clock.result_of(self, stopping)
        self.assertEqual(self.said, [LogLevel.warn])

    def test_it_may_end_without_having_begun(self):
        other = LastAction(
            Database(open_engine("sqlite:////nowhere"), self.clock), self.clock, lambda: NOW
        )
        self.clock.result_of(self, other.stop())
        self.assertEqual(self.clock.getDelayedCalls()[1:], [])


class OnPostgreSQL(OnSQLite):
    def make(self):
        self.name = postgres_copy(self)
        self.use_engine(postgres().url(self.name))
        # Before the server drops the database.
        self.addCleanup(self.stop)

    def rows(self):
        with postgres().connect(self.name) as connection:
            found = connection.execute("SELECT id, last_action, is_valid FROM galaxy_session")
            return {number: (last, bool(valid)) for number, last, valid in found}

    def break_it(self):
        with postgres().connect(self.name) as connection:
            connection.execute("ALTER TABLE galaxy_session RENAME TO away")

    def mend(self):
        with postgres().connect(self.name) as connection:
            connection.execute("ALTER TABLE away RENAME TO galaxy_session")


class Notes:
    """Stands for the database, and keeps who would have been written."""

    def __init__(self):
        self.written = []

    def run(self, function, session_ids, now):
        self.written.append(session_ids)
        return succeed(None)


class UseTests(SynchronousTestCase):
    """What the front door is given for a visitor's tools and sessions."""

    def setUp(self):
        self.notes = cast("Any", Notes())
        self.last_action = LastAction(self.notes, Clock(), lambda: NOW)
        self.touched = []

    def written(self):
        self.successResultOf(self.last_action.write())
        written, self.notes.written = self.notes.written, []
        return written

    def use(self, method, target):
        return None if method == b"GET" else lambda: self.touched.append(target)

    def test_a_forgotten_page_of_a_tool_keeps_no_login_alive(self):
        used: Any = self.last_action.use_of(user(5), None)
        for method, target in (
            (b"GET", b"/base/api/kernels?17"),
            (b"HEAD", b"/api/sessions"),
            (b"GET", b"/api/contents/a/b.ipynb?content=1"),
            (b"GET", b"/api/events/subscribe"),
            (b"GET", b"/base/lab/api/workspaces?17"),
            (b"PUT", b"/base/lab/api/workspaces/default?17"),
        ):
            self.assertIsNone(used(method, target), target)
        for method, target in (
            (b"POST", b"/base/api/kernels?17"),
            (b"PUT", b"/api/contents/a"),
            (b"GET", b"/api/kernels/k1/channels?session_id=1"),
            (b"GET", b"/api/kernelsx"),
            (b"GET", b"/lab?x=/api/kernels"),
            (b"GET", b"/lab/tree/a.ipynb"),
            (b"GET", b"/"),
        ):
            self.assertIsNotNone(used(method, target), target)

    def test_everything_else_is_use_of_a_tool(self):
        used: Any = self.last_action.use_of(user(5), None)
        touch = used(b"GET", b"/lab")
        self.assertEqual(self.written(), [])
        touch()
        touch()
        used = self.last_action.use_of(Anonymous(4, "key"), None)
        used(b"GET", b"/")()
        self.assertEqual(self.written(), [[4, 5]])
        self.assertEqual(self.written(), [])

    def test_a_session_says_what_is_use(self):
        used: Any = self.last_action.use_of(user(5), self.use)
        self.assertIsNone(used(b"GET", b"/api/kernels"))
        self.assertEqual((self.written(), self.touched), ([], []))
        used(b"PUT", b"/api/contents/a")()
        self.assertEqual((self.written(), self.touched), ([[5]], [b"/api/contents/a"]))
