"""Times, sizes and places in words."""

from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.amounts import ago, duration, ordinal, size


class AmountTests(SynchronousTestCase):
    def test_an_age_in_the_largest_unit_that_fits(self) -> None:
        for age, words in (
            (timedelta(seconds=-5), "just now"),
            (timedelta(seconds=59), "just now"),
            (timedelta(seconds=60), "1 minute ago"),
            (timedelta(minutes=59, seconds=59), "59 minutes ago"),
            (timedelta(hours=1), "1 hour ago"),
            (timedelta(hours=23), "23 hours ago"),
            (timedelta(days=1, hours=23), "1 day ago"),
            (timedelta(days=40), "40 days ago"),
        ):
            self.assertEqual(ago(age), words)

    def test_a_time_in_two_units_at_most(self) -> None:
        for seconds, words in (
            (-3, "0 s"),
            (0.9, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (65, "1 min 5 s"),
            (599, "9 min 59 s"),
            (615, "10 min"),
            (3600, "1 h"),
            (3605, "1 h"),
            (3900, "1 h 5 min"),
            (86400, "1 day"),
            (2 * 86400 + 3 * 3600 + 60, "2 days 3 h"),
            (86400 + 60, "1 day"),
        ):
            self.assertEqual(duration(seconds), words, seconds)

    def test_a_size_in_the_unit_that_fits(self) -> None:
        for count, words in (
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (312 * 1024**2, "312 MB"),
            (2 * 1024**3, "2.0 GB"),
            (9.96 * 1024**3, "10 GB"),
            (64 * 1024**3, "64 GB"),
            (5 * 1024**4, "5.0 TB"),
            (5000 * 1024**4, "5000 TB"),
        ):
            self.assertEqual(size(count), words, count)

    def test_a_place(self) -> None:
        found = [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111, 112)]
        self.assertEqual(
            " ".join(found), "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th 112th"
        )
