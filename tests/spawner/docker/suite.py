"""The engines' suite for containers, wherever the Docker engine is."""

from pathlib import Path

import treq
from twisted.internet import reactor  # noqa: TID251 - engines are behind sockets
from twisted.internet.defer import Deferred

from giestack.docker.docker import Docker
from giestack.docker.endpoint import agent_for
from giestack.docker.location import Location
from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.engine import DockerEngine
from giestack.spawner.docker.making import EndedAtOnce
from giestack.spawner.engine import Engine
from tests.docker.fake_programs import IMAGE
from tests.spawner.engine_suite import EngineSuite

MISSING = "127.0.0.1:1/giestack-test/missing:1"
MB = 1024**2


def program(*arguments, **more):
    """A profile of the program that fake and real engines have."""
    more.setdefault("memory", 64 * MB)
    more.setdefault("stop_timeout", 5)
    command = ("program", *(str(argument) for argument in arguments))
    return Profile(**{"name": "test", "image": IMAGE, "command": command, **more})


class DockerSuite(EngineSuite):
    """Mixed into `twisted.trial.unittest.TestCase`, for one place where an engine is.

    :ivar location: where.
    :ivar instance: of each test its own, where others use the engine, too.
    :ivar data_dir: giestack's own folder.
    """

    location: Location
    instance = "suite"
    data_dir = Path("/srv/giestack")

    def make_docker(self, **more):
        return Docker(reactor, agent_for(reactor, self.location), **more)

    def make_engine(self, **more) -> Engine:
        settings = {
            "instance": self.instance,
            "publish_at": "127.0.0.1",
            "memory": 0,
            "gpus": (),
            "data_dir": self.data_dir,
        }
        docker = self.make_docker()
        self.addCleanup(lambda: Deferred.fromCoroutine(docker.close()))
        return DockerEngine("local", reactor, docker, **{**settings, **more})

    def setUp(self):
        self.addCleanup(lambda: Deferred.fromCoroutine(self.nothing_listens()))
        opened = super().setUp()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.end_all()))
        return opened

    async def end_all(self):
        """Stop what the test has left running, which would outlive its engine."""
        for session_id in await self.ids():
            await self.engine.stop(session_id, 0)
        others = self.make_engine()
        for found in await others.open(lambda session_id, ended: None):
            await others.stop(found.launch.session_id, 0)
        await others.close()

    async def nothing_listens(self):
        """Nobody is left who hears of the engine's events."""

    def start(self, profile, session_id="s1", **more):
        def ended_at_once(failure):
            # Docker had not told yet where it listens; its end was told before.
            failure.trap(EndedAtOnce)
            self.assertIn((session_id, failure.value.ended), self.ends)

        return super().start(profile, session_id, **more).addErrback(ended_at_once)

    def profile_that_works(self):
        return program("listen")

    def profile_that_exits(self, status):
        return program("exit", status)

    def profile_that_prints(self, *lines):
        return program("print", *lines)

    def profile_that_ignores_sigterm(self):
        return program("stubborn")

    def profile_that_never_listens(self):
        return program("mute")

    def program_missing(self):
        return program("listen", image=MISSING)

    async def reach(self, address):
        try:
            response = await treq.get(f"{address}/", persistent=False, timeout=2)
            await response.content()
        except Exception:
            return False
        return response.code == 200
