"""Engines of sessions on a Docker engine, and on a fake one, for its faults."""

from pathlib import Path

from twisted.internet import reactor  # noqa: TID251 - the fake engine is behind a socket
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from giestack.docker.docker import Docker
from giestack.docker.endpoint import agent_for
from giestack.docker.location import Location
from giestack.spawner.docker.engine import DockerEngine
from giestack.spawner.docker.labels import Names
from giestack.spawner.engine import Ended, EngineError
from tests.docker.fake_docker import FakeDocker
from tests.spawner.docker.suite import program
from tests.spawner.engine_suite import launch_of

NAMES = Names("engine-case")
PATIENCE = 10.0


def container_of(session_id="s1"):
    """What a session's container is called."""
    return NAMES.container(session_id)


class EngineCase(TestCase):
    """Engines that are made with `engine`, and closed at the end.

    :ivar location: where the Docker engine is; a test case says it in its `setUp`.
    :ivar ends: what engines have told: id and how.
    """

    timeout = 60
    location: Location

    def setUp(self):
        self.ends: list[tuple[str, Ended]] = []

    def docker(self, **more):
        docker = Docker(reactor, agent_for(reactor, self.location), **more)
        self.addCleanup(lambda: Deferred.fromCoroutine(docker.close()))
        return docker

    def new_engine(self, clock=reactor, **more):
        """One that is not open."""
        settings = {
            "instance": NAMES.instance,
            "publish_at": "127.0.0.1",
            "memory": None,
            "gpus": (),
            "data_dir": Path("/srv/giestack"),
        }
        engine = DockerEngine("local", clock, self.docker(), **{**settings, **more})
        self.addCleanup(engine.close)
        return engine

    async def engine(self, clock=reactor, **more):
        """An open one."""
        engine = self.new_engine(clock, **more)
        self.found = await engine.open(self.told_end)
        return engine

    def told_end(self, session_id, ended):
        self.ends.append((session_id, ended))

    def start(self, engine, *arguments, session_id="s1", progress=None, more=None, **profile):
        """Start the program; a Deferred."""
        launch = launch_of(program(*(arguments or ("mute",)), **profile), session_id, **more or {})
        return engine.start(launch, progress or (lambda progress: None))

    async def refused(self, started):
        try:
            await started
        except EngineError as error:
            return str(error)
        self.fail("it was done")

    async def until(self, condition, seconds=PATIENCE):
        """Wait until it is so."""
        end = reactor.seconds() + seconds
        while not condition():
            self.assertLess(reactor.seconds(), end, "it does not come to that")
            await deferLater(reactor, 0.005)

    async def end_of(self, session_id="s1"):
        """How a session has ended, once it has."""
        await self.until(lambda: any(one == session_id for one, _ in self.ends))
        (ended,) = (ended for one, ended in self.ends if one == session_id)
        return ended


class FakeCase(EngineCase):
    """The same on a fake engine.

    :ivar fake: the Docker engine.
    """

    timeout = 30

    def setUp(self):
        super().setUp()
        self.fake = FakeDocker(reactor)
        self.addCleanup(self.fake.end)
        self.location = Location(self.fake.url)

    def left(self):
        """All that there is but the network."""
        return [one for one in self.fake.left() if one != f"network {NAMES.network}"]
