"""The demo's host database, read as every Galaxy's is."""

import sqlite3
from contextlib import closing
from datetime import timedelta

from twisted.internet.defer import fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import ask, open_engine
from giestack.demo.folder import DemoError
from giestack.demo.host import ADMIN_USERS, DemoLogins, HostDatabase, UnknownUser
from giestack.identity.cookie import CookieCodec
from giestack.identity.entry_point import EntryPointOwner
from giestack.identity.galaxy import entry_points_of, owners_by_id, sessions_by_key
from giestack.identity.rules import GalaxyPolicy
from giestack.identity.sessions import Sessions
from giestack.visitor import Anonymous, Identity, Refused
from tests.demo.place import NOW, mode_of, new_folder

CODEC = CookieCodec("0123456789abcdef0123456789abcdef")
POLICY = GalaxyPolicy(admin_users=frozenset(ADMIN_USERS.split(",")))


class Lookup:
    """Asks the database at once."""

    def __init__(self, engine):
        self.engine = engine

    def sessions(self, keys):
        return succeed(ask(self.engine, sessions_by_key, keys))


class HostTestCase(SynchronousTestCase):
    def setUp(self):
        folder = new_folder(self)
        folder.mkdir()
        self.path = folder / "galaxy.sqlite"
        self.now = NOW
        self.host = HostDatabase(self.path, lambda: self.now)
        self.engine = open_engine(f"sqlite:///{self.path}")
        self.addCleanup(self.engine.dispose)
        self.logins = DemoLogins(self.host, CODEC, maybeDeferred)

    def check(self, cookie, policy=POLICY):
        """What giestack makes of a cookie when it asks anew."""
        clock = Clock()
        sessions = Sessions(Lookup(self.engine), CODEC, policy, clock, lambda: self.now, 10.0)
        visitor = maybeDeferred(sessions.check, (cookie.encode(),))
        clock.advance(1)
        return self.successResultOf(visitor)

    def log_in(self, name):
        return self.successResultOf(self.logins.log_in(name))

    def tables(self, statement):
        with closing(sqlite3.connect(self.path)) as database:
            return database.execute(statement).fetchall()


class LoginTests(HostTestCase):
    def test_users(self):
        for number, name in enumerate(("alice", "bob", "admin"), 1):
            visitor = self.check(self.log_in(name))
            self.assertIsInstance(visitor, Identity)
            self.assertEqual(
                (visitor.user_id, visitor.username, visitor.email, visitor.is_admin),
                (number, name, f"{name}@example.org", name == "admin"),
            )
            self.assertIsNone(visitor.impersonated_by)

    def test_cookie_looks_like_galaxys(self):
        self.assertRegex(self.log_in("alice"), "^[0-9a-f]{80}$")

    def test_each_login_is_a_session_of_its_own(self):
        first, second = self.log_in("alice"), self.log_in("alice")
        self.assertNotEqual(first, second)
        self.successResultOf(self.logins.log_out(self.check(first)))
        self.assertIsInstance(self.check(first), Refused)
        self.assertIsInstance(self.check(second), Identity)

    def test_log_out(self):
        cookie = self.log_in("bob")
        visitor = self.check(cookie)
        self.assertIsNone(self.successResultOf(self.logins.log_out(visitor)))
        self.assertEqual(self.check(cookie), Refused("the session has ended"))
        # A second time changes nothing.
        self.successResultOf(self.logins.log_out(visitor))
        self.assertEqual(self.check(cookie), Refused("the session has ended"))

    def test_log_out_needs_the_sessions_own_key(self):
        cookie = self.log_in("bob")
        number = self.check(cookie).session_id
        self.successResultOf(self.logins.log_out(Anonymous(number, "0" * 32)))
        self.assertIsInstance(self.check(cookie), Identity)

    def test_unknown_user(self):
        for name in ("mallory", "", "Alice", "alice@example.org", "x" * 999, "' OR 1=1 --"):
            failure = self.failureResultOf(self.logins.log_in(name), UnknownUser)
            self.assertIn("there are alice, bob and admin", str(failure.value))
            self.assertLess(len(str(failure.value)), 120)
        self.assertEqual(self.tables("SELECT count(*) FROM galaxy_session"), [(0,)])

    def test_broken_disk(self):
        self.path.unlink()
        self.path.mkdir()
        self.failureResultOf(self.logins.log_in("alice"), sqlite3.Error)

    def test_pool_that_takes_nothing(self):
        logins = DemoLogins(self.host, CODEC, lambda *arguments: fail(RuntimeError("full")))
        self.failureResultOf(logins.log_in("alice"), RuntimeError)

    def test_session_row_as_galaxy_writes_it(self):
        self.log_in("alice")
        ((created, updated, action, valid, previous, user),) = self.tables(
            "SELECT create_time, update_time, last_action, is_valid, prev_session_id, user_id "
            "FROM galaxy_session"
        )
        self.assertEqual({created, updated, action}, {"2026-05-04 03:02:01.654321"})
        self.assertEqual((valid, previous, user), (1, None, 1))

    def test_session_duration_counts_from_the_login(self):
        cookie = self.log_in("alice")
        policy = GalaxyPolicy(session_duration=60)
        self.now = NOW + timedelta(minutes=59)
        self.assertIsInstance(self.check(cookie, policy), Identity)
        self.now = NOW + timedelta(minutes=61)
        self.assertIsInstance(self.check(cookie, policy), Refused)


class ToolTests(HostTestCase):
    def setUp(self):
        super().setUp()
        self.alice = self.check(self.log_in("alice"))
        self.bob = self.check(self.log_in("bob"))
        self.tool = self.host.request_tool("alice", "JupyterLab", "t0ken", "lab")

    def entry_points(self, visitor):
        return ask(self.engine, entry_points_of, visitor)

    def only(self):
        (entry_point,) = self.entry_points(self.alice)
        return entry_point

    def owner(self):
        return ask(self.engine, owners_by_id, [self.tool.entry_point_id])[self.tool.entry_point_id]

    def test_from_queue_to_end(self):
        self.assertNotIn("t0ken", repr(self.tool))
        self.assertEqual((self.only().job_state, self.only().configured), ("queued", False))
        self.host.tool_started(self.tool)
        self.assertEqual((self.only().job_state, self.only().configured), ("running", False))
        self.host.tool_configured(self.tool, "127.0.0.1", 4567, "X-Here")
        entry_point = self.only()
        self.assertEqual((entry_point.job_state, entry_point.configured), ("running", True))
        self.assertEqual((entry_point.token, entry_point.entry_url), ("t0ken", "lab"))
        self.assertFalse(entry_point.requires_domain)
        self.assertTrue(entry_point.requires_path_in_url)
        self.assertEqual(entry_point.requires_path_in_header_named, "X-Here")
        self.assertEqual(entry_point.created_time, NOW)
        self.assertEqual(
            self.tables("SELECT host, port, protocol FROM interactivetool_entry_point"),
            [("127.0.0.1", 4567, "http")],
        )
        self.host.end_tools()
        self.assertEqual(self.entry_points(self.alice), [])
        self.assertEqual(self.owner().active, False)
        self.assertEqual(self.tables("SELECT state FROM job"), [("deleted",)])

    def test_queued_again(self):
        self.host.tool_configured(self.tool, "127.0.0.1", 4567, None)
        self.host.tool_queued(self.tool)
        self.assertEqual((self.only().job_state, self.only().configured), ("queued", False))
        self.assertEqual(
            self.tables("SELECT host, port, protocol FROM interactivetool_entry_point"),
            [(None, None, None)],
        )

    def test_it_is_alices(self):
        self.assertEqual(
            self.owner(), EntryPointOwner(self.tool.entry_point_id, self.alice.user_id, None, True)
        )
        self.assertEqual(self.entry_points(self.bob), [])

    def test_what_has_ended_stays_ended(self):
        self.host.end_tools("error")
        self.tool = self.host.request_tool("alice", "JupyterLab", "another", "lab")
        self.host.end_tools()
        self.assertEqual(
            self.tables("SELECT state FROM job ORDER BY id"), [("error",), ("deleted",)]
        )

    def test_unknown_user(self):
        self.assertRaises(UnknownUser, self.host.request_tool, "mallory", "x", "x", "x")
        self.assertEqual(self.tables("SELECT count(*) FROM job"), [(1,)])
        self.assertEqual(len(self.entry_points(self.alice)), 1)


class FileTests(HostTestCase):
    def test_private(self):
        self.assertEqual(mode_of(self.path), 0o600)

    def test_used_again(self):
        cookie = self.log_in("alice")
        HostDatabase(self.path, lambda: NOW)
        self.assertIsInstance(self.check(cookie), Identity)

    def test_made_at_once(self):
        """What a demo has left that was killed while it made the database is no database."""
        self.path.unlink()
        new = self.path.with_name("galaxy.sqlite.new")
        new.write_bytes(b"SQLite format 3\0 and then the power went")
        HostDatabase(self.path, lambda: NOW)
        self.assertIsInstance(self.check(self.log_in("alice")), Identity)
        self.assertFalse(new.exists())

    def test_something_else_there(self):
        self.path.write_bytes(b"no database at all, but long enough to be looked at" * 9)
        error = self.assertRaises(DemoError, HostDatabase, self.path, lambda: NOW)
        self.assertIn("move it away", str(error))

    def test_another_database_there(self):
        for statement in ("DROP TABLE job", "DELETE FROM galaxy_user WHERE username = 'bob'"):
            with closing(sqlite3.connect(self.path)) as database:
                database.execute(statement)
                database.commit()
            error = self.assertRaises(DemoError, HostDatabase, self.path, lambda: NOW)
            self.assertIn("move it away", str(error))
            self.path.unlink()
            HostDatabase(self.path, lambda: NOW)

    def test_no_place_to_write(self):
        path = self.path.parent / "nowhere" / "galaxy.sqlite"
        self.assertRaises(DemoError, HostDatabase, path, lambda: NOW)

    def test_failed_write_leaves_no_half(self):
        with closing(sqlite3.connect(self.path)) as database:
            database.execute("DROP TABLE interactivetool_entry_point")
        self.assertRaises(
            sqlite3.Error, self.host.request_tool, "alice", "JupyterLab", "t0ken", "lab"
        )
        self.assertEqual(self.tables("SELECT count(*) FROM job"), [(0,)])
