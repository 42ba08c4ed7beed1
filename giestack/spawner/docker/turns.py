"""Lets programs start one after the other where their engine has no processor for more.

Twenty that start at once on two processors are all ready last, and leave nothing to anybody
else; one after the other the first are ready soon, and the last no later.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

MORE = 1
"""So many more than processors may start at a time: they wait for the disk now and then."""

LONGEST = 10.0
"""Seconds after which a program that does not answer yet holds up nobody any more."""


class Turns:
    """Who starts now, and who waits for that.

    :ivar limit: how many may start at a time.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.limit = 2 + MORE
        self._clock = clock
        self._taken: dict[str, IDelayedCall] = {}
        self._waiting: dict[str, Deferred[None]] = {}
        self._tell: dict[str, Callable[[int], None]] = {}

    async def take(self, session_id: str, tell: Callable[[int], None]) -> None:
        """Wait for a turn; may be cancelled. It is over with `give_back`, or after `LONGEST`.

        :param tell: is told how many come first, whenever that changes.
        """
        if len(self._taken) >= self.limit or self._waiting:
            tell(len(self._waiting))
            turn = self._waiting[session_id] = Deferred()
            self._tell[session_id] = tell
            try:
                await turn
            finally:
                self._waiting.pop(session_id, None)
                self._tell.pop(session_id, None)
        else:
            self._begin(session_id)

    def give_back(self, session_id: str) -> None:
        """A session has started, or never will; any other id is no failure."""
        taken = self._taken.pop(session_id, None)
        if taken is None:
            return
        if taken.active():
            taken.cancel()
        self._next()

    def _begin(self, session_id: str) -> None:
        late = self._clock.callLater(LONGEST, self.give_back, session_id)
        self._taken[session_id] = late

    def _next(self) -> None:
        while self._waiting and len(self._taken) < self.limit:
            session_id = next(iter(self._waiting))
            turn = self._waiting.pop(session_id)
            self._begin(session_id)
            turn.callback(None)
        for place, tell in enumerate(list(self._tell.values())):
            tell(place)

    def close(self) -> None:
        """Nobody starts any more."""
        for taken in self._taken.values():
            if taken.active():
                taken.cancel()
        self._taken.clear()
