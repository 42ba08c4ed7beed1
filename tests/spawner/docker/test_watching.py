"""An engine is listened to, however often it goes away."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.errors import DockerError, Unreachable
from giestack.spawner.docker.watching import COMPARE_EVERY, PING_EVERY, STEADY, Watching

FILTERS = {"label": ["a=b"]}
START = "2026-11-21T14:34:44.5Z"


class Stream:
    """What `giestack.docker` gives for events."""

    def __init__(self, heard, since):
        self.heard = heard
        self.since = since
        self.ended: Deferred[None] = Deferred()
        self.stopped = False

    def stop(self):
        self.stopped = True
        if not self.ended.called:
            self.ended.callback(None)


class World:
    """An engine and who watches it, all at once.

    :ivar fails: what fails with which error.
    :ivar done: what was asked and told, in order.
    """

    def __init__(self):
        self.fails: dict[str, Exception] = {}
        self.hangs: dict[str, Deferred[None]] = {}
        self.done: list[str] = []
        self.streams: list[Stream] = []
        self.errors: list[str] = []
        self.events: list[dict] = []

    async def _do(self, what):
        self.done.append(what)
        if what in self.fails:
            raise self.fails[what]
        if what in self.hangs:
            await self.hangs[what]

    async def ping(self):
        await self._do("ping")

    async def info(self):
        await self._do("info")
        return {"SystemTime": START, "MemTotal": 7}

    def events_(self, heard, *, filters, since=""):
        assert filters == FILTERS
        self.done.append("events")
        self.streams.append(Stream(heard, since))
        return self.streams[-1]

    def connected(self, info):
        assert info["MemTotal"] == 7
        self.done.append("connected")

    def heard(self, event):
        self.events.append(event)

    async def compare(self):
        await self._do("compare")

    def lost(self, error):
        self.errors.append(str(error))


class Docker:
    def __init__(self, world):
        self.ping, self.info, self.events = world.ping, world.info, world.events_


class WatchingTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.world = World()
        self.watching = Watching(self.clock, Docker(self.world), FILTERS, self.world)
        self.addCleanup(self.watching.close)

    def open(self):
        return Deferred.fromCoroutine(self.watching.open())

    def opened(self):
        self.successResultOf(self.open())
        self.world.done.clear()

    def test_open(self):
        """Events are subscribed to before it is compared, so that nothing is lost."""
        self.successResultOf(self.open())
        self.assertEqual(self.world.done, ["info", "connected", "events", "compare"])
        (stream,) = self.world.streams
        self.assertEqual(stream.since, "1795271684.500000")
        stream.heard({"Action": "die", "timeNano": 5})
        self.assertEqual(self.world.events, [{"Action": "die", "timeNano": 5}])

    def test_not_there(self):
        for step in ("info", "compare"):
            self.world.fails = {step: Unreachable("nobody there")}
            self.failureResultOf(self.open(), Unreachable)
        self.assertTrue(self.world.streams[-1].stopped)
        self.clock.advance(1000)
        self.assertEqual(self.world.errors, [])
        self.world.fails = {}
        self.opened()

    def test_stream_breaks(self):
        self.opened()
        for end in (
            lambda stream: stream.ended.errback(Unreachable("cut")),
            lambda stream: stream.ended.callback(None),
        ):
            self.world.done.clear()
            end(self.world.streams[-1])
            self.clock.advance(0.2)
            self.assertEqual(self.world.done, ["info", "connected", "events", "compare"])
        self.assertEqual(self.world.errors, [])

    def test_goes_on_from_the_last_event(self):
        self.opened()
        self.world.streams[0].heard({"timeNano": 1795271690_123456789})
        self.world.streams[0].heard({"timeNano": "soon"})
        self.world.streams[0].ended.callback(None)
        self.clock.advance(0.2)
        self.assertEqual(self.world.streams[1].since, "1795271690.123456789")

    def test_away_for_long(self):
        self.opened()
        self.world.fails = {"info": Unreachable("nobody there")}
        self.world.streams[0].ended.callback(None)
        for _ in range(600):
            self.clock.advance(0.1)
        # Soon at first, then every five seconds.
        self.assertEqual(len(self.world.errors), 16)
        self.assertEqual(set(self.world.errors), {"nobody there"})
        self.world.fails = {}
        self.clock.advance(5)
        self.assertEqual(self.world.done[-1], "compare")
        self.assertFalse(self.world.streams[-1].stopped)

    def test_again_and_again(self):
        """Who hangs up each time is not asked without pause."""
        self.opened()
        for _ in range(100):
            self.clock.advance(0.1)
            if not self.world.streams[-1].ended.called:
                self.world.streams[-1].ended.callback(None)
        self.assertLess(len(self.world.streams), 10)
        self.clock.advance(5)
        count = len(self.world.streams)
        self.clock.advance(STEADY + 1)
        self.world.streams[-1].ended.callback(None)
        self.clock.advance(0.1)
        self.assertEqual(len(self.world.streams), count + 1)

    def test_dead_without_an_end(self):
        self.opened()
        self.world.fails = {"ping": Unreachable("no answer")}
        self.clock.advance(PING_EVERY)
        self.assertTrue(self.world.streams[0].stopped)
        self.world.fails = {}
        self.clock.advance(0.1)
        self.assertEqual(len(self.world.streams), 2)
        self.assertFalse(self.world.streams[1].stopped)

    def test_compared_every_minute(self):
        self.opened()
        for _ in range(int(2 * COMPARE_EVERY)):
            self.clock.advance(1)
        self.assertEqual(self.world.done.count("compare"), 2)
        self.world.fails = {"compare": DockerError(500, "disk full")}
        self.clock.advance(COMPARE_EVERY)
        self.assertTrue(self.world.streams[0].stopped)

    def test_a_slow_answer_is_waited_for(self):
        self.opened()
        self.world.hangs["ping"] = Deferred()
        for _ in range(30):
            self.clock.advance(1)
        self.assertEqual(self.world.done.count("ping"), 1)
        self.world.hangs.pop("ping").callback(None)

    def test_bugs_do_not_end_it(self):
        self.opened()
        self.world.fails = {"compare": ZeroDivisionError("oops")}
        self.clock.advance(COMPARE_EVERY)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(self.world.streams[0].stopped)
        self.world.streams[0].ended.callback(None)
        self.clock.advance(0.1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("oops", self.world.errors[0])
        self.world.fails = {}
        self.clock.advance(1)
        self.assertEqual(self.world.done[-1], "compare")

    def test_close(self):
        self.opened()
        self.watching.close()
        self.assertTrue(self.world.streams[0].stopped)
        self.clock.advance(1000)
        self.assertEqual(self.world.done, [])
        self.watching.close()

    def test_close_while_it_is_away(self):
        self.opened()
        self.world.hangs["info"] = Deferred(lambda _: None)
        self.world.streams[0].ended.callback(None)
        self.clock.advance(0.1)
        self.watching.close()
        self.assertTrue(self.world.hangs["info"].called)
        self.clock.advance(1000)
        self.assertEqual(self.world.done, ["info"])

    def test_no_time_is_told(self):
        async def info():
            return {"MemTotal": 7}

        docker = Docker(self.world)
        docker.info = info
        watching = Watching(self.clock, docker, FILTERS, self.world)
        self.successResultOf(Deferred.fromCoroutine(watching.open()))
        self.assertEqual(self.world.streams[0].since, "")
        watching.close()
