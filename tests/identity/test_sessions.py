"""Session checks with a memory: Galaxy's fixture, outages, logouts, many at once."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import Database, DatabaseUnavailable, engine_url, open_engine
from giestack.identity.cookie import CookieCodec
from giestack.identity.galaxy import GalaxyDatabase
from giestack.identity.rules import SessionRow
from giestack.identity.sessions import Sessions
from giestack.visitor import Anonymous, Identity, Refused, Unavailable
from tests.identity.galaxy_fixture import (
    BY_NAME,
    CODEC,
    DATA,
    NOW,
    POLICY,
    cookie_of,
    key_of,
    postgres_copy,
    sqlite_copy,
)
from tests.neighbours.postgres import postgres
from tests.threaded_clock import ThreadedClock

KEY = "0123456789abcdef0123456789abcdef"
OTHER_KEY = "fedcba9876543210fedcba9876543210"
COOKIE = CODEC.encode(KEY).encode()
OTHER = CODEC.encode(OTHER_KEY).encode()
ROW = SessionRow(
    session_id=7,
    session_key=KEY,
    is_valid=True,
    user_id=42,
    last_action=NOW,
    email="bob@example.org",
    username="bob",
)
REMOTE = replace(POLICY, use_remote_user=True, allow_user_impersonation=True)


class Lookup:
    """Galaxy's database as the sessions see it."""

    def __init__(self):
        self.rows = {KEY: ROW}
        self.asked = []
        self.down = False
        self.waiting: Deferred | None = None

    def sessions(self, keys):
        self.asked.append(sorted(keys))
        if self.down:
            return fail(DatabaseUnavailable("down"))
        if self.waiting is not None:
            return self.waiting
        return succeed({key: self.rows[key] for key in keys if key in self.rows})

    def end(self, key=KEY):
        self.rows[key] = replace(self.rows[key], is_valid=False)


class SessionsTestCase(SynchronousTestCase):
    ttl = 10.0

    def setUp(self):
        self.clock = Clock()
        self.lookup = Lookup()
        self.now = NOW
        self.sessions = self.make()

    def make(self, policy=POLICY, **options):
        return Sessions(
            self.lookup, CODEC, policy, self.clock, lambda: self.now, self.ttl, **options
        )

    def check(self, *cookies, remote_user=None):
        """Check, and let the lookup happen."""
        answer = maybeDeferred(self.sessions.check, cookies, remote_user)
        self.clock.advance(0)
        return self.successResultOf(answer)


class CheckTests(SessionsTestCase):
    def test_user(self):
        self.assertEqual(self.check(COOKIE).email, "bob@example.org")
        self.assertEqual(self.lookup.asked, [[KEY]])

    def test_known(self):
        """A known session is answered at once, however its cookie is spelt."""
        visitor = self.check(COOKIE)
        for cookie in (COOKIE, COOKIE.upper(), COOKIE[16:], b'"' + COOKIE + b'"'):
            self.assertIs(self.sessions.check((cookie,)), visitor)
        self.assertIs(self.sessions.check_key(KEY), visitor)
        self.assertEqual(len(self.lookup.asked), 1)

    def test_several_cookies(self):
        """What does not decode is ignored; two sessions are none."""
        self.assertIsInstance(self.check(b"junk", COOKIE, b""), Identity)
        self.assertIsInstance(self.check(COOKIE, COOKIE.upper()), Identity)
        self.assertIsInstance(self.check(b"junk", COOKIE), Identity)
        self.assertEqual(self.check(COOKIE, OTHER), Refused("cookies of two different sessions"))
        self.assertEqual(self.lookup.asked, [[KEY]])

    def test_no_cookie(self):
        self.assertEqual(self.sessions.check(()), Refused("no session cookie"))
        for cookies in ((b"",), (b"junk",), (b"junk", b"zz" * 40), (KEY.encode(),)):
            refused = self.sessions.check(cookies)
            self.assertEqual(refused, Refused("the session cookie does not decode"))
        self.assertEqual(self.lookup.asked, [])

    @given(st.lists(st.binary(max_size=100), max_size=3))
    def test_any_cookies(self, cookies):
        self.assertIsInstance(self.sessions.check(tuple(cookies)), Refused)

    def test_believed_for_a_while(self):
        self.check(COOKIE)
        self.lookup.end()
        self.clock.advance(9.9)
        self.assertIsInstance(self.sessions.check((COOKIE,)), Identity)
        self.clock.advance(0.2)
        self.assertEqual(self.check(COOKIE), Refused("the session has ended"))

    def test_refusals_are_believed_more_shortly(self):
        self.lookup.end()
        self.check(COOKIE)
        self.clock.advance(1.9)
        self.assertIsInstance(self.sessions.check((COOKIE,)), Refused)
        self.lookup.rows[KEY] = ROW
        self.clock.advance(0.2)
        self.assertIsInstance(self.check(COOKIE), Identity)

    def test_unknown_sessions_are_remembered_too(self):
        for _ in range(3):
            refused = self.check(OTHER)
            self.assertEqual(refused, Refused("no such session in Galaxy's database"))
        self.assertEqual(len(self.lookup.asked), 1)

    def test_many_checks(self):
        """Ten thousand checks of one cookie are one query in each span of belief."""
        for spans in (1, 2, 3):
            for _ in range(10_000):
                self.assertEqual(self.check(COOKIE).user_id, 42)
            self.assertEqual(len(self.lookup.asked), spans)
            self.clock.advance(10)
        self.assertEqual(self.sessions.lookups, 30_000)
        self.assertEqual(self.sessions.hits, 29_997)
        self.assertEqual((self.sessions.queries, self.sessions.errors), (3, 0))
        self.assertEqual(self.sessions.cached, 1)

    def test_at_the_same_time(self):
        """Requests that come together share a query, and a lost one harms no other."""
        self.lookup.waiting = Deferred()
        answers = [maybeDeferred(self.sessions.check, (COOKIE,)) for _ in range(100)]
        answers.append(maybeDeferred(self.sessions.check, (OTHER,)))
        self.clock.advance(0)
        answers.append(maybeDeferred(self.sessions.check, (COOKIE.upper(),)))
        lost = answers.pop(0)
        lost.addErrback(lambda _: None)
        lost.cancel()
        self.lookup.waiting.callback({KEY: ROW})
        visitors = [self.successResultOf(answer) for answer in answers]
        self.assertEqual(
            [type(visitor) for visitor in visitors], [Identity] * 99 + [Refused, Identity]
        )
        self.assertEqual(self.lookup.asked, [sorted([KEY, OTHER_KEY])])

    def test_unavailable(self):
        """An outage is no refusal, is not remembered, and ends by itself."""
        self.lookup.down = True
        for _ in range(2):
            self.assertEqual(self.check(COOKIE), Unavailable("down"))
        self.assertEqual((self.sessions.errors, self.sessions.cached), (2, 0))
        self.lookup.down = False
        self.assertIsInstance(self.check(COOKIE), Identity)

    def test_outage_of_a_known_session(self):
        """It is believed until its time is over, then nobody can tell."""
        self.check(COOKIE)
        self.lookup.down = True
        self.clock.advance(9.9)
        self.assertIsInstance(self.check(COOKIE), Identity)
        self.clock.advance(0.2)
        self.assertIsInstance(self.check(COOKIE), Unavailable)

    def test_session_duration(self):
        """The wall clock counts, not the one that measures belief."""
        self.sessions = self.make(replace(POLICY, session_duration=5))
        self.assertIsInstance(self.check(COOKIE), Identity)
        self.now += timedelta(minutes=6)
        self.clock.advance(10)
        self.assertIsInstance(self.check(COOKIE), Refused)

    def test_bounded(self):
        """Whatever cookies come, only so many sessions are remembered."""
        self.sessions = self.make(size=3)
        for number in range(20):
            self.check(CODEC.encode(f"{number:032x}").encode())
            self.check(COOKIE)
        self.assertEqual(self.sessions.cached, 3)
        self.assertIsInstance(self.sessions.check((COOKIE,)), Identity)

    def test_another_configuration(self):
        """Nothing that was judged by the old one counts."""
        self.check(COOKIE)
        other = CookieCodec("some other secret")
        self.sessions.reload(other, replace(POLICY, admin_users=frozenset({"bob@example.org"})))
        self.assertIsInstance(self.check(COOKIE), Refused)
        visitor = self.check(other.encode(KEY).encode())
        self.assertTrue(visitor.is_admin)
        self.assertEqual(visitor.encoded_id, other.encode_id(42))

    def test_no_memory(self):
        self.ttl = 0
        self.sessions = self.make()
        for _ in range(2):
            self.assertIsInstance(self.check(COOKIE), Identity)
        self.assertEqual(len(self.lookup.asked), 2)


class RemoteUserTests(SessionsTestCase):
    """One session, several headers: each request is judged by its own."""

    def setUp(self):
        super().setUp()
        self.sessions = self.make(REMOTE)

    def test_headers(self):
        for _ in range(2):
            visitor = self.check(COOKIE, remote_user="bob@example.org")
            self.assertEqual((visitor.user_id, visitor.impersonated_by), (42, None))
            visitor = self.check(COOKIE, remote_user="admin@example.org")
            self.assertEqual(visitor.impersonated_by, "admin@example.org")
            self.assertIsInstance(self.check(COOKIE, remote_user="alice@example.org"), Refused)
            self.assertIsInstance(self.check(COOKIE), Refused)
        self.assertEqual(len(self.lookup.asked), 1)

    def test_waiting_together(self):
        """Two requests with different headers may wait for the same lookup."""
        bob = maybeDeferred(self.sessions.check, (COOKIE,), "bob@example.org")
        alice = maybeDeferred(self.sessions.check, (COOKIE,), "alice@example.org")
        self.clock.advance(0)
        self.assertIsInstance(self.successResultOf(bob), Identity)
        self.assertIsInstance(self.successResultOf(alice), Refused)

    def test_ended(self):
        """Remembered as refused for everybody."""
        self.lookup.end()
        for header in (None, "bob@example.org", "admin@example.org"):
            self.assertIsInstance(self.check(COOKIE, remote_user=header), Refused)

    def test_header_without_the_option(self):
        self.sessions = self.make(POLICY)
        for header in ("alice@example.org", None, "bob@example.org"):
            self.assertIsInstance(self.check(COOKIE, remote_user=header), Identity)

    def test_held_connections_are_not_asked_for_a_header(self):
        cuts: list[str] = []
        self.sessions.hold(self.check(COOKIE, remote_user="bob@example.org"), cuts.append)
        self.sessions.start()
        self.addCleanup(self.sessions.stop)
        self.clock.pump([1] * 30)
        self.assertEqual(cuts, [])


class HoldTests(SessionsTestCase):
    """Connections that live as long as their session."""

    def setUp(self):
        super().setUp()
        self.lookup.rows[OTHER_KEY] = replace(
            ROW, session_id=8, session_key=OTHER_KEY, user_id=None, email=None
        )
        self.bob, self.anonymous = self.check(COOKIE), self.check(OTHER)
        self.assertIsInstance(self.anonymous, Anonymous)
        self.lookup.asked.clear()
        self.cuts: list[str] = []
        self.sessions.start()
        self.addCleanup(self.sessions.stop)

    def pass_by(self, seconds):
        self.clock.pump([0.125] * round(seconds * 8))

    def test_logout(self):
        """Every connection of the session ends within the span of belief, others stay."""
        others: list[str] = []
        self.sessions.hold(self.bob, self.cuts.append)
        self.sessions.hold(self.bob, self.cuts.append)
        self.sessions.hold(self.anonymous, others.append)
        self.pass_by(30)
        self.assertEqual(self.cuts, [])
        self.lookup.end()
        self.pass_by(10)
        self.assertEqual(self.cuts, ["the session has ended"] * 2)
        self.pass_by(30)
        self.assertEqual(len(self.cuts), 2)
        self.assertEqual(others, [])
        self.assertEqual(self.sessions.cut, 2)

    def test_other_ends(self):
        for change, word in (
            ({"deleted": True}, "deleted"),
            ({"purged": True}, "purged"),
            ({"user_id": 43, "email": "eve@example.org"}, "another user"),
            ({"user_id": None, "email": None}, "another user"),
        ):
            self.lookup.rows[KEY] = ROW
            self.sessions.hold(self.bob, self.cuts.append)
            self.lookup.rows[KEY] = replace(ROW, **change)
            self.pass_by(10)
            self.assertIn(word, self.cuts.pop())
        self.sessions.hold(self.bob, self.cuts.append)
        del self.lookup.rows[KEY]
        self.pass_by(10)
        self.assertIn("no such session", self.cuts.pop())

    def test_anonymous_logs_in(self):
        """Galaxy may give a session a user: then it is no longer the one that was let in."""
        self.sessions.hold(self.anonymous, self.cuts.append)
        self.lookup.rows[OTHER_KEY] = replace(ROW, session_id=8, session_key=OTHER_KEY)
        self.pass_by(10)
        self.assertEqual(self.cuts, ["the session is now another user's"])

    def test_one_query_for_all(self):
        """All held sessions are asked for together, twice in each span of belief."""
        for visitor in (self.bob, self.anonymous, self.bob):
            self.sessions.hold(visitor, self.cuts.append)
        self.pass_by(10)
        self.assertEqual(self.lookup.asked, [[KEY, OTHER_KEY]] * 2)

    def test_recheck_is_a_check(self):
        """While a session is held, no request of it has to wait for the database."""
        self.sessions.hold(self.bob, self.cuts.append)
        for _ in range(100):
            self.pass_by(1)
            self.assertEqual(self.sessions.check((COOKIE,)), self.bob)
        self.assertEqual(len(self.lookup.asked), 20)

    def test_nothing_held(self):
        release = self.sessions.hold(self.bob, self.cuts.append)
        release()
        release()
        self.pass_by(30)
        self.assertEqual(self.lookup.asked, [])

    def test_released(self):
        release = self.sessions.hold(self.bob, self.cuts.append)
        self.sessions.hold(self.bob, lambda reason: self.cuts.append("the other"))
        release()
        self.lookup.end()
        self.pass_by(10)
        self.assertEqual(self.cuts, ["the other"])
        release()

    def test_release_while_cutting(self):
        """A connection that is cut releases itself and takes its twin along."""
        releases: list[Callable[[], None]] = []

        def cut(reason):
            self.cuts.append(reason)
            for release in releases:
                release()

        releases.extend(self.sessions.hold(self.bob, cut) for _ in range(2))
        self.lookup.end()
        self.pass_by(20)
        self.assertEqual(self.cuts, ["the session has ended"])

    def test_cut_already_sees_the_end(self):
        """Whoever asks while being cut is not told what was known before."""
        seen = []
        self.sessions.hold(self.bob, lambda _: seen.append(self.sessions.check((COOKIE,))))
        self.lookup.end()
        self.pass_by(10)
        self.assertEqual(seen, [Refused("the session has ended")])

    def test_cut_fails(self):
        """One connection that cannot be cut does not save the others."""

        def cut(reason):
            self.cuts.append(reason)
            raise ValueError("oops")

        self.sessions.hold(self.bob, cut)
        self.sessions.hold(self.bob, cut)
        self.lookup.end()
        self.pass_by(10)
        self.assertEqual(len(self.cuts), 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        self.assertEqual(self.check(COOKIE), Refused("the session has ended"))

    def test_a_request_notices_first(self):
        """What any check learns of a session ends its connections at once."""
        self.sessions.stop()
        self.sessions.hold(self.bob, self.cuts.append)
        self.lookup.end()
        self.clock.advance(10)
        self.assertIsInstance(self.check(COOKIE), Refused)
        self.assertEqual(self.cuts, ["the session has ended"])

    def test_outage(self):
        """Nothing is cut, it is said once, and what ended meanwhile is cut afterwards."""
        events = EventLoggingObserver()
        globalLogPublisher.addObserver(events)
        self.addCleanup(globalLogPublisher.removeObserver, events)
        self.sessions.hold(self.bob, self.cuts.append)
        self.lookup.down = True
        self.pass_by(100)
        self.assertEqual(self.cuts, [])
        self.assertEqual(self.sessions.errors, 20)
        warnings = [event for event in events if event["log_level"] is LogLevel.warn]
        self.assertEqual(len(warnings), 1)
        self.assertNotIn(KEY, repr(warnings))
        self.lookup.end()
        self.lookup.down = False
        self.pass_by(10)
        self.assertEqual(self.cuts, ["the session has ended"])

    def test_slow_database(self):
        """Never two re-checks at once."""
        self.sessions.hold(self.bob, self.cuts.append)
        self.lookup.waiting = Deferred()
        self.pass_by(60)
        self.assertEqual(self.lookup.asked, [[KEY]])
        waiting, self.lookup.waiting = self.lookup.waiting, None
        waiting.callback({})
        self.assertEqual(self.cuts, ["no such session in Galaxy's database"])
        self.sessions.hold(self.anonymous, self.cuts.append)
        self.pass_by(10)
        self.assertEqual(self.lookup.asked[1:], [[OTHER_KEY]] * 2)

    def test_stop(self):
        self.sessions.hold(self.bob, self.cuts.append)
        self.sessions.stop()
        self.sessions.stop()
        self.pass_by(30)
        self.assertEqual(self.lookup.asked, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_short_belief(self):
        """Even then the database is asked five times a second at most."""
        self.ttl = 0.01
        self.sessions.stop()
        self.sessions = self.make()
        self.sessions.start()
        self.sessions.hold(self.bob, self.cuts.append)
        self.pass_by(2)
        self.assertIn(len(self.lookup.asked), (9, 10))
        self.sessions.stop()


class DatabaseTestCase(SynchronousTestCase):
    """Sessions over a real database in threads."""

    def open(self, engine):
        self.clock = ThreadedClock()
        self.database = Database(engine, self.clock)
        self.database.start()
        self.addCleanup(lambda: self.clock.result_of(self, self.database.stop()))
        self.sessions = Sessions(
            GalaxyDatabase(self.database), CODEC, POLICY, self.clock, lambda: NOW, 10
        )

    def check(self, name):
        answer = maybeDeferred(self.sessions.check, (cookie_of(name),))
        return self.clock.result_of(self, answer)


class SQLiteTests(DatabaseTestCase):
    def test_every_case(self):
        """All of them at once, in one query."""
        self.open(open_engine(f"sqlite:///{DATA / 'galaxy.sqlite'}"))
        kinds = {"user": Identity, "anonymous": Anonymous, "reject": Refused}
        answers = {name: maybeDeferred(self.sessions.check, (cookie_of(name),)) for name in BY_NAME}
        for name, answer in answers.items():
            visitor = self.clock.result_of(self, answer)
            self.assertIsInstance(visitor, kinds[BY_NAME[name]["expected"]], name)
            if BY_NAME[name].get("impersonated_by"):
                self.assertEqual(visitor.impersonated_by, "admin@example.org")
        self.assertEqual(len(answers), 34)
        self.assertEqual(self.sessions.queries, 1)

    def test_locked_by_a_writer(self):
        path = sqlite_copy(self)
        url = engine_url(f"sqlite:///{path}").update_query_dict({"timeout": "0.01"})
        self.open(open_engine(url))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            for _ in range(2):
                self.assertIsInstance(self.check("user valid"), Unavailable)
        self.assertEqual(self.sessions.cached, 0)
        self.assertIsInstance(self.check("user valid"), Identity)

    def test_missing_then_there(self):
        path = sqlite_copy(self)
        away = path.rename(path.with_suffix(".away"))
        self.open(open_engine(f"sqlite:///{path}"))
        self.assertIsInstance(self.check("user valid"), Unavailable)
        self.assertEqual(self.sessions.cached, 0)
        away.rename(path)
        self.assertIsInstance(self.check("user valid"), Identity)


class PostgreSQLTests(DatabaseTestCase):
    def setUp(self):
        self.server = postgres()
        self.name = postgres_copy(self)
        self.open(open_engine(self.server.url(self.name)))

    def test_outage_and_logout(self):
        """The server stops in the middle, comes back, and a logout is seen."""
        cuts: list[str] = []
        self.sessions.hold(self.check("user valid"), cuts.append)
        self.server.stop()
        try:
            self.clock.advance(10)
            for _ in range(2):
                self.assertIsInstance(self.check("user valid"), Unavailable)
                self.assertIsInstance(self.check("anonymous valid"), Unavailable)
            self.assertEqual(self.sessions.cached, 1)
        finally:
            self.server.start()
        self.assertIsInstance(self.check("user valid"), Identity)
        self.assertIsInstance(self.check("anonymous valid"), Anonymous)
        self.assertEqual(cuts, [])
        with self.server.connect(self.name) as connection:
            connection.execute(
                "UPDATE galaxy_session SET is_valid = false WHERE session_key = %s",
                [key_of("user valid")],
            )
        self.clock.advance(10)
        self.assertIsInstance(self.check("user valid"), Refused)
        self.assertEqual(cuts, ["the session has ended"])
