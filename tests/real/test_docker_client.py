"""The client of Docker's API on a real engine: on its socket, and through mutual TLS.

The fake engine has the whole suite through TLS too; here is what asks most of a connection.
"""

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from giestack.docker.errors import DockerError
from giestack.docker.location import Location, TlsFiles
from tests.docker.client_case import ClientCase
from tests.docker.client_suite import ClientSuite
from tests.docker.core_suite import MEGABYTE
from tests.docker.pull_suite import PullSuite
from tests.neighbours.certificates import certificate
from tests.neighbours.docker import docker
from tests.neighbours.galaxy import new_folder
from tests.neighbours.held_port import HeldPort
from tests.neighbours.registry import Registry


class RealEngineCase(ClientCase):
    def setUp(self):
        self.engine = docker()
        self.assertTrue(self.engine.tools)
        return super().setUp()

    def left(self):
        return deferToThread(self.engine.api.left, self.mark)

    def image(self, *, slow=False):
        registry = Registry(self)
        registry.push(f"{self.mark}/image:1", megabytes=2)
        self.gate = HeldPort(self, int(registry.host.rpartition(":")[2]), MEGABYTE)
        if slow:
            self.gate.hold()
        return f"127.0.0.1:{self.gate.port}/{self.mark}/image:1"

    def hurry(self):
        self.gate.let_go()

    def missing(self):
        return f"{Registry(self).host}/{self.mark}/none:1"


class SocketTests(RealEngineCase, ClientSuite, PullSuite, TestCase):
    def location(self):
        return Location(self.engine.url)


class TlsTests(RealEngineCase, TestCase):
    """Streams both ways, large bodies, and calls that are given up."""

    def location(self):
        tls = self.engine.tls
        return Location(tls.url, TlsFiles(tls.ca, tls.cert, tls.key))

    test_a_life = ClientSuite.test_a_life
    test_files = ClientSuite.test_files
    test_commands = ClientSuite.test_commands
    test_follow_while_it_prints = ClientSuite.test_follow_while_it_prints
    test_events = ClientSuite.test_events
    test_images_go_out_and_in = ClientSuite.test_images_go_out_and_in
    test_given_up = ClientSuite.test_given_up
    test_closed = ClientSuite.test_closed
    pull, forget = PullSuite.pull, PullSuite.forget
    test_pull = PullSuite.test_pull


class WrongTlsTests(RealEngineCase, TestCase):
    """Those who are not who they should be; the words say which file is to blame."""

    def setUp(self):
        tls = docker().tls
        self.files = TlsFiles(tls.ca, tls.cert, tls.key)
        self.folder = new_folder(self)
        return super().setUp()

    def location(self):
        return Location(docker().tls.url, self.files)

    def remove_all(self):
        """Nothing was made."""

    async def refused(self, files):
        self.files = files
        return str(await self.failing(DockerError, self.new_client().ping()))

    async def test_a_client_that_nobody_has_vouched_for(self):
        cert, key, _ = certificate(self.folder, "stranger")
        error = await self.refused(TlsFiles(self.files.ca, cert, key))
        self.assertIn(str(cert), error)

    async def test_an_engine_that_nobody_has_vouched_for(self):
        ca, _, _ = certificate(self.folder, "other-ca")
        error = await self.refused(TlsFiles(ca, self.files.cert, self.files.key))
        self.assertIn(str(ca), error)

    async def test_no_tls_where_it_is_needed(self):
        self.assertTrue(await self.refused(None))
