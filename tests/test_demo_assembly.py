"""The demo, put together; tests/real has it running."""

import os
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - building needs one
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo_assembly import Welcome, assemble_demo, find_containers, flat
from giestack.parts import Giestack
from tests.demo.docker_answers import DockerAnswers
from tests.demo.place import new_folder

reactor: Any = global_reactor


class DemoAssemblyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(os, "environ", {**os.environ, "DOCKER_HOST": "unix:///nowhere/d.sock"})

    def test_it_is_giestack_with_a_notebook(self) -> None:
        folder = Path(self.mktemp())
        giestack = assemble_demo(reactor, folder, 8800)
        self.assertFalse(giestack.running)
        names = [type(part).__name__ for part in giestack]
        self.assertIn("Door", names)
        self.assertEqual(names[-2:], ["JupyterLab", "Welcome"])
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)

    def test_a_folder_that_cannot_be_used(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "thesis.tex").write_text("mine")
        error = self.assertRaises(ValueError, assemble_demo, reactor, folder, 8800)
        self.assertNotIn("\n", str(error))
        self.assertEqual([one.name for one in folder.iterdir()], ["thesis.tex"])

    def note_of(self, giestack: Giestack) -> str:
        (welcome,) = [part for part in giestack if isinstance(part, Welcome)]
        return welcome.note

    def test_without_docker_it_says_so(self) -> None:
        note = self.note_of(assemble_demo(reactor, Path(self.mktemp()), 8800))
        self.assertIn("plain processes without isolation", note)
        self.assertIn("No Docker engine answers at unix:///nowhere/d.sock", note)
        self.assertIn("make demo-image", note)

    def test_with_docker_it_says_that(self) -> None:
        place = new_folder(self)
        place.mkdir()
        engine = DockerAnswers(self, place / "d.sock")
        os.environ["DOCKER_HOST"] = engine.url
        note = self.note_of(assemble_demo(reactor, Path(self.mktemp()), 8800))
        self.assertIn(f"are containers of the Docker engine at {engine.url}", note)

    def test_settings_by_path(self) -> None:
        nested = {"a": {"b": 1, "c": {"d": [2]}}, "e": "f"}
        self.assertEqual(flat(nested), [("a.b", 1), ("a.c.d", [2]), ("e", "f")])


class FindContainersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())

    def test_an_engine_with_the_image(self) -> None:
        engine = DockerAnswers(self)
        containers, _ = find_containers({"DOCKER_HOST": engine.url}, self.home)
        assert containers is not None
        self.assertEqual((containers.docker_host, containers.tls), (engine.url, {}))

    def test_an_engine_that_is_open_to_all_is_not_asked(self) -> None:
        containers, note = find_containers({"DOCKER_HOST": "tcp://192.0.2.1:2375"}, self.home)
        self.assertIsNone(containers)
        self.assertIn("open to everybody", note)

    def test_what_is_configured_wrongly_is_said(self) -> None:
        containers, note = find_containers({"DOCKER_HOST": "ssh://far"}, self.home)
        self.assertIsNone(containers)
        self.assertIn("ssh", note)
        self.assertIn("without isolation", note)

    def test_tls(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        for name in ("ca", "cert", "key"):
            (folder / f"{name}.pem").touch()
        environ = {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_CERT_PATH": str(folder)}
        containers, note = find_containers(environ, self.home)
        self.assertIsNone(containers)
        self.assertIn("No Docker engine answers at tcp://127.0.0.1:1", note)
