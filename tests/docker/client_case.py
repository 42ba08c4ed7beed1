"""What tests of the client have, whichever engine is behind it."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor  # noqa: TID251 - engines are real, or have real sockets
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from giestack.docker.docker import Docker
from giestack.docker.endpoint import agent_for
from giestack.docker.errors import DockerError
from giestack.docker.location import Location
from tests.docker.fake_programs import IMAGE

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase
else:
    TestCase = object

LABEL = "giestack-test.client"
PATIENCE = 20.0


class ClientCase(TestCase):
    """A client, and names of the test's own; what is left of it in the end is a failure.

    Mixed into `twisted.trial.unittest.TestCase`, for one kind of engine, which says the rest.

    :ivar docker: the client.
    :ivar mark: in the names and labels of all that is made.
    :ivar told: what was told of calls: kind, status.
    """

    def location(self) -> Location:
        """Where the engine is; it has the image `IMAGE`."""
        raise NotImplementedError

    def left(self) -> Awaitable[Sequence[str]]:
        """What is there, as seen past the client, that has the mark."""
        raise NotImplementedError

    def setUp(self):
        self.mark = f"suite{secrets.token_hex(4)}"
        self.labels = {LABEL: self.mark}
        self.told: list[tuple[str, int]] = []
        self.docker = self.new_client()
        self.addCleanup(self.nothing_is_left)
        self.addCleanup(self.remove_all)

    def new_client(self, **more: Any) -> Docker:
        """A client of its own, closed with the test."""
        agent = agent_for(reactor, self.location())
        docker = Docker(reactor, agent, tell=self.tell, **more)
        self.addCleanup(lambda: Deferred.fromCoroutine(docker.close()))
        return docker

    def tell(self, kind, status, seconds):
        self.told.append((kind, status))

    async def nothing_is_left(self):
        left: Sequence[str] = ()
        for _ in range(100):
            left = list(await self.left())
            if not left:
                break
            await deferLater(reactor, 0.05)
        self.assertEqual(left, [])

    async def remove_all(self):
        docker, mine = self.docker, [f"{LABEL}={self.mark}"]
        for one in await docker.containers.list(labels=mine):
            await docker.containers.remove(one["Id"], volumes=True)
        for network in await docker.networks.list(mine):
            await docker.networks.remove(network["Id"])
        for volume in await docker.volumes.list(mine):
            await docker.volumes.remove(volume["Name"])
        for image in await docker.images.list(labels=mine):
            await docker.images.remove(image["Id"], force=True)

    # Containers.

    def name(self, name: str = "one") -> str:
        return f"{self.mark}-{name}"

    def body(self, *command: str, host: Any = None, **more: Any) -> dict[str, Any]:
        return {
            "Image": IMAGE,
            "Cmd": ["program", *command],
            "Labels": {**self.labels, **more.pop("labels", {})},
            "HostConfig": {"Init": True, **(host or {})},
            **more,
        }

    async def create(self, *command: str, name: str = "one", **more: Any) -> str:
        """Create a container; its id."""
        return await self.docker.containers.create(self.name(name), self.body(*command, **more))

    async def launch(self, *command: str, name: str = "one", **more: Any) -> str:
        """Create and start one; its id."""
        found = await self.create(*command, name=name, **more)
        await self.docker.containers.start(found)
        return found

    async def state(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.docker.containers.inspect(container))["State"]
        return found

    # Waiting.

    async def failing(self, kind: type[DockerError], doing: Awaitable[Any]) -> DockerError:
        """The failure of that kind."""
        try:
            found = await doing
        except kind as error:
            self.assertTrue(str(error))
            return error
        self.fail(f"it did not fail: {found!r}")

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until it is true."""
        end = reactor.seconds() + PATIENCE
        while not condition():
            if reactor.seconds() > end:
                self.fail(f"not within {PATIENCE:g} s: {what}")
            await deferLater(reactor, 0.01)

    def later(self, doing: Awaitable[Any]) -> "Deferred[Any]":
        """Begin with it."""
        return Deferred.fromCoroutine(doing)  # type: ignore[arg-type]
