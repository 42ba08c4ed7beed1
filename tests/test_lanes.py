"""Lanes: each module of tests is run once, by one of them, and what all say is told as one."""

import io
import tempfile
from pathlib import Path

from twisted.python.modules import getModule
from twisted.trial.reporter import TreeReporter
from twisted.trial.unittest import SynchronousTestCase

from tests.lanes import ENGINE, Claims, Unclaimed, is_for_first, modules, summary, takes


def is_first(name):
    return name.startswith("engine")


class ModulesTests(SynchronousTestCase):
    def test_all_that_trial_finds(self):
        found = {one.name for one in getModule("tests").walkModules()}
        self.assertEqual(
            set(modules()), {one for one in found if one.rpartition(".")[2].startswith("test_")}
        )
        self.assertEqual(len(set(modules())), len(modules()))

    def test_each_lane_has_those_that_it_may_take(self):
        names = ["real", "engine-1", "other", "engine-2"]
        self.assertEqual(takes(0, names, is_first), ["engine-1", "engine-2", "real", "other"])
        for lane in (1, 2):
            self.assertEqual(takes(lane, names, is_first), ["real", "other"])

    def test_every_module_is_for_some_lane(self):
        every, others = (takes(lane, modules(), is_for_first) for lane in (0, 1))
        self.assertEqual(sorted(every), sorted(modules()))
        self.assertLess(set(others), set(every))
        self.assertTrue(all(one.startswith("tests.real.") for one in set(every) - set(others)))

    def test_who_needs_the_engine(self):
        for name in (
            ENGINE,
            "tests.real.test_docker_client",
            "tests.real.test_docker_faults",
            "tests.real.test_wheel",
        ):
            self.assertEqual(is_for_first(name), name != ENGINE, name)
        self.assertFalse(is_for_first("tests.real.test_twistd"))
        self.assertFalse(is_for_first("tests.none"))


class RunTests(SynchronousTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.claims = Claims(self.folder)

    def run_lane(self, *names):
        """How many tests a lane has run of those modules."""
        stream = io.StringIO()
        result = TreeReporter(stream)
        Unclaimed(names, Claims(self.folder), stream).run(result)
        return result

    def test_each_module_once(self):
        names = ("tests.test_address", "tests.test_visitor")
        self.assertTrue(self.claims.take(names[0]))
        self.assertFalse(Claims(self.folder).take(names[0]))
        first = self.run_lane(*names)
        self.assertGreater(first.testsRun, 0)
        self.assertTrue(first.wasSuccessful())
        self.assertEqual(self.run_lane(*names).testsRun, 0)
        # Whoever took the other never came to its end.
        self.assertEqual(self.claims.missing(names), [names[0]])

    def test_one_that_is_no_module(self):
        result = self.run_lane("tests.test_none")
        self.assertEqual((len(result.errors), result.wasSuccessful()), (1, False))


class SummaryTests(SynchronousTestCase):
    def test_the_sum(self):
        said = ("Ran 3 tests\n\nPASSED (skips=1, successes=2)\n", "PASSED (successes=40)\n")
        self.assertEqual(summary(said), ("PASSED (skips=1, successes=42)", True))

    def test_what_has_failed(self):
        said = ("FAILED (failures=1, errors=2, successes=2)\n", "PASSED (successes=40)\n")
        self.assertEqual(summary(said), ("FAILED (failures=1, errors=2, successes=42)", True))

    def test_a_lane_that_says_nothing(self):
        self.assertEqual(
            summary(("PASSED (successes=2)\n", "Killed\n")), ("PASSED (successes=2)", False)
        )
