"""Galaxy's tables, on SQLite and on a real PostgreSQL, with rows made by Galaxy 26.1's model."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import text
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import Database, DatabaseUnavailable, ask, open_engine
from giestack.identity.entry_point import EntryPoint, EntryPointOwner
from giestack.identity.galaxy import (
    GalaxyDatabase,
    entry_points_of,
    owners_by_id,
    sessions_by_key,
)
from giestack.identity.rules import visitor_of
from giestack.visitor import Anonymous, Identity, Refused
from tests.identity.galaxy_fixture import (
    BY_NAME,
    CASES,
    CODEC,
    DATA,
    FIXTURE,
    NOW,
    POLICY,
    key_of,
    postgres_copy,
    sqlite_copy,
)
from tests.neighbours.postgres import postgres
from tests.threaded_clock import ThreadedClock

KINDS = {"user": Identity, "anonymous": Anonymous, "reject": Refused}
ALICE = Identity("galaxy", 1, "", "alice", "alice@example.org", False, 1, "")
UNDER = {
    "session_duration=60": replace(POLICY, session_duration=60),
    "session_duration=120": replace(POLICY, session_duration=120),
    "require_login": replace(POLICY, require_login=True),
    "use_remote_user": replace(POLICY, use_remote_user=True),
}


class SQLiteTests(SynchronousTestCase):
    """What must hold on every kind of database."""

    def setUp(self):
        self.engine = open_engine(f"sqlite:///{DATA / 'galaxy.sqlite'}")

    def visitor(self, case, policy, rows):
        key = key_of(case["case"])
        if key is None:
            return Refused("does not decode")
        return visitor_of(rows.get(key), policy, CODEC.encode_id, NOW, case["email"])

    def test_every_case(self):
        """All sessions of the fixture, found in one question."""
        keys = {key for key in map(key_of, BY_NAME) if key}
        rows = ask(self.engine, sessions_by_key, keys)
        conditional = 0
        for case in CASES:
            answer = self.visitor(case, POLICY, rows)
            self.assertIsInstance(answer, KINDS[case["expected"]], case["case"])
            for condition, expected in case.get("expected_if", {}).items():
                conditional += 1
                other = self.visitor(case, UNDER[condition], rows)
                self.assertIsInstance(other, KINDS[expected], (case["case"], condition))
            if isinstance(answer, Identity):
                self.assertEqual(
                    (answer.user_id, answer.email, answer.username, answer.session_id),
                    (case["user_id"], case["email"], case["username"], case["session_id"]),
                )
                self.assertEqual(answer.encoded_id, CODEC.encode_id(case["user_id"]))
                self.assertEqual(answer.is_admin, case["is_admin"])
                self.assertEqual(answer.impersonated_by, case.get("impersonated_by"))
            elif isinstance(answer, Anonymous):
                self.assertEqual(answer.session_id, case["session_id"])
        self.assertEqual((len(CASES), conditional), (34, 6))

    def test_one_case_at_a_time(self):
        for name in BY_NAME:
            key = key_of(name)
            if key is not None:
                found = ask(self.engine, sessions_by_key, [key])
                known = BY_NAME[name]["session_id"] is not None
                self.assertEqual(set(found), {key} if known else set())

    def test_times(self):
        key = key_of("idle for 90 minutes")
        row = ask(self.engine, sessions_by_key, [key])[key]
        self.assertEqual(row.last_action, NOW - timedelta(minutes=90))
        self.assertEqual(row.create_time, NOW - timedelta(hours=5))
        key = key_of("last_action NULL")
        self.assertIsNone(ask(self.engine, sessions_by_key, [key])[key].last_action)

    def test_more_keys_than_fit_a_statement(self):
        keys = [f"{number:032x}" for number in range(10_001)]
        keys.append(key_of("user valid"))
        self.assertEqual(list(ask(self.engine, sessions_by_key, keys)), keys[-1:])
        self.assertEqual(ask(self.engine, sessions_by_key, []), {})

    def test_owners(self):
        ids = {point["id"] for point in FIXTURE["entry_points"]}
        owners = ask(self.engine, owners_by_id, ids | {99, 2**31 - 1})
        expected = {}
        for point in FIXTURE["entry_points"]:
            user = {"alice@example.org": 1, "bob@example.org": 2, None: None}[point["owner_email"]]
            active = point["job_state"] in ("running", "queued") and not point["deleted"]
            session = point["owner_session_id"]
            expected[point["id"]] = EntryPointOwner(point["id"], user, session, active)
        self.assertEqual(owners, expected)
        self.assertEqual(ask(self.engine, owners_by_id, []), {})

    def test_entry_points(self):
        points = ask(self.engine, entry_points_of, ALICE)
        self.assertEqual([point.id for point in points], [1, 2, 3, 7])
        self.assertEqual(
            points[0],
            EntryPoint(
                id=1,
                name="alice running",
                label="jupyter",
                token="ca0068bfc0ac",
                configured=True,
                job_state="running",
                entry_url="ipython/lab",
                requires_domain=True,
                requires_path_in_url=False,
                requires_path_in_header_named=None,
                created_time=datetime(2026, 11, 21, 3, 25, 42, 460),
            ),
        )
        self.assertEqual(points[1].requires_path_in_header_named, "X-My-Path")
        self.assertEqual(
            [(point.requires_domain, point.requires_path_in_url) for point in points[1:]],
            [(False, False), (False, True), (True, False)],
        )
        self.assertEqual((points[3].configured, points[3].job_state), (False, "queued"))

    def test_entry_points_of_a_session(self):
        """An anonymous visitor's; never those of a user who had the session."""
        points = ask(self.engine, entry_points_of, Anonymous(16, ""))
        self.assertEqual([point.name for point in points], ["anonymous running"])
        self.assertEqual(ask(self.engine, entry_points_of, Anonymous(1, "")), [])

    def test_in_threads(self):
        clock = ThreadedClock()
        database = Database(self.engine, clock)
        database.start()
        galaxy = GalaxyDatabase(database)
        key = key_of("user valid")
        sessions = clock.result_of(self, galaxy.sessions([key]))
        self.assertEqual(sessions[key].email, "alice@example.org")
        owners = clock.result_of(self, galaxy.owners([4]))
        self.assertEqual(owners[4].user_id, 2)
        points = clock.result_of(self, galaxy.entry_points(ALICE))
        self.assertEqual(len(points), 4)
        clock.result_of(self, database.stop())


class PostgreSQLTests(SQLiteTests):
    def setUp(self):
        self.name = postgres_copy(self)
        self.engine = open_engine(postgres().url(self.name))
        self.addCleanup(self.engine.dispose)

    def test_time_with_zone(self):
        """Not Galaxy's own schema, but one moment is one moment."""
        with postgres().connect(self.name) as connection:
            connection.execute(
                "ALTER TABLE galaxy_session ALTER last_action TYPE timestamptz"
                " USING last_action AT TIME ZONE 'UTC'"
            )
        self.test_times()


class OddDatabaseTests(SynchronousTestCase):
    """Databases of old releases, and rows that a migration has left odd."""

    def setUp(self):
        self.path = sqlite_copy(self)
        self.engine = open_engine(f"sqlite:///{self.path}")

    def change(self, *statements):
        with closing(sqlite3.connect(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def session(self, name):
        key = key_of(name)
        return ask(self.engine, sessions_by_key, [key])[key]

    def test_null_is_false(self):
        self.change("UPDATE galaxy_user SET deleted = NULL, purged = NULL, external = NULL")
        row = self.session("user valid")
        self.assertEqual((row.deleted, row.purged, row.external), (False, False, False))
        self.change("UPDATE interactivetool_entry_point SET deleted = NULL")
        self.assertTrue(ask(self.engine, owners_by_id, [1])[1].active)

    def test_user_row_missing(self):
        self.change("DELETE FROM galaxy_user WHERE email = 'alice@example.org'")
        row = self.session("user valid")
        self.assertEqual((row.user_id, row.email), (1, None))
        self.assertIsInstance(visitor_of(row, POLICY, str, NOW), Refused)

    def test_unreadable_time(self):
        """It is too old for session_duration, and spoils no other session's answer."""
        self.change("UPDATE galaxy_session SET last_action = 'soon' WHERE id = 1")
        row = self.session("user valid")
        self.assertIsInstance(visitor_of(row, POLICY, str, NOW), Identity)
        limited = replace(POLICY, session_duration=60)
        self.assertIsInstance(visitor_of(row, limited, str, NOW), Refused)

    def test_columns_of_older_releases(self):
        """Before 23.2 there was no label and no requires_path_in_…."""
        self.change(
            *(
                f"ALTER TABLE interactivetool_entry_point DROP COLUMN {name}"
                for name in (
                    "label",
                    "requires_domain",
                    "requires_path_in_url",
                    "requires_path_in_header_named",
                )
            )
        )
        point = ask(self.engine, entry_points_of, ALICE)[0]
        self.assertEqual(point.name, "alice running")
        self.assertIsNone(point.label)
        self.assertTrue(point.requires_domain)
        self.assertFalse(point.requires_path_in_url)
        self.assertIsNone(point.requires_path_in_header_named)

    def test_job_missing(self):
        """An entry point without a job is nobody's and not active."""
        self.change("DELETE FROM job")
        self.assertEqual(
            ask(self.engine, owners_by_id, [1]), {1: EntryPointOwner(1, None, None, False)}
        )
        self.assertEqual(ask(self.engine, entry_points_of, ALICE), [])

    def test_ended_job(self):
        for state in ("ok", "error", "deleted", "paused", "stopped", ""):
            self.change(f"UPDATE job SET state = '{state}'")
            self.assertFalse(ask(self.engine, owners_by_id, [1])[1].active)
            self.assertEqual(ask(self.engine, entry_points_of, ALICE), [])
        for state in ("new", "resubmitted", "upload", "waiting", "queued", "running"):
            self.change(f"UPDATE job SET state = '{state}'")
            self.assertTrue(ask(self.engine, owners_by_id, [1])[1].active)
            self.assertEqual(len(ask(self.engine, entry_points_of, ALICE)), 4)

    def test_not_galaxys_database(self):
        self.change("DROP TABLE galaxy_session")
        error = self.assertRaises(DatabaseUnavailable, self.session, "user valid")
        self.assertIn("galaxy_session", str(error))
        self.assertNotIn(key_of("user valid"), str(error))

    def test_nothing_is_written(self):
        def write(connection):
            connection.execute(text("UPDATE galaxy_session SET is_valid = 0"))

        self.assertRaises(DatabaseUnavailable, ask, self.engine, write)
        self.assertTrue(self.session("user valid").is_valid)
