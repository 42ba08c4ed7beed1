"""A Docker engine that runs nothing: its API on a UNIX socket, and every fault one may want.

It has the state, the words and the statuses of Docker 20.10 as far as giestack sees them. What
"runs" in its containers is in `tests.docker.fake_programs`; ports that they publish are real
ones on 127.0.0.1.
"""

import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IDelayedCall

from tests.docker.fake_api import Api, Connections
from tests.docker.fake_containers import Containers
from tests.docker.fake_events import Events
from tests.docker.fake_files import Execs, Files
from tests.docker.fake_http import (
    VERSION,
    Answer,
    Call,
    Faults,
)
from tests.docker.fake_images import Images
from tests.docker.fake_networks import Networks, Volumes
from tests.docker.fake_running import Running


class FakeDocker:
    """An engine. It listens from the beginning; `end` it.

    :ivar socket: where; ``url`` the same as DOCKER_HOST.
    :ivar version: API version that it offers.
    :ivar faults: which calls go wrong.
    :ivar calls: all that were made, faults too.
    :ivar chunk: streams come in pieces of so many bytes; 0: as they are written.
    :ivar root: the folder that it keeps everything in.
    :ivar memory: bytes that it has.
    """

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self._folder = Path(tempfile.mkdtemp(prefix="fake-docker-"))
        self.socket = self._folder / "d.sock"
        self.url = f"unix://{self.socket}"
        self.version = VERSION
        self.memory = 8 * 1024**3
        self.root = "/var/lib/docker"
        self.chunk = 0
        self.faults = Faults()
        self.calls: list[Call] = []
        self.events = Events()
        self.volumes = Volumes(self)
        self.networks = Networks(self)
        self.images = Images(self)
        self.containers = Containers(self)
        self.running = Running(self)
        self.files = Files(self)
        self.execs = Execs(self)
        self._api = Api(self)
        self._later: list[IDelayedCall] = []
        self._last_pid = 4_200_000
        self._port: Any = None
        self._site: Connections | None = None
        self.up()

    # What tests do and see.

    @property
    def is_up(self) -> bool:
        return self._port is not None

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._site.protocols) if self._site is not None else 0

    def kinds(self) -> list[str]:
        """The kinds of all calls so far, in their order."""
        return [call.kind for call in self.calls]

    def up(self) -> None:
        """Listen."""
        if self._port is None:
            self._site = Connections(self._api, reactor=self.reactor)
            self._port = self.listen(self._site)

    def listen(self, site: Connections) -> Any:
        """The port on which clients find the API."""
        return self.reactor.listenUNIX(str(self.socket), site)

    def down(self) -> "Deferred[Any]":
        """Refuse connections, and cut those that there are; fires when that is so.

        Containers go on.
        """
        port, self._port = self._port, None
        site, self._site = self._site, None
        if port is None or site is None:
            return DeferredList([])
        site.cut()
        return maybeDeferred(port.stopListening)

    async def restart(self, *, live_restore: bool = False) -> None:
        """Down and up again: events of before are forgotten; containers die, unless..."""
        await self.down()
        if not live_restore:
            for one in list(self.containers.all.values()):
                if one.running and one.program is not None:
                    one.program.send(signal.SIGTERM)
                    one.program.end(137)
        self.events.forget()
        self.up()

    def left(self) -> list[str]:
        """What is there that was not at the beginning, images aside."""
        containers = [f"container {one.name}" for one in self.containers.all.values()]
        own = ("bridge", "host", "none")
        networks = [f"network {one.name}" for one in self.networks.all.values()]
        networks = [one for one in networks if one.partition(" ")[2] not in own]
        return [*containers, *networks, *(f"volume {name}" for name in self.volumes.all)]

    def end(self) -> "Deferred[Any]":
        """No more of it."""
        over = self.running.end()
        down = self.down()
        for call in self._later:
            if call.active():
                call.cancel()

        def ended(_: object) -> None:
            shutil.rmtree(self._folder, ignore_errors=True)

        return DeferredList([over, down]).addCallback(ended)

    # What its parts use.

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        """Call it after so long, unless the engine has been ended by then."""
        self._later = [call for call in self._later if call.active()]
        self._later.append(self.reactor.callLater(seconds, function))

    def new_pid(self) -> int:
        """Of nobody."""
        self._last_pid += 1
        return self._last_pid

    def ping(self, call: Call) -> Answer:
        return Answer(200, b"OK", {"Api-Version": self.version, "Content-Type": "text/plain"})

    def info(self, call: Call) -> Answer:
        there = list(self.containers.all.values())
        return Answer(
            200,
            {
                "ID": "FAKE:FAKE",
                "Name": "fake",
                "Containers": len(there),
                "ContainersRunning": sum(one.status == "running" for one in there),
                "ContainersPaused": sum(one.status == "paused" for one in there),
                "Images": len(self.images.all),
                "MemTotal": self.memory,
                "NCPU": 2,
                "Driver": "overlay2",
                "CgroupVersion": "1",
                "DockerRootDir": self.root,
                "ServerVersion": "20.10.24",
                "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
                "SecurityOptions": ["name=seccomp,profile=default"],
                "Runtimes": {"runc": {"path": "runc"}},
            },
        )

    def about(self, call: Call) -> Answer:
        shown = {"Version": "20.10.24", "ApiVersion": self.version, "MinAPIVersion": "1.12"}
        return Answer(200, shown)
