"""Ends sessions that nobody uses, or that have lived for as long as they may."""

from collections.abc import Callable, Iterable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.spawner.session import Session
from giestack.spawner.view import ENDED
from giestack.spawner.words import idle, lived_long

INTERVAL = 5.0
"""Seconds between two looks at all sessions."""

KEPT = 24 * 3600.0
"""Seconds for which a session that has ended can be looked at, unless its owner dismisses it."""


class Culler:
    """Looks at all sessions every few seconds.

    What passed through the proxy tells that a session is in use. A session of which that says
    nothing for long enough is asked itself before it is ended: a Jupyter server whose kernel
    computes is in use, also with nobody watching.

    :ivar culls: sessions that were ended, by reason.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        sessions: Callable[[], Iterable[Session]],
    ) -> None:
        self.culls = {"idle": 0, "lifetime": 0}
        self._clock = clock
        self._sessions = sessions
        self._asking: dict[Session, Deferred[None]] = {}
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock

    def start(self) -> None:
        """Look from now on."""
        self._loop.start(INTERVAL, now=False).addErrback(self._broken)

    def stop(self) -> None:
        """Look no more."""
        if self._loop.running:
            self._loop.stop()
        for asking in list(self._asking.values()):
            asking.cancel()

    def _broken(self, failure: Failure) -> None:
        self.log.failure("Idle sessions are not ended any more", failure)

    def _look(self) -> None:
        now = self._clock.seconds()
        for session in list(self._sessions()):
            profile = session.launch_as.profile
            if session.state == "ready":
                if session.standing.end is not None and now >= session.standing.end:
                    self.culls["lifetime"] += 1
                    session.cull("lifetime", lived_long(profile))
                elif self._is_idle(session, now) and session not in self._asking:
                    self._ask(session)
            elif session.state in ENDED and now - session.standing.since >= KEPT:
                session.expire()

    @staticmethod
    def _is_idle(session: Session, now: float) -> bool:
        end = session.standing.idle_end
        return end is not None and now >= end

    def _ask(self, session: Session) -> None:
        self._asking[session] = asking = Deferred.fromCoroutine(self._cull_if_idle(session))
        asking.addErrback(self._not_asked)
        asking.addBoth(lambda _: self._asking.pop(session, None))

    def _not_asked(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("A session could not be asked what it does", failure)

    async def _cull_if_idle(self, session: Session) -> None:
        activity = await session.activity()
        now = self._clock.seconds()
        if activity is not None:
            last = now if activity.busy else min(activity.last or 0.0, now)
            session.standing.usage.last = max(session.standing.usage.last, last)
        if session.state == "ready" and self._is_idle(session, now):
            self.culls["idle"] += 1
            session.cull("idle", idle(session.launch_as.profile))
