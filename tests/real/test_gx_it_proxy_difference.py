"""giestack-proxy beside the real gx-it-proxy: what differs is meant, and everything else is equal.

Each request goes to both, as bytes; what the backend got and what the client got are compared.
``python -m tests.gx_it_proxy_difference`` tries more of them.
"""

from twisted.trial.unittest import SynchronousTestCase

from tests.gx_it_proxy_difference.beside import THEMES, Beside, by_chance
from tests.gx_it_proxy_difference.cases import ALIVE
from tests.gx_it_proxy_difference.difference import told

ROUNDS = 6
SEED = 23


class DifferenceTests(SynchronousTestCase):
    timeout = 300

    def test_whatever_differs_is_meant(self):
        outcome = Beside(self).run(by_chance(SEED, ROUNDS * len(THEMES)))
        self.assertGreaterEqual(outcome.cases, 300)
        shown = "\n".join(told(*one) for one in outcome.unexplained[:5])
        self.assertEqual(len(outcome.unexplained), 0, shown)
        self.assertEqual(outcome.idle, [], "no such difference was seen")


class CaseTests(SynchronousTestCase):
    def test_they_are_the_same_for_the_same_seed(self):
        self.assertEqual(list(by_chance(SEED, 300)), list(by_chance(SEED, 300)))
        self.assertNotEqual(list(by_chance(SEED, 300)), list(by_chance(SEED + 1, 300)))

    def test_there_are_all_sorts(self):
        some = list(by_chance(SEED, ROUNDS * len(THEMES)))
        self.assertEqual({case.theme for case in some}, set(THEMES))
        self.assertLessEqual(set(ALIVE), {case.tool for case in some})
        self.assertEqual({case.by_host for case in some}, {True, False})
