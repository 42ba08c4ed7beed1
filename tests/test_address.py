"""Where a backend listens."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address


class AddressTests(SynchronousTestCase):
    def test_what_a_backend_is_told_as_its_name(self) -> None:
        for address, authority, text in (
            (Address("10.0.0.5", 8888), b"10.0.0.5:8888", "http://10.0.0.5:8888"),
            (Address("::1", 80), b"[::1]:80", "http://[::1]:80"),
            (Address("a.example", 443, tls=True), b"a.example:443", "https://a.example:443"),
            (Address(path="/run/x.sock"), b"localhost", "unix:/run/x.sock"),
        ):
            self.assertEqual((address.authority(), str(address)), (authority, text))

    def test_idle_connections_are_shared_by_equal_ones_only(self) -> None:
        one = Address("a.example", 443, tls=True)
        self.assertEqual({one: 1}[Address("a.example", 443, tls=True)], 1)
        for other in (
            Address("a.example", 443),
            Address("a.example", 444, tls=True),
            Address("a.example", 443, tls=True, ca_file="/etc/ca.pem"),
            Address(path="a.example"),
            Address("a.example", 443, tls=True, session="s1"),
        ):
            self.assertNotEqual(one, other)
