"""An engine that runs nothing: sessions in memory, and every fault that a test wants to see."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from giestack.address import Address
from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Ended, EngineError, Found, Launch, Progress, Room, Stats

SLOW_STEPS = (
    (0.0, Progress("pulling", "Getting the image", 0.0)),
    (1.0, Progress("pulling", "Getting the image", 50.0)),
    (2.0, Progress("pulling", "Getting the image", 100.0)),
    (2.0, Progress("creating", "Creating the container")),
    (3.0, Progress("starting", "Starting the container")),
)


@dataclass(frozen=True, slots=True)
class Start:
    """What becomes of a start. All times are seconds after it was asked for; 0 is at once.

    :ivar steps: when to tell which progress; those after ``seconds`` are never told.
    :ivar seconds: when the address comes, or ``error``.
    :ivar error: fails with it.
    :ivar raises: raised by the call itself, which no engine should do.
    :ivar hangs: never fires.
    :ivar prints: printed at once.
    :ivar listens: whether it answers at its address.
    :ivar ends: how it ends by itself, after ``ends_after``; a start that is under way then fails
        after the end was told.
    """

    steps: Sequence[tuple[float, Progress]] = ()
    seconds: float = 0.0
    error: Exception | None = None
    raises: Exception | None = None
    hangs: bool = False
    prints: Sequence[str] = ()
    listens: bool = True
    ends: Ended | None = None
    ends_after: float = 0.0


WORKS = Start()
SLOW = Start(steps=SLOW_STEPS, seconds=4.0)
HANGS = Start(steps=SLOW_STEPS[-1:], hangs=True)
FAILS = Start(error=EngineError("There is no image “none”."))
BREAKS = Start(error=ZeroDivisionError("a bug in the engine"))
EXITS = Start(prints=("cannot go on",), ends=Ended(1, "ended with status 1"))


@dataclass(slots=True, eq=False)
class Session:
    """What the engine has of a session."""

    launch: Launch
    address: Address | None = None
    listens: bool = True
    lines: list[str] = field(default_factory=list)
    ended: bool = False
    under_way: Deferred[Address] | None = None
    later: list[IDelayedCall] = field(default_factory=list)
    followers: list[tuple[Callable[[str], None], Callable[[], None]]] = field(default_factory=list)


class FakeEngine:
    """`giestack.spawner.engine.Engine` in memory. Without faults it answers at once.

    What becomes of a start: the next of `next_starts`, else what `plans` has for the profile's
    name, else `plan`.

    :ivar lives_on: whether sessions survive `close`, as containers do.
    :ivar started: every launch that was asked for; `stopped`: (id, grace) of every stop.
    :ivar open_error: `open` fails with it; ``open_hangs``: it never fires.
    :ivar stop_failures: so many stops fail from now on.
    :ivar stop_seconds: how long a stop takes; None: for ever.
    :ivar logs_error: `logs` fails with it; ``logs_hang``: it never fires.
    :ivar stats_error: `stats` fails with it; ``stats_hang``: it never fires;
        ``stats_asked``: how often it was.
    :ivar sessions_error: `sessions` fails with it.
    :ivar usage: what `stats` answers for an id, where it is not the usual.
    :ivar trouble: as Engine says; ``room`` too.
    :ivar profiles: what it was told.
    :ivar ready_ids: what `reserve` hands out, by profile.
    :ivar troubled: what `troubles` answers; ``trouble_of``: the same for a profile's name.
    """

    def __init__(self, clock: IReactorTime, name: str = "fake", note: str = "") -> None:
        self.name = name
        self.note = note
        self.is_open = False
        self.lives_on = False
        self.plan = WORKS
        self.plans: dict[str, Start] = {}
        self.next_starts: deque[Start] = deque()
        self.started: list[Launch] = []
        self.stopped: list[tuple[str, float]] = []
        self.open_error: Exception | None = None
        self.open_hangs = False
        self.stop_failures = 0
        self.stop_seconds: float | None = 0.0
        self.logs_error: Exception | None = None
        self.logs_hang = False
        self.stats_error: Exception | None = None
        self.stats_hang = False
        self.stats_asked = 0
        self.answers_told: list[str] = []
        self.sessions_error: Exception | None = None
        self.usage: dict[str, Stats] = {}
        self.trouble = ""
        self.room = Room()
        self.profiles: Sequence[Profile] = ()
        self.ready_ids: dict[str, list[str]] = {}
        self.troubled: list[str] = []
        self.trouble_of: dict[str, str] = {}
        self._clock = clock
        self._ended: Callable[[str, Ended], None] = lambda session_id, ended: None
        self._sessions: dict[str, Session] = {}
        self._port = 20_000

    # What tests do and see.

    @property
    def present(self) -> set[str]:
        """Ids of what was started, if only by half, and not stopped."""
        return set(self._sessions)

    @property
    def running(self) -> set[str]:
        """Ids of what has an address and has not ended."""
        return {one for one, session in self._sessions.items() if session.address is not None}

    def answers(self, address: Address) -> bool:
        """Whether a session listens there."""
        return any(
            session.address == address and session.listens for session in self._sessions.values()
        )

    def have(self, launch: Launch, *, running: bool = True, lines: Sequence[str] = ()) -> Found:
        """Make a session be there that nobody has asked for; what `sessions` says of it."""
        session = Session(launch, self._new_address() if running else None)
        session.ended = not running
        session.lines += lines
        self._sessions[launch.session_id] = session
        return Found(launch, session.address)

    def say(self, session_id: str, *lines: str) -> None:
        """A session prints lines."""
        session = self._sessions[session_id]
        session.lines += lines
        for each in lines:
            for line, _ in list(session.followers):
                line(each)

    def end(self, session_id: str, ended: Ended) -> None:
        """A session ends by itself."""
        session = self._sessions[session_id]
        session.ended, session.address = True, None
        self._quiet(session)
        self._no_more_lines(session)
        under_way, session.under_way = session.under_way, None
        self._ended(session_id, ended)
        if under_way is not None:
            under_way.errback(EngineError(f"The session has {ended.reason}."))

    # What the spawner does.

    def configure(self, profiles: Sequence[Profile]) -> None:
        self.profiles = profiles

    def reserve(self, profile: Profile, options: Mapping[str, object]) -> str:
        ready = self.ready_ids.get(profile.name)
        return ready.pop(0) if ready else ""

    def open(self, ended: Callable[[str, Ended], None]) -> Deferred[Sequence[Found]]:
        if self.open_hangs:
            return Deferred()
        if self.open_error is not None:
            return fail(self.open_error)
        self.is_open = True
        self._ended = ended
        return succeed(self._found())

    def close(self) -> Deferred[None]:
        self.is_open = False
        self._ended = lambda session_id, ended: None
        for session_id, session in list(self._sessions.items()):
            self._fail_start(session)
            self._no_more_lines(session)
            if not self.lives_on:
                self._remove(session_id)
        return succeed(None)

    def start(self, launch: Launch, progress: Callable[[Progress], None]) -> Deferred[Address]:
        self.started.append(launch)
        plan = self._plan(launch)
        if plan.raises is not None:
            raise plan.raises
        if not self.is_open:
            return fail(EngineError(f"The engine “{self.name}” is closed."))
        if launch.session_id in self._sessions:
            return fail(EngineError(f"There is a session {launch.session_id} already."))
        session = Session(launch, listens=plan.listens)
        self._sessions[launch.session_id] = session
        session.lines += plan.prints
        result: Deferred[Address] = Deferred(lambda _: self._cancelled(session))
        session.under_way = result
        for seconds, step in plan.steps:
            self._after(session, seconds, partial(self._tell, session, progress, step))
        if not plan.hangs:
            self._after(session, plan.seconds, lambda: self._begin(session, plan))
        if plan.ends is not None:
            how = plan.ends
            call = self._clock.callLater(plan.ends_after, lambda: self.end(launch.session_id, how))
            session.later.append(call)
        return result

    def answered(self, session_id: str) -> None:
        self.answers_told.append(session_id)

    def stop(self, session_id: str, grace: float) -> Deferred[None]:
        self.stopped.append((session_id, grace))
        if self.stop_failures > 0:
            self.stop_failures -= 1
            return fail(EngineError("The engine does not answer."))
        session = self._sessions.get(session_id)
        if session is None:
            return succeed(None)
        # From here on its end is a stop's, and not told.
        self._fail_start(session)
        self._quiet(session)
        if self.stop_seconds is None:
            return Deferred()
        if not self.stop_seconds:
            self._remove(session_id)
            return succeed(None)
        result: Deferred[None] = Deferred(lambda _: call.cancel())

        def gone() -> None:
            self._remove(session_id)
            result.callback(None)

        call = self._clock.callLater(self.stop_seconds, gone)
        return result

    def sessions(self) -> Deferred[Sequence[Found]]:
        if self.sessions_error is not None:
            return fail(self.sessions_error)
        return succeed(self._found())

    def logs(self, session_id: str, tail: int) -> Deferred[Sequence[str]]:
        if self.logs_hang:
            return Deferred()
        if self.logs_error is not None:
            return fail(self.logs_error)
        return succeed(self._tail(session_id, tail))

    def follow(
        self, session_id: str, tail: int, line: Callable[[str], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        follower = (line, end)
        session = self._sessions.get(session_id)
        lines = self._tail(session_id, tail)
        if session is not None and not session.ended:
            session.followers.append(follower)
        for each in lines:
            line(each)
        if session is None or session.ended:
            end()

        def no_more() -> None:
            if session is not None and follower in session.followers:
                session.followers.remove(follower)

        return no_more

    def stats(self, session_id: str) -> Deferred[Stats | None]:
        self.stats_asked += 1
        if self.stats_hang:
            return Deferred()
        if self.stats_error is not None:
            return fail(self.stats_error)
        if session_id not in self.running:
            return succeed(None)
        return succeed(self.usage.get(session_id, Stats(100 * 1024**2, 0.25)))

    def troubles(self, profiles: Sequence[Profile]) -> Deferred[Sequence[str]]:
        own = [self.trouble_of[one.name] for one in profiles if one.name in self.trouble_of]
        return succeed([*self.troubled, *own])

    # How it does that.

    def _plan(self, launch: Launch) -> Start:
        if self.next_starts:
            return self.next_starts.popleft()
        return self.plans.get(launch.profile.name, self.plan)

    def _new_address(self) -> Address:
        self._port += 1
        return Address("127.0.0.1", self._port)

    def _after(self, session: Session, seconds: float, function: Callable[[], None]) -> None:
        if seconds:
            session.later.append(self._clock.callLater(seconds, function))
        else:
            function()

    def _tell(self, session: Session, progress: Callable[[Progress], None], step: Progress) -> None:
        if session.under_way is not None:
            progress(step)

    def _begin(self, session: Session, plan: Start) -> None:
        under_way, session.under_way = session.under_way, None
        if under_way is None:
            return
        if plan.error is not None:
            under_way.errback(plan.error)
            return
        session.address = self._new_address()
        under_way.callback(session.address)

    def _cancelled(self, session: Session) -> None:
        """What was there by then stays until it is stopped."""
        under_way, session.under_way = session.under_way, None
        self._quiet(session)
        if under_way is not None:
            under_way.errback(CancelledError())

    def _fail_start(self, session: Session) -> None:
        under_way, session.under_way = session.under_way, None
        if under_way is not None:
            under_way.errback(EngineError("The session was stopped."))

    def _quiet(self, session: Session) -> None:
        for call in session.later:
            if call.active():
                call.cancel()
        session.later.clear()

    def _no_more_lines(self, session: Session) -> None:
        followers, session.followers = session.followers, []
        for _, end in followers:
            end()

    def _remove(self, session_id: str) -> None:
        session = self._sessions.pop(session_id, None)
        if session is not None:
            session.address = None
            self._quiet(session)
            self._no_more_lines(session)

    def _found(self) -> list[Found]:
        return [Found(session.launch, session.address) for session in self._sessions.values()]

    def _tail(self, session_id: str, tail: int) -> list[str]:
        session = self._sessions.get(session_id)
        return session.lines[-tail:] if session is not None and tail > 0 else []
