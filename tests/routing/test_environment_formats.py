"""Rows of gxproxy2 and gxproxy."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing.environment_formats import (
    address_of,
    container_of,
    gxproxy2_row,
    gxproxy_row,
)
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import BadRow

COOKIE = "c6ca0ddb55be603a" * 5
ANYTHING = st.none() | st.integers() | st.binary() | st.text() | st.lists(st.text())


class Gxproxy2Tests(SynchronousTestCase):
    def test_a_row(self) -> None:
        route = gxproxy2_row(COOKIE, "172.17.0.1", 32768, '["abc", "def"]')
        here = Address("172.17.0.1", 32768)
        self.assertEqual(route, EnvironmentRoute(COOKIE, here, b"", ("abc", "def")))

    def test_a_port_that_is_not_known_yet(self) -> None:
        for port in (-8888, "-8888"):
            self.assertIsNone(gxproxy2_row(COOKIE, None, port).address)

    def test_containers_that_cannot_be_read_do_not_matter(self) -> None:
        for containers in (None, "", "[", "{}", "[[1]]", 7, ["a b"], "[" * 100_000):
            self.assertEqual(gxproxy2_row(COOKIE, "h", 1, containers).container_ids, ())
        self.assertEqual(gxproxy2_row(COOKIE, "h", 1, ["a", 1]).container_ids, ("a",))

    def test_bad_rows(self) -> None:
        for row in (
            (None, "h", 1),
            ("", "h", 1),
            ("a b", "h", 1),
            ("é", "h", 1),
            ("x" * 5000, "h", 1),
            (COOKIE, None, 1),
            (COOKIE, "a b", 1),
            (COOKIE, "h", 0),
            (COOKIE, "h", 65536),
            (COOKIE, "h", True),
            (COOKIE, "h", "-"),
            (COOKIE, "h", None),
        ):
            error = self.assertRaises(BadRow, gxproxy2_row, *row)
            self.assertNotIn(COOKIE[:8], str(error))

    def test_a_visitor_without_a_cookie_gives_nobody_a_key(self) -> None:
        # What Python and JSON write for no cookie: with plain equality anybody could send it.
        for key in ("null", "None"):
            self.assertRaises(BadRow, gxproxy2_row, key, "h", 1)
            self.assertRaises(BadRow, gxproxy_row, "h:1", key)

    @given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
    def test_anything_is_a_route_or_a_bad_row(
        self, key: object, host: object, port: object, containers: object
    ) -> None:
        try:
            self.assertIsInstance(gxproxy2_row(key, host, port, containers), EnvironmentRoute)
        except BadRow:
            pass


class GxproxyTests(SynchronousTestCase):
    def test_a_row(self) -> None:
        route = gxproxy_row("localhost:32768", COOKIE)
        self.assertEqual(route, EnvironmentRoute(COOKIE, Address("localhost", 32768)))

    def test_addresses(self) -> None:
        self.assertEqual(address_of("[::1]:80"), Address("::1", 80))
        self.assertIsNone(address_of("localhost:-8888"))
        for address in ("localhost", ":80", "localhost:", "a b:80", "h:x", 80, None):
            self.assertRaises(BadRow, address_of, address)

    def test_containers(self) -> None:
        self.assertEqual(container_of("gie_0a1b"), "gie_0a1b")
        for container in ("", "../x", "a/b", "a" * 256, None, 5):
            self.assertRaises(BadRow, container_of, container)
