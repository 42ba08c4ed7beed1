"""Metrics of Docker's engines: what they are asked, and what they keep ready."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)


class EngineFigures(Protocol):
    """What is known of one engine, as `giestack.spawner.docker.figures.Figures` counts it.

    :ivar calls: requests to it by (kind, status); status 0: there was no answer.
    :ivar seconds: that these took, by kind.
    :ivar pulled: bytes of images that were fetched.
    :ivar warm: starts by (profile, ``hit`` or ``miss``).
    :ivar pool: asks how many sessions of each profile are ready, and how many there should be.
    """

    @property
    def calls(self) -> Mapping[tuple[str, int], int]: ...
    @property
    def seconds(self) -> Mapping[str, float]: ...
    @property
    def pulled(self) -> int: ...
    @property
    def warm(self) -> Mapping[tuple[str, str], int]: ...
    @property
    def pool(self) -> Callable[[], Mapping[str, tuple[int, int]]]: ...


def of_engines(engines: Mapping[str, EngineFigures]) -> Iterator[Metric]:
    """Make the metrics, from the numbers of now; ``engines`` is by name."""
    yield from _of_calls(engines)
    yield from _of_warm(engines)


def _of_calls(engines: Mapping[str, EngineFigures]) -> Iterator[Metric]:
    calls = CounterMetricFamily(
        "giestack_docker_calls",
        "Requests to Docker's engines, by kind and status; 0 where there was no answer.",
        labels=["engine", "call", "status"],
    )
    seconds = SummaryMetricFamily(
        "giestack_docker_call_seconds",
        "How long Docker's engines took to answer.",
        labels=["engine", "call"],
    )
    pulled = CounterMetricFamily(
        "giestack_docker_pulled_bytes",
        "Bytes of images that Docker's engines have fetched for sessions.",
        labels=["engine"],
    )
    for name, figures in engines.items():
        counts = Counter[str]()
        for (kind, status), count in sorted(figures.calls.items()):
            calls.add_metric([name, kind, str(status)], count)
            counts[kind] += count
        for kind, count in counts.items():
            seconds.add_metric([name, kind], count, figures.seconds.get(kind, 0.0))
        pulled.add_metric([name], figures.pulled)
    return iter((calls, seconds, pulled))


def _of_warm(engines: Mapping[str, EngineFigures]) -> Iterator[Metric]:
    """Those of all engines together: to people it is all the same where one is ready."""
    sessions = GaugeMetricFamily(
        "giestack_warm_sessions",
        "Sessions started beforehand: how many are ready, and how many there should be.",
        labels=["profile", "state"],
    )
    claims = CounterMetricFamily(
        "giestack_warm_claims",
        "Starts of profiles that are started beforehand, and whether one was ready (hit).",
        labels=["profile", "result"],
    )
    ready, wanted, claimed = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for figures in engines.values():
        for profile, (there, needed) in figures.pool().items():
            ready[profile] += there
            wanted[profile] += needed
        claimed.update(figures.warm)
    for profile in sorted(ready):
        sessions.add_metric([profile, "ready"], ready[profile])
        sessions.add_metric([profile, "wanted"], wanted[profile])
    for (profile, result), count in sorted(claimed.items()):
        claims.add_metric([profile, result], count)
    return iter((sessions, claims))
