"""Redirects to ``http://localhost/``."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.own_address import at_own_address

ORIGIN = b"https://galaxy.example.org:8443"
PREFIX = b"/interactivetool/ep/k/t"


def located(location: bytes, prefix: bytes = b"") -> bytes:
    """What becomes of a Location."""
    lines = b"Server: x\r\nlocation: %b\r\nX-A: http://localhost/a\r\n" % location
    changed = at_own_address(lines, ORIGIN, prefix)
    head, _, rest = changed.partition(b"\r\nlocation: ")
    assert head == b"Server: x"
    value, _, rest = rest.partition(b"\r\n")
    assert rest == b"X-A: http://localhost/a\r\n"
    return value


class OwnAddressTests(SynchronousTestCase):
    def test_localhost_is_the_visitors_address(self) -> None:
        for path in (b"/", b"/lab", b"/lab/a%2Fb?x=http://localhost/y#z"):
            self.assertEqual(located(b"http://localhost" + path), ORIGIN + path)
        self.assertEqual(located(b"HTTP://LocalHost/a"), ORIGIN + b"/a")
        self.assertEqual(located(b"http://localhost"), ORIGIN + b"/")
        self.assertEqual(located(b"http://localhost?a=1"), ORIGIN + b"/?a=1")

    def test_other_places_stay_what_they_are(self) -> None:
        for location in (
            b"/lab",
            b"lab",
            b"",
            b"//localhost/a",
            b"https://localhost/a",
            b"http://localhost:8888/a",
            b"http://localhost.example.org/a",
            b"http://localhost@evil.example/a",
            b"http://127.0.0.1/a",
            b"https://example.org/?next=http://localhost/a",
        ):
            self.assertEqual(located(location), location)

    def test_below_the_path_that_the_visitor_sees(self) -> None:
        for path, expected in (
            (b"/lab", PREFIX + b"/lab"),
            (b"", PREFIX + b"/"),
            (b"/?a=1", PREFIX + b"/?a=1"),
            (PREFIX, PREFIX),
            (PREFIX + b"/lab", PREFIX + b"/lab"),
            (PREFIX + b"?x", PREFIX + b"?x"),
            (PREFIX + b"x", PREFIX + PREFIX + b"x"),
        ):
            self.assertEqual(located(b"http://localhost" + path, PREFIX), ORIGIN + expected)

    def test_whatever_stands_before(self) -> None:
        lines = b"Location: http://localhost/a\r\n"
        self.assertEqual(at_own_address(lines, ORIGIN, b""), b"Location: %b/a\r\n" % ORIGIN)
        lines = b"X-Location: http://localhost/a\r\nContent-Location: http://localhost/\r\n"
        self.assertEqual(at_own_address(lines, ORIGIN, b""), lines)

    @given(st.binary(max_size=30).filter(lambda text: not set(text) & set(b"\r\n")))
    def test_never_another_line(self, rest: bytes) -> None:
        lines = b"Location: http://localhost%b\r\nX: 1\r\n" % rest
        changed = at_own_address(lines, ORIGIN, PREFIX)
        self.assertEqual(changed.count(b"\r\n"), 2)
        self.assertTrue(changed.startswith(b"Location: ") and changed.endswith(b"\r\nX: 1\r\n"))
