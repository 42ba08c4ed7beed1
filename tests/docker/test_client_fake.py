"""The client on the fake engine, with all that can go wrong."""

import base64
import json

from twisted.internet import reactor  # noqa: TID251 - the engine has a socket
from twisted.internet.defer import succeed
from twisted.trial.unittest import TestCase

from giestack.docker.errors import Conflict, DockerError, NotFound, Unreachable
from giestack.docker.location import Location
from tests.docker.client_case import ClientCase
from tests.docker.client_suite import ClientSuite
from tests.docker.fake_docker import FakeDocker
from tests.docker.fake_http import CUT, CUT_AFTER, HANG, HANG_AFTER, MALFORMED, answers, late
from tests.docker.fake_registry import Pull
from tests.docker.fake_tls import TlsFakeDocker
from tests.docker.pull_suite import PullSuite


class FakeEngineCase(ClientCase):
    fake = FakeDocker

    def setUp(self):
        self.engine = self.fake(reactor)
        self.addCleanup(self.engine.end)
        return super().setUp()

    def location(self):
        return Location(self.engine.url)

    def left(self):
        images = [f"image {one.tags}" for one in self.engine.images.all.values()]
        return succeed([*self.engine.left(), *images[1:]])


class ClientTests(FakeEngineCase, ClientSuite, TestCase):
    """The suite."""


class SmallPiecesTests(FakeEngineCase, ClientSuite, PullSuite, TestCase):
    """The same, where all that streams comes in pieces of three bytes."""

    def setUp(self):
        super().setUp()
        self.engine.chunk = 3

    def image(self, *, slow=False):
        reference = f"registry.example.org/{self.mark}/image:1"
        self.engine.images.registry[reference] = Pull(seconds=0.05 if slow else 0)
        digest = self.engine.images.registry[reference].digest(reference)
        pinned = f"registry.example.org/{self.mark}/image@{digest}"
        self.engine.images.registry[pinned] = Pull()
        return reference

    def missing(self):
        return f"registry.example.org/{self.mark}/none:1"


class TlsTests(SmallPiecesTests):
    """The same once more, through mutual TLS."""

    fake = TlsFakeDocker
    engine: TlsFakeDocker

    def location(self):
        return self.engine.location


class LostAnswerTests(FakeEngineCase, TestCase):
    async def test_created_all_the_same(self):
        for number, fault in enumerate((CUT_AFTER, CUT_AFTER)):
            self.engine.faults.add("container create", fault, times=1)
            created = await self.create("mute", name=f"n{number}")
            self.assertEqual((await self.state(self.name(f"n{number}")))["Status"], "created")
            self.assertIn(created, self.engine.containers.all)

    async def test_created_all_the_same_but_late(self):
        self.engine.faults.add("container create", HANG_AFTER, times=1)
        created = await self.docker.containers.create(self.name(), self.body("mute"), seconds=0.2)
        self.assertEqual(list(self.engine.containers.all), [created])

    async def test_created_by_somebody_else(self):
        await self.create("mute", labels={"giestack-test.n": "1"})
        self.engine.faults.add("container create", CUT, times=2)
        body = self.body("mute", labels={"giestack-test.n": "2"})
        await self.failing(Unreachable, self.docker.containers.create(self.name(), body))

    async def test_not_created(self):
        self.engine.faults.add("container create", CUT)
        await self.failing(Unreachable, self.create("mute"))
        self.assertEqual(list(self.engine.containers.all), [])

    async def test_a_network(self):
        self.engine.faults.add("network create", CUT_AFTER, times=1)
        made = await self.docker.networks.create(self.name(), {"Labels": self.labels})
        self.assertIn(made, self.engine.networks.all)


class FaultTests(FakeEngineCase, TestCase):
    async def test_words_of_the_engine(self):
        created = await self.create("mute")
        for status, kind in ((500, DockerError), (404, NotFound), (409, Conflict)):
            self.engine.faults.add("container start", answers(status, "no room"), times=1)
            error = await self.failing(kind, self.docker.containers.start(created))
            self.assertEqual((error.status, str(error)), (status, "no room"))

    async def test_no_answer_in_time(self):
        created = await self.create("mute")
        self.engine.faults.add("container start", HANG)
        await self.failing(Unreachable, self.docker.containers.start(created, seconds=0.1))
        self.assertEqual(self.told[-1], ("container start", 0))
        # The connection is given up as well.
        self.engine.faults.clear()
        await self.docker.containers.start(created)

    async def test_a_late_answer(self):
        self.engine.faults.add("info", late(0.2))
        self.assertGreater((await self.docker.info())["NCPU"], 0)

    async def test_no_json(self):
        self.engine.faults.add("info", MALFORMED)
        error = await self.failing(DockerError, self.docker.info())
        self.assertIn("not JSON", str(error))

    async def test_cut(self):
        self.engine.faults.add("info", CUT)
        error = await self.failing(Unreachable, self.docker.info())
        self.assertIn(self.engine.url, str(error))

    async def test_an_engine_that_is_down_and_up_again(self):
        await self.docker.ping()
        waiting = self.later(self.docker.containers.wait(await self.launch("mute")))
        stream = self.docker.events(lambda event: None)
        await self.until(lambda: self.engine.events.listeners, "somebody listens")
        await self.engine.down()
        await self.failing(Unreachable, waiting)
        await self.failing(Unreachable, stream.ended)
        error = await self.failing(Unreachable, self.docker.ping())
        self.assertIn(self.engine.url, str(error))
        self.engine.version = "1.40"
        self.engine.up()
        await self.docker.ping()
        self.assertEqual(self.docker.version, "1.40")
        self.assertTrue((await self.state(self.name()))["Running"])

    async def test_a_connection_that_was_closed_while_nobody_used_it(self):
        await self.docker.ping()
        await self.engine.down()
        self.engine.up()
        # Neither of these may be lost to the old connection.
        await self.docker.volumes.create(self.name(), labels=self.labels)
        await self.engine.down()
        self.engine.up()
        await self.create("mute")

    async def test_events_that_are_cut(self):
        stream = self.docker.events(lambda event: None)
        await self.until(lambda: self.engine.events.listeners, "somebody listens")
        self.engine.events.cut()
        await self.failing(Unreachable, stream.ended)

    async def test_a_container_that_vanishes(self):
        created = await self.launch("mute")
        heard: list[str] = []
        stream = self.docker.containers.follow(created, 10, heard.append)
        waiting = self.later(self.docker.containers.wait(created))
        await self.until(lambda: self.engine.containers.all[created].followers, "it is followed")
        await self.engine.running.vanish(created)
        await stream.ended
        self.assertEqual(await waiting, 137)
        await self.failing(NotFound, self.docker.containers.start(created))

    async def test_removal_that_takes_its_time(self):
        self.engine.containers.removal_seconds = 0.1
        created = await self.launch("mute")
        first = self.later(self.docker.containers.remove(created))
        one = self.engine.containers.all[created]
        await self.until(lambda: one.status == "removing", "it is asked for")
        await self.docker.containers.remove(created)
        await first


class PullTests(FakeEngineCase, PullSuite, TestCase):
    image = SmallPiecesTests.image
    missing = SmallPiecesTests.missing

    async def pull_as(self, plan, **more):
        reference = f"registry.example.org/{self.mark}:1"
        self.engine.images.registry[reference] = plan
        await self.docker.images.pull(reference, lambda pulled: None)

    async def test_a_failure_within_a_success(self):
        error = await self.failing(DockerError, self.pull_as(Pull(fails="no space left on device")))
        self.assertEqual(str(error), "no space left on device")
        self.assertEqual(self.told[-1][0], "image pull")

    async def test_a_pull_that_is_cut(self):
        self.engine.faults.add("image pull", CUT_AFTER)
        await self.failing(Unreachable, self.pull_as(Pull(seconds=0.05)))

    async def test_one_that_stalls_can_be_given_up(self):
        pulling = self.later(self.pull_as(Pull(stalls=True)))
        await self.until(lambda: self.engine.images.pulling, "it is pulled")
        pulling.cancel()
        await self.assertFailure(pulling, Exception)
        await self.until(lambda: not self.engine.images.pulling, "it is not pulled any more")

    async def test_who_we_are(self):
        plan = Pull(private=("me", "pw"))
        await self.failing(DockerError, self.pull_as(plan))
        known = base64.urlsafe_b64encode(
            json.dumps({"username": "me", "password": "pw"}).encode()
        ).decode()

        class Known:
            async def for_image(self, reference: str) -> str:
                return known

        self.addCleanup(self.forget, f"registry.example.org/{self.mark}:1")
        docker = self.new_client(credentials=Known())
        await docker.images.pull(f"registry.example.org/{self.mark}:1", lambda pulled: None)
