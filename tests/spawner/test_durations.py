"""Durations of steps, in buckets."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.durations import BOUNDS, STEPS, Durations


class DurationTests(SynchronousTestCase):
    def test_all_steps_are_there_from_the_beginning(self) -> None:
        self.assertEqual(set(Durations().tallies), set(STEPS))

    def test_a_duration_is_counted_in_its_bucket(self) -> None:
        durations = Durations()
        for seconds in (BOUNDS[0], BOUNDS[0] + 0.01, BOUNDS[-1] + 1, -3.0):
            durations.add("starting", seconds)
        tally = durations.tallies["starting"]
        self.assertEqual(tally.buckets[:2], [2, 1])
        self.assertEqual(tally.buckets[-1], 1)
        self.assertAlmostEqual(tally.seconds, 2 * BOUNDS[0] + 0.01 + BOUNDS[-1] + 1)
