"""Metrics of the chat."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from giestack.ops.buckets import cumulative

COMMIT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper ends of the buckets for the length of commits, seconds."""


class Commits:
    """How long commits took; is told each one, in seconds, from any thread."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(COMMIT_BOUNDS) + 1)
        self.seconds = 0.0

    def __call__(self, seconds: float) -> None:
        self.buckets[bisect_left(COMMIT_BOUNDS, seconds)] += 1
        self.seconds += seconds


class Sending(Protocol):
    """What goes out, as `giestack.chat.fanout.Fanout` counts it."""

    deliveries: int
    waiting: int


class Carried(Protocol):
    """What was asked for, as `giestack.chat.requests.Requests` counts it."""

    done: dict[str, int]
    refused: dict[str, int]


class Caught(Protocol):
    """Who could not keep up, as `giestack.chat.hearing.Hearing` counts it."""

    gaps: int


class Conversations(Protocol):
    """The chat, as `giestack.chat.chat.Chat` has it."""

    @property
    def ready(self) -> bool: ...
    @property
    def clients(self) -> Collection[object]: ...
    @property
    def fanout(self) -> Sending: ...
    @property
    def requests(self) -> Carried: ...
    @property
    def hearing(self) -> Caught: ...
    @property
    def paused(self) -> int: ...
    @property
    def people_here(self) -> int: ...


class Stored(Protocol):
    """The store, as `giestack.chat.store.store.ChatStore` counts it."""

    @property
    def appended(self) -> int: ...
    @property
    def batches(self) -> int: ...
    @property
    def waiting(self) -> int: ...


def of_chat(chat: Conversations, store: Stored, commits: Commits) -> Iterator[Metric]:
    """Make the metrics, from the numbers of now."""
    yield _gauge("ready", "1 while the chat's store is open.", chat.ready)
    yield _gauge("sockets", "Connections open now, event streams too.", len(chat.clients))
    yield _gauge("people", "People who have a connection now.", chat.people_here)
    yield _gauge("paused", "Connections that read too slowly now.", chat.paused)
    yield _counter(
        "gaps", "How often somebody had missed too much to be sent it.", chat.hearing.gaps
    )
    yield _counter("messages", "Events stored: messages, edits, deletions, acts.", store.appended)
    yield _counter("deliveries", "Events times those who heard them.", chat.fanout.deliveries)
    yield _gauge("outgoing", "Events that wait a moment to go out together.", chat.fanout.waiting)
    yield _gauge("queue", "Writes that wait for the store, or are under way.", store.waiting)
    yield _by("requests", "Requests carried out.", "request", chat.requests.done)
    yield _by("refusals", "Requests refused.", "code", chat.requests.refused)
    length = HistogramMetricFamily(
        "giestack_chat_commit_seconds", "How long the store took to commit."
    )
    length.add_metric([], cumulative(COMMIT_BOUNDS, commits.buckets), commits.seconds)
    yield length


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"giestack_chat_{name}", about, value=value)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"giestack_chat_{name}", about, value=value)


def _by(name: str, about: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"giestack_chat_{name}", about, labels=[label])
    for key, count in sorted(values.items()):
        family.add_metric([key], count)
    return family
