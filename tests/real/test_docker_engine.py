"""Sessions as containers of a real Docker engine, on its socket and through mutual TLS."""

from twisted.trial.unittest import TestCase

from giestack.docker.location import Location, TlsFiles
from tests.neighbours.docker import docker
from tests.spawner.docker.suite import DockerSuite


class RealSuite(DockerSuite, TestCase):
    """The suite, on the engine's socket."""

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
        mark = f"giestack-{self.instance}"
        # The network stays, and others may just be starting something on the same engine.
        others = (f"network {mark}", "docker-proxy")
        return [one for one in self.real.api.left(mark) if not one.startswith(others)]


class TlsSuite(RealSuite):
    """The suite, through mutual TLS."""

    instance = "tls-suite"

    def where(self):
        tls = self.real.tls
        return Location(tls.url, TlsFiles(tls.ca, tls.cert, tls.key))
