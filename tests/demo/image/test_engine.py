"""The engine that gets the image, behind a stand-in for Docker's client."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.image import engine
from giestack.demo.image.engine import EngineError, check_engine, import_image, size_of, stands
from tests.demo.image.place import DOCKER, Programs


class EngineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.programs = Programs(self)

    def test_answers(self) -> None:
        self.programs.add("docker", DOCKER)
        self.assertEqual(check_engine({}), "20.10.24")

    def test_no_client(self) -> None:
        self.programs.alone()
        error = self.assertRaises(EngineError, check_engine, {})
        self.assertIn("apt-get install docker.io", str(error))

    def test_no_engine(self) -> None:
        self.programs.add("docker", "echo 'cannot connect to it' >&2; exit 1")
        error = self.assertRaises(EngineError, check_engine, {"DOCKER_HOST": "unix:///x"})
        for words in ("at unix:///x: cannot connect to it", "dockerd", "apt-get install docker.io"):
            self.assertIn(words, str(error))
        self.assertIn("answers: cannot", str(self.assertRaises(EngineError, check_engine, {})))

    def test_an_engine_that_says_nothing(self) -> None:
        self.patch(engine, "_PATIENCE", 0.05)
        self.programs.add("docker", "exec sleep 30")
        error = self.assertRaises(EngineError, check_engine, {})
        self.assertIn("it says nothing", str(error))

    def test_an_image(self) -> None:
        self.programs.add("docker", DOCKER)
        self.assertFalse(stands("a:b", "0123"))
        import_image(Path("root.tar"), "a:b", ["USER me", "LABEL org.giestack.recipe=0123"])
        self.assertIn(
            "docker import --change USER me --change LABEL org.giestack.recipe=0123 root.tar a:b",
            self.programs.said,
        )
        self.assertTrue(stands("a:b", "0123"))
        self.assertFalse(stands("a:b", "4567"))
        self.assertEqual(size_of("a:b"), 350_000_000)

    def test_the_former_image_goes(self) -> None:
        self.programs.add("docker", DOCKER)
        import_image(Path("root.tar"), "a:b", ["LABEL org.giestack.recipe=0123"])
        self.assertEqual([line for line in self.programs.said if " rm " in line], [])
        import_image(Path("root.tar"), "a:b", ["LABEL org.giestack.recipe=4567"])
        self.assertIn("docker image rm sha256:0123", self.programs.said)
        self.assertTrue(stands("a:b", "4567"))

    def test_an_image_that_is_not_taken(self) -> None:
        self.programs.add("docker", "echo 'no space left' >&2; exit 1")
        error = self.assertRaises(EngineError, import_image, Path("root.tar"), "a:b", [])
        self.assertIn("no space left", str(error))
