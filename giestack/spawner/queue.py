"""Sessions that wait for room, and how they get it."""

from collections.abc import Callable, Iterable, Mapping

from giestack.spawner.admission import Limits, Need, Waiting, admitted, places
from giestack.spawner.catalogue import need_of
from giestack.spawner.engine import Engine, Room
from giestack.spawner.session import Session


class Queue:
    """Lets sessions start in the order of asking, as far as the limits allow.

    ``sessions`` gives all sessions; those that take up room count. ``engines`` gives those
    that can start something now.
    """

    def __init__(
        self,
        sessions: Callable[[], Iterable[Session]],
        engines: Callable[[], Iterable[Engine]],
    ) -> None:
        self._sessions = sessions
        self._engines = engines
        self._limits = Limits()
        self._waiting: dict[str, Session] = {}
        self._places: dict[str, Waiting] | None = None
        self._admitting = False

    def configure(self, limits: Limits) -> None:
        """Take other limits from now on; what runs goes on."""
        self._limits = limits
        self.admit()

    def enter(self, session: Session) -> None:
        """A session waits for room."""
        self._waiting[session.launch_as.session_id] = session
        self.admit()

    def leave(self, session: Session) -> None:
        """A session waits no more."""
        self._waiting.pop(session.launch_as.session_id, None)
        self.tell_places()

    def clear(self) -> None:
        """Nobody waits any more."""
        self._waiting.clear()
        self._places = None

    def waiting(self, session: Session) -> Waiting | None:
        """Where a session stands; None where it does not wait."""
        if self._places is None:
            self._places = places(self._limits, self._there(), self._needs(), self._rooms())
        return self._places.get(session.launch_as.session_id)

    def admit(self) -> None:
        """Start those for whom there is room now. What that leads to may call this again."""
        if self._admitting:
            return
        self._admitting = True
        try:
            while found := self._admitted(self._needs()):
                for session_id, engine in found.items():
                    # What the one before led to may have ended its wait, or drained an engine.
                    session = self._waiting.pop(session_id, None)
                    if session is not None:
                        session.admit(engine)
        finally:
            self._admitting = False
        self.tell_places()

    def first_choice(self, need: Need) -> Engine | None:
        """The engine on which a new session could start at once; None where it has to wait."""
        if self._waiting:
            return None
        return self._admitted({"": need}).get("")

    def _admitted(self, queue: Mapping[str, Need]) -> dict[str, Engine]:
        engines = {engine.name: engine for engine in self._engines()}
        found = admitted(self._limits, self._there(), queue, self._rooms())
        return {session_id: engines[name] for session_id, name in found.items()}

    def tell_places(self) -> None:
        """Let those who wait know where they stand now."""
        self._places = None
        for session in list(self._waiting.values()):
            session.announce()

    def _there(self) -> list[Need]:
        return [_need(session) for session in self._sessions() if session.occupies]

    def _needs(self) -> Mapping[str, Need]:
        return {one: _need(session) for one, session in self._waiting.items()}

    def _rooms(self) -> Mapping[str, Room]:
        return {engine.name: engine.room for engine in self._engines()}


def _need(session: Session) -> Need:
    """What a session takes up, and on which engine."""
    launch_as = session.launch_as
    return need_of(launch_as.profile, launch_as.owner.key, session.engine.name)
