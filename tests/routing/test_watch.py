"""Watching a session map."""

import os

from twisted.internet import reactor  # noqa: TID251 - one case with real threads and real time
from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.internet.threads import deferToThread
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.address import Address
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import EntryPoint
from giestack.routing.source import MapTrouble, Reading, SourceRoutes
from giestack.routing.sqlite import SQLiteReader
from giestack.routing.table import Prefixes, RouteTable
from giestack.routing.watch import WatchedMap
from tests.routing.entry_points import by_key
from tests.routing.galaxy_map import keys, remove, save

LOCKED = MapTrouble("locked", "is locked by another program")
CORRUPT = MapTrouble("corrupt", "is no SQLite database")
MISSING = MapTrouble("missing", "is not there", missing=True)
EMPTY = MapTrouble("empty", "has no table gxitproxy", missing=True)


def routes(*names):
    return SourceRoutes(
        by_key(EntryPoint(name, "t", "s3cret", Address("127.0.0.1", 1)) for name in names)
    )


def reading(*names, **bad):
    return Reading(routes(*names), bad)


class FakeReader:
    """Gives one outcome until the next one is set."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.reads = 0
        self.closed = 0

    def look(self):
        self.reads += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def close(self):
        self.closed += 1


class Pool:
    """A thread pool whose work is done when the test says so."""

    def __init__(self):
        self.waiting = []

    def defer_to_thread(self, f):
        done: Deferred[object] = Deferred()
        self.waiting.append((f, done))
        return done

    def work(self):
        waiting, self.waiting = self.waiting, []
        for f, done in waiting:
            execute(f).chainDeferred(done)


class WatchTestCase(SynchronousTestCase):
    def setUp(self):
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)
        self.clock = Clock()
        self.clock.advance(1000)
        self.published: list[SourceRoutes] = []
        self.reader = FakeReader(MISSING)

    def watch(self, outcome, defer_to_thread=execute):
        self.reader.outcome = outcome
        watched = self.a_watch(defer_to_thread)
        watched.start(self.published.append)
        return watched

    def a_watch(self, defer_to_thread=execute):
        # A quarter of a second has no rounding errors.
        return WatchedMap("/srv/map.sqlite", self.reader, self.clock, defer_to_thread, 0.25)

    def then(self, outcome, seconds=0.25):
        self.reader.outcome = outcome
        self.clock.pump([0.125] * round(seconds * 8))

    def said(self):
        texts = [formatEvent(event) for event in self.events]
        for event, text in zip(self.events, texts, strict=True):
            self.assertNotIn("s3cret", text + repr(event))
        self.events._events.clear()
        return [text.removeprefix("Session map /srv/map.sqlite") for text in texts]


class PublishTests(WatchTestCase):
    def test_what_is_there_at_start(self):
        watched = self.watch(reading("a", "b"))
        self.assertEqual(self.published, [routes("a", "b")])
        self.assertEqual(watched.health(), (True, "/srv/map.sqlite: 2 entry points"))
        self.assertEqual((watched.rows, watched.last_change), (2, 1000.0))
        self.assertEqual(self.said(), [])

    def test_a_change_is_published_once(self):
        watched = self.watch(reading("a"))
        self.then(reading("a", "b"), seconds=2)
        self.assertEqual(self.published, [routes("a"), routes("a", "b")])
        self.assertEqual((watched.rows, watched.errors), (2, 0))
        self.assertEqual(watched.last_change, 1000.25)
        self.assertEqual(watched.reads, self.reader.reads)

    def test_environments_are_counted_too(self):
        environments = (EnvironmentRoute("s3cret", Address("h", 1)),) * 2
        watched = self.watch(Reading(SourceRoutes({}, environments), {}))
        self.assertEqual(watched.health(), (True, "/srv/map.sqlite: 2 environments"))
        self.then(Reading(SourceRoutes(routes("a").entry_points, environments), {}))
        self.assertEqual(
            watched.health(), (True, "/srv/map.sqlite: 1 entry points, 2 environments")
        )
        self.assertEqual(watched.rows, 3)
        self.assertEqual(self.published[0].environments, environments)

    def test_a_file_that_is_just_being_written_is_no_trouble(self):
        watched = self.watch(reading("a"))
        self.then(MapTrouble("half-written", "is no complete JSON document"), seconds=4)
        self.assertTrue(watched.health()[0])
        self.assertEqual(self.said(), [])
        self.then(MapTrouble("half-written", "is no complete JSON document"), seconds=4)
        self.assertFalse(watched.health()[0])
        self.assertEqual(self.said(), [" is no complete JSON document"])

    def test_the_same_routes_are_not_published_again(self):
        first = reading("a")
        watched = self.watch(first)
        self.then(Reading(first.routes, {}), seconds=2)
        self.assertEqual(self.published, [first.routes])
        self.assertEqual(watched.last_change, 1000.0)

    def test_a_new_row_in_a_file_is_served_within_half_a_second(self):
        path = self.mktemp()
        table = RouteTable(Prefixes(), sources=["map"])
        watched = WatchedMap(path, SQLiteReader(path), self.clock, execute)
        watched.start(lambda routes: table.replace("map", routes.entry_points))
        self.addCleanup(watched.stop)
        save(path, "first")
        self.clock.pump([0.1] * 5)
        self.assertIsNotNone(table.find(b"first", b"t0ken"))
        save(path, "second")
        self.clock.pump([0.1] * 5)
        self.assertIsNotNone(table.find(b"second", b"t0ken"))
        remove(path, "first")
        self.clock.pump([0.1] * 5)
        self.assertIsNone(table.find(b"first", b"t0ken"))


class HintTests(WatchTestCase):
    def test_a_hint_is_a_look_at_once(self):
        watched = self.watch(reading("a"))
        watched.configure(60.0)
        self.clock.advance(0.2)
        self.reader.outcome = reading("a", "b")
        watched.hint()
        self.assertEqual(len(self.published), 1)
        self.clock.advance(0)
        self.assertEqual(self.published, [routes("a"), routes("a", "b")])

    def test_many_hints_are_few_looks(self):
        watched = self.watch(reading("a"))
        for _ in range(200):
            watched.hint()
            self.clock.advance(0.01)
        self.assertIn(self.reader.reads, (10, 11))

    def test_a_hint_during_a_look_is_one_more_look(self):
        pool = Pool()
        watched = self.watch(reading("a"), pool.defer_to_thread)
        watched.hint()
        watched.hint()
        self.assertEqual(len(pool.waiting), 1)
        pool.work()
        self.clock.advance(0.2)
        self.assertEqual(len(pool.waiting), 1)
        pool.work()
        self.clock.advance(0.2)
        self.assertEqual(len(pool.waiting), 0)

    def test_hints_before_the_start_and_after_the_end(self):
        watched = self.a_watch()
        watched.hint()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.reader.outcome = reading("a")
        watched.start(self.published.append)
        self.successResultOf(watched.stop())
        watched.hint()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TroubleTests(WatchTestCase):
    def test_a_map_that_is_not_there_yet(self):
        watched = self.watch(MISSING)
        self.assertEqual(self.published, [routes()])
        self.assertTrue(watched.known)
        ok, text = watched.health()
        self.assertTrue(ok)
        self.assertIn("is not there: Galaxy makes it", text)
        self.then(EMPTY, seconds=2)
        self.then(reading(), seconds=2)
        self.assertEqual(self.published, [routes()])
        self.then(reading("a"), seconds=2)
        self.assertEqual(self.published, [routes(), routes("a")])
        self.assertEqual(
            self.said(), [" is not there", " has no table gxitproxy", " is read again"]
        )
        self.assertEqual(watched.errors, 0)

    def test_each_kind_of_trouble_and_recovery_is_said_once(self):
        watched = self.watch(reading("a"))
        self.then(CORRUPT, seconds=60)
        self.assertEqual(self.said(), [" is no SQLite database"])
        self.then(MapTrouble("unreadable", "cannot be read: Permission denied"), seconds=60)
        self.assertEqual(self.said(), [" cannot be read: Permission denied"])
        self.then(reading("a"), seconds=60)
        self.assertEqual(self.said(), [" is read again"])
        self.then(CORRUPT, seconds=60)
        self.assertEqual(self.said(), [" is no SQLite database"])
        self.assertEqual(watched.errors, 720)

    def test_the_last_good_routes_are_kept(self):
        for trouble in (CORRUPT, MISSING, EMPTY):
            self.published.clear()
            watched = self.watch(reading("a"))
            self.then(trouble, seconds=600)
            self.assertEqual(self.published, [routes("a")])
            ok, text = watched.health()
            self.assertFalse(ok)
            self.assertIn(f"{trouble}; 1 entry points read before are served", text)
            self.then(reading("b"))
            self.assertEqual(self.published, [routes("a"), routes("b")])
            self.assertEqual(watched.health(), (True, "/srv/map.sqlite: 1 entry points"))
            self.successResultOf(watched.stop())

    def test_trouble_from_the_start_publishes_nothing(self):
        watched = self.watch(CORRUPT)
        self.assertFalse(watched.known)
        self.assertEqual(self.published, [])
        self.assertEqual(watched.health(), (False, "/srv/map.sqlite is no SQLite database"))

    def test_trouble_that_comes_and_goes_is_said_a_few_times(self):
        watched = self.watch(reading("a"))
        for _ in range(100):
            self.then(CORRUPT)
            self.then(MISSING)
            self.then(reading("a"))
        self.assertLess(len(self.said()), 15)
        self.assertTrue(watched.health()[0])
        # If it stays it is said.
        self.then(CORRUPT, 6)
        self.assertEqual(len(self.said()), 1)
        self.assertFalse(watched.health()[0])
        self.then(reading("b"))
        self.assertEqual((len(self.said()), watched.health()[0]), (1, True))

    def test_a_short_lock_is_no_trouble(self):
        watched = self.watch(reading("a"))
        for _ in range(5):
            self.then(LOCKED, seconds=4)
            self.assertEqual(watched.health(), (True, "/srv/map.sqlite: 1 entry points"))
            self.then(reading("a"))
        self.assertEqual(self.said(), [])
        self.assertEqual(watched.errors, 80)

    def test_a_long_lock_is(self):
        watched = self.watch(reading("a"))
        self.then(LOCKED, seconds=60)
        self.assertEqual(self.said(), [" is locked by another program"])
        self.assertFalse(watched.health()[0])

    def test_a_lock_from_the_start(self):
        watched = self.watch(LOCKED)
        self.assertEqual(watched.health(), (False, "/srv/map.sqlite is locked by another program"))

    def test_before_the_first_look(self):
        watched = self.a_watch()
        self.assertEqual(watched.health(), (False, "/srv/map.sqlite: not read yet"))
        self.assertFalse(watched.known)

    def test_what_nobody_thought_of_does_not_end_the_watch(self):
        watched = self.watch(reading("a"))
        self.then(ZeroDivisionError("s3cret"), seconds=60)
        self.assertFalse(watched.health()[0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.then(reading("b"))
        self.assertEqual(self.published, [routes("a"), routes("b")])
        self.then(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_pool_that_refuses(self):
        refusing = [True]
        watched = self.watch(reading("a"), lambda f: fail(OSError()) if refusing else execute(f))
        self.assertEqual(watched.health(), (False, "/srv/map.sqlite cannot be read: OSError"))
        refusing.clear()
        self.then(reading("a"))
        self.assertEqual(self.published, [routes("a")])
        self.flushLoggedErrors(OSError)

    def test_a_publish_that_fails_is_tried_again(self):
        failing = [True]

        def publish(routes):
            if failing:
                raise ZeroDivisionError
            self.published.append(routes)

        self.reader.outcome = reading("a")
        watched = self.a_watch()
        watched.start(publish)
        self.clock.advance(0.25)
        failing.clear()
        self.clock.advance(0.25)
        self.assertEqual(self.published, [routes("a")])
        self.assertEqual(watched.health(), (True, "/srv/map.sqlite: 1 entry points"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class BadRowTests(WatchTestCase):
    def said(self):
        return [text.partition(": ")[2] for text in super().said()]

    def test_a_bad_row_is_said_once(self):
        watched = self.watch(reading("a", b="port is odd"))
        self.assertEqual(self.said(), ["row 'b' left out: port is odd"])
        self.assertEqual(
            watched.health(), (True, "/srv/map.sqlite: 1 entry points, 1 bad rows left out")
        )
        self.then(reading("a", b="port is odd", c="host is odd"), seconds=2)
        self.assertEqual(self.said(), ["row 'c' left out: host is odd"])
        self.then(reading("a", b="token is odd"), seconds=2)
        self.assertEqual(self.said(), ["row 'b' left out: token is odd"])
        self.then(reading("a"))
        self.then(reading("a", b="token is odd"))
        self.assertEqual(self.said(), ["row 'b' left out: token is odd"])

    def test_odd_keys_do_not_break_the_log(self):
        self.watch(Reading(routes(), {"a\nb{c}\udcff": "key is odd"}))
        self.assertEqual(self.said(), ["row 'a\\nb{c}\\udcff' left out: key is odd"])

    def test_many_bad_rows_are_counted(self):
        self.watch(reading(**{f"k{n}": "port is odd" for n in range(1000)}))
        texts = self.said()
        self.assertEqual(len(texts), 11)
        self.assertEqual(texts[-1], "990 more rows left out")


class ThreadTests(WatchTestCase):
    def setUp(self):
        super().setUp()
        self.pool = Pool()

    def test_one_look_at_a_time(self):
        self.watch(reading("a"), self.pool.defer_to_thread)
        self.clock.pump([0.1] * 100)
        self.assertEqual(len(self.pool.waiting), 1)
        self.pool.work()
        self.assertEqual(self.published, [routes("a")])
        self.clock.pump([0.1] * 100)
        self.assertEqual(len(self.pool.waiting), 1)

    def test_stop_before_start(self):
        watched = self.a_watch()
        self.assertIsNone(self.successResultOf(watched.stop()))

    def test_stop_between_two_looks(self):
        watched = self.watch(reading("a"))
        self.assertIsNone(self.successResultOf(watched.stop()))
        self.assertEqual(self.reader.closed, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.then(reading("b"), seconds=2)
        self.assertEqual(self.published, [routes("a")])

    def test_stop_during_a_look(self):
        for outcome in (reading("a"), CORRUPT, MISSING, ZeroDivisionError()):
            watched = self.watch(outcome, self.pool.defer_to_thread)
            stopped = watched.stop()
            again = watched.stop()
            self.assertNoResult(stopped)
            self.pool.work()
            self.assertNoResult(stopped)
            self.pool.work()
            self.assertIsNone(self.successResultOf(stopped))
            self.assertIsNone(self.successResultOf(again))
            self.assertEqual(self.published, [])
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_stop_when_the_pool_has_gone(self):
        gone: list[bool] = []
        watched = self.watch(reading("a"), lambda f: fail(OSError()) if gone else execute(f))
        gone.append(True)
        self.assertIsNone(self.successResultOf(watched.stop()))
        self.assertEqual(self.reader.closed, 1)


class RealThreadsTests(TestCase):
    """A real file, real threads and the real clock."""

    def setUp(self):
        self.path = os.path.abspath(self.mktemp())
        self.table = RouteTable(Prefixes(), sources=["map"])
        self.keys: list[str] | None = None
        self.waiting: list[tuple[list[str], Deferred[None]]] = []
        self.watched = WatchedMap(self.path, SQLiteReader(self.path), reactor, deferToThread)
        self.addCleanup(self.watched.stop)
        self.watched.start(self.publish)

    def publish(self, routes):
        self.table.replace("map", routes.entry_points)
        self.keys = keys(routes)
        for wanted, done in self.waiting:
            if self.keys == wanted:
                reactor.callLater(0, done.callback, None)
        self.waiting = [(wanted, done) for wanted, done in self.waiting if wanted != self.keys]

    def published(self, *wanted):
        done: Deferred[None] = Deferred()
        if self.keys == list(wanted):
            done.callback(None)
        else:
            self.waiting.append((list(wanted), done))
        return done

    async def test_what_galaxy_writes_is_published(self):
        await self.published()
        await deferToThread(save, self.path, "a")
        await self.published("a")
        await deferToThread(save, self.path, "b")
        await self.published("a", "b")
        await deferToThread(remove, self.path, "a")
        await self.published("b")
        self.assertIsNotNone(self.table.find(b"b", b"t0ken"))
        self.assertIsNone(self.table.find(b"a", b"t0ken"))
        self.assertEqual(self.watched.health(), (True, f"{self.path}: 1 entry points"))
