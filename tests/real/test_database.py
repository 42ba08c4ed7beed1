"""Galaxy's database goes away and comes back: nobody is taken for logged out meanwhile."""

import os
import signal
import time
from contextlib import closing, contextmanager

from twisted.trial.unittest import SynchronousTestCase

from tests.identity.galaxy_fixture import postgres_copy
from tests.neighbours.backend import WEBSOCKET, Listener, Mirror, conversation, request
from tests.neighbours.galaxy import (
    ALICE,
    ALICE_ELSEWHERE,
    BOB,
    BOBS,
    PLAIN,
    Galaxy,
    cookie,
)
from tests.neighbours.giestack import COOKIE, Giestack, ask
from tests.neighbours.postgres import postgres
from tests.neighbours.program import eventually

AT_MOST = 5.0
"""Seconds after which a visitor is told that the database does not answer."""

QUERIES = "giestack_session_queries_total"
QUERY_ERRORS = "giestack_session_query_errors_total"


def parent_of(pid):
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])


@contextmanager
def frozen(server):
    """PostgreSQL is there, but none of its processes does anything."""
    with server.connect() as connection:
        (backend,) = connection.execute("SELECT pg_backend_pid()").fetchone()
        postmaster = parent_of(backend)
    os.kill(postmaster, signal.SIGSTOP)
    stopped = [postmaster]
    for name in os.listdir("/proc"):
        try:
            if name.isdecimal() and parent_of(name) == postmaster:
                os.kill(int(name), signal.SIGSTOP)
                stopped.append(int(name))
        except OSError:
            continue
    try:
        yield
    finally:
        for pid in stopped:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass


class OutageCase(SynchronousTestCase):
    def start(self, url):
        """Start giestack; alice has a tunnel open and a tool that answers."""
        self.galaxy, tool = Galaxy(self), Listener(self)
        if url is not None:
            self.galaxy.database_url = url
        self.path = self.galaxy.publish(PLAIN, Mirror(self).port)
        self.giestack = Giestack(self, self.galaxy, {"proxy": {"session_cache": 1.0}})
        self.giestack.until_it_answers(self.path, 200, cookie=cookie(ALICE))
        tunnel = self.galaxy.publish(BOBS, tool.port)
        self.giestack.until_it_answers(tunnel, 403, cookie=cookie(ALICE))
        self.client = conversation(self, self.giestack.port)
        self.client.send(request(tunnel, f"Cookie: {COOKIE}={cookie(BOB)}", *WEBSOCKET))
        self.tool = tool.accept()
        self.tool.answer_websocket(self.tool.head())
        self.client.head()

    def assertTunnelLives(self):
        self.client.send(b"there")
        self.assertEqual(self.tool.exactly(5), b"there")
        self.tool.send(b"back")
        self.assertEqual(self.client.exactly(4), b"back")

    def assertUnavailable(self):
        """Those who are not known are told so, in time; what needs no login goes on."""
        began = time.monotonic()
        answer = self.giestack.ask(self.path, cookie=cookie(ALICE_ELSEWHERE))
        self.assertLess(time.monotonic() - began, AT_MOST)
        self.assertEqual((answer.status, answer.json["error"]), (503, "identity-unavailable"))
        self.assertTrue(int(answer.headers["Retry-After"]))
        self.assertEqual(self.giestack.ask(self.path).status, 401)
        self.assertEqual(ask(self.giestack.admin_port, "/health").status, 200)
        self.assertEqual(ask(self.giestack.admin_port, "/ready").status, 503)

    def until_rechecks_fail(self):
        """Wait until the session of the tunnel could not be re-checked."""
        before = self.giestack.metrics()[QUERY_ERRORS]
        eventually(lambda: self.giestack.metrics()[QUERY_ERRORS] > before, "a re-check that fails")

    def assertRecovered(self):
        answer = self.giestack.until_it_answers(self.path, 200, cookie=cookie(ALICE_ELSEWHERE))
        self.assertEqual(answer.json["path"], "/")
        eventually(lambda: ask(self.giestack.admin_port, "/ready").status == 200, "ready again")
        self.assertTunnelLives()
        self.assertNotIn("Traceback", self.giestack.program.output)


class PostgreSQLTests(OutageCase):
    def setUp(self):
        self.server = postgres()
        self.name = postgres_copy(self)
        self.start(self.server.url(self.name))

    def test_who_may(self):
        for case, status in ((ALICE, 200), (BOB, 403), ("user logged out", 401)):
            self.assertEqual(self.giestack.ask(self.path, cookie=cookie(case)).status, status)

    def test_stopped_and_started_again(self):
        self.addCleanup(self.giestack.program.end)
        self.server.stop()
        try:
            self.assertUnavailable()
            self.until_rechecks_fail()
            self.assertTunnelLives()
        finally:
            self.server.start()
        self.assertRecovered()

    def test_frozen(self):
        """It takes connections and questions, and never answers."""
        with frozen(self.server):
            self.assertUnavailable()
            self.until_rechecks_fail()
            self.assertTunnelLives()
        self.assertRecovered()

    def test_frozen_at_the_end(self):
        """Threads that hang do not keep giestack from ending."""
        asked = self.giestack.metrics()[QUERIES]
        with frozen(self.server):
            client = conversation(self, self.giestack.port)
            client.send(request(self.path, f"Cookie: {COOKIE}={cookie(ALICE_ELSEWHERE)}"))
            eventually(lambda: self.giestack.metrics()[QUERIES] > asked + 1, "questions")
            began = time.monotonic()
            self.giestack.program.send(signal.SIGTERM)
            self.assertEqual(self.giestack.program.wait(), 0)
            self.assertLess(time.monotonic() - began, 10)

    def test_locked(self):
        with self.server.connect(self.name) as locking:
            locking.execute("BEGIN")
            locking.execute("LOCK TABLE galaxy_session IN ACCESS EXCLUSIVE MODE")
            self.assertUnavailable()
            self.assertTunnelLives()
            locking.execute("ROLLBACK")
        self.assertRecovered()

    def test_a_session_that_ends_meanwhile(self):
        """Its tunnel is cut as soon as the database can say so."""
        self.server.stop()
        try:
            self.until_rechecks_fail()
        finally:
            self.server.start()
        with self.server.connect(self.name) as connection:
            connection.execute("UPDATE galaxy_session SET is_valid = false")
        self.assertEqual(self.client.until_the_end()[0], b"")
        self.giestack.until_it_answers(self.path, 401, cookie=cookie(ALICE))


class SQLiteTests(OutageCase):
    def setUp(self):
        self.start(None)

    def test_locked(self):
        with closing(self.galaxy.connect()) as locking:
            locking.execute("BEGIN EXCLUSIVE")
            self.assertUnavailable()
            self.until_rechecks_fail()
            self.assertTunnelLives()
            locking.execute("ROLLBACK")
        self.assertRecovered()

    def test_gone_and_back(self):
        moved = self.galaxy.database.rename(self.galaxy.database.with_suffix(".away"))
        self.assertUnavailable()
        self.assertTunnelLives()
        moved.rename(self.galaxy.database)
        self.assertRecovered()
