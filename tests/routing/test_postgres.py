"""Session maps in a real PostgreSQL."""

from sqlalchemy import text as statement_of
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import BadDatabaseURL, DatabaseUnavailable, ask, open_engine
from giestack.routing import postgres as postgres_module
from giestack.routing.postgres import PostgresMap, PostgresReader
from giestack.routing.source import MapTrouble, SourceRoutes
from tests.neighbours.postgres import postgres
from tests.neighbours.postgres_map import TRIGGER, PostgresGalaxyMap, ports, row
from tests.routing.galaxy_map import CREATE, CREATE_OLD, TYPE, keys
from tests.threaded_clock import ThreadedClock

ASCII = "ENCODING 'SQL_ASCII' TEMPLATE template0"
LATIN = "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"


class ReaderCase(SynchronousTestCase):
    def setUp(self):
        self.use(PostgresGalaxyMap(self, postgres()))

    def use(self, galaxy):
        self.galaxy = galaxy
        self.reader = PostgresReader()
        self.engine = open_engine(galaxy.url)
        self.addCleanup(self.engine.dispose)

    def look(self):
        return ask(self.engine, self.reader.look)

    def trouble(self, kind, missing=False):
        error = self.assertRaises(MapTrouble, self.look)
        self.assertEqual((error.kind, error.missing), (kind, missing), str(error))


class LookTests(ReaderCase):
    def test_what_galaxy_writes(self):
        self.galaxy.save(row("a", 1), row("b", 2))
        reading = self.look()
        self.assertEqual(ports(reading.routes), {"a": 1, "b": 2})
        self.assertEqual(reading.routes.entry_points[b"a"].key_type, TYPE)
        self.assertEqual(reading.bad, {})

    def test_the_map_of_an_older_galaxy(self):
        old = ("f6c98f95c62e6f82", TYPE, "0123456789abcdef" * 2, "node7", "40001", None)
        self.galaxy.save(old, create=CREATE_OLD)
        self.assertEqual(ports(self.look().routes), {"f6c98f95c62e6f82": 40001})

    def test_columns_of_other_types(self):
        self.galaxy.execute(
            "CREATE TABLE gxitproxy (id SERIAL, key CHAR(16), key_type TEXT, token BYTEA, "
            "host INET, port NUMERIC, info JSONB)"
        )
        self.galaxy.execute(
            "INSERT INTO gxitproxy (key, key_type, token, host, port, info) "
            "VALUES ('a', 't', 'x', '::1', 7, '{}')"
        )
        self.assertEqual(list(self.look().bad), ["a"])

    def test_nothing_new_is_not_read(self):
        self.galaxy.save(row("a"))
        reading = self.look()
        self.assertIs(self.look(), reading)
        self.assertEqual(self.reader.reads, 1)

    def test_changes(self):
        self.galaxy.save(row("a"))
        self.assertEqual(keys(self.look()), ["a"])
        self.galaxy.save(row("b"))
        self.assertEqual(keys(self.look()), ["a", "b"])
        self.galaxy.save(row("b", 5))
        self.assertEqual(ports(self.look().routes)["b"], 5)
        self.galaxy.remove("a")
        self.assertEqual(keys(self.look()), ["b"])
        self.galaxy.remove("b")
        self.assertEqual(keys(self.look()), [])

    def test_one_for_another_in_one_transaction(self):
        """As many rows as before, and the newest is not new."""
        self.galaxy.save(row("a"), row("b"))
        self.look()
        self.galaxy.execute("UPDATE gxitproxy SET key = 'c' WHERE key = 'a'")
        self.assertEqual(keys(self.look()), ["b", "c"])

    def test_the_same_written_again_is_no_change(self):
        self.galaxy.save(row("a"), row("b"))
        reading = self.look()
        self.galaxy.save(row("a"))
        self.assertIs(self.look(), reading)

    def test_what_has_not_changed_stays_the_same_object(self):
        self.galaxy.save(*(row(f"k{n}") for n in range(10_000)))
        before = self.look().routes.entry_points
        self.galaxy.save(row("k7", 2))
        after = self.look().routes.entry_points
        self.assertEqual([k for k in after if after[k] is not before[k]], [b"k7"])

    def test_bad_rows_are_left_out(self):
        self.galaxy.save(row("good"), row("a/b"), row("noport", None), row("x", 1, "s3cret!"))
        reading = self.look()
        self.assertEqual((keys(reading), set(reading.bad)), (["good"], {"a/b", "noport", "x"}))
        self.assertNotIn("s3cret", repr(reading))

    def test_a_text_without_end_is_not_fetched(self):
        self.galaxy.save(row("a"), row("b"))
        self.galaxy.execute("UPDATE gxitproxy SET info = repeat(' ', 100000) || info WHERE key='a'")
        reading = self.look()
        self.assertEqual((keys(reading), list(reading.bad)), (["b"], ["a"]))

    def test_of_two_rows_with_one_key_one_counts(self):
        self.galaxy.save(row("a", 1, key_type="z"), row("a", 2, key_type="b"))
        reading = self.look()
        self.assertEqual((ports(reading.routes), list(reading.bad)), ({"a": 1}, ["a"]))

    def test_databases_in_other_encodings(self):
        for options in (ASCII, LATIN):
            self.use(PostgresGalaxyMap(self, postgres(), options))
            self.galaxy.save(row("a"))
            with self.galaxy.connect() as connection:
                host = "e" if options is ASCII else "é"
                connection.execute("INSERT INTO gxitproxy VALUES ('b', 't', 't', %s, 1)", [host])
            self.assertEqual(keys(self.look())[0], "a")


class TroubleTests(ReaderCase):
    def test_a_missing_table(self):
        self.trouble("empty", missing=True)
        self.galaxy.save(row("a"))
        self.assertEqual(keys(self.look()), ["a"])
        self.galaxy.execute("DROP TABLE gxitproxy")
        self.trouble("empty", missing=True)
        self.galaxy.save(row("a", 2))
        self.assertEqual(ports(self.look().routes), {"a": 2})

    def test_a_table_that_goes_while_it_is_looked_at(self):
        self.galaxy.save(row("a"))
        for name in ("_FINGERPRINT", "_ROWS"):
            self.patch(postgres_module, name, statement_of("SELECT * FROM gone"))
            self.trouble("empty", missing=True)
        self.patch(postgres_module, "_FINGERPRINT", statement_of("SELECT nothing"))
        self.assertRaises(DatabaseUnavailable, self.look)

    def test_another_table_of_that_name(self):
        self.galaxy.execute("CREATE TABLE gxitproxy (key TEXT, secret TEXT)")
        self.trouble("columns")

    def test_galaxys_own_database(self):
        self.galaxy.save(row("a"))
        self.galaxy.execute("CREATE TABLE galaxy_session (id INTEGER)")
        self.trouble("galaxys")

    def test_a_table_that_may_not_be_read(self):
        self.galaxy.save(row("a"))
        self.galaxy.execute("CREATE ROLE stranger LOGIN")
        self.addCleanup(self.galaxy.execute, "DROP ROLE stranger")
        engine = open_engine(self.galaxy.url.replace("postgres@", "stranger@"))
        self.addCleanup(engine.dispose)
        error = self.assertRaises(DatabaseUnavailable, ask, engine, self.reader.look)
        self.assertIn("permission denied", str(error))

    def test_text_that_is_not_utf8(self):
        self.use(PostgresGalaxyMap(self, postgres(), ASCII))
        self.galaxy.save(row("a"))
        self.galaxy.execute(r"INSERT INTO gxitproxy VALUES ('b', 't', E'\xe9', 'h', 1, NULL)")
        error = self.assertRaises(DatabaseUnavailable, self.look)
        self.assertIn("invalid byte sequence", str(error))

    def test_it_writes_nothing(self):
        self.galaxy.save(row("a"))
        self.reader.close()

        def write(connection):
            connection.exec_driver_sql("DELETE FROM gxitproxy")

        self.assertRaises(DatabaseUnavailable, ask, self.engine, write)
        self.assertEqual(keys(self.look()), ["a"])


class TriggerTests(ReaderCase):
    def has_trigger(self):
        self.look()
        return self.reader.has_trigger

    def test_trigger(self):
        self.assertIsNone(self.reader.has_trigger)
        self.galaxy.save(row("a"))
        self.assertIs(self.has_trigger(), False)
        self.galaxy.execute(TRIGGER)
        self.assertIs(self.has_trigger(), True)
        self.galaxy.execute("ALTER TABLE gxitproxy DISABLE TRIGGER USER")
        self.assertIs(self.has_trigger(), False)
        self.galaxy.execute("ALTER TABLE gxitproxy ENABLE ALWAYS TRIGGER gxitproxy_notify")
        self.assertIs(self.has_trigger(), True)

    def test_a_trigger_for_some_changes_only(self):
        self.galaxy.execute(CREATE)
        self.galaxy.execute(TRIGGER.replace("INSERT OR UPDATE OR DELETE", "INSERT OR UPDATE"))
        self.assertIs(self.has_trigger(), False)
        self.galaxy.execute(
            "CREATE TRIGGER two AFTER DELETE ON gxitproxy EXECUTE FUNCTION notify_gxitproxy()"
        )
        self.assertIs(self.has_trigger(), True)


class MapCase(SynchronousTestCase):
    """A map whose reactor does what the test lets it do; its threads and its server are real."""

    def setUp(self):
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)
        self.clock = ThreadedClock()
        self.published: list[SourceRoutes] = []
        self.server = postgres()
        self.galaxy = PostgresGalaxyMap(self, self.server)

    def watch(self, polling_interval=3600.0, url=None):
        self.map = PostgresMap(url or self.galaxy.url, self.clock, polling_interval)
        self.addCleanup(self.end)
        self.map.start(self.published.append)

    def end(self):
        self.clock.result_of(self, self.map.stop())

    def until(self, found, step=0.2):
        """Let happen what threads ask for, until this is so; time passes between two looks."""
        for _ in range(1000):
            self.clock.advance(step if self.map._next is not None else 0)
            if found():
                return
            self.clock.let_happen()
        raise AssertionError("it does not happen")

    def ports(self):
        return ports(self.published[-1]) if self.published else None

    def until_ports(self, step=0.2, **expected):
        self.until(lambda: self.ports() == expected, step)

    def said(self):
        texts = [formatEvent(event) for event in self.events]
        for event, text in zip(self.events, texts, strict=True):
            self.assertNotIn("s3cret", text + repr(event))
        self.events._events.clear()
        return [text.removeprefix(f"Session map {self.map.path} ") for text in texts]


class MapTests(MapCase):
    def test_before_the_start(self):
        for url in (self.galaxy.url, "postgresql://u:s3cret@h/db?password=s3cret"):
            self.map = PostgresMap(url, self.clock)
            self.assertFalse(self.map.known)
            self.assertFalse(self.map.health()[0])
            self.assertNotIn("s3cret", repr(self.map.health()))
            self.successResultOf(self.map.stop())

    def test_urls_that_cannot_be_used(self):
        error = self.assertRaises(BadDatabaseURL, PostgresMap, "postgresql://u:s3@cret@h/d", None)
        self.assertNotIn("cret", str(error))

    def test_forms_of_urls(self):
        folder = self.galaxy.url.partition("host=")[2]
        name = self.galaxy.name
        self.galaxy.save(row("a", 1))
        for url in (
            f"postgresql://postgres:s3cret@/{name}?host={folder}",
            f"postgres://postgres@/{name}?host={folder}",
            f"postgresql+psycopg2://postgres@/{name}?host={folder}&application_name=giestack",
            f"postgresql+asyncpg:///{name}?host={folder}&user=postgres&password=s3cret",
        ):
            self.published.clear()
            self.watch(url=url)
            self.until_ports(a=1)
            self.assertNotIn("s3cret", repr(self.map.health()))
            self.end()

    def test_a_new_row_is_told(self):
        self.galaxy.save(row("a", 1))
        self.galaxy.execute(TRIGGER)
        self.watch()
        self.until(lambda: self.map._heard and self.ports() == {"a": 1})
        self.galaxy.save(row("b", 2))
        self.until_ports(a=1, b=2)
        self.galaxy.remove("a")
        self.until_ports(b=2)
        name = self.map.path
        self.assertEqual(self.map.health(), (True, f"{name}: 1 entry points"))
        self.assertEqual((self.map.rows, self.map.errors, self.said()), (1, 0, []))

    def test_a_flood_of_notifications_is_one_look(self):
        self.galaxy.save(row("a", 1))
        self.watch()
        self.until(lambda: self.map._heard and self.ports() == {"a": 1})
        self.galaxy.save(row("b", 2))
        with self.galaxy.connect() as connection:
            for number in range(500):
                connection.execute("SELECT pg_notify('gxitproxy', %s)", [str(number)])
        self.until_ports(a=1, b=2)
        self.assertLess(self.clock.handed, 100)

    def test_without_a_trigger_it_is_looked_at_now_and_then(self):
        self.galaxy.save(row("a", 1))
        self.watch(4.0)
        self.until(lambda: self.map._heard and self.ports() == {"a": 1})
        self.galaxy.save(row("b", 2))
        self.until_ports(4.0, a=1, b=2)
        self.assertTrue(self.map.health()[1].endswith("2 entry points; looked at every 4 s"))
        self.assertEqual(
            self.said(),
            [
                "has no trigger that tells of changes: it is looked at every 4 s. "
                "`giestack create-map` makes one"
            ],
        )

    def test_nothing_is_published_without_a_change(self):
        self.galaxy.save(row("a", 1))
        self.watch(4.0)
        self.until_ports(a=1)
        until = self.clock.seconds() + 20
        self.until(lambda: self.clock.seconds() > until, 4.0)
        self.assertEqual((len(self.published), self.map.reads), (1, 1))

    def test_another_interval(self):
        self.galaxy.save(row("a", 1))
        self.watch(3600.0)
        self.until(lambda: self.map._heard and self.ports() == {"a": 1})
        self.galaxy.save(row("b", 2))
        self.map.configure(2.0)
        self.until_ports(a=1, b=2)
        self.galaxy.remove("a")
        self.until_ports(2.0, b=2)

    def test_a_table_that_comes_goes_and_comes(self):
        self.watch(1.0)
        self.until_ports()
        self.assertTrue(self.map.known)
        self.assertIn("Galaxy makes it with the first interactive tool", self.map.health()[1])
        self.galaxy.save(row("a", 1))
        self.until_ports(1.0, a=1)
        self.galaxy.execute("DROP TABLE gxitproxy")
        self.until(lambda: not self.map.health()[0], 1.0)
        self.assertEqual(self.ports(), {"a": 1})
        self.galaxy.save(row("b", 2))
        self.until_ports(1.0, b=2)
        starts = [text.partition(":")[0] for text in self.said()]
        self.assertEqual(
            starts,
            [
                "has no table gxitproxy",
                "is read again",
                "has no trigger that tells of changes",
                "has no table gxitproxy",
                "is read again",
            ],
        )

    def test_galaxys_own_database(self):
        self.galaxy.save(row("a", 1))
        self.galaxy.execute("CREATE TABLE galaxy_session (id INTEGER)")
        self.watch()
        self.until(lambda: "Galaxy's own" in self.map.health()[1])
        self.assertEqual((self.map.health()[0], self.published), (False, []))

    def test_a_listener_that_is_killed(self):
        self.galaxy.save(row("a", 1))
        self.galaxy.execute(TRIGGER)
        self.watch()
        self.until(lambda: self.map._heard and self.ports() == {"a": 1})
        self.galaxy.kill("LISTEN")
        self.until(lambda: not self.map._heard)
        self.assertTrue(self.map.health()[0])
        self.assertIn("looked at every 3600 s", self.map.health()[1])
        # What nobody could tell is found out with the new connection.
        self.galaxy.save(row("b", 2))
        self.until_ports(a=1, b=2)
        self.galaxy.remove("a")
        self.until_ports(b=2)
        (text,) = self.said()
        self.assertIn("is looked at every 3600 s: the connection was lost", text)

    def test_a_connection_that_is_killed(self):
        """There is another one with the next look, and nobody notices."""
        self.galaxy.save(row("a", 1))
        self.galaxy.execute(TRIGGER)
        self.watch()
        self.until(lambda: self.map._heard and self.ports() == {"a": 1})
        self.galaxy.kill("ROLLBACK")
        self.galaxy.save(row("b", 2))
        self.until_ports(a=1, b=2)
        self.assertEqual((self.map.errors, self.said()), (0, []))
