"""Those who want to hear how a session goes on."""

from collections.abc import Callable
from dataclasses import dataclass

from twisted.logger import Logger

from giestack.spawner.view import Moment


@dataclass(frozen=True, eq=False, slots=True)
class _Listener:
    changed: Callable[[Moment], None]
    end: Callable[[], None]


class Listeners:
    """A set of listeners; one that goes wrong is left out from then on, and hurts nobody."""

    log = Logger()

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, changed: Callable[[Moment], None], end: Callable[[], None]) -> Callable[[], None]:
        """Let somebody hear; returns what to call to hear no more."""
        listener = _Listener(changed, end)
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def tell(self, moment: Moment) -> None:
        """Tell all of them how it is now."""
        for listener in list(self._listeners):
            # One may have left because of what another one has just heard.
            if listener in self._listeners and not self._call(listener.changed, moment):
                self._listeners.discard(listener)

    def end(self) -> None:
        """Tell all of them that there is nothing more to come, and let them go."""
        while self._listeners:
            self._call(self._listeners.pop().end)

    def _call(self, function: Callable[..., None], *args: object) -> bool:
        try:
            function(*args)
        except Exception:
            self.log.failure("A listener of a session went wrong")
            return False
        return True
