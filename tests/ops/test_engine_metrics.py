"""What is told of Docker's engines."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.engine_metrics import of_engines
from giestack.spawner.docker.figures import Figures
from tests.ops.samples import samples_of


class EngineMetricsTests(SynchronousTestCase):
    def test_calls(self) -> None:
        local, far = Figures(), Figures()
        local.called("container create", 201, 0.25)
        local.called("container create", 201, 0.5)
        local.called("container create", 0, 60.0)
        local.called("ping", 200, 0.125)
        far.called("ping", 500, 1.0)
        samples = samples_of(of_engines({"local": local, "far": far}))
        name = "giestack_docker_calls_total call"
        self.assertEqual(samples[f"{name}=container create engine=local status=201"], 2)
        self.assertEqual(samples[f"{name}=container create engine=local status=0"], 1)
        self.assertEqual(samples[f"{name}=ping engine=local status=200"], 1)
        self.assertEqual(samples[f"{name}=ping engine=far status=500"], 1)
        name = "giestack_docker_call_seconds"
        self.assertEqual(samples[f"{name}_count call=container create engine=local"], 3)
        self.assertEqual(samples[f"{name}_sum call=container create engine=local"], 60.75)
        self.assertEqual(samples[f"{name}_sum call=ping engine=far"], 1.0)

    def test_images(self) -> None:
        local = Figures()
        name = "giestack_docker_pulled_bytes_total engine=local"
        self.assertEqual(samples_of(of_engines({"local": local}))[name], 0)
        local.received(1000)
        local.received(24)
        self.assertEqual(samples_of(of_engines({"local": local}))[name], 1024)

    def test_what_is_ready_beforehand_on_all_engines(self) -> None:
        local, far = Figures(), Figures()
        local.pool = lambda: {"jupyter": (1, 2), "rstudio": (0, 1)}
        far.pool = lambda: {"jupyter": (2, 2)}
        local.warm["jupyter", "hit"] += 3
        far.warm["jupyter", "hit"] += 1
        far.warm["jupyter", "miss"] += 1
        samples = samples_of(of_engines({"local": local, "far": far}))
        name = "giestack_warm_sessions profile"
        self.assertEqual(samples[f"{name}=jupyter state=ready"], 3)
        self.assertEqual(samples[f"{name}=jupyter state=wanted"], 4)
        self.assertEqual(samples[f"{name}=rstudio state=ready"], 0)
        self.assertEqual(samples[f"{name}=rstudio state=wanted"], 1)
        name = "giestack_warm_claims_total profile=jupyter result"
        self.assertEqual((samples[f"{name}=hit"], samples[f"{name}=miss"]), (4, 1))

    def test_no_engine(self) -> None:
        self.assertEqual(samples_of(of_engines({})), {})
