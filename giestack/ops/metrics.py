"""Metrics as Prometheus text, made of plain numbers that the parts count by themselves.

Nothing is registered anywhere: the numbers are read when somebody asks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from giestack.ops.buckets import cumulative
from giestack.ops.engine_metrics import EngineFigures, of_engines
from giestack.ops.lag import LAG_BOUNDS, ReactorLag
from giestack.ops.session_metrics import SpawnedSessions, of_sessions
from giestack.ops.traffic import BOUNDS, TUNNEL, Traffic

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of `Metrics.text`."""


class Clients(Protocol):
    """What is known of client connections, as `giestack.proxy.front.Front` counts it."""

    accepted: int
    refused: int
    draining: bool

    @property
    def connections(self) -> int: ...


class Backends(Protocol):
    """What is known of connections to backends, as `giestack.proxy.pool.Pool` counts it."""

    opened: int
    reused: int


class Sessions(Protocol):
    """What is known of session checks, as `giestack.identity.sessions.Sessions` counts it."""

    lookups: int
    hits: int
    cut: int

    @property
    def queries(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def cached(self) -> int: ...


class Routes(Protocol):
    """What is known of one source of routes, as `giestack.routing.watch.WatchedMap` counts it."""

    rows: int
    errors: int

    @property
    def reads(self) -> int: ...


class DroppedLines(Protocol):
    """What is known of a log, as `giestack.ops.line_log.LineLog` counts it."""

    @property
    def dropped(self) -> int: ...


class Metrics:
    """Reads everybody's numbers.

    ``routes`` is by the source's name, which must hold no secret; it is read anew each time, so
    sources may come and go. ``logs`` is by the log's name. ``open_tunnels`` counts the tunnels
    that are open now. ``figures`` gives what Docker's engines count, by the engine's name;
    ``chat`` makes those of the chat. What is None is left out.
    """

    def __init__(
        self,
        *,
        traffic: Traffic,
        clients: Clients,
        backends: Backends,
        lag: ReactorLag,
        routes: Mapping[str, Routes],
        sessions: Sessions | None = None,
        logs: Mapping[str, DroppedLines] | None = None,
        open_tunnels: Callable[[], int] | None = None,
        spawned: SpawnedSessions | None = None,
        figures: Callable[[], Mapping[str, EngineFigures]] | None = None,
        chat: Callable[[], Iterable[Metric]] | None = None,
    ) -> None:
        self._traffic = traffic
        self._clients = clients
        self._backends = backends
        self._lag = lag
        self._routes = routes
        self._sessions = sessions
        self._logs = logs or {}
        self._spawned = spawned
        self._figures = figures
        self._chat = chat
        self._open_tunnels = open_tunnels
        self._registry = CollectorRegistry()
        self._registry.register(_Collected(self._collect))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)

    def _collect(self) -> Iterator[Metric]:
        yield from self._of_traffic()
        yield from self._of_connections()
        if self._sessions is not None:
            yield from _of_sessions(self._sessions)
        yield from _of_routes(self._routes)
        if self._spawned is not None:
            yield from of_sessions(self._spawned)
        if self._figures is not None:
            yield from of_engines(self._figures())
        if self._chat is not None:
            yield from self._chat()
        dropped = CounterMetricFamily(
            "giestack_log_dropped_lines", "Log lines that were never written.", labels=["log"]
        )
        for name, log in self._logs.items():
            dropped.add_metric([name], log.dropped)
        yield dropped
        lag = HistogramMetricFamily(
            "giestack_reactor_lag_seconds", "How late a timed call comes, measured twice a second."
        )
        lag.add_metric([], cumulative(LAG_BOUNDS, self._lag.buckets), self._lag.seconds)
        yield lag

    def _of_traffic(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "giestack_requests",
            "Requests answered, by kind of route and status; 0 where none was sent.",
            labels=["kind", "status"],
        )
        received = CounterMetricFamily(
            "giestack_received_bytes",
            "Bytes of bodies and tunnels from clients.",
            labels=["kind"],
        )
        sent = CounterMetricFamily(
            "giestack_sent_bytes", "Bytes of bodies and tunnels to clients.", labels=["kind"]
        )
        durations = HistogramMetricFamily(
            "giestack_request_duration_seconds",
            "From a request's head to the end of its answer; tunnels left out.",
            labels=["kind"],
        )
        tunnels = SummaryMetricFamily(
            "giestack_tunnel_duration_seconds",
            "How long the WebSocket tunnels that have ended were open.",
            labels=["kind"],
        )
        tallies = sorted(self._traffic.tallies.items())
        for kind in dict.fromkeys(kind for (kind, _), _ in tallies):
            buckets, seconds = [0] * (len(BOUNDS) + 1), 0.0
            bytes_in = bytes_out = 0
            for status, tally in ((s, tally) for (k, s), tally in tallies if k == kind):
                count = sum(tally.buckets)
                requests.add_metric([kind, str(status)], count)
                bytes_in += tally.received
                bytes_out += tally.sent
                if status == TUNNEL and kind != "chat":
                    tunnels.add_metric([kind], count, tally.seconds)
                else:
                    buckets = [a + b for a, b in zip(buckets, tally.buckets, strict=True)]
                    seconds += tally.seconds
            received.add_metric([kind], bytes_in)
            sent.add_metric([kind], bytes_out)
            durations.add_metric([kind], cumulative(BOUNDS, buckets), seconds)
        yield from (requests, received, sent, durations, tunnels)
        if self._open_tunnels is not None:
            yield _gauge("open_tunnels", "WebSocket tunnels open now.", self._open_tunnels())

    def _of_connections(self) -> Iterator[Metric]:
        clients, backends = self._clients, self._backends
        yield _gauge("client_connections", "Client connections open now.", clients.connections)
        yield _counter(
            "client_connections_accepted", "Client connections accepted.", clients.accepted
        )
        yield _counter(
            "client_connections_refused",
            "Client connections turned away because there were too many.",
            clients.refused,
        )
        yield _gauge("draining", "1 while giestack finishes what it has.", clients.draining)
        yield _counter(
            "backend_connections_opened", "Connections made to backends.", backends.opened
        )
        yield _counter(
            "backend_connections_reused",
            "Requests sent over a connection that had carried others.",
            backends.reused,
        )


def _of_sessions(sessions: Sessions) -> Iterator[Metric]:
    yield _counter("session_checks", "Session checks.", sessions.lookups)
    yield _counter("session_cache_hits", "Session checks answered from memory.", sessions.hits)
    yield _counter("session_queries", "Questions to the host's database.", sessions.queries)
    yield _counter(
        "session_query_errors",
        "Questions that the host's database did not answer.",
        sessions.errors,
    )
    yield _counter(
        "session_cut_connections",
        "Connections ended because their session had ended.",
        sessions.cut,
    )
    yield _gauge("sessions_cached", "Sessions in memory.", sessions.cached)


def _of_routes(sources: Mapping[str, Routes]) -> Iterator[Metric]:
    routes = GaugeMetricFamily("giestack_routes", "Routes published now.", labels=["source"])
    reads = CounterMetricFamily(
        "giestack_route_source_reads", "How often a source was read as a whole.", labels=["source"]
    )
    errors = CounterMetricFamily(
        "giestack_route_source_errors", "How often a source could not be read.", labels=["source"]
    )
    for name, source in sources.items():
        routes.add_metric([name], source.rows)
        reads.add_metric([name], source.reads)
        errors.add_metric([name], source.errors)
    return iter((routes, reads, errors))


class _Collected(Collector):
    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"giestack_{name}", about, value=value)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"giestack_{name}", about, value=value)
