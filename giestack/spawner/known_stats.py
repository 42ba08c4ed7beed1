"""What sessions use now, asked no more often than somebody could read it."""

from collections.abc import Iterable, Mapping

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from giestack.spawner.engine import Stats
from giestack.spawner.session import Session

BELIEVED = 2.0
"""Seconds for which an answer is believed; then a session is asked again."""

SHOWN = 15.0
"""Seconds for which an answer is shown while there is no other."""

WAITED = 0.02
"""Seconds that whoever asks first waits for the answer; the others wait for nothing."""

PATIENCE = 5.0
"""Seconds that an engine has to answer: one that has much to do must not hold up pages."""


class KnownStats:
    """The last answers of the engines."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Stats]] = {}
        self._asked: dict[str, float] = {}
        self._asking: dict[str, Deferred[None]] = {}

    async def of(self, sessions: Iterable[Session]) -> Mapping[str, Stats]:
        """What each of these uses, by id; those that are not ready, or not known, are left out."""
        ready = {s.launch_as.session_id: s for s in sessions if s.state == "ready"}
        asked = [one for one, session in ready.items() if self._ask(one, session)]
        if any(one in self._asking and self._shown(one) is None for one in asked):
            await deferLater(self._clock, WAITED)
        found = {one: self._shown(one) for one in ready}
        return {one: stats for one, stats in found.items() if stats is not None}

    def forget(self, session_id: str) -> None:
        """A session is gone."""
        self._known.pop(session_id, None)
        self._asked.pop(session_id, None)

    def close(self) -> None:
        """Ask nothing any more."""
        for asking in list(self._asking.values()):
            asking.cancel()

    def _shown(self, session_id: str) -> Stats | None:
        when, stats = self._known.get(session_id, (0.0, None))
        return stats if self._clock.seconds() - when <= SHOWN else None

    def _ask(self, session_id: str, session: Session) -> bool:
        """Ask a session, unless it is being asked, or was just now; whether it was asked."""
        now = self._clock.seconds()
        last = self._asked.get(session_id)
        if session_id in self._asking or (last is not None and now - last <= BELIEVED):
            return False
        self._asked[session_id] = now
        asking = Deferred.fromCoroutine(self._answer(session_id, session))
        if not asking.called:
            self._asking[session_id] = asking
            asking.addBoth(lambda _: self._asking.pop(session_id, None))
        return True

    async def _answer(self, session_id: str, session: Session) -> None:
        try:
            asked = session.engine.stats(session_id)
            stats = await asked.addTimeout(PATIENCE, self._clock)
        except CancelledError:
            return
        except Exception as error:
            self.log.debug("No figures of session {id}: {error!r}", id=session_id, error=error)
            return
        if stats is not None and session.state == "ready":
            self._known[session_id] = (self._clock.seconds(), stats)
