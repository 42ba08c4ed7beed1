"""Notifications of a real PostgreSQL, heard in a thread."""

import threading
from queue import Empty, Queue
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from giestack import notifications
from giestack.database import open_engine
from giestack.notifications import POOLED, Listener
from tests.neighbours.postgres import postgres
from tests.neighbours.postgres_map import PostgresGalaxyMap
from tests.neighbours.program import eventually

NOWHERE = "postgresql://nobody@/none?host=/nonexistent"
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' AND datname = %s"


class ListenerCase(SynchronousTestCase):
    def setUp(self):
        self.told: Queue[Any] = Queue()
        self.deaf: Queue[str] = Queue()
        self.over = threading.Event()

    def listener(self, url):
        listener = Listener(
            open_engine(url), "news", self.told.put, self.deaf.put, over=self.over.set
        )
        self.addCleanup(self.ends, listener)
        return listener

    def ends(self, listener):
        listener.stop()
        if listener._thread.ident is not None:
            self.assertTrue(self.over.wait(20))
            listener._thread.join(20)
            self.assertFalse(listener._thread.is_alive())

    def next(self, queue):
        try:
            return queue.get(timeout=20)
        except Empty:
            raise AssertionError("nothing was told") from None


class ListenerTests(ListenerCase):
    def setUp(self):
        super().setUp()
        self.server = postgres()
        self.name = self.server.new_database(self)
        self.connection = self.server.connect(self.name)
        self.addCleanup(self.connection.close)

    def listen(self):
        listener = self.listener(self.server.url(self.name))
        listener.start()
        self.assertIsNone(self.next(self.told))
        return listener

    def notify(self, payload):
        self.connection.execute("SELECT pg_notify('news', %s)", [payload])

    def kill(self):
        for (pid,) in self.connection.execute(LISTENERS, [self.name]).fetchall():
            self.connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    def test_what_is_told_is_heard(self):
        self.listen()
        for payload in ("one", "", "three"):
            self.notify(payload)
            self.assertEqual(self.next(self.told), payload)

    def test_a_lost_connection(self):
        self.listen()
        self.kill()
        self.assertIn("the connection was lost (", self.next(self.deaf))
        self.assertIsNone(self.next(self.told))
        self.notify("again")
        self.assertEqual(self.next(self.told), "again")
        self.assertTrue(self.deaf.empty())

    def test_a_payload_that_is_no_text(self):
        galaxy = PostgresGalaxyMap(self, self.server, "ENCODING 'SQL_ASCII' TEMPLATE template0")
        listener = self.listener(galaxy.url)
        listener.start()
        self.assertIsNone(self.next(self.told))
        with galaxy.connect() as connection:
            connection.execute(r"DO $$ BEGIN PERFORM pg_notify('news', E'\351'); END $$")
            # Heard anew, as what was told may have been missed.
            self.assertIsNone(self.next(self.told))
            connection.execute("SELECT pg_notify('news', 'two')")
            self.assertEqual(self.next(self.told), "two")

    def test_the_end_is_waited_for_by_nobody(self):
        listener = self.listen()
        listener.stop()
        self.assertTrue(self.over.wait(20))
        listener._thread.join(20)
        eventually(lambda: not self.connection.execute(LISTENERS, [self.name]).fetchall(), "an end")
        self.assertTrue(self.deaf.empty())

    def test_never_started(self):
        self.listener(self.server.url(self.name)).stop()
        self.assertFalse(self.over.is_set())


class PoolerTests(ListenerCase):
    """A driver that is told another process than the one that answers, as by a pooler."""

    def start(self, passes):
        server = postgres()
        self.url = server.url(server.new_database(self))
        listener = self.listener(self.url)
        driver = listener._engine.dialect.loaded_dbapi
        real = driver.connect

        class Pooled:
            def __init__(self, *words, **options):
                self.real = real(*words, **options)
                self.info = mock.Mock(backend_pid=-1)

            def __getattr__(self, name):
                return getattr(self.real, name)

            def execute(self, statement, values=None):
                if not passes and statement.startswith("LISTEN"):
                    statement = "SELECT 1"
                return self.real.execute(statement, values)

        self.patch(driver, "connect", Pooled)
        self.patch(notifications, "PROBE_SECONDS", 0.05 if not passes else 20)
        listener.start()

    def test_notifications_pass(self):
        self.start(passes=True)
        self.assertIsNone(self.next(self.told))
        self.assertTrue(self.deaf.empty())

    def test_they_do_not(self):
        self.patch(notifications, "_POOLED_PAUSE", 0.01)
        self.start(passes=False)
        self.assertEqual(self.next(self.deaf), POOLED)
        self.assertTrue(self.told.empty())
        self.assertTrue(self.deaf.empty(), "it is said once")


class NobodyAnswersTests(ListenerCase):
    def test_it_is_tried_again_and_again(self):
        self.patch(notifications, "_FIRST_PAUSE", 0.01)
        listener = self.listener(NOWHERE)
        driver = listener._engine.dialect.loaded_dbapi
        tried: Queue[bool] = Queue()
        connect = driver.connect

        def connected(*words, **options):
            tried.put(True)
            return connect(*words, **options)

        self.patch(driver, "connect", connected)
        listener.start()
        for _ in range(3):
            self.assertTrue(self.next(tried))
        self.assertTrue(self.told.empty())
        self.assertTrue(self.deaf.empty())

    def test_a_server_that_answers_the_connection_alone(self):
        """What was opened is closed again."""
        listener = self.listener(NOWHERE)
        driver = listener._engine.dialect.loaded_dbapi
        connection = mock.Mock()
        connection.execute.side_effect = driver.OperationalError
        self.patch(driver, "connect", lambda *words, **options: connection)
        self.assertRaises(driver.OperationalError, listener._connected)
        connection.close.assert_called_once_with()
