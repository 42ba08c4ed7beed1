"""Whether there is an engine for the demo's sessions."""

import socket
import ssl
import time

from twisted.trial.unittest import SynchronousTestCase

from giestack.demo import docker_probe
from giestack.demo.docker_probe import Containers, NoContainers, check
from tests.demo.docker_answers import IMAGE, DockerAnswers
from tests.demo.place import new_folder
from tests.neighbours.certificates import certificate


class ProbeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = new_folder(self)
        self.folder.mkdir()
        self.path = self.folder / "d.sock"

    def refused(self, url: str, tls: dict[str, str] | None = None) -> str:
        return str(self.assertRaises(NoContainers, check, Containers(url, IMAGE, tls or {})))

    def test_on_a_socket(self) -> None:
        engine = DockerAnswers(self, self.path)
        check(Containers(engine.url, IMAGE))
        engine.statuses.clear()
        engine.statuses["/_ping"] = 200
        said = self.refused(engine.url)
        self.assertIn(f"{self.path} does not have {IMAGE}", said)
        self.assertIn("make demo-image", said)

    def test_on_a_port(self) -> None:
        engine = DockerAnswers(self)
        check(Containers(engine.url, IMAGE))
        engine.statuses["/_ping"] = 500
        self.assertIn("answers with status 500", self.refused(engine.url))

    def test_nobody(self) -> None:
        said = self.refused(f"unix://{self.path}")
        self.assertIn(f"No Docker engine answers at unix://{self.path} (No such file", said)
        for words in ("apt-get install docker.io", "make demo-image"):
            self.assertIn(words, said)

    def test_somebody_who_says_nothing(self) -> None:
        self.patch(docker_probe, "SECONDS", 0.05)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            began = time.monotonic()
            said = self.refused(f"tcp://127.0.0.1:{silent.getsockname()[1]}")
        self.assertIn("timed out", said)
        self.assertLess(time.monotonic() - began, 10)

    def test_with_tls(self) -> None:
        cert, key, _ = certificate(self.folder, "engine")
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(cert))
        server.load_cert_chain(cert, key)
        server.verify_mode = ssl.CERT_REQUIRED
        engine = DockerAnswers(self, tls=server)
        ours = {"ca": str(cert), "cert": str(cert), "key": str(key)}
        check(Containers(engine.url, IMAGE, ours))
        other, _, _ = certificate(self.folder, "other")
        self.assertIn(
            "certificate verify failed", self.refused(engine.url, {**ours, "ca": str(other)})
        )
        self.assertIn("No such file", self.refused(engine.url, {**ours, "ca": "/nowhere"}))
        self.assertIn("No Docker engine", self.refused(engine.url))
