"""One session: carries out what its machine says, and tells how it stands."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.address import Address
from giestack.spawner.engine import Ended, Engine, EngineError, Launch, Progress
from giestack.spawner.entrance import Entrance
from giestack.spawner.headers import filled_headers
from giestack.spawner.hooks import HookedSession, HookFailed
from giestack.spawner.jupyter_activity import Activity
from giestack.spawner.lifecycle import Inputs, life
from giestack.spawner.listeners import Listeners
from giestack.spawner.readiness import NotReady
from giestack.spawner.removal import Removal
from giestack.spawner.standing import LAUNCHING, Standing
from giestack.spawner.surroundings import Surroundings
from giestack.spawner.usage import Usage
from giestack.spawner.view import Moment, SessionView, State
from giestack.spawner.words import (
    INTERNAL,
    never_started,
    shut_down,
    stopped_by_itself,
)
from giestack.visitor import Identity, Operator

_START_PATIENCE = 120.0
_TIMED: frozenset[State] = LAUNCHING | {"queued"}


class Session:
    """A session of one owner, from the wish to have it until it is gone.

    Implements `giestack.spawner.lifecycle.Actions`.

    :ivar standing: what is known of it.
    :ivar engine: what runs it.
    :ivar occupies: whether it takes up room.
    :ivar leaving: whether it is to be forgotten, so that a new wish needs a new session.
    """

    log = Logger()

    def __init__(self, launch_as: Launch, engine: Engine, around: Surroundings) -> None:
        now = around.clock.seconds()
        self.standing = Standing(
            launch_as=launch_as,
            usage=Usage(around.clock),
            since=now,
            path=f"{around.prefix}/session/{launch_as.session_id}",
        )
        self.engine = engine
        self.occupies = False
        self.leaving = False
        self._around = around
        self._removing = Removal(engine, around.hooks, around.clock)
        self._machine: Inputs = life(self)
        self._listeners = Listeners()
        self._works: set[Deferred[Callable[[], None]]] = set()
        self._removal: Deferred[None] | None = None
        self._launched = False
        self._collapsing = False
        self._heard = now

    @property
    def launch_as(self) -> Launch:
        """What is started."""
        return self.standing.launch_as

    # What happens to it.

    def request(self, launch_as: Launch) -> None:
        """Somebody wants it to run like this."""
        self.standing.launch_as = launch_as
        self._machine.requested()

    def adopt(self, address: Address | None, started: float | None) -> None:
        """It was found in its engine, running or (None) not, since so many seconds."""
        self.occupies = True
        self._launched = True
        self.standing.began = self.launch_as.created if started is None else started
        if address is not None:
            self._machine.found(address)
        else:
            self._machine.failed("It ended while giestack was not there to see it.")

    def admit(self, engine: Engine) -> None:
        """There is room for it, on an engine."""
        self.move(engine)
        self._machine.admitted()

    def move(self, engine: Engine) -> None:
        """Nothing of it is on any engine: it is to be on this one."""
        if engine is not self.engine:
            self.engine = engine
            self._removing = Removal(engine, self._around.hooks, self._around.clock)

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

    def restart(self, launch_as: Launch, by: Identity) -> None:
        """Somebody wants it to run anew, and like this."""
        self.standing.launch_as = launch_as
        self.leaving = False
        self._audit("restarted", by)
        self._machine.restart_requested()

    def tick(self) -> None:
        """Time has passed: let those who watch a start see it, and don't wait for ever."""
        if self.state not in LAUNCHING:
            return
        patient = self.state == "pulling" or self._launched
        last = max(self.standing.since, self._heard)
        if not patient and self._around.clock.seconds() - last > _START_PATIENCE:
            self._machine.failed(never_started(self.launch_as.profile, _START_PATIENCE))
        else:
            self.announce()

    def close(self) -> None:
        """giestack ends: do and say nothing any more, and leave it to the engine."""
        for work in list(self._works):
            work.cancel()
        if self._removal is not None:
            self._removal.cancel()
        self._listeners.end()

    # What its machine says.

    def show(self, state: State) -> None:
        now, standing = self._around.clock.seconds(), self.standing
        if standing.state in _TIMED and state != standing.state:
            self._around.durations.add(standing.state, now - standing.since)
        if standing.state == "pulling" and state in LAUNCHING:
            # How long an image takes says nothing of the next start, which finds it there.
            standing.launching_since = now
        standing.change(state, now)
        self._collapsing = False
        self.announce()

    def enqueue(self) -> None:
        self._around.queue.enter(self)

    def dequeue(self) -> None:
        self._around.queue.leave(self)

    def launch(self) -> None:
        self.occupies = True
        self.standing.began = self.standing.launching_since = self._around.clock.seconds()
        self._run(self._launch())

    def probe(self, address: Address) -> None:
        self._launched = True
        self.standing.address, self.standing.message = address, ""
        self._run(self._probe(address))

    def publish(self) -> None:
        now, standing = self._around.clock.seconds(), self.standing
        self.engine.answered(self.launch_as.session_id)
        if standing.launching_since is not None:
            seconds = now - standing.launching_since
            self._around.history.add(self.launch_as.profile.name, seconds)
            self._around.durations.add("total", now - (standing.began or now))
        standing.ready = now
        standing.usage.touch()
        # What it was before a restart, it need not be now.
        standing.usage.polling = None
        self._count("ready")
        self._audit("ready", None)
        self._run(self._look_around())

    def withdraw(self) -> None:
        self.standing.ready = None

    def remove(self, reason: str) -> None:
        self.standing.reason = reason
        self._end(self._remove())

    def collapse(self, reason: str) -> None:
        self._collapsing = True
        self._count("failed")
        self._audit("failed", None, reason=reason)
        self._end(self._collapse(reason))

    def forget(self) -> None:
        self.occupies = False
        self._around.forget(self)
        self._listeners.end()

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
            if launch_as.profile.api_key:
                key = await self._around.api_key(launch_as.owner)
                launch_as = replace(launch_as, api_key=key)
            filled_headers(launch_as)
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
        standing = self.standing
        standing.message, standing.percent = progress.message, progress.percent
        standing.eta = progress.eta
        self._heard = self._around.clock.seconds()
        self.announce()

    async def _probe(self, address: Address) -> Callable[[], None]:
        profile = self.launch_as.profile
        path = self.standing.path_there(profile.readiness.path)
        try:
            await self._around.wait_until_ready(address, path, profile.readiness.timeout)
        except NotReady as error:
            return partial(self._machine.failed, f"{profile.title} did not answer: {error}")
        return self._machine.answered

    async def _look_around(self) -> Callable[[], None]:
        """What is to be done once it is ready: the hooks, and whether it is a Jupyter server."""
        address = self.standing.address
        assert address is not None
        try:
            await self._around.hooks.after_start(self._hooked())
        except HookFailed as error:
            return partial(self._machine.failed, str(error))
        if (await self._ask_activity(address)).is_jupyter:
            self.standing.usage.polling = self.standing.path_there("/api/").encode()
        return lambda: None

    def _ask_activity(self, address: Address) -> Awaitable[Activity]:
        return self._around.ask_activity(address, self.standing.path_there("/"))

    async def activity(self) -> Activity | None:
        """What its Jupyter server says that it does; None where it is no such server."""
        address = self.standing.address
        if address is None or self.standing.usage.polling is None:
            return None
        activity = await self._ask_activity(address)
        return activity if activity.is_jupyter else None

    def _end(self, ending: Coroutine[Any, Any, None]) -> None:
        self._removal = Deferred.fromCoroutine(ending)
        self._removal.addErrback(self._not_ended)

    def _not_ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("A session could not be ended", failure)

    async def _collapse(self, reason: str) -> None:
        last_words = await self._removing.last_words(self.launch_as.session_id)
        self.standing.reason, self.standing.log = reason, last_words
        if self._collapsing:
            self.show("failed")
        await self._remove()

    async def _remove(self) -> None:
        for work in list(self._works):
            work.cancel()
        launched, self._launched = self._launched, False
        hooked = self._hooked() if launched else None
        await self._removing.remove(self.launch_as, hooked, self._say)
        self.standing.address = None
        self.occupies = False
        self._machine.removed()
        self._around.room_changed()

    def _say(self, message: str) -> None:
        self.standing.message = message
        self.announce()

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
            address=self.standing.address,
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

    # How it stands.

    @property
    def state(self) -> State:
        """Its state."""
        return self.standing.state

    def announce(self) -> None:
        """Tell everybody who listens how it is now."""
        if self._listeners:
            self._listeners.tell(self.moment())

    def subscribe(
        self, changed: Callable[[Moment], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """See `giestack.site.spawning.Spawning.subscribe`."""
        leave = self._listeners.add(changed, end)
        changed(self.moment())
        return leave

    def moment(self) -> Moment:
        """How it is now."""
        standing, around = self.standing, self._around
        waiting = around.queue.waiting(self) if standing.state == "queued" else None
        percent = eta = None
        if standing.state in LAUNCHING and standing.launching_since is not None:
            elapsed = around.clock.seconds() - standing.launching_since
            percent, eta = around.history.outlook(self.launch_as.profile.name, elapsed)
        return standing.moment(waiting, percent, eta)

    @property
    def entrance(self) -> Entrance:
        """The way in, as it is now."""
        return self.standing.open_entrance or self.standing.entrance(self.moment())

    def view(self) -> SessionView:
        """How it is now, with all that is known of it."""
        now = self._around.clock.seconds()
        return self.standing.view(self.moment(), self.engine.name, self.engine.note, now)
