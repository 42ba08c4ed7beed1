"""How long a start will take, as former ones suggest."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.history import KEPT, History


class HistoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.history = History()

    def test_nothing_is_known_before_the_first(self) -> None:
        self.assertEqual(self.history.outlook("jupyter", 1), (None, None))

    def test_the_usual_start(self) -> None:
        for seconds in (1.0, 2.0, 9.0):
            self.history.add("jupyter", seconds)
        self.assertEqual(self.history.outlook("jupyter", 0.5), (25.0, 1.5))

    def test_a_slow_start_is_nearly_done_for_long(self) -> None:
        self.history.add("jupyter", 2.0)
        self.history.add("jupyter", 4.0)
        self.assertEqual(self.history.outlook("jupyter", 2.95), (95.0, 3.0 - 2.95))
        self.assertEqual(self.history.outlook("jupyter", 3.5), (95.0, 0.5))
        self.assertEqual(self.history.outlook("jupyter", 4.5), (None, None))

    def test_only_the_last_ones_count(self) -> None:
        self.history.add("jupyter", 1000.0)
        for _ in range(KEPT):
            self.history.add("jupyter", -1.0)
        self.assertEqual(self.history.outlook("jupyter", 0.0), (95.0, 0.0))

    def test_profiles_that_are_gone_are_forgotten(self) -> None:
        self.history.add("jupyter", 1.0)
        self.history.add("rstudio", 1.0)
        self.history.keep(frozenset(("rstudio",)))
        self.assertEqual(self.history.outlook("jupyter", 0), (None, None))
        self.assertNotEqual(self.history.outlook("rstudio", 0), (None, None))
