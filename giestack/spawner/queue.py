"""Sessions that wait for room, and how they get it."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from giestack.spawner.admission import Limits, Waiting, admitted, places
from giestack.spawner.session import Session


class Queue:
    """Lets sessions start in the order of asking, as far as the limits allow.

    ``sessions`` gives all sessions; those that take up room count.
    """

    def __init__(self, sessions: Callable[[], Iterable[Session]]) -> None:
        self._sessions = sessions
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
            self._places = places(self._limits, self._there(), self._owners())
        return self._places.get(session.launch_as.session_id)

    def admit(self) -> None:
        """Start those for whom there is room now. What that leads to may call this again."""
        if self._admitting:
            return
        self._admitting = True
        try:
            while ids := admitted(self._limits, self._there(), self._owners()):
                for session_id in ids:
                    self._waiting.pop(session_id).admit()
        finally:
            self._admitting = False
        self.tell_places()

    def tell_places(self) -> None:
        """Let those who wait know where they stand now."""
        self._places = None
        for session in list(self._waiting.values()):
            session.announce()

    def _there(self) -> Iterator[str]:
        return (s.launch_as.owner.key for s in self._sessions() if s.occupies)

    def _owners(self) -> Mapping[str, str]:
        return {one: session.launch_as.owner.key for one, session in self._waiting.items()}
