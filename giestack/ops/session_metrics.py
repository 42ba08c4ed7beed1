"""Metrics of the sessions that are started for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from giestack.ops.buckets import cumulative


class Durations(Protocol):
    """How long something took, one count for each length and one for all that is longer."""

    @property
    def buckets(self) -> Sequence[int]: ...
    @property
    def seconds(self) -> float: ...


class StepDurations(Protocol):
    """How long the steps of starts took; `bounds` are the upper ends of the buckets."""

    @property
    def bounds(self) -> Sequence[float]: ...
    @property
    def tallies(self) -> Mapping[str, Durations]: ...


class Culls(Protocol):
    """Sessions that were ended for nobody's sake, by reason."""

    @property
    def culls(self) -> Mapping[str, int]: ...


class SpawnedSessions(Protocol):
    """What is known of spawned sessions, as `giestack.spawner.spawner.Spawner` counts it.

    :ivar results: by profile and what came of them.
    """

    @property
    def results(self) -> Mapping[tuple[str, str], int]: ...
    @property
    def durations(self) -> StepDurations: ...
    @property
    def culler(self) -> Culls: ...

    def states(self) -> Mapping[str, int]:
        """How many sessions are in each state; every state is there."""


def of_sessions(spawned: SpawnedSessions) -> Iterator[Metric]:
    """Make the metrics, from the numbers of now."""
    sessions = GaugeMetricFamily(
        "giestack_spawned_sessions",
        "Spawned sessions by state; those that are queued wait for room.",
        labels=["state"],
    )
    for state, count in spawned.states().items():
        sessions.add_metric([state], count)
    results = CounterMetricFamily(
        "giestack_spawns", "Starts, and what came of them.", labels=["profile", "result"]
    )
    for (profile, result), count in sorted(spawned.results.items()):
        results.add_metric([profile, result], count)
    steps = HistogramMetricFamily(
        "giestack_spawn_step_duration_seconds",
        "How long the steps of starts took; total is from the wish to the first answer.",
        labels=["step"],
    )
    bounds = spawned.durations.bounds
    for step, tally in spawned.durations.tallies.items():
        steps.add_metric([step], cumulative(bounds, tally.buckets), tally.seconds)
    culls = CounterMetricFamily(
        "giestack_spawned_sessions_culled",
        "Sessions ended because nobody used them, or because their time was over.",
        labels=["reason"],
    )
    for reason, count in spawned.culler.culls.items():
        culls.add_metric([reason], count)
    return iter((sessions, results, steps, culls))
