"""What sessions use now, asked no more often than somebody could read it."""

from collections.abc import Iterable, Mapping

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from giestack.spawner.engine import Stats
from giestack.spawner.session import Session

BELIEVED = 2.0
"""Seconds for which an answer is believed."""

PATIENCE = 0.5
"""Seconds that an engine has to answer."""


class KnownStats:
    """The last answers of the engines."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Stats]] = {}

    async def of(self, sessions: Iterable[Session]) -> Mapping[str, Stats]:
        """What each of these uses, by id; those that are not ready, or not known, are left out."""
        now = self._clock.seconds()
        ready = {s.launch_as.session_id: s for s in sessions if s.state == "ready"}
        await gatherResults(
            [
                Deferred.fromCoroutine(self._ask(session_id, session))
                for session_id, session in ready.items()
                if session_id not in self._known or now - self._known[session_id][0] > BELIEVED
            ]
        )
        return {one: self._known[one][1] for one in ready if one in self._known}

    def forget(self, session_id: str) -> None:
        """A session is gone."""
        self._known.pop(session_id, None)

    async def _ask(self, session_id: str, session: Session) -> None:
        try:
            asked = session.engine.stats(session_id)
            stats = await asked.addTimeout(PATIENCE, self._clock)
        except Exception as error:
            self.log.debug("No figures of session {id}: {error!r}", id=session_id, error=error)
            return
        if stats is not None and session.state == "ready":
            self._known[session_id] = (self._clock.seconds(), stats)
