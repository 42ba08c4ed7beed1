"""How a container ended."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.ending import ended_as, ended_with
from giestack.spawner.engine import Ended

LIMIT = 512 * 1024**2


class EndingTests(SynchronousTestCase):
    def test_statuses(self):
        for status, reason in (
            (0, "ended with status 0"),
            (3, "ended with status 3"),
            (127, "ended with status 127: the program was not found"),
            (137, "killed by signal 9 (SIGKILL)"),
        ):
            self.assertEqual(ended_with(status, False, LIMIT), Ended(status, reason))

    def test_out_of_memory(self):
        reason = "out of memory (its limit is 512 MB)"
        self.assertEqual(ended_with(137, True, LIMIT), Ended(137, reason))
        self.assertEqual(ended_with(1, True, LIMIT), Ended(1, reason))
        self.assertEqual(ended_with(137, True, 0), Ended(137, "out of memory"))
        # Something in it was killed, and it ended in peace all the same.
        self.assertEqual(ended_with(0, True, LIMIT).reason, "ended with status 0")

    def test_as_docker_shows_it(self):
        state = {"ExitCode": 137, "OOMKilled": True}
        self.assertIn("out of memory", ended_as(state, LIMIT).reason)
        state = {"ExitCode": 137, "OOMKilled": False}
        self.assertIn("SIGKILL", ended_as(state, LIMIT).reason)
        # A kernel of Jupyter's, long ago: Docker never forgets.
        state = {"ExitCode": 1, "OOMKilled": True}
        self.assertEqual(ended_as(state, LIMIT).reason, "ended with status 1")
        self.assertEqual(ended_as({}, LIMIT).status, 0)
