"""Session maps in PostgreSQL while the server restarts, hangs and is not there at all."""

import signal
import time

from twisted.trial.unittest import SynchronousTestCase

from giestack.map_table import make_map
from tests.neighbours.backend import Mirror
from tests.neighbours.galaxy import ALICE, BOB, BOBS, PLAIN, Galaxy, cookie, path_of, token_of
from tests.neighbours.giestack import Giestack, ask
from tests.neighbours.postgres import postgres
from tests.neighbours.postgres_map import TRIGGER, PostgresGalaxyMap, row
from tests.neighbours.program import eventually
from tests.routing.test_postgres import MapCase

END_SECONDS = 10
"""What may pass between SIGTERM and the end."""


class OutageTests(MapCase):
    """One map, with real threads and a real server; time passes as the tests like."""

    def setUp(self):
        super().setUp()
        self.galaxy.save(row("a", 1))
        self.galaxy.execute(TRIGGER)

    def start(self):
        self.watch(2.0)
        self.until(lambda: self.map._heard and self.ports() == {"a": 1})

    def until_trouble(self, words):
        """What was read last is served, and it is said that it may be old."""
        self.until(lambda: not self.map.health()[0], 2.0)
        self.assertIn(words, self.map.health()[1])
        self.assertEqual(self.ports(), {"a": 1})

    def until_it_is_well(self):
        self.galaxy.save(row("b", 2))
        self.until_ports(2.0, a=1, b=2)
        self.until(lambda: self.map._heard, 2.0)
        self.galaxy.remove("a")
        self.until_ports(b=2)
        self.assertTrue(self.map.health()[0])

    def test_stopped_and_started_again(self):
        self.start()
        self.server.stop()
        try:
            self.until_trouble("1 entry points read before are served")
        finally:
            self.server.start()
        self.until_it_is_well()
        said = self.said()
        self.assertEqual(len(said), 3, said)
        self.assertIn("is read again", said)

    def test_not_there_at_the_start(self):
        self.server.stop()
        try:
            self.watch(2.0)
            self.until(lambda: "cannot be read: OperationalError" in self.map.health()[1])
            self.assertEqual((self.map.health()[0], self.map.known), (False, False))
        finally:
            self.server.start()
        self.until_ports(2.0, a=1)
        self.until_it_is_well()

    def test_hanging(self):
        self.start()
        with self.server.hanging():
            self.clock.advance(2.0)
            self.clock.advance(4.5)
            self.assertIn("gave no answer within 4.5 s", self.map.health()[1])
            self.clock.advance(2.0)
            self.assertIn("cannot be read: the database gives no answer", self.map.health()[1])
            self.assertEqual(self.ports(), {"a": 1})
        self.until_it_is_well()

    def test_the_end_while_it_hangs(self):
        self.start()
        with self.server.hanging():
            self.clock.advance(2.0)
            stopped = self.map.stop()
            self.clock.pump([0.25] * 12)
            self.successResultOf(stopped)
        self.assertEqual(len(self.published), 1)

    def test_a_locked_table(self):
        self.start()
        with self.galaxy.connect() as locking, locking.transaction():
            locking.execute("LOCK TABLE gxitproxy IN ACCESS EXCLUSIVE MODE")
            self.clock.advance(2.0)
            self.until_trouble("QueryCanceled")
        self.until_it_is_well()

    def test_a_restart_in_which_rows_have_changed(self):
        self.start()
        self.galaxy.save(row("a", 7))
        self.server.stop()
        self.server.start()
        self.until_ports(2.0, a=7)

    def test_ten_thousand_rows_written_again_and_again(self):
        self.galaxy.save(*(row(f"k{n}", 1) for n in range(10_000)))
        self.watch()
        self.until(lambda: self.ports() is not None and len(self.published[-1].entry_points) > 9999)
        before = self.published[-1].entry_points
        for port in range(2, 5):
            self.galaxy.execute(f"UPDATE gxitproxy SET port = {port} WHERE key < 'k5'")
        last = {"k1": 4, "k9": 1}
        self.until(lambda: {key: (self.ports() or {})[key] for key in last} == last)
        after = self.published[-1].entry_points
        self.assertLessEqual(len(self.published), 5)
        self.assertIs(after[b"k9"], before[b"k9"])
        self.assertEqual(len(after), 10_001)


class GiestackTests(SynchronousTestCase):
    """All of giestack in front of a map in PostgreSQL."""

    def setUp(self):
        self.server = postgres()
        self.map = PostgresGalaxyMap(self, self.server)
        self.url = self.map.url.replace("postgres@", "postgres:s3cret@")
        self.site = Galaxy(self)
        self.mirror = Mirror(self)

    def publish(self, tool):
        path = path_of(tool)
        self.map.save(row(path.split("/")[-2], self.mirror.port, token_of(tool)))
        return path

    def start(self, polling_interval=3600):
        self.giestack = Giestack(
            self,
            self.site,
            {"proxy": {"session_maps": [self.url], "polling_interval": polling_interval}},
        )
        self.addCleanup(self.giestack.program.end)

    def status(self, path, case=ALICE):
        return self.giestack.ask(path, cookie=cookie(case)).status

    def ready(self):
        answer = ask(self.giestack.admin_port, "/ready")
        (check,) = [one for one in answer.json["checks"] if "postgresql" in one["name"]]
        return answer.status, check["text"]

    def assertNoPasswordIsShown(self):
        self.assertNotIn(b"s3cret", ask(self.giestack.admin_port, "/metrics").body)
        self.assertNotIn(b"s3cret", ask(self.giestack.admin_port, "/ready").body)
        for name, content in self.giestack.written().items():
            self.assertNotIn(b"s3cret", content, name)
        self.assertNotIn("Traceback", self.giestack.program.output)

    def test_the_server_comes_later_restarts_and_hangs(self):
        path = self.publish(PLAIN)
        make_map(self.url, self.site.folder)
        self.server.stop()
        try:
            self.start(polling_interval=0.5)
            self.assertEqual(self.ready()[0], 503)
            self.assertEqual(ask(self.giestack.admin_port, "/health").status, 200)
            self.assertNotEqual(self.status(path), 200)
        finally:
            self.server.start()
        self.giestack.until_it_answers(path, 200, cookie=cookie(ALICE))
        eventually(lambda: self.ready()[0] == 200, "readiness")
        self.assertEqual(self.status(path, BOB), 403)

        self.server.stop()
        try:
            eventually(lambda: self.ready()[0] == 503, "trouble")
            self.assertIn("1 entry points read before are served", self.ready()[1])
            self.assertEqual(self.status(path), 200)
        finally:
            self.server.start()
        other = self.publish(BOBS)
        self.giestack.until_it_answers(other, 200, cookie=cookie(BOB))
        eventually(lambda: self.ready()[0] == 200, "readiness")
        self.assertNoPasswordIsShown()

        with self.server.hanging():
            eventually(lambda: "no answer" in self.ready()[1], "trouble")
            self.assertEqual(self.status(path), 200)
            began = time.monotonic()
            self.giestack.program.send(signal.SIGTERM)
            self.assertEqual(self.giestack.program.wait(), 0)
            self.assertLess(time.monotonic() - began, END_SECONDS)

    def test_what_is_told_comes_at_once_and_what_is_not_with_the_next_look(self):
        self.start()
        path = path_of(PLAIN)
        eventually(lambda: self.ready()[0] == 200, "readiness")
        self.assertEqual(self.status(path), 404)
        make_map(self.url, self.site.folder)
        eventually(lambda: self.map.backends("LISTEN"), "a listener")
        self.publish(PLAIN)
        self.giestack.until_it_answers(path, 200, cookie=cookie(ALICE))
        self.assertTrue(self.ready()[1].endswith(": 1 entry points"), self.ready())
        self.map.remove(path.split("/")[-2])
        self.giestack.until_it_answers(path, 404, cookie=cookie(ALICE))

        self.map.execute("DROP TRIGGER gxitproxy_notify ON gxitproxy")
        self.giestack.reload({"proxy": {"polling_interval": 0.5}})
        self.publish(PLAIN)
        self.giestack.until_it_answers(path, 200, cookie=cookie(ALICE))
        self.assertIn("looked at every 0.5 s", self.ready()[1])
        self.assertIn("`giestack create-map` makes one", self.giestack.program.output)

        # Another password: connected anew, and nobody notices.
        source = self.map.url.replace("postgres@", "postgres:***@")
        self.assertEqual(self.giestack.metrics()[f'giestack_routes{{source="{source}"}}'], 1)
        self.giestack.reload({"proxy": {"session_maps": [self.url.replace("s3cret", "s3cret2")]}})
        self.assertEqual(self.status(path), 200)
        eventually(lambda: self.ready()[0] == 200, "readiness")
        self.assertNoPasswordIsShown()

    def test_two_on_one_map(self):
        """Each is told of every change; one goes on without the other."""
        make_map(self.url, self.site.folder)
        self.start()
        other = self.giestack
        self.start()
        eventually(lambda: len(self.map.backends("LISTEN")) == 2, "two listeners")
        path = self.publish(PLAIN)
        for one in (other, self.giestack):
            one.until_it_answers(path, 200, cookie=cookie(ALICE))
        other.program.send(signal.SIGKILL)
        self.assertEqual(other.program.wait(), -signal.SIGKILL)
        self.assertEqual(self.status(path), 200)
        path = self.publish(BOBS)
        self.giestack.until_it_answers(path, 200, cookie=cookie(BOB))
