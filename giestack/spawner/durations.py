"""How long the steps of starts took, counted for the metrics."""

from bisect import bisect_left

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper ends of the buckets, in seconds; the last bucket has none."""

STEPS = ("queued", "pulling", "creating", "starting", "total")


class Tally:
    """Durations of one step.

    :ivar buckets: how many there were of each length, one more than `BOUNDS`.
    :ivar seconds: all of them together.
    """

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0


class Durations:
    """Durations by step; `STEPS` are there from the beginning.

    :ivar bounds: `BOUNDS`.
    :ivar tallies: by step.
    """

    def __init__(self) -> None:
        self.bounds = BOUNDS
        self.tallies = {step: Tally() for step in STEPS}

    def add(self, step: str, seconds: float) -> None:
        """Count a duration; one below zero, by a clock that was set back, is zero."""
        tally = self.tallies[step]
        seconds = max(seconds, 0.0)
        tally.buckets[bisect_left(BOUNDS, seconds)] += 1
        tally.seconds += seconds
