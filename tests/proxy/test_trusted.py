"""Which peers are believed."""

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.trusted import TrustedPeers


class TrustedPeersTests(SynchronousTestCase):
    def test_networks_and_single_addresses(self) -> None:
        peers = TrustedPeers([ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("::1")])
        for address in (b"127.0.0.1", b"10.1.2.3", b"::1", b"127.0.0.1"):
            self.assertIn(address, peers)
        for address in (b"127.0.0.2", b"11.0.0.1", b"::2", b"", b"unix:", b"galaxy", b"\xff"):
            self.assertNotIn(address, peers)

    def test_only_addresses_are_looked_up(self) -> None:
        self.assertNotIn(5, TrustedPeers([ip_network("0.0.0.0/0")]))

    def test_what_is_remembered_is_bounded(self) -> None:
        peers = TrustedPeers([ip_network("10.0.0.0/8")])
        for number in range(5000):
            self.assertIn(b"10.0.%d.%d" % (number // 250, number % 250), peers)
        self.assertLess(len(peers._known), 5000)
