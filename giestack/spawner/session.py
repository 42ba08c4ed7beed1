"""One session: carries out what its machine says, and tells how it stands."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.address import Address
from giestack.spawner.admission import Waiting
from giestack.spawner.durations import Durations
from giestack.spawner.engine import Ended, Engine, EngineError, Launch, Progress
from giestack.spawner.entrance import Entrance
from giestack.spawner.history import History
from giestack.spawner.hooks import HookedSession, HookFailed, Hooks
from giestack.spawner.jupyter_activity import Activity
from giestack.spawner.lifecycle import Inputs, life
from giestack.spawner.owner import Owner
from giestack.spawner.readiness import NotReady
from giestack.spawner.usage import Usage
from giestack.spawner.view import Moment, SessionView, State
from giestack.spawner.words import (
    INTERNAL,
    message_of,
    never_started,
    shut_down,
    stopped_by_itself,
)
from giestack.visitor import Identity, Operator

LAST_WORDS = 50
"""Lines of its log that are kept of a session that failed."""

_LOG_PATIENCE = 0.5
_START_PATIENCE = 120.0
_STOP_PATIENCE = 30.0
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
LAUNCHING: frozenset[State] = frozenset(("pulling", "creating", "starting"))
_TIMED: frozenset[State] = LAUNCHING | {"queued"}
_WARNED = 300.0


class WaitUntilReady(Protocol):
    """Waits until a server answers; raises `NotReady`."""

    def __call__(self, address: Address, path: str, timeout: float) -> Awaitable[None]: ...


class AskActivity(Protocol):
    """Asks a server what it is doing; never raises."""

    def __call__(self, address: Address, base: str) -> Awaitable[Activity]: ...


class Audit(Protocol):
    """Takes note of what people did; ``who`` is the owner where it happened by itself."""

    def __call__(self, event: str, who: Identity | Owner | Operator, **fields: object) -> None: ...


class Queue(Protocol):
    """Where sessions wait for room."""

    def enter(self, session: "Session") -> None:
        """Call `Session.admit` as soon as there is room, perhaps at once."""

    def leave(self, session: "Session") -> None: ...

    def waiting(self, session: "Session") -> Waiting | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all sessions share.

    :ivar durations: seconds by step.
    :ivar count: to be called with a profile and what came of a session of it.
    :ivar room_changed: to be called when a session has ceased to take up room.
    :ivar forget: to be called with a session that is gone.
    """

    clock: IReactorTime
    queue: Queue
    hooks: Hooks
    wait_until_ready: WaitUntilReady
    ask_activity: AskActivity
    audit: Audit
    history: History
    durations: Durations
    count: Callable[[str, str], None]
    room_changed: Callable[[], None]
    forget: Callable[["Session"], None]


@dataclass(frozen=True, eq=False, slots=True)
class _Listener:
    changed: Callable[[Moment], None]
    end: Callable[[], None]


class Session:
    """A session of one owner, from the wish to have it until it is gone.

    Implements `giestack.spawner.lifecycle.Actions`.

    :ivar launch_as: what is started.
    :ivar engine: what runs it.
    :ivar usage: when it was used last.
    :ivar occupies: whether it takes up room.
    :ivar leaving: whether it is to be forgotten, so that a new wish needs a new session.
    :ivar since: seconds of the clock at the last change of the state.
    """

    log = Logger()

    def __init__(self, launch_as: Launch, engine: Engine, around: Surroundings) -> None:
        self.launch_as = launch_as
        self.engine = engine
        self.occupies = False
        self.leaving = False
        self.usage = Usage(around.clock)
        self.since = around.clock.seconds()
        self.state: State = "queued"
        self._around = around
        self._machine: Inputs = life(self)
        self._listeners: set[_Listener] = set()
        self._works: set[Deferred[Callable[[], None]]] = set()
        self._removal: Deferred[None] | None = None
        self._address: Address | None = None
        self._entrance: Entrance | None = None
        self._launched = False
        self._collapsing = False
        self._message = ""
        self._percent: float | None = None
        self._reason = ""
        self._log: tuple[str, ...] = ()
        self._began: float | None = None
        self._launching_since: float | None = None
        self._ready: float | None = None

    # What happens to it.

    def request(self, options: Launch) -> None:
        """Somebody wants it to run, with these options."""
        self.launch_as = options
        self._machine.requested()

    def adopt(self, address: Address | None) -> None:
        """It was found in its engine, running or (None) not."""
        self.occupies = True
        self._launched = True
        self._began = self.launch_as.created
        if address is not None:
            self._machine.found(address)
        else:
            self._machine.failed("It ended while giestack was not there to see it.")

    def admit(self) -> None:
        """There is room for it."""
        self._machine.admitted()

    def ended(self, end: Ended) -> None:
        """Its engine says that it has ended by itself."""
        if end.status == 0 and self.state == "ready":
            self._count("shut down")
            self._audit("stopped", None, reason="shut down from inside")
            self._machine.finished(shut_down(self.launch_as.profile))
        else:
            self._machine.failed(stopped_by_itself(self.launch_as.profile, end))

    def cull(self, why: str, reason: str) -> None:
        """It has been idle or lived for too long; ``why`` is the word for the metrics."""
        self._audit("stopped", None, reason=why)
        self._machine.culled(reason)

    def expire(self) -> None:
        """It has ended long ago."""
        self.leaving = True
        self._machine.dismissed()

    def dismiss(self, by: Identity | Operator) -> None:
        """Somebody wants it to be gone."""
        if not self.leaving:
            self._audit("stopped", by)
        self.leaving = True
        self._machine.dismissed()

    def restart(self, by: Identity) -> None:
        """Somebody wants it to run anew."""
        self.leaving = False
        self._audit("restarted", by)
        self._machine.restart_requested()

    def tick(self) -> None:
        """Time has passed: let those who watch a start see it, and don't wait for ever."""
        if self.state not in LAUNCHING:
            return
        patient = self.state == "pulling" or self._launched
        if not patient and self._around.clock.seconds() - self.since > _START_PATIENCE:
            self._machine.failed(never_started(self.launch_as.profile, _START_PATIENCE))
        else:
            self.announce()

    def close(self) -> None:
        """giestack ends: do and say nothing any more, and leave it to the engine."""
        for work in list(self._works):
            work.cancel()
        if self._removal is not None:
            self._removal.cancel()
        self._end_listeners()

    # What its machine says.

    def show(self, state: State) -> None:
        now = self._around.clock.seconds()
        if self.state in _TIMED and state != self.state:
            self._around.durations.add(self.state, now - self.since)
        if state != self.state:
            self.since = now
            self._message, self._percent = "", None
        if state == "queued":
            self._reason, self._log = "", ()
            self._began = self._launching_since = self._ready = None
        self.state = state
        self._collapsing = False
        self.announce()

    def enqueue(self) -> None:
        self._around.queue.enter(self)

    def dequeue(self) -> None:
        self._around.queue.leave(self)

    def launch(self) -> None:
        self.occupies = True
        self._began = self._launching_since = self._around.clock.seconds()
        self._run(self._launch())

    def probe(self, address: Address) -> None:
        self._launched = True
        self._address = address
        self._run(self._probe(address))

    def publish(self) -> None:
        now = self._around.clock.seconds()
        if self._launching_since is not None:
            seconds = now - self._launching_since
            self._around.history.add(self.launch_as.profile.name, seconds)
            self._around.durations.add("total", seconds)
        self._ready = now
        self.usage.touch()
        self._count("ready")
        self._audit("ready", None)
        self._run(self._look_around())

    def withdraw(self) -> None:
        self._entrance = None
        self._ready = None

    def remove(self, reason: str) -> None:
        self._reason = reason
        self._end(self._remove())

    def collapse(self, reason: str) -> None:
        self._collapsing = True
        self._count("failed")
        self._audit("failed", None, reason=reason)
        self._end(self._collapse(reason))

    def forget(self) -> None:
        self.occupies = False
        self._around.forget(self)
        self._end_listeners()

    # How it is done.

    def _run(self, work: Coroutine[Any, Any, Callable[[], None]]) -> None:
        """Do some work, and afterwards what it returns: an input for the machine."""
        doing = Deferred.fromCoroutine(work)
        self._works.add(doing)
        doing.addBoth(self._worked, doing)
        doing.addErrback(lambda failure: self.log.failure("A session went wrong", failure))

    def _worked(
        self, outcome: Callable[[], None] | Failure, work: Deferred[Callable[[], None]]
    ) -> None:
        self._works.discard(work)
        if isinstance(outcome, Failure):
            if outcome.check(CancelledError):
                return
            self.log.failure("A session could not go on", outcome)
            self._machine.failed(INTERNAL)
        else:
            outcome()

    async def _launch(self) -> Callable[[], None]:
        try:
            env = await self._around.hooks.before_spawn(self._hooked())
            launch_as = replace(self.launch_as, env=env)
            address = await self.engine.start(launch_as, self._progressed)
        except (EngineError, HookFailed) as error:
            return partial(self._machine.failed, str(error))
        return partial(self._machine.launched, address)

    def _progressed(self, progress: Progress) -> None:
        if self.state not in LAUNCHING:
            return
        if progress.step != self.state:
            {
                "pulling": self._machine.pull_began,
                "creating": self._machine.creation_began,
                "starting": self._machine.start_began,
            }[progress.step]()
        self._message, self._percent = progress.message, progress.percent
        self.announce()

    async def _probe(self, address: Address) -> Callable[[], None]:
        profile = self.launch_as.profile
        path = self._path_there(profile.readiness.path)
        try:
            await self._around.wait_until_ready(address, path, profile.readiness.timeout)
        except NotReady as error:
            return partial(self._machine.failed, f"{profile.title} did not answer: {error}")
        return self._machine.answered

    async def _look_around(self) -> Callable[[], None]:
        """What is to be done once it is ready: the hooks, and whether it is a Jupyter server."""
        assert self._address is not None
        try:
            await self._around.hooks.after_start(self._hooked())
        except HookFailed as error:
            return partial(self._machine.failed, str(error))
        activity = await self._ask_activity(self._address)
        if activity.is_jupyter:
            self.usage.polling = self._path_there("/api/").encode()
        return lambda: None

    def _ask_activity(self, address: Address) -> Awaitable[Activity]:
        return self._around.ask_activity(address, self._path_there("/"))

    async def activity(self) -> Activity | None:
        """What its Jupyter server says that it does; None where it is no such server."""
        if self._address is None or self.usage.polling is None:
            return None
        activity = await self._ask_activity(self._address)
        return activity if activity.is_jupyter else None

    def _end(self, ending: Coroutine[Any, Any, None]) -> None:
        self._removal = Deferred.fromCoroutine(ending)
        self._removal.addErrback(self._not_ended)

    def _not_ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("A session could not be ended", failure)

    async def _collapse(self, reason: str) -> None:
        try:
            lines = await self.engine.logs(self.launch_as.session_id, LAST_WORDS).addTimeout(
                _LOG_PATIENCE, self._around.clock
            )
        except CancelledError:
            raise
        except Exception as error:
            lines = ()
            self.log.info(
                "No log of session {id}: {error}", id=self.launch_as.session_id, error=error
            )
        self._reason, self._log = reason, tuple(lines)
        if self._collapsing:
            self.show("failed")
        await self._remove()

    async def _remove(self) -> None:
        for work in list(self._works):
            work.cancel()
        launched, self._launched = self._launched, False
        if launched:
            await self._call_hook(self._around.hooks.before_stop)
        await self._stop_engine()
        if launched:
            await self._call_hook(self._around.hooks.after_stop)
        self._address = self._entrance = None
        self.occupies = False
        self._machine.removed()
        self._around.room_changed()

    async def _stop_engine(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                grace = self.launch_as.profile.stop_timeout
                stopping = self.engine.stop(self.launch_as.session_id, grace)
                await stopping.addTimeout(grace + _STOP_PATIENCE, self._around.clock)
                return
            except (EngineError, TimeoutError) as error:
                self.log.warn(
                    "Session {id} could not be stopped: {error}; trying again in {pause:g} s",
                    id=self.launch_as.session_id,
                    error=error,
                    pause=pause,
                )
                self._message = f"It could not be stopped yet: {error}"
                self.announce()
            await deferLater(self._around.clock, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _call_hook(self, hook: Callable[[HookedSession], Awaitable[None]]) -> None:
        """Call one of the last hooks; whatever it does, the end goes on."""
        try:
            await hook(self._hooked())
        except HookFailed as error:
            self.log.warn("{error}", error=error)

    def _hooked(self) -> HookedSession:
        launch_as = self.launch_as
        return HookedSession(
            id=launch_as.session_id,
            owner=launch_as.owner,
            profile=launch_as.profile.name,
            name=launch_as.name,
            options=launch_as.options,
            base_url=launch_as.base_url,
            engine=self.engine.name,
            address=self._address,
        )

    def _count(self, result: str) -> None:
        self._around.count(self.launch_as.profile.name, result)

    def _audit(self, event: str, by: Identity | Operator | None, **fields: object) -> None:
        launch_as = self.launch_as
        self._around.audit(
            event,
            by or launch_as.owner,
            session=launch_as.session_id,
            profile=launch_as.profile.name,
            owner=launch_as.owner.shown,
            **fields,
        )

    @property
    def _prefix(self) -> str:
        return self.launch_as.base_url.rstrip("/")

    def _path_there(self, path: str) -> str:
        """The path under which the server itself knows a path of its own."""
        return path if self.launch_as.profile.strip_path else self._prefix + path

    # How it stands.

    def announce(self) -> None:
        """Tell everybody who listens how it is now."""
        self._entrance = None
        if not self._listeners:
            return
        moment = self.moment()
        for listener in list(self._listeners):
            try:
                listener.changed(moment)
            except Exception:
                self.log.failure("A listener of a session went wrong")
                self._listeners.discard(listener)

    def subscribe(
        self, changed: Callable[[Moment], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """See `giestack.site.spawning.Spawning.subscribe`."""
        listener = _Listener(changed, end)
        self._listeners.add(listener)
        changed(self.moment())
        return lambda: self._listeners.discard(listener)

    def _end_listeners(self) -> None:
        listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            try:
                listener.end()
            except Exception:
                self.log.failure("A listener of a session went wrong")

    @property
    def log_kept(self) -> tuple[str, ...]:
        """Its last lines, where it failed."""
        return self._log

    @property
    def entrance(self) -> Entrance:
        """The way in, as it is now."""
        if self._entrance is not None:
            return self._entrance
        prefix = self._prefix.encode()
        profile = self.launch_as.profile
        entrance = Entrance(
            session_id=self.launch_as.session_id,
            owner=self.launch_as.owner,
            prefix=prefix,
            home=prefix + profile.path.encode(),
            address=self._address if self._ready is not None else None,
            strip_path=profile.strip_path,
            moment=self.moment(),
            use=self.usage,
        )
        if entrance.address is not None:
            self._entrance = entrance
        return entrance

    def moment(self) -> Moment:
        """How it is now."""
        state = self.state
        title = self.launch_as.profile.title
        waiting = self._around.queue.waiting(self) if state == "queued" else None
        percent = eta = None
        if state in LAUNCHING and self._launching_since is not None:
            elapsed = self._around.clock.seconds() - self._launching_since
            percent, eta = self._around.history.outlook(self.launch_as.profile.name, elapsed)
        if state == "pulling":
            percent, eta = self._percent, None
        if state == "ready":
            percent, eta = 100.0, 0.0
        probing = state == "starting" and self._launched
        return Moment(
            state=state,
            step="probing" if probing else state,
            message=self._message or message_of(state, title, probing, waiting, self._reason),
            percent=percent,
            eta=eta,
            place=waiting.place if waiting else None,
            reason=self._reason,
            log=self._log,
        )

    def view(self) -> SessionView:
        """How it is now, with all that is known of it."""
        launch_as, profile = self.launch_as, self.launch_as.profile
        end = self.end
        last_used = self.usage.last if self._ready is not None else None
        idle_end = None
        if last_used is not None and profile.idle_timeout:
            idle_end = last_used + profile.idle_timeout
        now = self._around.clock.seconds()
        return SessionView(
            id=launch_as.session_id,
            profile=profile,
            name=launch_as.name,
            owner=launch_as.owner,
            path=self._prefix + profile.path,
            engine=self.engine.name,
            note=self.engine.note,
            created=_moment(launch_as.created),
            moment=self.moment(),
            options=launch_as.options,
            began=None if self._began is None else _moment(self._began),
            ready_since=None if self._ready is None else _moment(self._ready),
            last_used=None if last_used is None else _moment(last_used),
            idle_end=None if idle_end is None else _moment(idle_end),
            end=None if end is None else _moment(end),
            ending=end is not None and end - now <= _WARNED,
        )

    @property
    def end(self) -> float | None:
        """Seconds of the clock at which it is stopped in any case; None: never."""
        lifetime = self.launch_as.profile.max_lifetime
        if not lifetime or self._began is None or self._ready is None:
            return None
        return self._began + lifetime


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
