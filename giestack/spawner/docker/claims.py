"""Makes slots ready to be claimed, and sessions of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from giestack.docker.docker import Docker
from giestack.docker.errors import NotFound
from giestack.spawner.docker.container import image_of
from giestack.spawner.docker.environment import SECRETS_FOLDER, environment_of
from giestack.spawner.docker.files import ENVIRONMENT, secret_files, shell_lines
from giestack.spawner.docker.labels import Names, labels_of, session_of
from giestack.spawner.docker.making import Made
from giestack.spawner.docker.mounting import Mounting, MountingError, Placed
from giestack.spawner.docker.slots import personal_mounts
from giestack.spawner.docker.volume_names import Mount
from giestack.spawner.docker.words import in_words
from giestack.spawner.engine import EngineError, Launch

_REHEARSALS = 3
_SETTLE = 1.0
"""Seconds for a program to close the files that it has opened as it started."""


class Unfit(Exception):
    """Nothing that a profile starts can be claimed; the text says why, to the administrator."""


@dataclass(frozen=True, slots=True)
class Paused:
    """A slot that can be claimed.

    :ivar container: its id.
    :ivar pid: its first process.
    :ivar folder: where the engine has its secrets, as a path of this host; "" where nothing can
        be mounted.
    :ivar homes: what is where a person's volumes will be.
    """

    container: str
    pid: int = 0
    folder: str = ""
    homes: Sequence[Placed] = ()


class Claims:
    """What is done with slots, in one engine.

    :ivar mounting: puts folders into containers.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        clock: IReactorTime,
        docker: Docker,
        names: Names,
        *,
        hidden: Sequence[str],
        mounting: Mounting,
        creating: DeferredLock,
    ) -> None:
        """
        :param name: that of the engine.
        :param creating: see `giestack.spawner.docker.making.Making.creating`.
        :param hidden: as `giestack.spawner.docker.volume_names.mounts_of` wants it.
        """
        self.mounting = mounting
        self._name = name
        self._clock = clock
        self._docker = docker
        self._names = names
        self._hidden = hidden
        self._creating = creating

    async def prepare(self, launch: Launch, made: Made) -> Paused:
        """Pause a slot whose program answers, and see whether all can be put in that will be.

        :raises Unfit: it can't, nor in any other slot of the profile.
        :raises EngineError: this one is lost.
        """
        containers = self._docker.containers
        tries = 1
        while True:
            with in_words(self._name, "to pause a container"):
                await containers.pause(made.container)
            try:
                return await self._rehearsed(launch, made)
            except MountingError as error:
                if error.reason != "busy" or tries == _REHEARSALS:
                    raise self._meaning(error) from None
            with in_words(self._name, "to go on with a container"):
                await containers.unpause(made.container)
            await deferLater(self._clock, _SETTLE)
            tries += 1

    async def claim(self, launch: Launch, slot: Paused) -> None:
        """Put into a slot what a launch has beyond it, let it run, and make that known.

        :raises EngineError: it is no session, and must be removed.
        """
        environment = environment_of(launch)
        with in_words(self._name, "to make a session of what was started ahead"):
            if slot.folder:
                await self._mount(launch, slot, environment)
            else:
                files = secret_files(launch, environment)
                await self._docker.containers.put_archive(slot.container, SECRETS_FOLDER, files)
            await self._docker.containers.unpause(slot.container)
            await self._record(launch)

    async def _rehearsed(self, launch: Launch, made: Made) -> Paused:
        mounts = personal_mounts(launch, names=self._names, hidden=self._hidden)
        if self.mounting.why_not:
            return Paused(made.container)
        pid = int((made.details.get("State") or {}).get("Pid") or 0)
        places = {
            str(mount.get("Destination")): str(mount.get("Source"))
            for mount in made.details.get("Mounts") or []
        }
        try:
            folder = places[SECRETS_FOLDER]
            homes = [Placed(places[mount.target], mount.target) for mount in mounts]
        except KeyError as error:
            raise EngineError(f"A slot has nothing mounted at {error}.") from None
        try:
            found = await self.mounting.rehearse(pid, made.container, homes, folder, SECRETS_FOLDER)
        except MountingError as error:
            if mounts or error.reason == "gone":
                raise
            # Files can be put in by the engine, too, if more slowly.
            self.log.info("Nothing can be mounted into containers: {error}", error=error)
            return Paused(made.container)
        homes = [replace(home, made=new) for home, new in zip(homes, found, strict=True)]
        return Paused(made.container, pid, folder, homes)

    def _meaning(self, error: MountingError) -> Exception:
        if error.reason in ("busy", "unfit", "foreign"):
            return Unfit(str(error))
        return EngineError(str(error))

    async def _mount(self, launch: Launch, slot: Paused, environment: Mapping[str, str]) -> None:
        files = {**launch.profile.secrets, ENVIRONMENT: shell_lines(environment)}
        mounts = personal_mounts(launch, names=self._names, hidden=self._hidden)
        made = {home.target: home.made for home in slot.homes}
        if set(made) != {mount.target for mount in mounts}:
            raise EngineError("What was started ahead has other volumes.")

        async def put(filled: bool) -> None:
            placed = [
                replace(found, made=made[found.target], filled=found.filled and not filled)
                for found in [await self._source(launch, mount) for mount in mounts]
            ]
            await self.mounting.put(slot.pid, slot.container, placed, slot.folder, files)

        try:
            try:
                await put(False)
            except MountingError as error:
                if error.reason != "empty":
                    raise
                await self._fill(launch, [one for one in mounts if not one.is_folder])
                await put(True)
        except MountingError as error:
            self.log.warn("A slot could not be claimed: {error}", error=error)
            raise EngineError("The files of its owner could not be put in.") from None

    async def _source(self, launch: Launch, mount: Mount) -> Placed:
        """Where a mount's source is on this host."""
        if mount.is_folder:
            return Placed(mount.source, mount.target, mount.read_only)
        volumes, filled = self._docker.volumes, mount.filled
        try:
            found = await volumes.inspect(mount.source)
        except NotFound:
            await self._fill(launch, [mount])
            # With what there is, which may be nothing.
            found, filled = await volumes.inspect(mount.source), False
        if found.get("Driver") != "local" or found.get("Options"):
            # It is only there, or as large as it should be, while the engine has it mounted.
            raise EngineError(f"The volume {mount.source} can't be mounted by others.")
        return Placed(str(found["Mountpoint"]), mount.target, mount.read_only, filled=filled)

    async def _fill(self, launch: Launch, mounts: Sequence[Mount]) -> None:
        """Make volumes, if need be, and have Docker copy into empty ones what the image has.

        It does so when a container is created with them, which is never started.
        """
        # Another thing than the slot, for those who look what there is of that.
        filling = f"{launch.session_id}fill"
        body: dict[str, Any] = {
            "Image": image_of(launch),
            "Cmd": ["true"],
            "Labels": self._names.labels("slot", filling),
            "NetworkDisabled": True,
            "HostConfig": {
                "NetworkMode": "none",
                "Mounts": [mount.described() for mount in mounts],
            },
        }
        containers = self._docker.containers
        await self._creating.acquire()
        try:
            container = await containers.create(self._names.container(filling), body)
        finally:
            self._creating.release()
        removal = Deferred.fromCoroutine(containers.remove(container, volumes=True))
        # Nobody waits for that; whoever is left over is found by its labels.
        removal.addErrback(lambda failure: self.log.debug("{failure}", failure=failure.value))

    async def _record(self, launch: Launch) -> None:
        name = self._names.claim(launch.session_id)
        labels = labels_of(self._names, launch, "claim")
        volume = await self._docker.volumes.create(name, labels=labels)
        # Docker is content with whatever volume has that name.
        if session_of(self._names, volume.get("Labels")) != launch.session_id:
            raise EngineError(f"There is a volume {name} already, which is not giestack's.")
