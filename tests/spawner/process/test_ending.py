"""How a program ended, in words."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.process.ending import ended_of


class EndingTests(SynchronousTestCase):
    def test_words(self):
        for status, reason in (
            (0, "ended with status 0"),
            (1, "ended with status 1"),
            (126, "ended with status 126: the program cannot be run"),
            (127, "ended with status 127: the program was not found"),
            (128, "ended with status 128"),
            (137, "killed by signal 9 (SIGKILL)"),
            (143, "killed by signal 15 (SIGTERM)"),
            (139, "killed by signal 11 (SIGSEGV)"),
            (255, "ended with status 255"),
        ):
            ended = ended_of(status)
            self.assertEqual((ended.status, ended.reason), (status, reason))
