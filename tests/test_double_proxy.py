"""What the ends of a double proxy say to each other."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.double_proxy import AllowedTargets, BadTarget, named_target, through
from giestack.proxy.decision import Destination
from giestack.proxy.head import GuardedNames, RequestFields
from giestack.proxy.request_head import backend_fields
from giestack.proxy.seen import Seen

TOOL = Address("10.0.0.5", 8888)
FAR_END = Address("192.0.2.7", 4002)
SEEN = Seen(b"203.0.113.9", b"https", b"galaxy.example.org", b"203.0.113.9")


def named(*fields: tuple[str, str]) -> Address | None:
    return named_target([(name.encode(), value.encode("latin-1")) for name, value in fields])


def head(destination: Destination, *fields: tuple[bytes, bytes]) -> bytes:
    read = RequestFields([(b"Host", SEEN.host), *fields], "1.1", GuardedNames())
    return backend_fields(read, SEEN, destination)


class NearEndTests(SynchronousTestCase):
    def test_the_far_end_is_told_the_target(self) -> None:
        to = through(Destination(TOOL, "entry_point", "key1", None, b"/it/ep/k/t"), FAR_END)
        self.assertEqual((to.address, to.route, to.prefix), (FAR_END, "key1", b"/it/ep/k/t"))
        lines = head(to)
        self.assertIn(b"\r\nX-Interactive-Tool-Host: 10.0.0.5\r\n", lines)
        self.assertIn(b"\r\nX-Interactive-Tool-Port: 8888\r\n", lines)
        self.assertTrue(lines.startswith(b"Host: galaxy.example.org\r\n"))

    def test_nobody_else_can_name_one(self) -> None:
        claimed = [
            (name, b"169.254.169.254:80")
            for name in (
                *(b"X-Interactive-Tool-Host", b"x_interactive_tool_host"),
                *(b"X-Interactive-Tool-Port", b"X.Interactive.Tool.Port"),
            )
        ]
        plain = Destination(TOOL, "entry_point", "key1", None)
        self.assertNotIn(b"169.254", head(plain, *claimed))
        self.assertNotIn(b"nteractive", head(plain, *claimed))
        lines = head(through(plain, FAR_END), *claimed)
        self.assertNotIn(b"169.254", lines)
        self.assertEqual(lines.lower().count(b"interactive-tool-"), 2)

    def test_a_tool_keeps_its_own_header_but_not_under_these_names(self) -> None:
        path = b"/interactivetool/ep/k/t"
        own = ((b"X-My-Path", path), (b"x_interactive-tool_HOST", path))
        lines = head(through(Destination(TOOL, "entry_point", "k", None, b"", own), FAR_END))
        self.assertIn(b"\r\nX-My-Path: %b\r\n" % path, lines)
        self.assertEqual(lines.lower().replace(b"_", b"-").count(b"interactive-tool-host"), 1)


class NamedTargetTests(SynchronousTestCase):
    def test_as_both_proxies_write_it(self) -> None:
        host, port = "x-interactive-tool-host", "X-Interactive-Tool-Port"
        for fields, expected in (
            ((), None),
            ((("X-Interactive-Tool", "x"), ("Host", "a:1")), None),
            (((host, "10.0.0.5"), (port, "8888")), TOOL),
            (((port, "8888"), ("Accept", "*/*"), (host, " 10.0.0.5\t")), TOOL),
            (((host, "10.0.0.5:8888"),), TOOL),
            (((host, "Node1.Cluster."), (port, "80")), Address("node1.cluster", 80)),
            (((host, "node_1:80"),), Address("node_1", 80)),
            (((host, "::1"), (port, "80")), Address("::1", 80)),
            (((host, "FD00:0::1"), (port, "80")), Address("fd00::1", 80)),
            (((host, "[fd00::1]:80"),), Address("fd00::1", 80)),
        ):
            self.assertEqual(named(*fields), expected, fields)

    def test_what_can_be_read_in_two_ways_or_none(self) -> None:
        host, port = "X-Interactive-Tool-Host", "X-Interactive-Tool-Port"
        for fields in (
            ((host, "a"),),
            ((port, "80"),),
            ((host, ""), (port, "80")),
            ((host, "a"), (port, "")),
            ((host, "a"), (port, "0")),
            ((host, "a"), (port, "65536")),
            ((host, "a"), (port, "80, 81")),
            ((host, "a"), (port, "+80")),
            ((host, "a:81"), (port, "80")),
            ((host, "[::1]"), (port, "80")),
            ((host, "::1"),),
            ((host, "a b"), (port, "80")),
            ((host, "a/../b"), (port, "80")),
            ((host, "u@a"), (port, "80")),
            ((host, "\xe4"), (port, "80")),
            ((host, "a"), (host, "b"), (port, "80")),
            ((host, "a"), (port, "80"), (port, "80")),
            ((host, "unix:/run/docker.sock"),),
        ):
            self.assertRaises(BadTarget, named, *fields)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from((b"X-Interactive-Tool-Host", b"x-interactive-tool-port", b"Host")),
                st.binary(max_size=20)
                | st.sampled_from((b"10.0.0.5", b"80", b"a:80", b"[::1]:8", b"::1")),
            ),
            max_size=3,
        )
    )
    def test_any_fields(self, fields: list[tuple[bytes, bytes]]) -> None:
        try:
            address = named_target(fields)
        except BadTarget:
            return
        if address is not None:
            self.assertTrue(address.host and 0 < address.port < 65536)
            # Whatever it was, the next one reads the same.
            again = through(Destination(address, "entry_point", "k", None), FAR_END).headers
            self.assertEqual(named_target(again), address)


class AllowedTargetsTests(SynchronousTestCase):
    def test_the_forms(self) -> None:
        allowed = AllowedTargets(
            ("node1", "node2:80", "10.1.0.0/16", "fd00::/8", "192.0.2.1:81", "::1", "[::2]:80")
        )
        for host, port, expected in (
            *(("node1", 1, True), ("node1", 65535, True), ("node10", 1, False)),
            *(("node2", 80, True), ("node2", 81, False), ("a.node1", 1, False)),
            *(("10.1.2.3", 9, True), ("10.2.0.1", 9, False), ("fd12::1", 9, True)),
            *(("192.0.2.1", 81, True), ("192.0.2.1", 80, False), ("fe80::1", 9, False)),
            *(("::1", 7, True), ("::2", 80, True), ("::2", 81, False)),
            # Only what is written as an address is one: names are not looked up.
            *(("10.1", 9, False), ("localhost", 9, False), ("0x0a010203", 9, False)),
        ):
            self.assertEqual(Address(host, port) in allowed, expected, (host, port))

    def test_nothing_else_is_in_it(self) -> None:
        self.assertNotIn("node1", AllowedTargets(("node1",)))
        self.assertNotIn(Address("node1", 1), AllowedTargets(()))
        self.assertNotIn(Address(path="/run/x.sock"), AllowedTargets(("10.0.0.0/8", "node1")))
