"""How often somebody may do something."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.rates import Rates, SlowMode, UnderWay

START = 1_800_000_000.0
STEPS = st.lists(st.floats(0, 5), max_size=60)


class RateTests(SynchronousTestCase):
    def test_a_burst_and_then_the_rate(self) -> None:
        rates = Rates(2.0, 3)
        self.assertEqual([rates.take("a", START) for _ in range(4)], [0, 0, 0, 500])
        self.assertEqual(rates.take("a", START + 0.25), 250)
        self.assertEqual(rates.take("a", START + 0.5), 0)
        self.assertEqual(rates.take("a", START + 0.5), 500)
        self.assertEqual([rates.take("a", START + 60) for _ in range(4)], [0, 0, 0, 500])

    def test_everybody_has_a_bucket(self) -> None:
        rates = Rates(1.0, 1)
        self.assertEqual(rates.take("a", START), 0)
        self.assertEqual(rates.take("b", START), 0)
        self.assertEqual(rates.take("a", START), 1000)

    def test_looking_takes_nothing(self) -> None:
        rates = Rates(1.0, 1)
        self.assertEqual([rates.wait("a", START) for _ in range(3)], [0, 0, 0])
        rates.take("a", START)
        self.assertEqual(rates.wait("a", START), 1000)

    def test_no_limit(self) -> None:
        rates = Rates(0, 5)
        self.assertEqual({rates.take("a", START) for _ in range(100)}, {0})
        self.assertEqual(rates.wait("a", START), 0)
        self.assertEqual(len(rates), 0)

    def test_a_burst_of_none_is_one(self) -> None:
        rates = Rates(1.0, 0)
        self.assertEqual([rates.take("a", START) for _ in range(2)], [0, 1000])

    def test_other_limits(self) -> None:
        rates = Rates(0.01, 10)
        for _ in range(10):
            rates.take("a", START)
        rates.limit(1.0, 2)
        self.assertEqual(rates.take("a", START), 1000)
        rates.limit(0, 2)
        self.assertEqual(rates.take("a", START), 0)

    def test_a_clock_that_goes_back(self) -> None:
        rates = Rates(1.0, 2)
        rates.take("a", START)
        rates.take("a", START)
        self.assertEqual(rates.take("a", START - 3600), 1000)
        self.assertEqual(rates.take("a", START - 3599), 0)

    def test_who_was_idle_is_forgotten(self) -> None:
        rates = Rates(1.0, 2)
        for number in range(1024):
            rates.take(number, START)
        self.assertEqual(len(rates), 1024)
        rates.take("a", START + 10)
        self.assertEqual(len(rates), 1)
        self.assertEqual([rates.take("a", START + 10) for _ in range(2)], [0, 1000])

    @given(STEPS, st.floats(0.1, 20), st.integers(1, 10))
    def test_never_more_than_the_burst_and_the_rate(
        self, steps: list[float], rate: float, burst: int
    ) -> None:
        rates = Rates(rate, burst)
        now, passed = START, 0
        for step in steps:
            now += step
            wait = rates.take("a", now)
            self.assertEqual(wait, 0 if wait == 0 else rates.wait("a", now))
            passed += wait == 0
            self.assertLessEqual(passed, burst + (now - START) * rate + 0.01)
            if wait:
                self.assertLessEqual(wait, 1000 / rate + 1)
                self.assertEqual(rates.wait("a", now + wait / 1000), 0)


class UnderWayTests(SynchronousTestCase):
    def test_so_many_at_once(self) -> None:
        under_way = UnderWay(2)
        self.assertEqual([under_way.begin("a") for _ in range(3)], [True, True, False])
        self.assertTrue(under_way.begin("b"))
        under_way.end("a")
        self.assertTrue(under_way.begin("a"))
        for key in ("a", "a", "b"):
            under_way.end(key)
        self.assertEqual(len(under_way), 0)


class SlowModeTests(SynchronousTestCase):
    def test_once_in_some_seconds(self) -> None:
        slow = SlowMode()
        self.assertEqual(slow.take(("r", "a"), 30, START), 0)
        self.assertEqual(slow.take(("r", "a"), 30, START + 10), 20_000)
        self.assertEqual(slow.wait(("r", "a"), 30, START + 29.9995), 1)
        self.assertEqual(slow.take(("r", "b"), 30, START + 10), 0)
        self.assertEqual(slow.take(("s", "a"), 30, START + 10), 0)
        self.assertEqual(slow.take(("r", "a"), 30, START + 30), 0)
        self.assertEqual(slow.wait(("r", "a"), 30, START + 30), 30_000)

    def test_rooms_become_faster(self) -> None:
        slow = SlowMode()
        slow.take("a", 3600, START)
        self.assertEqual(slow.take("a", 5, START + 1), 5000)
        self.assertEqual(slow.take("a", 0, START + 1), 0)

    def test_a_clock_that_goes_back(self) -> None:
        slow = SlowMode()
        slow.take("a", 5, START)
        self.assertEqual(slow.take("a", 5, START - 3600), 5000)
        self.assertEqual(slow.take("a", 5, START - 3595), 0)

    def test_no_slow_mode_remembers_nobody(self) -> None:
        slow = SlowMode()
        self.assertEqual([slow.take("a", 0, START) for _ in range(3)], [0, 0, 0])
        self.assertEqual(len(slow), 0)

    def test_those_who_may_again_are_forgotten(self) -> None:
        slow = SlowMode()
        for number in range(1025):
            slow.take(number, 5, START + number)
        self.assertLess(len(slow), 10)
