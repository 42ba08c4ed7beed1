"""The network of an instance."""

from twisted.internet import reactor  # noqa: TID251 - the fake engine is behind a socket
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import TestCase

from giestack.docker.docker import Docker
from giestack.docker.endpoint import agent_for
from giestack.docker.errors import DockerError
from giestack.docker.location import Location
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.network import Network
from giestack.spawner.engine import EngineError
from tests.docker.fake_docker import FakeDocker
from tests.docker.fake_http import answers, done_late

NAMES = Names("one")
NAME = "giestack-one"
APART = {"com.docker.network.bridge.enable_icc": "false"}


class NetworkTests(TestCase):
    def setUp(self):
        self.fake = FakeDocker(reactor)
        self.addCleanup(self.fake.end)
        docker = Docker(reactor, agent_for(reactor, Location(self.fake.url)))
        self.addCleanup(lambda: Deferred.fromCoroutine(docker.close()))
        self.networks = docker.networks
        self.network = Network(docker.networks, NAMES)

    def of(self, wanted=""):
        return Deferred.fromCoroutine(self.network.of(wanted))

    def made(self):
        return self.fake.kinds().count("network create")

    async def ours(self):
        """The one that there is."""
        return (await self.networks.inspect(NAME))["Id"]

    async def refused(self, wanted=""):
        try:
            await self.of(wanted)
        except EngineError as error:
            return str(error)
        self.fail("there is one")

    async def test_made_once(self):
        made = await self.of()
        found = await self.networks.inspect(NAME)
        self.assertEqual(found["Options"], APART)
        self.assertTrue(NAMES.are_ours(found["Labels"]))
        self.assertEqual(made, found["Id"])
        self.assertEqual(await self.of(), made)
        self.assertEqual(self.made(), 1)

    async def test_many_want_it_at_once(self):
        found = await gatherResults([self.of() for _ in range(5)])
        self.assertEqual(found, [await self.ours()] * 5)
        self.assertEqual(self.made(), 1)

    async def test_who_cancels_does_not_keep_others_from_it(self):
        self.fake.faults.add("network create", done_late(0.05))
        first, second = self.of(), self.of()
        first.cancel()
        await self.assertFailure(first, CancelledError)
        self.assertEqual(await second, await self.ours())
        self.assertEqual(self.made(), 1)

    async def test_somebody_cleans_up(self):
        await self.of()
        await self.networks.remove(NAME)
        self.assertEqual(await self.of(), await self.ours())
        self.assertEqual(self.made(), 2)

    async def test_two_make_it_at_the_same_time(self):
        """Docker looks whether the name is taken, and makes it some time later."""
        body = {"Labels": NAMES.labels("network"), "Options": APART}
        make = self.fake.networks._add

        def twice(name, body_):
            older = make(name, {**body, "Name": name})
            older.created = "2001-01-01T00:00:00Z"
            self.patch(self.fake.networks, "_add", make)
            return make(name, body_)

        self.patch(self.fake.networks, "_add", twice)
        found = await self.of()
        # The younger one is gone again.
        self.assertEqual(found, await self.ours())
        self.assertEqual((await self.networks.inspect(found))["Created"][:4], "2001")
        self.assertEqual(await self.of(), found)

    async def test_two_of_them_are_no_trouble(self):
        body = {"Name": NAME, "Labels": NAMES.labels("network"), "Options": APART}
        for year in (2002, 2001, 2003):
            self.fake.networks._add(NAME, body).created = f"{year}-01-01T00:00:00Z"
        found = await self.of()
        self.assertEqual(self.fake.networks.all[found].created[:4], "2001")

    async def test_somebody_elses_of_the_same_name(self):
        await self.networks.create(NAME, {"Options": APART, "Labels": {"a": "b"}})
        self.assertIn("not giestack's", await self.refused())

    async def test_one_that_does_not_keep_apart(self):
        await self.networks.create(NAME, {"Labels": NAMES.labels("network")})
        words = await self.refused()
        self.assertIn("reach each other", words)
        self.assertIn(f"docker network rm {NAME}", words)

    async def test_no_addresses_left(self):
        words = (
            "could not find an available, non-overlapping IPv4 address pool among the defaults "
            "to assign to the network"
        )
        self.fake.faults.add("network create", answers(500, words), 1)
        said = await self.refused()
        self.assertIn("docker network prune", said)
        self.assertIn("default-address-pools", said)
        self.assertEqual(await self.of(), await self.ours())

    async def test_no_packet_filter(self):
        words = "cannot restrict inter-container communication: br_netfilter is missing"
        self.fake.faults.add("network create", answers(500, words), 1)
        self.assertIn("modprobe br_netfilter", await self.refused())

    async def test_other_failures_are_the_engines(self):
        self.fake.faults.add("network create", answers(500, "disk full"), 1)
        await self.assertFailure(self.of(), DockerError)

    async def test_one_that_a_profile_wants(self):
        self.assertIn("docker network create lab", await self.refused("lab"))
        self.assertFalse(await self.network.has("lab"))
        await self.networks.create("lab", {})
        self.assertTrue(await self.network.has("lab"))
        self.assertEqual(await self.of("lab"), "lab")
        self.assertEqual(self.made(), 1)
