"""Who is asked when, and who is taken for gone."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.pulse import INTERVAL, PATIENCE, Pulse


class Connection:
    """Notes when it was asked; ``answers`` says whether something is heard then."""

    heard = True
    beat = 0

    def __init__(self, clock: Clock, answers: bool = True) -> None:
        self.clock = clock
        self.answers = answers
        self.asked: list[float] = []
        self.gone: list[float] = []

    def ask(self) -> None:
        self.asked.append(self.clock.seconds())
        self.heard = self.answers

    def nobody_there(self) -> None:
        self.gone.append(self.clock.seconds())


class Failing(Connection):
    def ask(self) -> None:
        super().ask()
        raise ZeroDivisionError

    def nobody_there(self) -> None:
        super().nobody_there()
        raise ZeroDivisionError


class PulseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.pulse = Pulse(self.clock)
        self.pulse.start()

    def add(self, connection: Connection) -> Connection:
        self.pulse.add(connection)
        return connection

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)

    def test_everybody_is_asked_again_and_again(self) -> None:
        self.pass_time(7)
        one = self.add(Connection(self.clock))
        self.pass_time(3)
        other = self.add(Connection(self.clock))
        self.pass_time(60)
        self.assertEqual(one.asked, [7 + INTERVAL, 7 + 2 * INTERVAL])
        self.assertEqual(other.asked, [10 + INTERVAL, 10 + 2 * INTERVAL])
        self.assertEqual(one.gone + other.gone, [])

    def test_who_does_not_answer_is_gone(self) -> None:
        silent = self.add(Connection(self.clock, answers=False))
        self.pass_time(INTERVAL + PATIENCE - 1)
        self.assertEqual(silent.gone, [])
        self.pass_time(1)
        self.assertEqual(silent.gone, [INTERVAL + PATIENCE])

    def test_an_answer_that_takes_its_time(self) -> None:
        slow = self.add(Connection(self.clock, answers=False))
        self.pass_time(INTERVAL + PATIENCE - 1)
        slow.heard = True
        self.pass_time(1)
        self.assertEqual(slow.gone, [])

    def test_who_has_just_come_was_asked_nothing_yet(self) -> None:
        for _ in range(INTERVAL):
            self.add(Connection(self.clock, answers=False))
            self.pass_time(1)
        newest = self.add(Connection(self.clock, answers=False))
        self.pass_time(INTERVAL - 1)
        self.assertEqual((newest.asked, newest.gone), ([], []))

    def test_who_has_left_is_not_asked(self) -> None:
        left = self.add(Connection(self.clock))
        self.assertEqual(len(self.pulse), 1)
        self.pass_time(3)
        self.pulse.discard(left)
        self.pulse.discard(left)
        self.pass_time(2 * INTERVAL)
        self.assertEqual((left.asked, len(self.pulse)), ([], 0))

    def test_one_in_trouble_does_not_stop_the_others(self) -> None:
        trouble = [self.add(Failing(self.clock, answers=False)) for _ in range(3)]
        fine = self.add(Connection(self.clock))
        self.pass_time(2 * INTERVAL)
        self.assertEqual([len(one.asked) for one in (*trouble, fine)], [2, 2, 2, 2])
        self.assertEqual([len(one.gone) for one in trouble], [1, 1, 1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 9)

    def test_the_end(self) -> None:
        self.pulse.stop()
        self.pulse.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
