"""Prometheus text, from what everybody counts."""

from types import SimpleNamespace
from typing import cast

from prometheus_client import REGISTRY
from twisted.internet.address import UNIXAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.lag import ReactorLag
from giestack.ops.metrics import (
    Backends,
    Clients,
    DroppedLines,
    Metrics,
    Routes,
    Sessions,
)
from giestack.ops.session_metrics import SpawnedSessions
from giestack.ops.traffic import Traffic
from giestack.spawner.docker.figures import Figures
from giestack.spawner.durations import Durations
from tests.ops.samples import read
from tests.ops.test_traffic import make_exchange, make_front


class MetricsTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.traffic = Traffic(self.clock, 1)
        self.lag = ReactorLag(self.clock)
        self.clients = SimpleNamespace(accepted=5, refused=2, connections=3, draining=False)
        self.backends = SimpleNamespace(opened=7, reused=11)
        self.routes = {}

    def metrics(self, **given):
        return Metrics(
            traffic=self.traffic,
            clients=cast(Clients, self.clients),
            backends=cast(Backends, self.backends),
            lag=self.lag,
            routes=self.routes,
            **given,
        )

    def samples(self, metrics=None):
        """Each sample by its name with its labels, as Prometheus would read it."""
        return read((metrics or self.metrics()).text())

    def finish(self, **given):
        self.traffic.finished(make_exchange(self.clock, **given), b"")

    def test_requests(self):
        self.finish()
        self.finish()
        self.finish(status=404)
        self.finish(kind="own")
        samples = self.samples()
        self.assertEqual(
            {
                name: value
                for name, value in samples.items()
                if name.startswith("giestack_requests")
            },
            {
                "giestack_requests_total kind=entry_point status=200": 2,
                "giestack_requests_total kind=entry_point status=404": 1,
                "giestack_requests_total kind=own status=200": 1,
            },
        )

    def test_numbers_are_read_when_asked_for(self):
        metrics = self.metrics()
        self.assertNotIn("giestack_requests_total kind=own status=200", self.samples(metrics))
        self.finish(kind="own")
        self.assertEqual(self.samples(metrics)["giestack_requests_total kind=own status=200"], 1)

    def test_durations(self):
        for lasted, status in ((0.004, 200), (0.3, 200), (0.3, 404), (100.0, 200)):
            self.finish(lasted=lasted, status=status)
        self.finish(lasted=9.0, kind="own")
        samples = self.samples()
        name = "giestack_request_duration_seconds"
        self.assertEqual(
            [
                samples[f"{name}_bucket kind=entry_point le={end}"]
                for end in ("0.005", "0.25", "0.5", "60.0", "+Inf")
            ],
            [1, 1, 3, 3, 4],
        )
        self.assertEqual(samples[f"{name}_count kind=entry_point"], 4)
        self.assertAlmostEqual(samples[f"{name}_sum kind=entry_point"], 100.604)
        self.assertEqual(samples[f"{name}_count kind=own"], 1)

    def test_bytes(self):
        self.finish(sent=10, received=1)
        self.finish(sent=100, received=2, status=101, tunnel=True)
        samples = self.samples()
        self.assertEqual(samples["giestack_sent_bytes_total kind=entry_point"], 110)
        self.assertEqual(samples["giestack_received_bytes_total kind=entry_point"], 3)

    def test_tunnels_are_no_requests_that_took_long(self):
        self.finish(status=101, tunnel=True, lasted=3600.0)
        samples = self.samples(self.metrics(open_tunnels=lambda: 4))
        self.assertEqual(samples["giestack_tunnel_duration_seconds_count kind=entry_point"], 1)
        self.assertEqual(samples["giestack_tunnel_duration_seconds_sum kind=entry_point"], 3600.0)
        self.assertEqual(samples["giestack_request_duration_seconds_count kind=entry_point"], 0)
        self.assertEqual(samples["giestack_open_tunnels"], 4)
        self.assertNotIn("giestack_open_tunnels", self.samples())

    def test_connections(self):
        self.clients.draining = True
        samples = self.samples()
        self.assertEqual(samples["giestack_client_connections"], 3)
        self.assertEqual(samples["giestack_client_connections_accepted_total"], 5)
        self.assertEqual(samples["giestack_client_connections_refused_total"], 2)
        self.assertEqual(samples["giestack_backend_connections_opened_total"], 7)
        self.assertEqual(samples["giestack_backend_connections_reused_total"], 11)
        self.assertEqual(samples["giestack_draining"], 1)

    def test_sessions(self):
        sessions = SimpleNamespace(lookups=9, hits=6, queries=3, errors=2, cut=1, cached=4)
        samples = self.samples(self.metrics(sessions=cast(Sessions, sessions)))
        self.assertEqual(samples["giestack_session_checks_total"], 9)
        self.assertEqual(samples["giestack_session_cache_hits_total"], 6)
        self.assertEqual(samples["giestack_session_queries_total"], 3)
        self.assertEqual(samples["giestack_session_query_errors_total"], 2)
        self.assertEqual(samples["giestack_session_cut_connections_total"], 1)
        self.assertEqual(samples["giestack_sessions_cached"], 4)
        self.assertNotIn("giestack_session_checks_total", self.samples())

    def test_routes(self):
        metrics = self.metrics()
        self.routes['a "b"'] = cast(Routes, SimpleNamespace(rows=3, reads=2, errors=1))
        self.routes["c"] = cast(Routes, SimpleNamespace(rows=0, reads=0, errors=0))
        samples = self.samples(metrics)
        self.assertEqual(samples['giestack_routes source=a "b"'], 3)
        self.assertEqual(samples['giestack_route_source_reads_total source=a "b"'], 2)
        self.assertEqual(samples['giestack_route_source_errors_total source=a "b"'], 1)
        self.assertEqual(samples["giestack_routes source=c"], 0)
        del self.routes["c"]
        self.assertNotIn("giestack_routes source=c", self.samples(metrics))

    def test_logs(self):
        audit = cast(DroppedLines, SimpleNamespace(dropped=7))
        metrics = self.metrics(logs={"access": self.traffic, "audit": audit})
        self.finish()
        self.finish()
        samples = self.samples(metrics)
        self.assertEqual(samples["giestack_log_dropped_lines_total log=access"], 1)
        self.assertEqual(samples["giestack_log_dropped_lines_total log=audit"], 7)

    def test_spawned_sessions(self):
        spawned = SimpleNamespace(
            states=lambda: {"ready": 3},
            results={},
            durations=Durations(),
            culler=SimpleNamespace(culls={}),
        )
        samples = self.samples(self.metrics(spawned=cast(SpawnedSessions, spawned)))
        self.assertEqual(samples["giestack_spawned_sessions state=ready"], 3)
        self.assertNotIn("giestack_spawned_sessions state=ready", self.samples())

    def test_engines(self):
        figures = Figures()
        metrics = self.metrics(figures=lambda: {"local": figures})
        figures.received(5)
        name = "giestack_docker_pulled_bytes_total engine=local"
        self.assertEqual(self.samples(metrics)[name], 5)
        self.assertNotIn(name, self.samples())

    def test_lag(self):
        self.lag.start()
        self.clock.advance(0.75)
        samples = self.samples()
        self.assertEqual(samples["giestack_reactor_lag_seconds_bucket le=0.1"], 0)
        self.assertEqual(samples["giestack_reactor_lag_seconds_bucket le=0.25"], 1)
        self.assertEqual(samples["giestack_reactor_lag_seconds_count"], 1)
        self.assertEqual(samples["giestack_reactor_lag_seconds_sum"], 0.25)

    def test_the_process(self):
        self.assertGreater(self.samples()["process_open_fds"], 0)

    def test_names(self):
        self.finish()
        ours = [name for name in self.samples() if not name.startswith("process_")]
        self.assertGreater(len(ours), 20)
        self.assertEqual([name for name in ours if not name.startswith("giestack_")], [])

    def test_nothing_is_registered_globally(self):
        before = set(REGISTRY._names_to_collectors)
        self.metrics()
        self.assertEqual(set(REGISTRY._names_to_collectors), before)

    def test_the_real_front_and_pool(self):
        front = make_front(self.clock, self.traffic)
        metrics = Metrics(
            traffic=self.traffic, clients=front, backends=front.pool, lag=self.lag, routes={}
        )
        front.buildProtocol(None).makeConnection(StringTransport(peerAddress=UNIXAddress("x")))
        samples = self.samples(metrics)
        self.assertEqual(samples["giestack_client_connections_accepted_total"], 1)
        self.assertEqual(samples["giestack_client_connections"], 1)
