"""What is said of a Docker engine."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.errors import Conflict, DockerError, Unreachable
from giestack.spawner.docker.words import in_words, said, size_shown, trouble_of
from giestack.spawner.engine import EngineError


class WordTests(SynchronousTestCase):
    def test_sizes(self):
        for size, shown in (
            (0, "0 bytes"),
            (999, "999 bytes"),
            (512 * 1024**2, "512 MB"),
            (1536 * 1024**2, "1.5 GB"),
            (20 * 1024**3, "20 GB"),
            (5000 * 1024**4, "5000 TB"),
        ):
            self.assertEqual(size_shown(size), shown)

    def test_said(self):
        self.assertEqual(said(DockerError(500, "driver\nfailed.\x1b")), "driver failed.")
        self.assertEqual(said(DockerError(0, "is it there?")), "is it there?")
        self.assertEqual(said(DockerError(500, " ")), "it answers with status 500.")
        self.assertLess(len(said(DockerError(500, "x" * 10_000))), 600)

    def test_trouble(self):
        text = trouble_of("local", Unreachable("there is no socket"))
        self.assertIn("“local” cannot be reached: there is no socket.", text)
        error = Unreachable("unix:///d.sock can't be reached: No such file; is it there?")
        self.assertEqual(
            trouble_of("local", error),
            "The Docker engine “local” cannot be reached: unix:///d.sock: No such file; "
            "is it there?",
        )
        text = trouble_of("local", DockerError(500, "disk full"))
        self.assertIn("“local” does not work: disk full.", text)

    def test_in_words(self):
        def fail(error):
            with in_words("local", "to start the container"):
                raise error

        for error, words in (
            (Unreachable("no answer"), "cannot be reached: no answer."),
            (Conflict("it is paused"), "refuses to start the container: it is paused."),
            (EngineError("said already"), "said already"),
        ):
            self.assertIn(words, str(self.assertRaises(EngineError, fail, error)))
        self.assertRaises(ZeroDivisionError, fail, ZeroDivisionError())
