"""How backends are connected to. TLS, for real, is in tests/real/test_backends.py."""

from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from giestack.address import Address
from giestack.proxy.backend import BackendConnection
from giestack.proxy.endpoints import DirectEndpoint, Endpoints, certificates_in
from tests.proxy.memory import House


class EndpointsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.endpoints = Endpoints(self.reactor, 5)
        pool = House().pool
        self.factory = Factory.forProtocol(lambda: BackendConnection(Address("a", 1), pool))

    def test_ip_addresses_need_no_look_up(self) -> None:
        for host in ("127.0.0.1", "::1"):
            endpoint = self.endpoints(Address(host, 80))
            self.assertTrue(verifyObject(IStreamClientEndpoint, endpoint))
            made = endpoint.connect(self.factory)
            self.assertNoResult(made)
            name, port, factory, timeout, _ = self.reactor.tcpClients[-1]
            self.assertEqual((name, port, timeout), (host, 80, 5))
            connection = factory.buildProtocol(IPv4Address("TCP", host, 80))
            assert connection is not None
            connection.makeConnection(StringTransport())
            self.assertIs(self.successResultOf(made), connection)

    def test_a_unix_socket(self) -> None:
        made = self.endpoints(Address(path="/run/x.sock")).connect(self.factory)
        path, factory, timeout, _ = self.reactor.unixClients[-1]
        self.assertEqual((path, timeout), ("/run/x.sock", 5))
        connector = self.reactor.connectors[-1]
        factory.clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
        self.failureResultOf(made, ConnectionRefusedError)

    def test_an_attempt_can_be_given_up(self) -> None:
        made = self.endpoints(Address("127.0.0.1", 80)).connect(self.factory)
        made.cancel()
        self.failureResultOf(made)
        self.assertTrue(self.reactor.connectors[-1]._disconnected)
        factory = self.reactor.tcpClients[-1][2]
        connector = self.reactor.connectors[-1]
        factory.clientConnectionFailed(connector, Failure(ConnectionRefusedError()))

    def test_names_are_looked_up(self) -> None:
        self.assertIsInstance(self.endpoints(Address("backend.example.org", 80)), HostnameEndpoint)
        tls = self.endpoints(Address("127.0.0.1", 443, tls=True))
        self.assertNotIsInstance(tls, DirectEndpoint)

    def test_an_address_keeps_its_endpoint(self) -> None:
        one = self.endpoints(Address("127.0.0.1", 80))
        self.assertIs(self.endpoints(Address("127.0.0.1", 80)), one)
        self.assertIsNot(self.endpoints(Address("127.0.0.1", 81)), one)

    def test_another_timeout(self) -> None:
        address = Address("127.0.0.1", 80)
        before = self.endpoints(address)
        self.endpoints.configure(7)
        after = self.endpoints(address)
        self.assertIsNot(after, before)
        after.connect(self.factory)
        self.assertEqual(self.reactor.tcpClients[-1][3], 7)


class CertificateTests(SynchronousTestCase):
    def test_files_without_a_certificate(self) -> None:
        path = Path(self.mktemp())
        self.assertRaises(OSError, certificates_in, str(path))
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        for text in (b"", b"hello", broken):
            path.write_bytes(text)
            error = self.assertRaises(ValueError, certificates_in, str(path))
            self.assertIn(str(path), str(error))
