"""Buckets of histograms."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.buckets import cumulative


class CumulativeTests(SynchronousTestCase):
    def test_each_holds_the_smaller_ones(self) -> None:
        self.assertEqual(
            cumulative((0.5, 1, 10), (2, 0, 3, 1)),
            [("0.5", 2.0), ("1", 2.0), ("10", 5.0), ("+Inf", 6.0)],
        )

    def test_a_count_for_each_and_one_more(self) -> None:
        self.assertRaises(ValueError, cumulative, (0.5, 1), (2, 0))
