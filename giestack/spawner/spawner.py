"""All sessions: starts them for people within the limits, finds them again, ends them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from giestack.settings.spawner_schema import Profile, SpawnerSettings
from giestack.spawner.admission import Limits
from giestack.spawner.catalogue import Catalogue, need_of
from giestack.spawner.culler import Culler
from giestack.spawner.durations import Durations
from giestack.spawner.engine import Circumstances, Ended, Engine, Found, Launch, Stats, base_url_of
from giestack.spawner.entrance import Entrance
from giestack.spawner.history import History
from giestack.spawner.hooks import Hooks
from giestack.spawner.known_stats import KnownStats
from giestack.spawner.opening import until_open
from giestack.spawner.options import chosen, options_of, still_chosen
from giestack.spawner.owner import Owner, owner_of
from giestack.spawner.queue import Queue
from giestack.spawner.session import Session
from giestack.spawner.standing import LAUNCHING
from giestack.spawner.surroundings import (
    AskActivity,
    Audit,
    KeyOf,
    Surroundings,
    WaitUntilReady,
)
from giestack.spawner.view import (
    ENDED,
    STATES,
    Moment,
    SessionView,
    SpawnRefused,
    bad_option,
    unknown_profile,
)
from giestack.visitor import Identity, Operator

LONGEST_NAME = 100
MOST_OF_ONE_USER = 20
"""Sessions of one user that are remembered in whatever state; with more, none can be added."""

_NOWHERE = Circumstances()
_TICK = 1.0


class Spawner:
    """The sessions of all users; `giestack.site.spawning.Spawning` for the pages.

    :ivar culler: ends idle and old sessions, and counts them.
    :ivar durations: how long the steps of starts took.
    :ivar results: sessions by (profile, what came of them): ``ready``, ``failed``, ``shut down``.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        engines: Sequence[Engine],
        *,
        prefix: str,
        hooks: Hooks,
        wait_until_ready: WaitUntilReady,
        ask_activity: AskActivity,
        audit: Audit,
        api_key: KeyOf,
        new_id: Callable[[], str],
        own_hosts: bool = False,
    ) -> None:
        """
        :param prefix: that of giestack's own pages.
        :param own_hosts: whether each session has a host of its own.
        :param new_id: makes session ids: lower-case letters and digits, hard to guess.
        """
        self.durations = Durations()
        self.results: Counter[tuple[str, str]] = Counter()
        self.culler = Culler(clock, self._all)
        self._clock = clock
        self._catalogue = Catalogue(engines)
        self._questions = {engine.name: self._ask_of(engine) for engine in engines}
        self._unopened = {engine.name for engine in engines}
        self._prefix = prefix
        self._own_hosts = own_hosts
        self._new_id = new_id
        self._audit = audit
        self._galaxy_url = ""
        self._sessions: dict[str, Session] = {}
        self._queue = Queue(self._all, self._catalogue.able)
        self._known_able: Sequence[Engine] = ()
        self._history = History()
        self._stats = KnownStats(clock)
        self._ticker = LoopingCall(self._tick)
        self._ticker.clock = clock
        self._opening: Deferred[list[None]] = succeed([])
        self._around = Surroundings(
            prefix=prefix,
            clock=clock,
            queue=self._queue,
            hooks=hooks,
            wait_until_ready=wait_until_ready,
            ask_activity=ask_activity,
            audit=audit,
            api_key=api_key,
            history=self._history,
            durations=self.durations,
            count=self._count,
            room_changed=self._queue.admit,
            forget=self._forget,
        )

    def configure(self, settings: SpawnerSettings, galaxy_url: str) -> None:
        """Take other profiles and limits from now on; sessions that run keep theirs.

        :param galaxy_url: with a slash at the end, or "".
        """
        self._catalogue.configure(settings)
        self._galaxy_url = galaxy_url
        self._history.keep(frozenset(profile.name for profile in settings.profiles))
        self._queue.configure(Limits(settings.per_user, settings.total))

    @property
    def galaxy_url(self) -> str:
        """As it was told."""
        return self._galaxy_url

    @property
    def is_starting(self) -> bool:
        """Whether a session is being started just now."""
        return any(session.state in LAUNCHING for session in self._sessions.values())

    # Beginning and end.

    def open(self) -> Deferred[list[None]]:
        """Open the engines and take over the sessions that they have."""
        self._ticker.start(_TICK, now=False)
        self.culler.start()
        self._opening = gatherResults(
            [Deferred.fromCoroutine(self._open(engine)) for engine in self._catalogue.engines],
            consumeErrors=True,
        )
        return self._opening

    async def close(self) -> None:
        """Close the engines; what can live without giestack goes on."""
        self._opening.addErrback(lambda _: [])
        self._opening.cancel()
        if self._ticker.running:
            self._ticker.stop()
        self.culler.stop()
        self._stats.close()
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()
        self._queue.clear()
        for engine in self._catalogue.engines:
            try:
                await engine.close()
            except Exception:
                self.log.failure("Engine {name} could not be closed", name=engine.name)

    async def _open(self, engine: Engine) -> None:
        for one in await until_open(engine, self._ended, self._clock):
            self._adopt(engine, one)
        self._unopened.discard(engine.name)

    def _adopt(self, engine: Engine, found: Found) -> None:
        session_id = found.launch.session_id
        if session_id in self._sessions:
            return
        session = Session(found.launch, engine, self._around)
        self._sessions[session_id] = session
        self.log.info("Session {id} was found in {engine}", id=session_id, engine=engine.name)
        session.adopt(found.address, found.started)
        self._queue.tell_places()

    def _ended(self, session_id: str, end: Ended) -> None:
        session = self._sessions.get(session_id)
        if session is not None:
            session.ended(end)

    # What people ask for; see `giestack.site.spawning.Spawning`.

    def profiles(self, visitor: Identity) -> Sequence[Profile]:
        """What a visitor may start, in the configured order."""
        return self._catalogue.of(visitor)

    def note(self, profile: Profile) -> str:
        """What people should know before they start a profile; "" for nothing."""
        return self._catalogue.note(profile)

    def closed(self, profile: Profile) -> str:
        """Why no session of a profile can be started just now; "" if one can."""
        return self._catalogue.closed(profile)

    def request(
        self,
        visitor: Identity,
        profile: str,
        name: str | None,
        options: Mapping[str, object],
        *,
        circumstances: Circumstances = _NOWHERE,
    ) -> tuple[SessionView, bool]:
        """Ask for a session, or join the visitor's own of that profile and name."""
        wanted = self._catalogue.offered(visitor, profile)
        if wanted is None:
            raise unknown_profile(profile)
        name = name.strip() if name else ""
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise bad_option("name", f"The name must be one line of {LONGEST_NAME} characters.")
        picked = chosen(options_of(wanted.options), options)
        name = name or profile
        own = [s for s in self._sessions.values() if s.launch_as.owner.is_(visitor)]
        for session in own:
            known = session.launch_as
            if known.profile.name == profile and known.name == name and not session.leaving:
                if session.state in ENDED:
                    self._catalogue.check_open(wanted)
                    self._audit_start(visitor, known)
                    session.request(
                        replace(known, profile=wanted, options=picked, circumstances=circumstances)
                    )
                return session.view(), False
        self._catalogue.check_open(wanted)
        self._check_found()
        if len(own) >= MOST_OF_ONE_USER:
            self._make_room(own)
        owner = owner_of(visitor)
        session_id, engine = self._place(wanted, picked, owner)
        launch_as = Launch(
            session_id=session_id,
            owner=owner,
            profile=wanted,
            name=name,
            options=picked,
            base_url=base_url_of(self._prefix, session_id, self._own_hosts),
            galaxy_url=self._galaxy_url,
            circumstances=circumstances,
            created=self._clock.seconds(),
        )
        session = Session(launch_as, engine, self._around)
        self._sessions[launch_as.session_id] = session
        self._audit_start(visitor, launch_as)
        session.request(launch_as)
        return session.view(), True

    def _check_found(self) -> None:
        """Refuse while a session that is asked for may be there already, and not be found yet.

        Two of them would share a home.
        """
        able = self._catalogue.able()
        if any(engine.lives_on and engine.name in self._unopened for engine in able):
            raise SpawnRefused(
                503, "sessions-unavailable", "Which sessions there are is not known yet. Try again."
            )

    def _place(
        self, profile: Profile, options: Mapping[str, object], owner: Owner
    ) -> tuple[str, Engine]:
        """The id of a new session, and the engine that it is on or waits for.

        Where it can start at once it gets what was made ready for it.
        """
        able = self._catalogue.able()
        first = self._queue.first_choice(need_of(profile, owner.key))
        if first is not None:
            for engine in able:
                need = need_of(profile, owner.key, engine.name)
                if self._queue.first_choice(need) is engine:
                    session_id = engine.reserve(profile, options)
                    if session_id:
                        return session_id, engine
        return self._new_id(), first or able[0]

    @property
    def knows_all(self) -> bool:
        """Whether all engines have told what sessions they have."""
        return not self._unopened

    def view(self, session_id: str) -> SessionView | None:
        """One session; None where there is none of that id."""
        session = self._sessions.get(session_id)
        return session.view() if session else None

    def views(self, visitor: Identity | None = None) -> Sequence[SessionView]:
        """The sessions of a visitor, or of everybody; the newest first."""
        found = [
            session.view()
            for session in self._sessions.values()
            if visitor is None or session.launch_as.owner.is_(visitor)
        ]
        return found[::-1]

    def stop(self, session_id: str, by: Identity | Operator) -> None:
        """Stop a session and forget it."""
        session = self._sessions.get(session_id)
        if session is not None:
            session.dismiss(by)

    def restart(self, session_id: str, by: Identity) -> None:
        """Stop a session, if it runs, and start it again with the same options.

        One that its profile does not have any more, or not like that, gets its default. What could
        not be started again just now is not stopped either.
        """
        session = self._sessions.get(session_id)
        if session is None:
            return
        profile = self._catalogue.offered(by, session.launch_as.profile.name)
        if profile is None:
            raise SpawnRefused(
                409,
                "no-such-profile",
                f"{session.launch_as.profile.title} is not offered any more.",
            )
        self._catalogue.check_open(profile)
        options = still_chosen(options_of(profile.options), session.launch_as.options)
        session.restart(replace(session.launch_as, profile=profile, options=options), by)

    def subscribe(
        self, session_id: str, changed: Callable[[Moment], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """Call ``changed`` now and with each change, ``end`` when there is nothing more."""
        session = self._sessions.get(session_id)
        if session is None:
            end()
            return lambda: None
        return session.subscribe(changed, end)

    def logs(self, session_id: str, tail: int) -> Deferred[Sequence[str]]:
        """The last lines a session printed; of one that failed what was kept of them."""
        session = self._sessions.get(session_id)
        if session is None:
            return succeed(())
        if session.state in ENDED:
            return succeed(session.standing.log[-tail:] if tail else ())
        return session.engine.logs(session_id, tail)

    def follow(
        self, session_id: str, tail: int, line: Callable[[str], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """Call ``line`` with the last lines and each further one, ``end`` after the last."""
        session = self._sessions.get(session_id)
        if session is not None and session.state not in ENDED:
            return session.engine.follow(session_id, tail, line, end)
        for text in session.standing.log[-tail:] if session and tail else ():
            line(text)
        end()
        return lambda: None

    def stats(self, session_ids: Sequence[str]) -> Deferred[Mapping[str, Stats]]:
        """What ready sessions use now, at most some seconds old."""
        sessions = [self._sessions[one] for one in session_ids if one in self._sessions]
        return Deferred.fromCoroutine(self._stats.of(sessions))

    # For the front door and the metrics.

    def entrance(self, session_id: str) -> Entrance | None:
        """The way into a session; None where there is none of that id."""
        session = self._sessions.get(session_id)
        return session.entrance if session else None

    def entrances(self) -> Sequence[Entrance]:
        """The ways into all sessions."""
        return [session.entrance for session in self._sessions.values()]

    def states(self) -> Mapping[str, int]:
        """How many sessions are in each state."""
        counted = Counter(session.state for session in self._sessions.values())
        return {state: counted[state] for state in STATES}

    def questions(self) -> Mapping[str, Callable[[], Deferred[Sequence[str]]]]:
        """What to ask each engine to see whether all profiles could start there, by its name."""
        return {f"engine {name}": ask for name, ask in self._questions.items()}

    def _ask_of(self, engine: Engine) -> Callable[[], Deferred[Sequence[str]]]:
        return lambda: engine.troubles(self._catalogue.all())

    # The rest.

    def _all(self) -> Sequence[Session]:
        return list(self._sessions.values())

    def _tick(self) -> None:
        able = self._catalogue.able()
        if able != self._known_able:
            self._known_able = able
            self._queue.admit()
        for session in self._all():
            session.tick()

    def _make_room(self, own: Sequence[Session]) -> None:
        """Forget the oldest of somebody's sessions that have ended, or refuse another one."""
        ended = [session for session in own if session.state in ENDED]
        if not ended:
            raise SpawnRefused(
                429,
                "too-many-sessions",
                f"You have {len(own)} sessions, running and waiting. Stop some of them first.",
            )
        min(ended, key=lambda session: session.standing.since).expire()

    def _audit_start(self, visitor: Identity, launch_as: Launch) -> None:
        self._audit(
            "started",
            visitor,
            session=launch_as.session_id,
            profile=launch_as.profile.name,
            name=launch_as.name,
        )

    def _count(self, profile: str, result: str) -> None:
        self.results[profile, result] += 1

    def _forget(self, session: Session) -> None:
        session_id = session.launch_as.session_id
        self._sessions.pop(session_id, None)
        self._stats.forget(session_id)
        self._queue.admit()
