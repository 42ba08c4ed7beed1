"""Sessions as containers of a real Docker engine, on its socket and through mutual TLS."""

from pathlib import Path

from twisted.trial.unittest import TestCase

from giestack.docker.location import Location, TlsFiles
from tests.neighbours.docker import docker
from tests.spawner.docker.suite import DockerSuite


class RealSuite(DockerSuite, TestCase):
    """The suite, on the engine's socket."""

    data_dir = Path("/srv/giestack")
    instance = "real-suite"

    def setUp(self):
        self.real = docker()
        assert self.real.tools
        self.location = self.where()
        self.addCleanup(self.real.api.remove_all, f"giestack-{self.instance}")
        return super().setUp()

    def where(self):
        return Location(self.real.url)

    def left(self):
        network = f"giestack-{self.instance}"
        return [one for one in self.real.api.left(network) if one != f"network {network}"]


class TlsSuite(RealSuite):
    """The suite, through mutual TLS."""

    instance = "tls-suite"

    def where(self):
        tls = self.real.tls
        return Location(tls.url, TlsFiles(tls.ca, tls.cert, tls.key))
