"""Asks connections now and then whether anybody is still there."""

from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

INTERVAL = 25
"""Seconds between two questions: nginx cuts what was silent for 60."""

PATIENCE = 20
"""Seconds in which something must be heard after a question."""


class Asked(Protocol):
    """A connection.

    :ivar heard: it makes this true whenever it hears something.
    :ivar beat: the pulse's own.
    """

    heard: bool
    beat: int

    def ask(self) -> None:
        """Ask the other side to say something."""

    def nobody_there(self) -> None:
        """Nothing was heard."""


class Pulse:
    """One clock for all connections: a timer each would cost more than the connection itself.

    Each second has its share of the connections, those that came in it.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._beats: list[set[Asked]] = [set() for _ in range(INTERVAL)]
        self._now = 0
        self._ticker = LoopingCall(self._tick)
        self._ticker.clock = clock

    def start(self) -> None:
        self._ticker.start(1.0, now=False)

    def stop(self) -> None:
        if self._ticker.running:
            self._ticker.stop()

    def add(self, connection: Asked) -> None:
        connection.heard = True
        connection.beat = self._now
        self._beats[self._now].add(connection)

    def discard(self, connection: Asked) -> None:
        self._beats[connection.beat].discard(connection)

    def __len__(self) -> int:
        return sum(map(len, self._beats))

    def _tick(self) -> None:
        self._now = (self._now + 1) % INTERVAL
        for connection in list(self._beats[self._now - PATIENCE]):
            if not connection.heard:
                # One in trouble must not stop the clock for all others.
                with self._log.failuresHandled("a connection that is silent"):
                    connection.nobody_there()
        for connection in list(self._beats[self._now]):
            connection.heard = False
            with self._log.failuresHandled("a connection that is to be asked"):
                connection.ask()
