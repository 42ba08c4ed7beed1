"""How late timed calls come."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.lag import LAG_BOUNDS, ReactorLag


class ReactorLagTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.lag = ReactorLag(self.clock)
        self.lag.start()

    def counts(self):
        return {
            bound: count
            for bound, count in zip([*LAG_BOUNDS, None], self.lag.buckets, strict=True)
            if count
        }

    def test_in_time(self):
        for _ in range(8):
            self.clock.advance(0.25)
        self.assertEqual((self.counts(), self.lag.seconds), ({0.001: 4}, 0.0))

    def test_late(self):
        self.clock.advance(0.75)
        self.assertEqual((self.counts(), self.lag.seconds), ({0.25: 1}, 0.25))
        self.clock.advance(0.25)
        self.assertEqual(self.counts(), {0.001: 1, 0.25: 1})

    def test_a_long_stall_counts_once(self):
        self.clock.advance(10.5)
        self.assertEqual((self.counts(), self.lag.seconds), ({None: 1}, 10.0))
        self.clock.advance(0.5)
        self.assertEqual((self.counts(), self.lag.seconds), ({None: 1, 0.001: 1}, 10.0))

    def test_stop(self):
        self.lag.stop()
        self.lag.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
