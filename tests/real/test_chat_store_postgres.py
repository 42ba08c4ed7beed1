"""The chat's store in a real PostgreSQL, on one node and on several."""

from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.storage import NewMessage, Rejected, Signal, Who
from giestack.chat.store.engines import open_engines
from giestack.chat.store.nodes import LOOK_SECONDS
from giestack.chat.store.store import ChatStore
from giestack.chat.store.upgrades import SchemaTooNew, upgrade
from giestack.database import DatabaseUnavailable
from tests.chat.store_suite import StoreSuite, answer_of
from tests.chat.test_memory_store import Watched
from tests.neighbours.postgres import postgres
from tests.threaded_clock import ThreadedClock

_numbers = count(1)


def new_schema(test):
    """Return the URL of an empty schema; a database for each test would take longer."""
    name = f"chat_{next(_numbers)}"
    server = postgres()

    def run(statement):
        with server.connect() as connection:
            connection.execute(statement.encode())

    run(f"CREATE SCHEMA {name}")
    test.addCleanup(run, f"DROP SCHEMA {name} CASCADE")
    return server.url() + f"&options=-csearch_path%3D{name}"


class PostgresStoreTests(StoreSuite, SynchronousTestCase):
    def new_store(self):
        self.url = new_schema(self)
        return ChatStore(self.url, self.clock)


class NodesTests(SynchronousTestCase):
    """Two nodes on one database."""

    def setUp(self):
        self.clock = ThreadedClock()
        self.url = new_schema(self)
        self.watched = []
        opened = [self.new_node() for _ in range(2)]
        # At the same time, on an empty schema.
        for one in [store.open() for store in opened]:
            self.get(one)
        self.here, self.there = opened
        self.ann, self.bob = [
            self.get(self.here.person(Who(host="galaxy", user_id=n, id=name, name=name)))
            for n, name in enumerate(("Ann", "Bob"), 1)
        ]
        self.get(self.here.persist(["NGS"]))
        self.room = self.get(self.there.rooms_of(self.bob))[0].id

    def new_node(self):
        store, watched = ChatStore(self.url, self.clock), Watched()
        store.watch(watched)
        self.watched.append(watched)
        self.addCleanup(lambda: self.get(store.close()))
        return store

    def get(self, deferred):
        return answer_of(self.clock, deferred)

    def until(self, true):
        while not true():
            self.clock.let_happen()

    def draft(self, author, cid, room=None):
        return NewMessage(room=room or self.room, author=author, ts=1, cid=cid, text="hello")

    def seqs(self, store):
        page = self.get(store.events(self.room, after=0, limit=1000))
        return [one.seq for one in page.events]

    def test_one_log(self):
        self.assertTrue(self.here.epoch)
        self.assertEqual(self.here.epoch, self.there.epoch)

    def test_wake_up(self):
        here, there = self.watched
        self.get(self.here.append(self.draft(self.ann, "1")))
        self.until(lambda: {self.room: 1} in there.told)
        signal = Signal(kind="typing", node="here", body={"who": "Änn 😀", "rooms": [self.room]})
        self.here.tell(signal)
        self.until(lambda: signal in there.told)
        # This comes after whatever might have been echoed.
        self.there.tell(signal)
        self.until(lambda: signal in here.told)
        self.assertEqual(here.told.count(signal), 1)

    def test_numbers_have_no_gap(self):
        asked = []
        for n in range(200):
            asked.append(self.here.append(self.draft(self.ann, f"a{n}")))
            asked.append(self.there.append(self.draft(self.bob, f"b{n}")))
        events = [self.get(one).event for one in asked]
        self.assertEqual(sorted(one.seq for one in events), list(range(1, 401)))
        self.assertEqual(self.seqs(self.there), list(range(1, 401)))
        own = [one.seq for one in events if one.user == "Ann"]
        self.assertEqual(own, sorted(own))

    def test_one_message_at_two_nodes(self):
        other = self.get(self.here.create(self.ann, "unlisted", "Lab", 1)).id
        for n in range(30):
            # In one room the lock decides, in two the index.
            rooms = (self.room, other if n % 2 else self.room)
            asked = [
                store.append(self.draft(self.ann, f"c{n}", room))
                for store, room in zip((self.here, self.there), rooms, strict=True)
            ]
            found = [self.get(one) for one in asked]
            self.assertEqual(sorted(one.new for one in found), [False, True])
            self.assertEqual(found[0].event, found[1].event)
        last = self.get(self.here.room(self.room)).last
        self.assertEqual(self.seqs(self.here), list(range(1, last + 1)))

    def test_one_name_at_two_nodes(self):
        for n in range(10):
            asked = [
                store.create(self.ann, "public", f"room {n}", 1)
                for store in (self.here, self.there)
            ]
            results = []
            for one in asked:
                try:
                    self.get(one)
                    results.append("made")
                except Rejected as rejected:
                    results.append(rejected.code)
            self.assertEqual(sorted(results), ["bad", "made"])

    def test_looks_heal_what_was_missed(self):
        self.here._nodes._announcer.moved = lambda rooms: None
        self.get(self.here.append(self.draft(self.ann, "1")))
        self.clock.advance(LOOK_SECONDS)
        self.until(lambda: {self.room: 1} in self.watched[1].told)

    def test_a_listener_that_is_cut_off_comes_back(self):
        with postgres().connect() as connection:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE"
            found = connection.execute(f"{query} 'LISTEN %'".encode()).fetchall()
        self.assertGreaterEqual(len(found), 2)
        self.get(self.here.append(self.draft(self.ann, "1")))
        self.until(lambda: {self.room: 1} in self.watched[1].told)

    def test_outage(self):
        with postgres().connect() as connection:
            # The server of tests may forget what it has not written down.
            connection.execute("CHECKPOINT")
        postgres().stop()
        try:
            asked = [self.here.append(self.draft(self.ann, f"{n}")) for n in range(3)]
            for one in asked:
                self.assertRaises(DatabaseUnavailable, self.get, one)
            self.assertRaises(DatabaseUnavailable, self.get, self.here.events(self.room, limit=1))
            store = ChatStore(self.url, self.clock)
            self.assertRaises(DatabaseUnavailable, self.get, store.open())
        finally:
            postgres().start()
        self.get(store.open())
        self.get(store.close())
        self.assertEqual(self.get(self.here.append(self.draft(self.ann, "1"))).event.seq, 1)
        self.until(lambda: {self.room: 1} in self.watched[1].told)
        self.assertEqual(self.seqs(self.there), [1])

    def test_steps(self):
        def step(connection):
            connection.exec_driver_sql("CREATE TABLE chat_new (value integer)")

        def fail(connection):
            step(connection)
            connection.exec_driver_sql("SELECT * FROM nothing")

        engines = open_engines(self.url)
        self.addCleanup(engines.dispose)
        self.assertRaises(DatabaseUnavailable, upgrade, engines, [fail])
        self.assertEqual(upgrade(engines, [step]), self.here.epoch)
        self.assertEqual(upgrade(engines, [step]), self.here.epoch)
        self.assertRaises(SchemaTooNew, upgrade, engines, [])
