"""Removes what an engine has of a session, by its labels and names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from giestack.docker.errors import Conflict, DockerError, NotFound
from giestack.spawner.docker.labels import SESSION, Names, session_of_container
from giestack.spawner.engine import EngineError
from giestack.spawner.joint import Joint

_RUNNING = ("running", "paused", "restarting")
_ROUNDS = 30
_PAUSE = 0.1


class Containers(Protocol):
    """What is asked of `giestack.docker.containers.Containers`."""

    async def list(self, *, labels: Sequence[str] = ()) -> list[dict[str, Any]]: ...
    async def stop(self, container: str, grace: float) -> None: ...
    async def kill(self, container: str) -> None: ...
    async def remove(self, container: str, *, volumes: bool = False) -> None: ...


class Volumes(Protocol):
    """What is asked of `giestack.docker.volumes.Volumes`."""

    async def list(self, *, labels: Sequence[str] = ()) -> list[dict[str, Any]]: ...
    async def remove(self, name: str) -> None: ...


class Removing:
    """The removals of all sessions that are under way."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, containers: Containers, volumes: Volumes, names: Names
    ) -> None:
        self._clock = clock
        self._containers = containers
        self._volumes = volumes
        self._names = names
        self._removals: dict[str, _Removal] = {}

    def is_under_way(self, session_id: str) -> bool:
        """Whether it is being removed."""
        return session_id in self._removals

    def remove(
        self,
        session_id: str,
        grace: float,
        before: Deferred[Any] | None = None,
        known: str = "",
    ) -> Deferred[None]:
        """Stop and remove all that is labelled as a session's; joins what is under way.

        Cancelling it does not stop it, as half a removal helps nobody.

        :param grace: seconds until it is ended by force; the shortest holds.
        :param before: what to wait for first; its failure does not matter.
        :param known: the id of its container, which may have got another name since; "": unknown.
        """
        removal = self._removals.get(session_id)
        if removal is None:
            removal = self._removals[session_id] = _Removal(self._clock)
            removal.joint = Joint(
                lambda: Deferred.fromCoroutine(self._remove(session_id, removal, before, known)),
                goes_on=True,
            )
        removal.hurry(grace)
        return removal.joint.wait()

    def close(self) -> None:
        """Give up all that is under way."""
        for removal in list(self._removals.values()):
            removal.joint.cancel()

    async def settled(self, session_id: str) -> None:
        """Return when no removal of this session is under way."""
        removal = self._removals.get(session_id)
        if removal is not None:
            try:
                await removal.joint.wait()
            except CancelledError:
                raise
            except Exception:
                pass  # it is for those who asked for it

    async def _remove(
        self, session_id: str, removal: "_Removal", before: Deferred[Any] | None, known: str
    ) -> None:
        try:
            if before is not None:
                await before
            labels = [self._names.filter, f"{SESSION}={session_id}"]
            # Docker says that it is done also when it is somebody else who does it just now.
            for turn in range(_ROUNDS):
                if turn > 1:
                    await deferLater(self._clock, _PAUSE)
                if await self._is_gone(labels, removal, known):
                    return
            raise EngineError("The container is not gone, though Docker said so.")
        finally:
            removal.over()
            del self._removals[session_id]

    async def _is_gone(self, labels: Sequence[str], removal: "_Removal", known: str) -> bool:
        """Remove what is there; whether there was nothing any more."""
        listed = await self._containers.list(labels=labels)
        containers = [
            one for one in listed if one["Id"] == known or session_of_container(self._names, one)
        ]
        for found in containers:
            await self._end(found, removal)
            await self._containers.remove(found["Id"], volumes=True)
        gone = not containers
        for volume in await self._volumes.list(labels=labels):
            try:
                await self._volumes.remove(volume["Name"])
            except Conflict:
                gone = False
        return gone

    async def _end(self, found: Mapping[str, Any], removal: "_Removal") -> None:
        if found.get("State") not in _RUNNING or removal.grace <= 0:
            return
        container = found["Id"]

        async def kill() -> None:
            try:
                await self._containers.kill(container)
            except DockerError as error:
                # It has ended, or will when it is removed.
                self.log.debug("A container was not killed: {error}", error=error)

        removal.then(lambda: Deferred.fromCoroutine(kill()))
        try:
            await self._containers.stop(container, removal.grace)
        except NotFound:
            pass  # somebody else was quicker
        finally:
            removal.over()


class _Removal:
    """One of them, and when it becomes impatient."""

    joint: Joint[None]

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._deadline: float | None = None
        self._call: IDelayedCall | None = None

    @property
    def grace(self) -> float:
        """Seconds that are left."""
        assert self._deadline is not None
        return self._deadline - self._clock.seconds()

    def hurry(self, grace: float) -> None:
        """Be ready after so many seconds, if not earlier."""
        deadline = self._clock.seconds() + grace
        if self._deadline is None or deadline < self._deadline:
            self._deadline = deadline
            if self._call is not None and self._call.active():
                self._call.reset(max(0.0, grace))

    def then(self, act: Callable[[], object]) -> None:
        """What to do when it is time."""
        self._call = self._clock.callLater(max(0.0, self.grace), act)

    def over(self) -> None:
        """It is not to be done any more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
