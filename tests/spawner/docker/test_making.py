"""Containers are made in the right order, and whatever goes wrong leaves nothing."""

from twisted.internet import reactor  # noqa: TID251 - the fake engine is behind a socket
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.task import deferLater

from giestack.spawner.docker.labels import Names
from giestack.spawner.engine import EngineError, Progress
from tests.docker.fake_http import CUT, CUT_AFTER, answers, done_late, late
from tests.docker.fake_programs import IMAGE
from tests.docker.fake_registry import Pull
from tests.spawner.docker.fake_case import NAMES, FakeCase, container_of
from tests.spawner.docker.suite import MISSING

LAB = "quay.io/giestack-test/lab:1"
SECRETS = {"API": "s3cret"}
STEPS = (
    "image inspect",
    "network list",
    "network create",
    "volume create",
    "container create",
    "container put archive",
    "container start",
    "container inspect",
)


class MakingTests(FakeCase):
    async def test_the_order_of_things(self):
        engine = await self.engine()
        told: list[Progress] = []
        self.fake.calls.clear()
        address = await self.start(engine, "listen", secrets=SECRETS, progress=told.append)
        asked = [kind for kind in self.fake.kinds() if kind in STEPS]
        # The network is looked for before and after it is made.
        self.assertEqual((*asked[:3], *asked[4:]), STEPS)
        self.assertEqual(asked[3], "network list")
        self.assertEqual([one.step for one in told], ["creating", "starting"])
        self.assertEqual((address.host, address.session), ("127.0.0.1", "s1"))
        one = self.fake.containers.find(container_of())
        self.assertEqual(one.host["PortBindings"]["8888/tcp"][0]["HostIp"], "127.0.0.1")
        (network,) = one.networks
        self.assertEqual(self.fake.networks.find(network).name, NAMES.network)
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [])

    async def test_secrets(self):
        engine = await self.engine()
        await self.start(engine, secrets=SECRETS)
        await self.start(engine, session_id="s2")
        volume = self.fake.volumes.all[NAMES.secrets("s1")]
        self.assertEqual(volume.files["API"].content, b"s3cret")
        self.assertNotIn(NAMES.secrets("s2"), self.fake.volumes.all)
        self.assertNotIn("s3cret", repr(self.fake.containers.find(container_of()).inspect()))
        for each in ("s1", "s2"):
            await engine.stop(each, 1)
        self.assertEqual(self.left(), [])

    async def test_homes_stay(self):
        engine = await self.engine()
        await self.start(engine, volumes={"home-{user}": "/home"})
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), ["volume home-galaxy-12"])

    async def test_each_step_fails(self):
        """Whatever happens, it is told in words, and a stop leaves nothing."""
        engine = await self.engine()
        for fault in (answers(500, "disk full"), CUT, CUT_AFTER):
            for step in STEPS:
                if step == "network create":
                    await self.without_network(engine)
                self.fake.faults.add(step, fault)
                try:
                    await self.start(engine, secrets=SECRETS)
                except EngineError as error:
                    self.assertIn("“local”", str(error))
                else:
                    # A lost answer is asked for again.
                    self.assertIn(fault, (CUT, CUT_AFTER))
                self.fake.faults.clear()
                await engine.stop("s1", 1)
                self.assertEqual(self.left(), [], f"{step} {fault}")
        await self.start(engine, secrets=SECRETS)
        await engine.stop("s1", 1)

    async def without_network(self, engine):
        # Somebody may still be looking for it.
        await engine.making.network.of("")
        for network in await self.docker().networks.list([NAMES.filter]):
            await self.docker().networks.remove(network["Id"])

    async def cancelled_at(self, engine, step, fault, stop_first):
        self.fake.faults.add(step, fault, 1)
        before = self.fake.kinds().count(step)
        started = self.start(engine, secrets=SECRETS)
        await self.until(lambda: self.fake.kinds().count(step) > before)
        if stop_first:
            stopped = engine.stop("s1", 1)
            self.assertIn("stopped", await self.refused(started))
        else:
            started.cancel()
            self.failureResultOf(started, CancelledError)
            stopped = engine.stop("s1", 1)
        await stopped
        self.assertEqual(self.left(), [], f"{step} {fault}")

    async def test_cancelled_and_stopped_at_each_step(self):
        """What the engine does after all does not stay."""
        engine = await self.engine()
        for stop_first in (False, True):
            for fault in (late(0.05), done_late(0.05)):
                for step in STEPS:
                    if step == "network create":
                        await self.without_network(engine)
                    await self.cancelled_at(engine, step, fault, stop_first)
        await deferLater(reactor, 0.1)
        self.assertEqual((self.left(), self.ends), ([], []))

    async def test_cancelled_at_each_turn_of_the_reactor(self):
        engine = await self.engine()
        for turns in range(40):
            started = self.start(engine, secrets=SECRETS).addErrback(lambda _: None)
            for _ in range(turns):
                await deferLater(reactor, 0)
            started.cancel()
            await engine.stop("s1", 1)
            self.assertEqual(self.left(), [], f"{turns} turns")

    async def test_a_program_that_there_is_not(self):
        engine = await self.engine()
        # Docker's init is there, and finds nothing to run.
        await self.start(engine, command=("/no/such/program",)).addErrback(lambda _: None)
        ended = await self.end_of()
        self.assertEqual(ended.status, 127)
        self.assertIn("not found", ended.reason)
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [])

    async def test_no_image(self):
        engine = await self.engine()
        self.assertIn("no image", await self.refused(self.start(engine, image="")))
        await engine.stop("s1", 1)

    async def test_port_comes_later(self):
        engine = await self.engine()
        publish = self.fake.containers.find

        def find(name):
            one = publish(name)
            if one.published:
                self.hidden = dict(one.published)
                one.published.clear()
                reactor.callLater(0.06, one.published.update, self.hidden)
                self.patch(self.fake.containers, "find", publish)
            return one

        self.patch(self.fake.containers, "find", find)
        address = await self.start(engine)
        self.assertGreater(address.port, 0)
        await engine.stop("s1", 1)

    async def test_port_never_comes(self):
        engine = await self.engine()
        self.patch(self.fake.running, "_publish", lambda one: None)
        words = await self.refused(self.start(engine, port=9999))
        self.assertIn("9999", words)
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [])

    # Names that are taken.

    async def test_somebody_elses_container_has_the_name(self):
        engine = await self.engine()
        docker = self.docker()
        await docker.containers.create(container_of(), {"Image": IMAGE, "Labels": {"a": "b"}})
        words = await self.refused(self.start(engine, secrets=SECRETS))
        self.assertIn("not giestack's", words)
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [f"container {container_of()}"])

    async def test_somebody_elses_volume_has_the_name(self):
        engine = await self.engine()
        docker = self.docker()
        for labels in ({}, Names("other").labels("secrets", "s1"), NAMES.labels("secrets", "s2")):
            await docker.volumes.create(NAMES.secrets("s1"), labels=labels)
            words = await self.refused(self.start(engine, secrets=SECRETS))
            self.assertIn("not giestack's", words)
            await engine.stop("s1", 1)
            self.assertEqual(self.left(), [f"volume {NAMES.secrets('s1')}"])
            await docker.volumes.remove(NAMES.secrets("s1"))

    async def test_a_session_of_another_giestack_of_the_same_name(self):
        one, other = await self.engine(), await self.engine()
        await self.start(one)
        self.assertIn("already", await self.refused(self.start(other)))
        (found,) = await one.sessions()
        self.assertIsNotNone(found.address)
        await one.stop("s1", 1)

    async def test_the_name_is_free_again_when_we_look(self):
        engine = await self.engine()
        words = "Conflict. The container name is already in use"
        self.fake.faults.add("container create", answers(409, words), 1)
        self.assertIn("already in use", await self.refused(self.start(engine)))
        await engine.stop("s1", 1)

    async def test_bad_ids(self):
        engine = await self.engine()
        for bad in ("", "../x", "a/b", "A", "x" * 65):
            self.assertIn(
                "letters and digits", await self.refused(self.start(engine, session_id=bad))
            )
            await engine.stop(bad, 1)
        self.assertEqual(list(await engine.sessions()), [])

    # Images.

    async def test_image_is_fetched(self):
        engine = await self.engine()
        self.fake.images.registry[LAB] = Pull(seconds=0.03)
        told: list[Progress] = []
        await self.start(engine, image=LAB, progress=told.append)
        steps = [one.step for one in told]
        self.assertEqual(sorted(set(steps), key=steps.index), ["pulling", "creating", "starting"])
        self.assertGreater(engine.figures.pulled, 0)
        await engine.stop("s1", 1)

    async def test_one_pull_for_all_and_none_waits_on_it(self):
        engine = await self.engine()
        self.fake.images.registry[LAB] = Pull(stalls=True)
        fetching = [self.start(engine, image=LAB, session_id=f"p{n}") for n in range(3)]
        await self.until(lambda: self.fake.images.pulling == [LAB])
        await gatherResults([self.start(engine, session_id=f"s{n}") for n in range(8)])
        self.assertEqual(self.fake.images.pulling, [LAB])
        await engine.stop("p0", 1)
        await self.refused(fetching[0])
        self.assertEqual(self.fake.images.pulling, [LAB])
        for n in (1, 2):
            await engine.stop(f"p{n}", 1)
            await self.refused(fetching[n])
        # Nobody waits for it any more.
        await self.until(lambda: self.fake.images.pulling == [])
        for n in range(8):
            await engine.stop(f"s{n}", 1)
        self.assertEqual(self.left(), [])

    async def test_image_is_not_to_be_had(self):
        engine = await self.engine()
        self.assertIn("manifest unknown", await self.refused(self.start(engine, image=MISSING)))
        await engine.stop("s1", 1)
        self.fake.images.registry[LAB] = Pull(fails="toomanyrequests: come back later")
        self.assertIn("come back later", await self.refused(self.start(engine, image=LAB)))
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [])

    async def test_image_is_removed_under_it(self):
        engine = await self.engine()
        self.fake.images.registry[LAB] = Pull()
        image = self.fake.images.have(LAB)
        find = self.fake.images.find

        def gone_once(reference):
            self.patch(self.fake.images, "find", find)
            self.fake.images.all.pop(image.id)
            return image

        self.patch(self.fake.images, "find", gone_once)
        told: list[Progress] = []
        await self.start(engine, image=LAB, progress=told.append)
        self.assertIn("pulling", [one.step for one in told])
        await engine.stop("s1", 1)

    async def test_image_is_removed_again_and_again(self):
        engine = await self.engine()
        self.fake.faults.add("container create", answers(404, "No such image"))
        self.assertIn("No such image", await self.refused(self.start(engine)))
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [])
