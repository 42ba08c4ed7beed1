"""What visitors see of this server, and who is believed about it."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.head import Malformed, RequestFields
from giestack.proxy.seen import UNIX_PEER, Seen, seen_by_visitor
from tests.proxy.memory import GUARDED

HOST = (b"Host", b"galaxy.example.org")


def head(*fields: tuple[bytes, bytes]) -> RequestFields:
    return RequestFields([HOST, *fields], "1.1", GUARDED)


class SeenTests(SynchronousTestCase):
    """The visitor's own view of a request."""

    TRUSTED = frozenset((b"127.0.0.1", b"10.0.0.1"))

    def seen(
        self,
        peer: bytes,
        *fields: tuple[bytes, bytes],
        secure: bool = False,
        told: bytes = b"https",
    ) -> Seen:
        return seen_by_visitor(head(*fields), peer, self.TRUSTED, secure, told)

    def test_a_stranger_is_not_believed(self) -> None:
        seen = self.seen(
            b"203.0.113.9",
            (b"X-Forwarded-For", b"127.0.0.1"),
            (b"X-Forwarded-Proto", b"https"),
            (b"X-Forwarded-Host", b"evil.example"),
            (b"X-Real-IP", b"127.0.0.1"),
        )
        self.assertEqual(seen, Seen(b"203.0.113.9", b"http", HOST[1], b"203.0.113.9", False))
        self.assertEqual((seen.host_name, seen.port), (HOST[1], b"80"))
        secure = self.seen(b"203.0.113.9", secure=True)
        self.assertEqual((secure.scheme, secure.port), (b"https", b"443"))

    def test_a_front_is(self) -> None:
        seen = self.seen(
            b"127.0.0.1",
            (b"X-Forwarded-For", b"198.51.100.7"),
            (b"X-Forwarded-Proto", b"HTTP"),
            (b"X-Forwarded-Host", b"seen.example.org:8080"),
        )
        self.assertEqual(
            seen,
            Seen(
                b"198.51.100.7", b"http", b"seen.example.org:8080", b"198.51.100.7, 127.0.0.1", True
            ),
        )
        self.assertEqual((seen.host_name, seen.port), (b"seen.example.org", b"8080"))

    def test_what_a_front_does_not_say(self) -> None:
        seen = self.seen(b"127.0.0.1")
        self.assertEqual(seen, Seen(b"127.0.0.1", b"https", HOST[1], b"127.0.0.1", True))
        odd = self.seen(b"127.0.0.1", (b"X-Forwarded-Proto", b"gopher"), told=b"http")
        self.assertEqual(odd.scheme, b"http")
        secure = self.seen(b"127.0.0.1", (b"X-Forwarded-Proto", b"http"), secure=True)
        self.assertEqual(secure.scheme, b"https")

    def test_pages_without_encryption(self) -> None:
        https = (b"X-Forwarded-Proto", b"https")
        port = (b"X-Forwarded-Host", b"galaxy.example.org:8800")
        stranger = b"203.0.113.9"
        for seen, http in (
            (self.seen(stranger), True),
            (self.seen(stranger, https), True),
            (self.seen(stranger, secure=True), False),
            (self.seen(b"127.0.0.1", https), False),
            (self.seen(b"127.0.0.1", https, port), False),
            (self.seen(b"127.0.0.1", secure=True), False),
            (self.seen(b"127.0.0.1", (b"X-Forwarded-Proto", b"http")), True),
            # HTTPS is assumed: by the name that a front hands on, or past the front.
            (self.seen(b"127.0.0.1"), False),
            (self.seen(b"127.0.0.1", port), True),
            (self.seen(b"127.0.0.1", (b"X-Forwarded-Host", b"[::1]")), False),
            (self.seen(b"127.0.0.1", told=b"http"), True),
        ):
            self.assertIs(seen.may_have_page(b"http"), http, seen)
            self.assertTrue(seen.may_have_page(b"https"))

    def test_the_visitor_is_the_last_that_no_front_vouches_for(self) -> None:
        for claim, address in (
            (b"198.51.100.7", b"198.51.100.7"),
            (b"1.1.1.1, 198.51.100.7, 10.0.0.1", b"198.51.100.7"),
            (b"127.0.0.1,198.51.100.7", b"198.51.100.7"),
            (b"10.0.0.1, 127.0.0.1", b"10.0.0.1"),
            (b"2001:db8::7", b"2001:db8::7"),
            (b"::ffff:198.51.100.7", b"198.51.100.7"),
            (b", 198.51.100.7 ,", b"198.51.100.7"),
            (b"unknown", b"127.0.0.1"),
            (b"<script>", b"127.0.0.1"),
            (b"evil, 10.0.0.1", b"10.0.0.1"),
            (b"198.51.100.7:4711", b"198.51.100.7"),
            (b"2001:db8::7, 10.0.0.1:80", b"2001:db8::7"),
            (b"[2001:db8::7]:4711", b"2001:db8::7"),
            (b"[2001:db8::7], [::FFFF:10.0.0.1]", b"2001:db8::7"),
            (b"[198.51.100.7]", b"127.0.0.1"),
            (b"[2001:db8::7", b"127.0.0.1"),
            (b"198.51.100.7:", b"127.0.0.1"),
            (b" , ", b"127.0.0.1"),
            (b"", b"127.0.0.1"),
        ):
            seen = self.seen(b"127.0.0.1", (b"X-Forwarded-For", claim))
            self.assertEqual(seen.address, address, claim)

    def test_x_real_ip_stands_in(self) -> None:
        self.assertEqual(
            self.seen(b"127.0.0.1", (b"X-Real-IP", b"192.0.2.5")).address, b"192.0.2.5"
        )
        both = self.seen(
            b"127.0.0.1", (b"X-Real-IP", b"192.0.2.5"), (b"X-Forwarded-For", b"192.0.2.6")
        )
        self.assertEqual(both.address, b"192.0.2.6")

    def test_the_chain_is_continued(self) -> None:
        seen = self.seen(
            b"127.0.0.1", (b"X-Forwarded-For", b"1.1.1.1"), (b"X-Forwarded-For", b"2.2.2.2")
        )
        self.assertEqual(seen.forwarded_for, b"1.1.1.1, 2.2.2.2, 127.0.0.1")

    def test_a_unix_socket_is_a_front(self) -> None:
        seen = self.seen(UNIX_PEER, (b"X-Forwarded-For", b"192.0.2.1"))
        self.assertEqual((seen.address, seen.forwarded_for), (b"192.0.2.1", b"192.0.2.1"))
        self.assertTrue(seen.by_front)
        self.assertEqual(self.seen(UNIX_PEER).forwarded_for, b"")

    def test_lists_of_a_chain_of_fronts(self) -> None:
        seen = self.seen(
            b"127.0.0.1",
            (b"X-Forwarded-Proto", b"https, http"),
            (b"X-Forwarded-Host", b" a.example , b.example"),
        )
        self.assertEqual((seen.scheme, seen.host), (b"https", b"a.example"))

    def test_an_impossible_host_of_a_front(self) -> None:
        for host in (b"a b", b"a:0", b"u@a", b"/", b",a", b", ", b"a..b", b"[::1%1]"):
            with self.assertRaises(Malformed) as caught:
                self.seen(b"127.0.0.1", (b"X-Forwarded-Host", host))
            self.assertEqual(caught.exception.status, 400)
        self.assertEqual(self.seen(b"127.0.0.1", (b"X-Forwarded-Host", b"")).host, HOST[1])

    def test_a_request_without_host(self) -> None:
        fields = RequestFields([], "1.0", GUARDED)
        seen = seen_by_visitor(fields, b"203.0.113.9", frozenset(), False, b"http")
        self.assertEqual((seen.host, seen.host_name, seen.port), (b"", b"", b"80"))
