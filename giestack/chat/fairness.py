"""How much one person may ask for, by all of their connections and by HTTP together.

Others are not to wait for somebody who asks for everything at once, and what is answered is not to
pile up for somebody who does not read.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from twisted.internet.defer import DeferredSemaphore

from giestack.chat.client import Asker
from giestack.chat.rates import Rates, UnderWay
from giestack.chat.storage import Rejected

RATE, BURST = 50.0, 1000
"""Requests a second of one person, after a burst of them."""

MOST_UNDER_WAY = 128
"""Requests of one person that may be under way."""

LOOKING_AT_ONCE = 2
"""Requests of one person that may look for much in the store at the same time; others wait."""

_A_MOMENT = 1000


class Fairness:
    """Keeps count of what people ask for; raises `Rejected` ``rate``."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """
        :param seconds: a clock that is never set.
        """
        self._seconds = seconds
        self._rates = Rates(RATE, BURST)
        self._under_way = UnderWay(MOST_UNDER_WAY)
        self._looking: dict[str, DeferredSemaphore] = {}

    def __len__(self) -> int:
        """How many people there are of whom something is under way."""
        return max(len(self._under_way), len(self._looking))

    def limit(self, limited: bool) -> None:
        """Whether there is a limit on how often somebody may ask."""
        self._rates.limit(RATE if limited else 0, BURST)

    @contextmanager
    def asking(self, person: str) -> Iterator[None]:
        """While a request of somebody's is carried out."""
        wait = self._rates.take(person, self._seconds())
        if wait:
            raise Rejected("rate", "You are asking for too much.", wait)
        with self.waiting(person):
            yield

    @contextmanager
    def waiting(self, person: str) -> Iterator[None]:
        """While somebody waits for something; however often they do."""
        if not self._under_way.begin(person):
            raise Rejected("rate", "You are asking for too much at once.", _A_MOMENT)
        try:
            yield
        finally:
            self._under_way.end(person)

    @asynccontextmanager
    async def looking(self, asker: Asker) -> AsyncIterator[None]:
        """While much is looked for: when it is somebody's turn, and they read what they get."""
        client = asker.client
        while True:
            while client is not None and client.paused and not client.gone:
                await client.readable()
            async with self.turn(asker.person.id):
                if client is None or not client.paused or client.gone:
                    yield
                    return

    @asynccontextmanager
    async def turn(self, person: str) -> AsyncIterator[None]:
        """While it is somebody's turn to look."""
        turns = self._looking.setdefault(person, DeferredSemaphore(LOOKING_AT_ONCE))
        await turns.acquire()
        try:
            yield
        finally:
            turns.release()
            if turns.tokens == LOOKING_AT_ONCE:
                self._looking.pop(person, None)
