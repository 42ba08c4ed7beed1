"""What would keep profiles from starting."""

from giestack.spawner.engine import Room
from tests.docker.fake_http import answers
from tests.docker.fake_registry import Pull
from tests.spawner.docker.fake_case import FakeCase, container_of
from tests.spawner.docker.suite import MB, program

GB = 1024 * MB
LAB = "quay.io/giestack-test/lab:2"


class TroubleTests(FakeCase):
    async def test_none(self):
        engine = await self.engine(gpus=("0",))
        profiles = [
            program("listen"),
            program("listen", image=LAB),
            program("listen", memory=0),
            program("listen", gpus=1),
        ]
        self.assertEqual(list(await engine.troubles(profiles)), [])
        # A readiness check asks with little effort.
        self.fake.calls.clear()
        await engine.troubles(profiles)
        self.assertEqual(self.fake.kinds(), [])

    async def test_too_large(self):
        engine = await self.engine(memory=4 * GB)
        self.assertEqual(engine.room, Room(4 * GB, 0))
        (text,) = await engine.troubles([program("listen", name="big", memory=6 * GB)])
        self.assertIn("big may use 6 GB of memory, and the engine “local” has 4 GB", text)

    async def test_not_so_many_gpus(self):
        engine = await self.engine(gpus=("0", "1"))
        (text,) = await engine.troubles([program("listen", name="many", gpus=3)])
        self.assertIn("many needs 3 GPUs, and the engine “local” has 2", text)

    async def test_network_is_missing(self):
        engine = await self.engine()
        profile = program("listen", name="apart", network="lab")
        (text,) = await engine.troubles([profile, profile])
        self.assertIn("docker network create lab", text)
        self.assertIn("network lab", await self.refused(self.start(engine, network="lab")))
        await engine.stop("s1", 1)
        await self.docker().networks.create("lab", {})
        self.assertEqual(list(await engine.troubles([profile])), [])
        await self.start(engine, network="lab")
        self.assertEqual(list(self.fake.containers.find(container_of()).networks), ["lab"])
        await engine.stop("s1", 1)

    async def test_image_could_not_be_had(self):
        engine = await self.engine()
        image = "quay.io/giestack-test/lab:{options.version}"
        profile = program("listen", image=image, options={"version": {"choices": ["1", "2"]}})
        await self.refused(self.start(engine, image=LAB))
        await engine.stop("s1", 1)
        (text,) = await engine.troubles([profile])
        self.assertIn("manifest unknown", text)
        self.assertIn(LAB, text)
        # It is nobody's trouble who does not want it; nor is it one once it is there.
        self.assertEqual(list(await engine.troubles([program("listen")])), [])
        self.fake.images.have(LAB)
        self.assertEqual(list(await engine.troubles([profile])), [])

    async def test_image_comes_later(self):
        engine = await self.engine()
        profile = program("listen", image=LAB)
        await self.refused(self.start(engine, image=LAB))
        await engine.stop("s1", 1)
        self.fake.images.registry[LAB] = Pull()
        await self.start(engine, image=LAB)
        self.assertEqual(list(await engine.troubles([profile])), [])
        await engine.stop("s1", 1)

    async def test_engine_cannot_tell(self):
        engine = await self.engine()
        self.fake.faults.add("network inspect", answers(500, "disk full"))
        (text,) = await engine.troubles([program("listen", network="lab")])
        self.assertIn("disk full", text)

    async def test_not_open(self):
        engine = self.new_engine()
        self.assertEqual(len(await engine.troubles([])), 1)
