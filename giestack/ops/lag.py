"""How late the reactor is: the first thing to look at when everything is slow."""

from bisect import bisect_left

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper ends of the buckets, in seconds; the last bucket has none."""

INTERVAL = 0.5
"""Seconds between two measurements."""


class ReactorLag:
    """Measures how much later than it should a timed call comes.

    :ivar buckets: measurements by lateness, one more than `LAG_BOUNDS`.
    :ivar seconds: all lateness together.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.buckets = [0] * (len(LAG_BOUNDS) + 1)
        self.seconds = 0.0
        self._clock = clock
        self._due = 0.0
        self._loop = LoopingCall.withCount(self._measure)
        self._loop.clock = clock

    def start(self) -> None:
        """Measure from now on."""
        self._due = self._clock.seconds() + INTERVAL
        self._loop.start(INTERVAL, now=False).addErrback(
            lambda failure: self._log.failure("the reactor's lag is no longer measured", failure)
        )

    def stop(self) -> None:
        """Measure no more."""
        if self._loop.running:
            self._loop.stop()

    def _measure(self, intervals: int) -> None:
        # A call that comes several intervals late comes only once.
        late = max(self._clock.seconds() - self._due, 0.0)
        self._due += intervals * INTERVAL
        self.buckets[bisect_left(LAG_BOUNDS, late)] += 1
        self.seconds += late
