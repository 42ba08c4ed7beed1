"""What is told of sessions."""

from types import SimpleNamespace
from typing import cast, get_args

from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.session_metrics import SpawnedSessions, of_sessions
from giestack.spawner.durations import Durations
from giestack.spawner.view import State
from tests.ops.samples import samples_of


class SessionMetricsTests(SynchronousTestCase):
    def test_everything(self) -> None:
        durations = Durations()
        for seconds in (0.4, 7.0):
            durations.add("starting", seconds)
        states = dict.fromkeys(get_args(State), 0)
        states["queued"] = 2
        spawned = SimpleNamespace(
            states=lambda: states,
            results={("jupyter", "failed"): 3, ("jupyter", "ready"): 5},
            durations=durations,
            culler=SimpleNamespace(culls={"idle": 4, "lifetime": 0}),
        )
        samples = samples_of(of_sessions(cast(SpawnedSessions, spawned)))
        name = "giestack_spawned_sessions"
        self.assertEqual(samples[f"{name} state=queued"], 2)
        self.assertEqual(samples[f"{name} state=ready"], 0)
        self.assertEqual(len([one for one in samples if one.startswith(f"{name} ")]), 8)
        self.assertEqual(samples["giestack_spawns_total profile=jupyter result=failed"], 3)
        self.assertEqual(samples["giestack_spawns_total profile=jupyter result=ready"], 5)
        name = "giestack_spawn_step_duration_seconds"
        self.assertEqual(samples[f"{name}_bucket le=0.5 step=starting"], 1)
        self.assertEqual(samples[f"{name}_bucket le=10.0 step=starting"], 2)
        self.assertEqual(samples[f"{name}_sum step=starting"], 7.4)
        self.assertEqual(samples[f"{name}_count step=total"], 0)
        self.assertEqual(samples["giestack_spawned_sessions_culled_total reason=idle"], 4)
