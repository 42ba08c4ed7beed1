"""The client of Docker's API on Podman's socket; `tests.docker.core_suite` says what differs."""

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from giestack.docker.errors import DockerError
from giestack.docker.location import Location
from tests.docker.core_suite import CoreSuite
from tests.neighbours.podman import podman


class PodmanTests(CoreSuite, TestCase):
    taken = DockerError

    def setUp(self):
        self.engine = podman()
        return super().setUp()

    def location(self):
        return Location(self.engine.url)

    def left(self):
        return deferToThread(self.engine.api.left, self.mark)
