"""Makes the container of a session, or of a slot of the warm pool, and removes it."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from giestack.address import Address
from giestack.docker.docker import Docker
from giestack.docker.errors import Conflict, DockerError, NotFound
from giestack.spawner.docker.container import container_body, image_of
from giestack.spawner.docker.ending import ended_as
from giestack.spawner.docker.environment import (
    SECRETS_FOLDER,
    environment_of,
    slot_environment,
)
from giestack.spawner.docker.files import secret_files
from giestack.spawner.docker.labels import Names, session_of
from giestack.spawner.docker.network import Network
from giestack.spawner.docker.published import address_of
from giestack.spawner.docker.pulls import Pulls
from giestack.spawner.docker.removing import Removing
from giestack.spawner.docker.slots import slot_mounts
from giestack.spawner.docker.turns import Turns
from giestack.spawner.docker.volume_names import mounts_of, secrets_mount
from giestack.spawner.docker.words import in_words
from giestack.spawner.engine import Ended, EngineError, Launch, Progress
from giestack.spawner.joint import apart

T = TypeVar("T")

_PORT_TRIES = 6
_PORT_PAUSE = 0.05


def _waits(first: int) -> Progress:
    said = f"Waiting until {first} others have started" if first > 1 else "Waiting for its turn"
    return Progress("creating", said)


class EndedAtOnce(EngineError):
    """A program has ended before it was known where it listens.

    :ivar ended: how.
    """

    def __init__(self, ended: Ended) -> None:
        super().__init__(f"The program ended at once: {ended.reason}.")
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Made:
    """A container that was started.

    :ivar container: its id.
    :ivar address: where its port is published.
    :ivar details: as Docker's inspect shows it.
    """

    container: str
    address: Address
    details: Mapping[str, Any]


class Making:
    """Images, networks, volumes and containers of sessions, in the right order.

    What changes something in the engine goes on when a start is cancelled, and `remove` waits
    for it: so nothing appears behind its back.

    :ivar docker: the engine's client.
    :ivar names: what things are called.
    :ivar pulls: the images that are being fetched.
    :ivar network: finds networks.
    :ivar hidden: folders and sockets of the engine's host that no session may mount.
    :ivar publish_at: the IP address at which ports are published, and reached.
    :ivar creating: who creates a container: Docker fills a new volume then, and can't do that
        twice at a time.
    :ivar turns: who starts now; a turn is given back with the first answer.
    :ivar containers: ids of the containers of sessions and slots, by the ids of these.
    """

    def __init__(
        self,
        name: str,
        clock: IReactorTime,
        docker: Docker,
        names: Names,
        *,
        publish_at: str,
        hidden: Sequence[str],
        received: Callable[[int], None],
    ) -> None:
        """
        :param name: that of the engine.
        :param publish_at: the IP address at which ports are published, and reached.
        :param hidden: folders and sockets of the engine's host that no session may mount.
        :param received: is told how many more bytes of an image have come.
        """
        self.docker = docker
        self.names = names
        self.pulls = Pulls(clock, docker.images, received)
        self.network = Network(docker.networks, names)
        self.containers: dict[str, str] = {}
        self.turns = Turns(clock)
        self.creating = DeferredLock()
        self._name = name
        self._clock = clock
        self.publish_at = publish_at
        self.hidden = list(hidden)
        self._removing = Removing(clock, docker.containers, docker.volumes, names)
        self._works: dict[str, _Work] = {}
        self._steps: dict[str, Deferred[Any]] = {}

    def hide(self, folder: str) -> None:
        """Let no session mount a folder of the engine's host from now on."""
        if folder not in self.hidden:
            self.hidden.append(folder)

    def is_at_work(self, session_id: str) -> bool:
        """Whether the container of a session or slot is being made or removed."""
        return (
            session_id in self._works
            or session_id in self._steps
            or self._removing.is_under_way(session_id)
        )

    async def make(
        self,
        launch: Launch,
        progress: Callable[[Progress], None],
        *,
        slot: bool = False,
        gpus: Sequence[str] = (),
    ) -> Made:
        """Fetch the image, make the network, the volume of secrets and the container, start it.

        :param slot: it is nobody's yet: it gets the label of a slot instead of those of a
            session, and nothing of `launch.owner`: neither volumes nor variables nor secrets.
        :raises EngineError: in words for the owner; what was made so far is removed by `remove`.
        """
        session_id = launch.session_id
        work = self._works[session_id] = _Work(launch, progress, slot, gpus)
        try:
            await self._removing.settled(session_id)
            container = await self._create(work)
            progress(Progress("starting", "Starting the container"))
            with in_words(self._name, "to start the container"):
                await self._step(work, self.docker.containers.start(container))
            return await self._started(launch, container)
        except BaseException:
            self.turns.give_back(session_id)
            raise
        finally:
            work.given_up = True
            if self._works.get(session_id) is work:
                del self._works[session_id]

    def remove(self, session_id: str, grace: float) -> Deferred[None]:
        """Stop and remove all that belongs to a session or slot; gone is fine.

        It can't be cancelled; asked again, the shorter grace holds.

        :raises EngineError: the engine can't be reached, or refuses.
        """
        work = self._works.get(session_id)
        if work is not None:
            work.given_up = True
        step = self._steps.get(session_id)
        self.turns.give_back(session_id)

        async def remove() -> None:
            try:
                with in_words(self._name, "to remove the container"):
                    known = self.containers.get(session_id, "")
                    await self._removing.remove(session_id, grace, step, known)
            except CancelledError:
                raise EngineError("The engine was closed.") from None
            self.containers.pop(session_id, None)

        return apart(Deferred.fromCoroutine(remove()))

    def close(self) -> None:
        """Give up removals that are under way; what they have begun is found again."""
        self._removing.close()
        self.turns.close()

    async def _create(self, work: "_Work") -> str:
        launch, session_id = work.launch, work.launch.session_id
        await self._fetch(work)
        await self.turns.take(session_id, lambda first: work.progress(_waits(first)))
        work.progress(Progress("creating", "Creating the container"))
        with in_words(self._name, "to make the network"):
            network = await self.network.of(launch.profile.network)
        body, files = self._described(work, network)
        with in_words(self._name, "to create the container"):
            if files is not None:
                await self._step(work, self._make_volume(session_id))
            try:
                container = await self._step(work, self._make_container(session_id, body))
            except NotFound:
                # Somebody has just removed the image.
                await self._fetch(work)
                container = await self._step(work, self._make_container(session_id, body))
            if files:
                put = self.docker.containers.put_archive(container, SECRETS_FOLDER, files)
                await self._step(work, put)
        return container

    async def _fetch(self, work: "_Work") -> None:
        image = image_of(work.launch)
        if not image:
            raise EngineError("This profile names no image to start.")
        with in_words(self._name, "to look for the image"):
            there = await self.pulls.has(image)
        if not there:
            await self.pulls.fetch(image, work.progress)

    def _described(self, work: "_Work", network: str) -> tuple[Mapping[str, object], bytes | None]:
        """What to create, and its secrets: None where it has no place for them, b"" for none."""
        launch, slot, files = work.launch, work.slot, None
        mounts = []
        if slot or launch.profile.secrets:
            mounts.append(secrets_mount(self.names, launch.session_id))
            files = b"" if slot else secret_files(launch)
        described = slot_mounts if slot else mounts_of
        mounts += described(launch, names=self.names, hidden=self.hidden)
        environment = slot_environment(launch) if slot else environment_of(launch)
        body = container_body(
            launch,
            names=self.names,
            network=network,
            publish_at=self.publish_at,
            environment=environment,
            mounts=mounts,
            gpus=work.gpus,
            slot=slot,
        )
        return body, files

    async def _make_volume(self, session_id: str) -> None:
        name = self.names.secrets(session_id)
        labels = self.names.labels("secrets", session_id)
        volume = await self.docker.volumes.create(name, labels=labels)
        # Docker is content with whatever volume has that name.
        if session_of(self.names, volume.get("Labels")) != session_id:
            raise EngineError(
                f"There is a volume {name} already, which is not giestack's. Remove it, or give "
                "it another name."
            )

    async def _make_container(self, session_id: str, body: Mapping[str, object]) -> str:
        name = self.names.container(session_id)
        try:
            container = await self.creating.run(self._created, name, body)
        except Conflict as error:
            raise await self._name_taken(session_id, name, error) from None
        self.containers[session_id] = container
        return container

    def _created(self, name: str, body: Mapping[str, object]) -> Deferred[str]:
        return Deferred.fromCoroutine(self.docker.containers.create(name, body))

    async def _name_taken(self, session_id: str, name: str, error: DockerError) -> Exception:
        try:
            found = await self.docker.containers.inspect(name)
        except NotFound:
            return error
        if session_of(self.names, (found.get("Config") or {}).get("Labels")) == session_id:
            return EngineError(f"There is a session {session_id} already.")
        return EngineError(
            f"There is a container {name} already, which is not giestack's. Remove it, or give "
            "it another name."
        )

    async def _started(self, launch: Launch, container: str) -> Made:
        """Find where its port is; Docker has it a moment after the start."""
        for turn in range(_PORT_TRIES):
            if turn:
                await deferLater(self._clock, _PORT_PAUSE * turn)
            with in_words(self._name, "to tell of the container"):
                details = await self.docker.containers.inspect(container)
            state = details.get("State") or {}
            if not state.get("Running"):
                raise EndedAtOnce(ended_as(state, launch.profile.memory))
            address = address_of(launch, details, self.publish_at)
            if address is not None:
                return Made(container, address, details)
        raise EngineError(f"Docker does not publish the port {launch.profile.port}.")

    def _step(self, work: "_Work", doing: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Do something that a removal waits for, and that is done though nobody waits."""
        if work.given_up:
            doing.close()
            raise CancelledError
        session_id = work.launch.session_id
        step = self._steps[session_id] = Deferred.fromCoroutine(doing)

        def done(result: Any) -> Any:
            # Before anybody hears of it, who may ask what is under way.
            del self._steps[session_id]
            return result

        return apart(step.addBoth(done))


@dataclass(slots=True, eq=False)
class _Work:
    """A container that is being made.

    :ivar given_up: nothing more is to be done for it, whether or not that was cancelled.
    """

    launch: Launch
    progress: Callable[[Progress], None]
    slot: bool
    gpus: Sequence[str]
    given_up: bool = False
