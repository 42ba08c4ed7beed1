"""Sessions as containers of a fake engine: the suite, and every fault."""

from pathlib import Path

from twisted.internet import reactor  # noqa: TID251 - the fake engine is behind a socket
from twisted.trial.unittest import TestCase

from giestack.docker.location import Location
from tests.docker.fake_docker import FakeDocker
from tests.spawner.docker.suite import DockerSuite


class FakeSuite(DockerSuite, TestCase):
    """The suite."""

    data_dir = Path("/srv/giestack")

    def setUp(self):
        self.fake = FakeDocker(reactor)
        self.addCleanup(self.fake.end)
        self.location = Location(self.fake.url)
        return super().setUp()

    def left(self):
        return [one for one in self.fake.left() if one != "network giestack-suite"]

    async def nothing_listens(self):
        async def quiet():
            return not self.fake.events.listeners

        self.assertTrue(await self.until(quiet))
