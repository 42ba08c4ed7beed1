"""Sessions as containers of a fake engine: the suite, and every fault."""

from collections import Counter

from twisted.internet import reactor  # noqa: TID251 - the fake engine is behind a socket
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from giestack.docker.location import Location
from giestack.spawner.docker.labels import labels_of
from giestack.spawner.engine import EngineError
from tests.docker.fake_docker import FakeDocker
from tests.docker.fake_http import done_late
from tests.docker.fake_tls import TlsFakeDocker
from tests.spawner.docker.fake_case import FakeCase, container_of
from tests.spawner.docker.suite import MISSING, DockerSuite, program
from tests.spawner.engine_suite import ALICE, launch_of


class FakeSuite(DockerSuite, TestCase):
    """The suite."""

    def setUp(self):
        self.fake = self.begin()
        self.addCleanup(self.fake.end)
        return super().setUp()

    def begin(self):
        fake = FakeDocker(reactor)
        self.location = Location(fake.url)
        return fake

    def left(self):
        return [one for one in self.fake.left() if one != "network giestack-suite"]

    async def nothing_listens(self):
        async def quiet():
            return not self.fake.events.listeners

        self.assertTrue(await self.until(quiet))


class TlsSuite(FakeSuite):
    """The same through mutual TLS."""

    def begin(self):
        fake = TlsFakeDocker(reactor)
        self.location = fake.location
        return fake


class GpuTests(FakeCase):
    """GPUs are handed out one by one."""

    def ids(self, session_id):
        one = self.fake.containers.find(container_of(session_id))
        return [each["DeviceIDs"] for each in one.host["DeviceRequests"]]

    async def test_each_has_its_own(self):
        engine = await self.engine(gpus=("GPU-a", "GPU-b", "GPU-c"))
        self.assertEqual(engine.room.gpus, 3)
        await self.start(engine, session_id="s1", gpus=1)
        await self.start(engine, session_id="s2", gpus=2)
        self.assertEqual((self.ids("s1"), self.ids("s2")), ([["GPU-a"]], [["GPU-b", "GPU-c"]]))
        self.assertIn("GPU", await self.refused(self.start(engine, session_id="s3", gpus=1)))
        # Who was refused is nobody, and has nothing.
        self.assertEqual(len(await engine.sessions()), 2)
        await engine.stop("s1", 1)
        await self.start(engine, session_id="s3", gpus=1)
        self.assertEqual(self.ids("s3"), [["GPU-a"]])
        for each in ("s2", "s3"):
            await engine.stop(each, 1)

    async def test_given_back_by_who_ends(self):
        engine = await self.engine(gpus=("GPU-a",))
        await self.start(engine, gpus=1)
        self.fake.running.die(container_of())
        await self.end_of()
        await self.start(engine, session_id="s2", gpus=1)
        await engine.stop("s1", 1)
        self.assertIn("GPU", await self.refused(self.start(engine, session_id="s3", gpus=1)))
        await engine.stop("s2", 1)

    async def test_given_back_by_who_is_not_started(self):
        engine = await self.engine(gpus=("GPU-a",))
        await self.refused(self.start(engine, gpus=1, image=MISSING))
        self.assertIn("GPU", await self.refused(self.start(engine, session_id="s2", gpus=1)))
        await engine.stop("s1", 1)
        await self.start(engine, session_id="s2", gpus=1)
        await engine.stop("s2", 1)

    async def test_found_again(self):
        first = await self.engine(gpus=("GPU-a", "GPU-b"))
        await self.start(first, gpus=1)
        await first.close()
        second = await self.engine(gpus=("GPU-a", "GPU-b"))
        await self.start(second, session_id="s2", gpus=1)
        self.assertEqual(self.ids("s2"), [["GPU-b"]])
        for each in ("s1", "s2"):
            await second.stop(each, 1)


class RoomTests(FakeCase):
    """How much memory there is."""

    async def test_of_the_machine(self):
        engine = self.new_engine()
        self.assertIsNone(engine.room.memory)
        self.fake.memory = 1000
        await engine.open(self.told_end)
        self.assertEqual(engine.room.memory, 900)

    async def test_configured(self):
        engine = await self.engine(memory=77)
        self.assertEqual(engine.room.memory, 77)

    async def test_no_limit(self):
        engine = await self.engine(memory=0)
        self.assertIsNone(engine.room.memory)


class AddressTests(FakeCase):
    """Where ports are published: Docker would take a name for all addresses of its host."""

    async def test_name_is_looked_up(self):
        async def resolve(name):
            self.assertEqual(name, "docker.example.org")
            return "127.0.0.1"

        engine = await self.engine(publish_at="docker.example.org", resolve=resolve)
        address = await self.start(engine)
        self.assertEqual(address.host, "127.0.0.1")
        one = self.fake.containers.find(container_of())
        self.assertEqual(one.host["PortBindings"]["8888/tcp"][0]["HostIp"], "127.0.0.1")
        await engine.stop("s1", 1)

    async def test_name_is_not_known(self):
        async def nobody(name):
            raise DNSLookupError("no such host")

        async def nonsense(name):
            return "nonsense"

        for resolve in (None, nobody, nonsense):
            engine = self.new_engine(publish_at="docker.example.org", resolve=resolve)
            words = await self.refused(engine.open(self.told_end))
            self.assertIn("no IP address is known for docker.example.org", words)


class CloseTests(FakeCase):
    """Sessions go on without giestack."""

    async def test_starts_that_are_under_way(self):
        engine = await self.engine()
        self.fake.faults.add("container start", done_late(0.1), 1)
        started = self.start(engine)
        await self.until(lambda: "container start" in self.fake.kinds())
        await engine.close()
        self.assertIn("stopped", await self.refused(started))
        # It is found by the next one, or removed.
        other = await self.engine()
        self.assertEqual([found.launch.session_id for found in self.found], ["s1"])
        await other.stop("s1", 1)
        self.assertEqual(self.left(), [])

    async def test_stops_that_are_under_way(self):
        engine = await self.engine()
        await self.start(engine, "stubborn")
        stopped = engine.stop("s1", 60)
        await self.until(lambda: "container stop" in self.fake.kinds())
        await engine.close()
        self.assertIn("closed", await self.refused(stopped))
        other = await self.engine()
        await other.stop("s1", 0)
        self.assertEqual(self.left(), [])

    async def test_start_while_it_is_opened(self):
        """Visitors come before the engine has answered."""
        engine = self.new_engine()
        opened = engine.open(self.told_end)
        started = self.start(engine)
        self.assertEqual(list(await opened), [])
        self.assertTrue(await started)
        self.assertEqual(len(await engine.open(self.told_end)), 1)
        await engine.stop("s1", 1)

    async def test_cancelled_open(self):
        engine = self.new_engine()
        engine.open(self.told_end).addErrback(lambda _: None).cancel()
        self.assertTrue(await self.start(engine))
        await engine.stop("s1", 1)


class Pool:
    """A warm pool with slots that a test makes.

    :ivar ids: of the slots.
    :ivar fails: claims fail with it.
    :ivar told: what the engine has asked for, in order.
    """

    def __init__(self, making):
        self.hits: Counter[tuple[str, str]] = Counter()
        self.making = making
        self.ids: list[str] = []
        self.made: dict[str, object] = {}
        self.fails: Exception | None = None
        self.told: list[str] = []
        self.closing: Deferred[None] = succeed(None)
        self.claiming: Deferred[None] = succeed(None)

    @property
    def slots(self):
        return {"test": (len(self.ids), 2)}

    async def have(self, session_id):
        self.ids.append(session_id)
        launch = launch_of(program("listen"), session_id)
        made = await self.making.make(launch, lambda progress: None, slot=True)
        self.made[session_id] = made.address

    def configure(self, profiles):
        self.told.append(f"configure {[profile.name for profile in profiles]}")

    async def open(self):
        self.told.append("open")

    async def close(self):
        self.told.append("close")
        await self.closing

    def reserve(self, profile, options):
        return self.ids[0] if self.ids else ""

    def has(self, session_id):
        return session_id in self.ids

    async def claim(self, launch, progress):
        self.told.append(f"claim {launch.session_id}")
        await self.claiming
        if self.fails is not None:
            raise self.fails
        names = self.making.names
        labels = labels_of(names, launch, "claim")
        name = names.claim(launch.session_id)
        await self.making.docker.volumes.create(name, labels=labels)
        self.ids.remove(launch.session_id)
        return self.made[launch.session_id]

    async def drop(self, session_id):
        self.told.append(f"drop {session_id}")
        if session_id in self.ids:
            self.ids.remove(session_id)

    def died(self, session_id):
        self.told.append(f"died {session_id}")
        self.ids.remove(session_id)


class WarmTests(FakeCase):
    """An engine with a warm pool."""

    async def warm_engine(self, *slots, clock=reactor):
        self.clock = clock
        engine = await self.engine(clock, pool=self.new_pool)
        for each in slots:
            await self.pool.have(each)
        self.pool.told.clear()
        return engine

    def new_pool(self, making):
        self.pool = Pool(making)
        return self.pool

    async def test_told_what_there_is(self):
        engine = self.new_engine(pool=self.new_pool)
        engine.configure([program("listen", name="lab")])
        self.assertEqual(engine.reserve(program("listen"), {}), "")
        await engine.open(self.told_end)
        self.assertEqual(engine.figures.pool(), {"test": (0, 2)})
        self.pool.hits["test", "hit"] += 1
        self.assertEqual(engine.figures.warm["test", "hit"], 1)
        await engine.close()
        self.assertEqual(self.pool.told, ["configure ['lab']", "open", "close"])

    async def test_claimed(self):
        engine = await self.warm_engine("w1")
        self.assertEqual(engine.reserve(program("listen"), {}), "w1")
        self.assertEqual(list(await engine.sessions()), [])
        address = await self.start(engine, "listen", session_id="w1")
        self.assertEqual(address, self.pool.made["w1"])
        (found,) = await engine.sessions()
        self.assertEqual((found.launch.owner, found.address), (ALICE, address))
        self.assertEqual(self.fake.kinds().count("container create"), 1)
        self.assertIsNotNone(await engine.stats("w1"))
        self.fake.running.die(container_of("w1"), 3)
        self.assertEqual((await self.end_of("w1")).status, 3)
        await engine.stop("w1", 1)
        self.assertEqual(self.left(), [])

    async def test_found_again(self):
        engine = await self.warm_engine("w1", "w2")
        await self.start(engine, "listen", session_id="w1")
        await engine.close()
        other = await self.engine()
        (found,) = self.found
        self.assertEqual(found.launch.session_id, "w1")
        await other.stop("w1", 1)
        # The other slot is nobody's.
        await self.until(lambda: not self.left())

    async def test_claim_fails(self):
        engine = await self.warm_engine("w1")
        self.pool.fails = EngineError("its home cannot be mounted")
        await self.start(engine, "listen", session_id="w1")
        self.assertEqual(self.pool.told, ["claim w1", "drop w1"])
        self.assertEqual(self.fake.kinds().count("container create"), 2)
        self.assertEqual(self.ends, [])
        await engine.stop("w1", 1)
        self.assertEqual(self.left(), [])

    async def test_stopped_amid_the_claim(self):
        engine = await self.warm_engine("w1")
        self.pool.claiming = Deferred()
        started = self.start(engine, "listen", session_id="w1")
        await engine.stop("w1", 1)
        self.assertIn("stopped", await self.refused(started))
        self.assertEqual(self.pool.told, ["claim w1", "drop w1"])
        self.assertEqual((self.left(), self.ends), ([], []))

    async def test_reserved_and_not_started(self):
        engine = await self.warm_engine("w1")
        await engine.stop("w1", 1)
        self.assertEqual(self.pool.told, ["drop w1"])
        self.assertEqual(self.left(), [])

    async def test_a_slot_dies(self):
        engine = await self.warm_engine("w1")
        self.fake.running.die(container_of("w1"))
        await self.until(lambda: not self.left())
        self.assertEqual((self.pool.told, self.ends), (["died w1"], []))
        await engine.close()

    async def test_a_slot_dies_amid_its_claim(self):
        engine = await self.warm_engine("w1")
        self.pool.claiming = Deferred()
        started = self.start(engine, "listen", session_id="w1")
        self.fake.running.die(container_of("w1"))
        await self.until(lambda: "died w1" in self.pool.told)
        self.pool.claiming.errback(EngineError("it has ended"))
        self.assertTrue(await started)
        self.assertEqual(self.ends, [])
        await engine.stop("w1", 1)
        self.assertEqual(self.left(), [])

    async def test_slots_are_gone_meanwhile(self):
        engine = await self.warm_engine("w1", "w2")
        await self.fake.down()
        await self.fake.running.vanish(container_of("w1"))
        self.fake.events.forget()
        await self.until(lambda: engine.trouble != "")
        self.assertEqual(engine.reserve(program("listen"), {}), "")
        self.fake.up()
        await self.until(lambda: self.pool.told == ["died w1", "open"])
        self.assertEqual(self.left()[:1], [f"container {container_of('w2')}"])
        self.assertEqual(engine.reserve(program("listen"), {}), "w2")
        await engine.stop("w2", 1)
        await self.until(lambda: not self.left())

    async def test_slots_are_no_leftovers(self):
        engine = await self.warm_engine("w1", clock=Clock())
        for _ in range(3 * 6):
            self.clock.advance(10)
            await deferLater(reactor, 0.01)
        self.assertEqual(self.pool.told, [])
        self.assertEqual(len(self.left()), 2)
        await engine.stop("w1", 1)
        self.assertEqual(self.left(), [])

    async def test_a_pool_that_does_not_close(self):
        clock = Clock()
        engine = await self.warm_engine(clock=clock)
        self.pool.closing = Deferred()
        closed = engine.close()
        clock.advance(5)
        await closed
