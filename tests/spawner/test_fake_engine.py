"""The engine that tests of the spawner stand on, and its faults."""

from twisted.internet import reactor  # noqa: TID251 - the suite is for real engines, too
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Ended, Engine, EngineError, Progress, Stats
from tests.spawner.engine_suite import EngineSuite, launch_of
from tests.spawner.fake_engine import (
    BREAKS,
    EXITS,
    FAILS,
    HANGS,
    SLOW,
    WORKS,
    FakeEngine,
    Start,
)

LAB = Profile(name="lab")
LAUNCH = launch_of(LAB)


class FakeEngineSuite(EngineSuite, TestCase):
    """It does what every engine does."""

    def make_engine(self) -> Engine:
        self.fake = FakeEngine(reactor)
        return self.fake

    def plan(self, name, plan):
        self.fake.plans[name] = plan
        return Profile(name=name)

    def profile_that_works(self):
        return self.plan("works", WORKS)

    def profile_that_exits(self, status):
        ended = Ended(status, f"ended with status {status}")
        return self.plan("exits", Start(ends=ended))

    def profile_that_prints(self, *lines):
        return self.plan("prints", Start(prints=lines, ends=Ended(0, "ended"), ends_after=0.01))

    profile_that_ignores_sigterm = profile_that_works

    def profile_that_never_listens(self):
        return self.plan("mute", Start(listens=False))

    def program_missing(self):
        self.fake.trouble_of["missing"] = "There is no image “none”."
        return self.plan("missing", FAILS)

    async def reach(self, address):
        return self.fake.answers(address)

    def left(self):
        return self.fake.present


class FakeEngineTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.engine = FakeEngine(self.clock)
        self.ends: list[tuple[str, Ended]] = []
        self.progress: list[Progress] = []
        self.successResultOf(self.engine.open(lambda *end: self.ends.append(end)))

    def start(self, plan=None):
        if plan is not None:
            self.engine.next_starts.append(plan)
        return self.engine.start(LAUNCH, self.progress.append)

    def test_slow_start(self):
        started = self.start(SLOW)
        self.assertEqual([each.step for each in self.progress], ["pulling"])
        self.clock.advance(1)
        self.assertEqual(self.progress[-1].percent, 50)
        self.clock.pump([1, 1, 0.9])
        self.assertNoResult(started)
        self.assertEqual(self.engine.present, {"s1"})
        self.assertEqual(self.engine.running, set())
        self.clock.advance(0.2)
        self.assertTrue(self.engine.answers(self.successResultOf(started)))
        self.assertEqual(self.progress[-1].step, "starting")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failed_start_stays_until_stopped(self):
        self.failureResultOf(self.start(FAILS), EngineError)
        self.assertEqual(self.engine.present, {"s1"})
        self.successResultOf(self.engine.stop("s1", 5))
        self.assertEqual(self.engine.present, set())
        self.assertEqual(self.engine.stopped, [("s1", 5)])
        self.assertEqual(self.engine.started, [LAUNCH])

    def test_bugs(self):
        self.failureResultOf(self.start(BREAKS), ZeroDivisionError)
        self.assertRaises(KeyError, self.start, Start(raises=KeyError("bug")))

    def test_start_that_hangs(self):
        started = self.start(HANGS)
        self.clock.advance(1000)
        self.assertNoResult(started)
        started.cancel()
        self.failureResultOf(started, CancelledError)
        self.assertEqual(self.engine.present, {"s1"})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_while_it_hangs(self):
        started = self.start(HANGS)
        self.successResultOf(self.engine.stop("s1", 5))
        self.failureResultOf(started, EngineError)
        self.assertEqual(self.engine.present, set())

    def test_end_while_it_starts(self):
        started = self.start(Start(seconds=5, ends=Ended(137, "killed"), ends_after=1))
        self.clock.advance(1)
        self.assertEqual(self.ends, [("s1", Ended(137, "killed"))])
        self.failureResultOf(started, EngineError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_end_later(self):
        self.successResultOf(self.start())
        self.engine.end("s1", Ended(None, "out of memory"))
        self.assertEqual(self.ends, [("s1", Ended(None, "out of memory"))])
        self.assertEqual(self.engine.running, set())
        self.assertEqual(self.engine.present, {"s1"})
        self.assertIsNone(self.successResultOf(self.engine.stats("s1")))

    def test_exits(self):
        self.start(EXITS)
        self.clock.advance(0)
        self.assertEqual([one for one, _ in self.ends], ["s1"])
        self.assertEqual(self.successResultOf(self.engine.logs("s1", 9)), ["cannot go on"])

    def test_stop_fails(self):
        self.start()
        self.engine.stop_failures = 2
        for _ in range(2):
            self.failureResultOf(self.engine.stop("s1", 5), EngineError)
            self.assertEqual(self.engine.running, {"s1"})
        self.successResultOf(self.engine.stop("s1", 5))
        self.assertEqual(self.engine.present, set())

    def test_stop_is_slow(self):
        self.start()
        self.engine.stop_seconds = 3
        stopped = [self.engine.stop("s1", 5), self.engine.stop("s1", 5)]
        self.clock.advance(2.9)
        self.assertNoResult(stopped[0])
        self.assertEqual(self.engine.present, {"s1"})
        self.clock.advance(0.2)
        for one in stopped:
            self.successResultOf(one)
        self.assertEqual(self.engine.present, set())
        self.assertEqual(self.ends, [])

    def test_stop_is_cancelled(self):
        self.start()
        self.engine.stop_seconds = 3
        stopped = self.engine.stop("s1", 5)
        stopped.cancel()
        self.failureResultOf(stopped, CancelledError)
        self.clock.advance(10)
        self.assertEqual(self.engine.present, {"s1"})

    def test_stop_never_ends(self):
        self.start()
        self.engine.stop_seconds = None
        self.assertNoResult(self.engine.stop("s1", 5))
        self.assertEqual(self.engine.present, {"s1"})

    def test_there_already(self):
        engine = FakeEngine(self.clock)
        found = engine.have(LAUNCH, lines=["hello"])
        dead = engine.have(launch_of(LAB, "s2"), running=False)
        self.assertIsNotNone(found.address)
        self.assertIsNone(dead.address)
        there = self.successResultOf(engine.open(lambda *end: None))
        self.assertEqual(there, [found, dead])
        self.assertEqual(self.successResultOf(engine.sessions()), [found, dead])
        self.assertEqual(self.successResultOf(engine.logs("s1", 1)), ["hello"])

    def test_lives_on(self):
        self.engine.lives_on = True
        address = self.successResultOf(self.start())
        self.successResultOf(self.engine.close())
        self.assertTrue(self.engine.answers(address))
        (found,) = self.successResultOf(self.engine.open(lambda *end: None))
        self.assertEqual((found.launch, found.address), (LAUNCH, address))

    def test_cannot_be_opened(self):
        engine = FakeEngine(self.clock)
        engine.open_error = EngineError("Cannot connect to the Docker daemon.")
        self.failureResultOf(engine.open(lambda *end: None), EngineError)
        engine.open_error, engine.open_hangs = None, True
        self.assertNoResult(engine.open(lambda *end: None))
        self.assertFalse(engine.is_open)

    def test_what_cannot_be_asked(self):
        self.start()
        error = EngineError("The engine does not answer.")
        self.engine.logs_error = self.engine.stats_error = self.engine.sessions_error = error
        for asked in (
            self.engine.logs("s1", 5),
            self.engine.stats("s1"),
            self.engine.sessions(),
        ):
            self.failureResultOf(asked, EngineError)
        self.engine.logs_hang = self.engine.stats_hang = True
        self.assertNoResult(self.engine.logs("s1", 5))
        self.assertNoResult(self.engine.stats("s1"))

    def test_lines(self):
        self.start()
        heard: list[str] = []
        ends: list[str] = []
        self.engine.say("s1", "one", "two")
        self.engine.follow("s1", 1, heard.append, lambda: ends.append("end"))
        self.engine.say("s1", "three")
        self.assertEqual((heard, ends), (["two", "three"], []))
        self.engine.end("s1", Ended(0, "ended"))
        self.assertEqual(ends, ["end"])

    def test_what_it_says(self):
        self.start()
        self.engine.usage["s1"] = Stats(5, None)
        self.assertEqual(self.successResultOf(self.engine.stats("s1")), Stats(5, None))
        self.engine.troubled.append("No space left.")
        self.assertEqual(self.successResultOf(self.engine.troubles([])), ["No space left."])
        self.assertEqual((self.engine.name, self.engine.note), ("fake", ""))
