"""The sessions of an engine, as its events and lists tell of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.address import Address
from giestack.docker.errors import DockerError, NotFound
from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.census import Present, census
from giestack.spawner.docker.ending import GONE, KILLED, RESTARTED, ended_as, ended_with
from giestack.spawner.docker.following import Follower
from giestack.spawner.docker.gpus import Gpus, gpus_of
from giestack.spawner.docker.labels import session_of
from giestack.spawner.docker.making import Making
from giestack.spawner.docker.published import address_of
from giestack.spawner.docker.times import seconds_of
from giestack.spawner.docker.turns import MORE
from giestack.spawner.docker.usage import Sample
from giestack.spawner.docker.words import trouble_of
from giestack.spawner.engine import Ended, EngineError, Found, Launch

if TYPE_CHECKING:
    from giestack.spawner.docker.engine import WarmPool

GRACE = 60.0
"""Seconds after which what looks like a leftover is taken for one."""

_RECENT = 10.0
"""Seconds between running out of memory and an end that is due to that."""


@dataclass(slots=True, eq=False)
class Session:
    """A session that was asked for, or found, and not stopped yet.

    :ivar gpus: Docker's ids of those that it gets.
    :ivar address: where it listens; None while it does not run.
    :ivar began: when its container was started, as Docker writes it; "" while that is not known.
    :ivar limit: bytes of memory that it may have; 0: no limit.
    :ivar starting: its start, while that is under way.
    :ivar over: its end was seen.
    :ivar sample: the last figures of its CPU time.
    """

    launch: Launch
    limit: int
    gpus: Sequence[str] = ()
    address: Address | None = None
    began: str = ""
    starting: Deferred[Address] | None = None
    stopping: bool = False
    over: bool = False
    sample: Sample | None = None
    followers: list[Follower] = field(default_factory=list)

    def found(self) -> Found:
        """As engines tell of it; time in the warm pool was nobody's."""
        began = seconds_of(self.began)
        started = None if began is None else max(began, self.launch.created)
        return Found(self.launch, self.address, started)

    def runs_as(self, details: Mapping[str, Any], address: Address | None) -> None:
        """Take note of its container, as Docker's inspect shows it."""
        state = details.get("State") or {}
        if not self.over and state.get("Running"):
            self.address = address
        self.began = str(state.get("StartedAt") or "")
        self.limit = int((details.get("HostConfig") or {}).get("Memory") or 0)


class Sessions:
    """What is known of one engine's sessions; told by `giestack.spawner.docker.watching`.

    :ivar known: by id.
    :ivar gpus: who has which.
    :ivar profiles: the present ones, by name.
    :ivar trouble: why nothing can be started just now; "".
    :ivar memory: bytes that the engine's machine has; None while that is not known.
    :ivar ended: is told of each end that nobody asked for, once.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        clock: IReactorTime,
        making: Making,
        pool: "WarmPool | None",
        gpus: Sequence[str],
    ) -> None:
        self.known: dict[str, Session] = {}
        self.gpus = Gpus(gpus)
        self.profiles: Mapping[str, Profile] = {}
        self.trouble = ""
        self.memory: int | None = None
        self.ended: Callable[[str, Ended], None] = nobody
        self._name = name
        self._clock = clock
        self._making = making
        self._pool = pool
        self._taken_up = False
        self._was_away = True
        self._out_of_memory: dict[str, float] = {}
        self._strangers: dict[str, float] = {}
        self._foreign: set[str] = set()

    # What the watching tells.

    def connected(self, info: Mapping[str, Any]) -> None:
        """See `giestack.spawner.docker.watching.Watched`."""
        if self.trouble:
            self.log.info("The Docker engine {name} answers again", name=self._name)
        self.trouble, self._was_away = "", True
        memory = info.get("MemTotal")
        self.memory = memory if isinstance(memory, int) and memory > 0 else None
        processors = info.get("NCPU")
        if isinstance(processors, int) and processors > 0:
            self._making.turns.limit = processors + MORE
        root = info.get("DockerRootDir")
        if isinstance(root, str) and root:
            self._making.hide(root)

    def lost(self, error: DockerError) -> None:
        """See `giestack.spawner.docker.watching.Watched`."""
        trouble = trouble_of(self._name, error)
        if trouble != self.trouble:
            self.log.error("{trouble}", trouble=trouble)
        self.trouble = trouble

    def heard(self, event: Mapping[str, Any]) -> None:
        """See `giestack.spawner.docker.watching.Watched`."""
        actor = event.get("Actor") or {}
        attributes = actor.get("Attributes") or {}
        session_id = session_of(self._making.names, attributes)
        # The container that a session has had before is none of its business.
        if not session_id or self._making.containers.get(session_id) != actor.get("ID"):
            return
        when = (event.get("timeNano") or 0) / 1e9
        if event.get("Action") == "oom":
            self._out_of_memory[session_id] = when
        elif event.get("Action") == "die":
            exit_code = str(attributes.get("exitCode"))
            starved = when - self._out_of_memory.pop(session_id, 0.0) <= _RECENT
            self._died(session_id, int(exit_code) if exit_code.isdecimal() else 0, starved)

    async def compare(self) -> None:
        """See `giestack.spawner.docker.watching.Watched`."""
        making, before = self._making, dict(self._making.containers)
        label = [making.names.filter]
        containers = await making.docker.containers.list(labels=label)
        volumes = await making.docker.volumes.list(labels=label)
        present = census(making.names, containers, volumes, self.profiles)
        if not self._taken_up:
            await self._take_up(present)
        for session_id, container in before.items():
            if making.containers.get(session_id) == container:
                await self._check(session_id, present.get(session_id, Present()))
        self._clear(present)
        if self._was_away and self._pool is not None:
            await self._pool.open()
        self._was_away = False

    # What there is.

    def over(self, session: Session, ended: Ended) -> None:
        """It has ended by itself: whoever wants to know is told, unless that was done."""
        if not session.over and not session.stopping:
            self._is_over(session)
            self._tell(session, ended)

    def forget(self, session: Session) -> None:
        """Nothing is left of it."""
        session_id = session.launch.session_id
        self._is_over(session)
        self._out_of_memory.pop(session_id, None)
        if self.known.get(session_id) is session:
            del self.known[session_id]
        for follower in session.followers:
            follower.end()

    def give_up(self) -> None:
        """Know nothing any more; what runs goes on."""
        self.ended, self._taken_up = nobody, False
        for session in list(self.known.values()):
            for follower in session.followers:
                follower.end()
        self.known.clear()

    def _is_over(self, session: Session) -> None:
        session.over, session.address = True, None
        self.gpus.give_back(session.launch.session_id)

    def _tell(self, session: Session, ended: Ended) -> None:
        session_id = session.launch.session_id
        if self.known.get(session_id) is session and not session.stopping:
            self.ended(session_id, ended)

    def _died(self, session_id: str, status: int, starved: bool) -> None:
        if self._is_slot(session_id):
            self._lose_slot(session_id)
            return
        session = self.known.get(session_id)
        if session is None or session.over or session.stopping:
            return
        if status == KILLED and not starved:
            self._is_over(session)
            self._spawn(self._look(session, status))
        else:
            self.over(session, ended_with(status, starved, session.limit))

    async def _look(self, session: Session, status: int) -> None:
        """Somebody has killed it: perhaps the kernel, for want of memory."""
        ended = ended_with(status, False, session.limit)
        try:
            container = self._making.containers[session.launch.session_id]
            details = await self._making.docker.containers.inspect(container)
            ended = ended_as(details["State"], session.limit)
        except (DockerError, KeyError):
            pass  # what the event has told is enough
        self._tell(session, ended)

    async def _take_up(self, present: Mapping[str, Present]) -> None:
        """Take over what a former giestack has left running."""
        self.known.clear()
        for session_id, found in present.items():
            if found.launch is None or not found.is_session:
                continue
            # First of all: it may end while we look at it.
            session = self.known[session_id] = Session(found.launch, found.launch.profile.memory)
            self._making.containers[session_id] = found.container
            try:
                details = await self._making.docker.containers.inspect(found.container)
            except NotFound:
                self.forget(session)
                continue
            session.runs_as(details, address_of(found.launch, details, self._making.publish_at))
            if session.address is None:
                session.over = True
            else:
                self.gpus.found(session_id, gpus_of(details))
        self._taken_up = True
        self._strangers = dict.fromkeys(present, self._clock.seconds() - GRACE)

    async def _check(self, session_id: str, found: Present) -> None:
        """Compare one that was known already with what there is of it."""
        if self._is_slot(session_id):
            if not found.runs and not self._making.is_at_work(session_id):
                self._lose_slot(session_id)
            return
        session = self.known.get(session_id)
        if session is None or session.over or session.stopping or session.starting is not None:
            return
        container = self._making.containers[session_id]
        try:
            details = await self._making.docker.containers.inspect(container)
        except NotFound:
            self.over(session, GONE)
            return
        state = details.get("State") or {}
        if not state.get("Running"):
            self.over(session, ended_as(state, session.limit))
        elif session.began and session.began != state.get("StartedAt"):
            self.over(session, RESTARTED)
        elif session.starting is None:
            session.runs_as(details, session.address)

    def _clear(self, present: Mapping[str, Present]) -> None:
        """Remove what is nobody's; later than at the beginning, if it has been so for a while.

        What was left running was taken up then. Sessions that run though nobody here has started
        them are those of somebody who has our name by mistake, and have people who work in them.
        """
        now = self._clock.seconds()
        nobodys = [one for one in present if not self._is_somebodys(one)]
        self._strangers = {one: self._strangers.get(one, now) for one in nobodys}
        self._foreign &= set(nobodys)
        for session_id in nobodys:
            if now - self._strangers[session_id] < GRACE:
                continue
            if present[session_id].is_session and present[session_id].runs:
                self._spare(session_id)
            else:
                self.log.info("What is left of {id} is removed", id=session_id)
                launch = present[session_id].launch
                self.discard(session_id, launch.profile.stop_timeout if launch else 0.0)

    def _spare(self, session_id: str) -> None:
        if session_id not in self._foreign:
            self._foreign.add(session_id)
            self.log.error(
                "Session {id} runs in {name} under this giestack's name, {instance}, but was not "
                "started here. It is left alone. Is there another giestack of that name? Give each "
                "an instance of its own",
                id=session_id,
                name=self._name,
                instance=self._making.names.instance,
            )

    def _is_somebodys(self, session_id: str) -> bool:
        return (
            session_id in self.known
            or self._is_slot(session_id)
            or self._making.is_at_work(session_id)
        )

    def _is_slot(self, session_id: str) -> bool:
        return self._pool is not None and self._pool.has(session_id)

    def _lose_slot(self, session_id: str) -> None:
        assert self._pool is not None
        self._pool.died(session_id)
        if session_id not in self.known:
            self.discard(session_id, 0.0)

    def discard(self, session_id: str, grace: float) -> None:
        """Remove, in the background, something that nobody asks for."""
        self._making.remove(session_id, grace).addErrback(self._not_removed, session_id)

    def _not_removed(self, failure: Failure, session_id: str) -> None:
        failure.trap(EngineError)
        self.log.warn("{id} is not removed yet: {error}", id=session_id, error=failure.value)

    def _spawn(self, work: Any) -> None:
        Deferred.fromCoroutine(work).addErrback(
            lambda failure: self.log.failure("A session could not be looked at", failure)
        )


def nobody(session_id: str, ended: Ended) -> None:
    """Nobody is told."""
