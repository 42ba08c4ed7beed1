"""What is counted."""

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.figures import Figures


class FigureTests(SynchronousTestCase):
    def test_calls(self):
        figures = Figures()
        figures.called("container create", 201, 0.5)
        figures.called("container create", 201, 0.25)
        figures.called("ping", 0, 10.0)
        self.assertEqual(figures.calls, {("container create", 201): 2, ("ping", 0): 1})
        self.assertEqual(figures.seconds, {"container create": 0.75, "ping": 10.0})

    def test_images(self):
        figures = Figures()
        figures.received(100)
        figures.received(20)
        self.assertEqual(figures.pulled, 120)

    def test_warm(self):
        figures = Figures()
        self.assertEqual((dict(figures.warm), figures.pool()), ({}, {}))
        hits: Counter[tuple[str, str]] = Counter()
        figures.watch(hits, lambda: {"jupyter": (1, 2)})
        hits["jupyter", "hit"] += 1
        self.assertEqual(figures.warm["jupyter", "hit"], 1)
        self.assertEqual(figures.pool(), {"jupyter": (1, 2)})
