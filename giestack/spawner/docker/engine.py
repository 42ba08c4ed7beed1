"""Sessions as containers of a Docker engine."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredLock, TimeoutError, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from giestack.address import Address
from giestack.docker.docker import Docker
from giestack.docker.errors import DockerError
from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.figures import Figures
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.making import EndedAtOnce, Making
from giestack.spawner.docker.reading import Reading
from giestack.spawner.docker.sessions import Session, Sessions
from giestack.spawner.docker.troubles import troubles_of
from giestack.spawner.docker.watching import Watching
from giestack.spawner.engine import Ended, EngineError, Found, Launch, Progress, Room, Stats
from giestack.spawner.joint import apart

_CLOSE_SECONDS = 5.0
_ID = re.compile(r"[a-z0-9]{1,64}")
_OURS = 0.9
"""How much of its machine's memory an engine may give to sessions, unless told otherwise."""


class WarmPool(Protocol):
    """Containers that are started ahead: slots, each under the id of the session it may become.

    A slot is made by `giestack.spawner.docker.making.Making.make`, with ``slot`` set, so that it
    has the names and labels by which the engine knows it. It is the pool's from then on until it
    is claimed; then it is a session like any other, and the engine's alone.

    :ivar hits: claims and starts without one, by (profile, ``hit`` or ``miss``).
    :ivar slots: by profile how many are ready, and how many there should be.
    """

    hits: Counter[tuple[str, str]]

    @property
    def slots(self) -> Mapping[str, tuple[int, int]]: ...

    def configure(self, profiles: Sequence[Profile]) -> None:
        """As Engine says, also before it is opened; slots of profiles that changed are removed."""

    async def open(self) -> None:
        """The engine is there: fill the pool in the background; returns soon, never fails.

        Slots that a former giestack has left are removed already. Called again after each time
        that the engine was away: those of its slots that are gone have been told with `died`.
        """

    async def close(self) -> None:
        """Remove all slots; never fails."""

    def reserve(self, profile: Profile, options: Mapping[str, object]) -> str:
        """As Engine says; the slot is handed out to nobody else."""

    def has(self, session_id: str) -> bool:
        """Whether this is a slot, ready or not, reserved or not, and not claimed yet.

        True from before its container is created: what the pool has is never taken for a leftover.
        """

    async def claim(self, launch: Launch, progress: Callable[[Progress], None]) -> Address:
        """Make a slot the session of its id, with the person's files, limits and secrets.

        The claim volume is made last, so that a slot whose claim was cut short is a slot still.
        From its return on `has` says False. May be cancelled.

        :raises EngineError: it can't be; the engine calls `drop`, and starts the session cold.
        """

    async def drop(self, session_id: str) -> None:
        """Forget a slot, and stop work on it, also amid its claim; never fails.

        The engine removes its container and volumes.
        """

    def died(self, session_id: str) -> None:
        """The container of a slot has ended, or is gone: forget it; the engine removes the rest."""


class DockerEngine:
    """Runs each session as a container of its own: `giestack.spawner.engine.Engine`.

    Sessions go on without giestack. Their labels are the only memory: what has those of this
    ``instance`` is found again, and removed where it is nobody's; nothing else is ever touched.

    :ivar making: makes containers, also those of a warm pool.
    :ivar figures: for the metrics.
    """

    log = Logger()
    note = ""
    lives_on = True

    def __init__(
        self,
        name: str,
        clock: IReactorTime,
        docker: Docker,
        *,
        instance: str,
        publish_at: str,
        memory: int | None,
        gpus: Sequence[str],
        data_dir: Path,
        socket: Path | None = None,
        resolve: Callable[[str], Awaitable[str]] | None = None,
        figures: Figures | None = None,
        pool: Callable[[Making], WarmPool] | None = None,
    ) -> None:
        """
        :param publish_at: IP address or name of the engine's host, at which ports are published
            and reached.
        :param memory: bytes that all sessions may use together; None: nine tenths of what the
            engine's machine has; 0: no limit.
        :param gpus: Docker's ids of those to hand out.
        :param data_dir: giestack's own folder, which no session may mount; nor the engine's
            ``socket``.
        :param resolve: finds the IP address of a name; None: ``publish_at`` is an address.
        :param figures: those that the client counts in.
        :param pool: makes the warm pool.
        """
        self.name = name
        self.figures = figures or Figures()
        names = Names(instance)
        hidden = [str(path.absolute()) for path in (data_dir, socket) if path is not None]
        self.making = Making(
            name,
            clock,
            docker,
            names,
            publish_at=publish_at,
            hidden=hidden,
            received=self.figures.received,
        )
        self._clock = clock
        self._docker = docker
        self._memory = memory
        self._publish_at = publish_at
        self._resolve = resolve
        self._pool = warm = pool(self.making) if pool is not None else None
        if warm is not None:
            self.figures.watch(warm.hits, lambda: warm.slots)
        self._sessions = Sessions(name, clock, self.making, self._pool, gpus)
        self._reading = Reading(name, docker, self.making, self._sessions)
        filters = {"type": ["container"], "event": ["die", "oom"], "label": [names.filter]}
        self._watching = Watching(clock, docker, filters, self._sessions)
        self._turn = DeferredLock()
        self._open = False

    @property
    def trouble(self) -> str:
        """As Engine says."""
        return self._sessions.trouble

    @property
    def room(self) -> Room:
        """As Engine says."""
        known = self._sessions.memory
        memory = self._memory or None
        if self._memory is None and known is not None:
            memory = int(known * _OURS)
        return Room(memory, self._sessions.gpus.total)

    def configure(self, profiles: Sequence[Profile]) -> None:
        """As Engine says."""
        self._sessions.profiles = {profile.name: profile for profile in profiles}
        if self._pool is not None:
            self._pool.configure(profiles)

    def reserve(self, profile: Profile, options: Mapping[str, object]) -> str:
        """As Engine says."""
        if self._pool is None or not self._open or self.trouble:
            return ""
        return self._pool.reserve(profile, options)

    def open(self, ended: Callable[[str, Ended], None]) -> Deferred[Sequence[Found]]:
        """As Engine says; fails while the engine is not there."""

        async def take_up() -> Sequence[Found]:
            if not self._open:
                self._sessions.ended = ended
                try:
                    self.making.publish_at = await self._address()
                    await self._watching.open()
                except DockerError as error:
                    self._sessions.lost(error)
                    raise EngineError(self.trouble) from None
            self._open, self._sessions.ended = True, ended
            return self._found()

        return apart(self._turn.run(lambda: Deferred.fromCoroutine(take_up())))

    def close(self) -> Deferred[None]:
        """As Engine says: sessions go on; takes about five seconds at most."""

        async def give_up() -> None:
            self._open = False
            self._watching.close()
            for session in list(self._sessions.known.values()):
                if session.starting is not None:
                    session.starting.cancel()
            self._sessions.give_up()
            if self._pool is not None:
                closing = Deferred.fromCoroutine(self._pool.close())
                try:
                    await closing.addTimeout(_CLOSE_SECONDS, self._clock)
                except TimeoutError:
                    self.log.warn("Not all warm containers of {name} are gone", name=self.name)
            self.making.close()
            await self._docker.close()

        return apart(self._turn.run(lambda: Deferred.fromCoroutine(give_up())))

    def start(self, launch: Launch, progress: Callable[[Progress], None]) -> Deferred[Address]:
        """As Engine says. It waits while the engine is being opened."""

        async def start() -> Address:
            if not self._open:
                # A visitor may be quicker than the engine.
                await self._turn.run(_nothing)
            session = self._admit(launch)
            session.starting = Deferred.fromCoroutine(self._start(session, progress))
            try:
                return await apart(session.starting)
            except CancelledError:
                session.starting.cancel()
                if session.stopping or not self._open:
                    raise EngineError("The session was stopped while it started.") from None
                raise
            finally:
                session.starting = None
                self._reading.attach(session)

        return Deferred.fromCoroutine(start())

    def stop(self, session_id: str, grace: float) -> Deferred[None]:
        """As Engine says; asked again, the shorter grace holds."""
        if not self._open or not _ID.fullmatch(session_id):
            return succeed(None)
        return apart(Deferred.fromCoroutine(self._stop(session_id, grace)))

    def sessions(self) -> Deferred[Sequence[Found]]:
        """As Engine says."""
        return succeed(self._found())

    def answered(self, session_id: str) -> None:
        """As Engine says."""
        self.making.turns.give_back(session_id)

    def logs(self, session_id: str, tail: int) -> Deferred[Sequence[str]]:
        """As Engine says."""
        return Deferred.fromCoroutine(self._reading.logs(session_id, tail))

    def follow(
        self, session_id: str, tail: int, line: Callable[[str], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """As Engine says."""
        return self._reading.follow(session_id, tail, line, end)

    def stats(self, session_id: str) -> Deferred[Stats | None]:
        """As Engine says."""
        return Deferred.fromCoroutine(self._reading.stats(session_id))

    def troubles(self, profiles: Sequence[Profile]) -> Deferred[Sequence[str]]:
        """As Engine says."""

        async def troubles() -> Sequence[str]:
            if self.trouble or not self._open:
                return [self.trouble or f"The engine “{self.name}” is not open."]
            return await troubles_of(self.name, profiles, self.room, self.making)

        return Deferred.fromCoroutine(troubles())

    async def _address(self) -> str:
        """Where to publish: Docker takes what is no IP address for all that its host has."""
        try:
            return str(ip_address(self._publish_at))
        except ValueError:
            pass
        try:
            if self._resolve is None:
                raise OSError("nobody looks it up")
            return str(ip_address(await self._resolve(self._publish_at)))
        except (OSError, DNSLookupError, ValueError) as error:
            raise DockerError(
                0,
                f"no IP address is known for {self._publish_at}, where its ports are to be "
                f"reached ({error}); give one as the engine's address",
            ) from None

    def _found(self) -> list[Found]:
        return [session.found() for session in self._sessions.known.values()]

    def _admit(self, launch: Launch) -> Session:
        session_id = launch.session_id
        if self.trouble or not self._open:
            raise EngineError(self.trouble or f"The engine “{self.name}” is not open.")
        if not _ID.fullmatch(session_id):
            raise EngineError("The id of a session has lower-case letters and digits.")
        if session_id in self._sessions.known:
            raise EngineError(f"There is a session {session_id} already.")
        gpus = self._sessions.gpus.take(session_id, launch.profile.gpus)
        session = Session(launch, launch.profile.memory, gpus)
        self._sessions.known[session_id] = session
        return session

    async def _start(self, session: Session, progress: Callable[[Progress], None]) -> Address:
        launch = session.launch
        address = await self._claim(launch, progress)
        if address is not None:
            session.address = None if session.over else address
            return address
        try:
            made = await self.making.make(launch, progress, gpus=session.gpus)
        except EndedAtOnce as error:
            self._sessions.over(session, error.ended)
            raise
        session.runs_as(made.details, made.address)
        return made.address

    async def _claim(self, launch: Launch, progress: Callable[[Progress], None]) -> Address | None:
        """The address of a session that was started ahead; None: it is to be started now."""
        if self._pool is None or not self._pool.has(launch.session_id):
            return None
        try:
            return await self._pool.claim(launch, progress)
        except EngineError as error:
            self.log.warn("{id} is started anew: {error}", id=launch.session_id, error=error)
        await self._pool.drop(launch.session_id)
        # Its end is not the session's.
        self.making.containers.pop(launch.session_id, None)
        await self.making.remove(launch.session_id, 0.0)
        return None

    async def _stop(self, session_id: str, grace: float) -> None:
        session = self._sessions.known.get(session_id)
        slot = self._pool is not None and self._pool.has(session_id)
        if session is None and not slot and not self.making.is_at_work(session_id):
            return
        if session is not None:
            session.stopping = True
            if session.starting is not None:
                session.starting.cancel()
        if self._pool is not None and slot:
            await self._pool.drop(session_id)
        await self.making.remove(session_id, grace)
        if session is not None:
            self._sessions.forget(session)


def _nothing() -> None:
    """There is nothing to be done."""
