"""The head that a backend gets."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.proxy.decision import Destination
from giestack.proxy.head import RequestFields, canonical
from giestack.proxy.request_head import backend_fields, trailer_lines
from giestack.proxy.seen import Seen
from tests.proxy.memory import GUARDED, to

HOST = (b"Host", b"Galaxy.example.org:8443")
_FORM = b"application/x-www-form-urlencoded"
SEEN = Seen(b"192.0.2.1", b"https", b"seen.example.org", b"192.0.2.1, 127.0.0.1")


def written(
    *fields: tuple[bytes, bytes], seen: Seen = SEEN, destination: Destination | None = None
) -> bytes:
    read = RequestFields([HOST, *fields], "1.1", GUARDED)
    return backend_fields(read, seen, destination or to())


class BackendFieldsTests(SynchronousTestCase):
    def test_a_whole_head(self) -> None:
        lines = written(
            (b"X-Some", b"1"),
            (b"Cookie", b"galaxysession=abc; _xsrf=2"),
            (b"X-Forwarded-For", b"10.9.8.7"),
            (b"X-Forwarded-Host", b"evil.example"),
            (b"Connection", b"keep-alive"),
        )
        self.assertEqual(
            lines,
            b"Host: Galaxy.example.org:8443\r\n"
            b"X-Some: 1\r\n"
            b"X-Forwarded-For: 192.0.2.1, 127.0.0.1\r\n"
            b"X-Forwarded-Proto: https\r\n"
            b"X-Forwarded-Port: 443\r\n"
            b"X-Forwarded-Host: seen.example.org\r\n"
            b"Cookie: _xsrf=2\r\n"
            b"\r\n",
        )

    def test_the_host_that_the_visitor_sees(self) -> None:
        lines = written(destination=to(visible_host=True))
        self.assertTrue(lines.startswith(b"Host: seen.example.org\r\n"))
        self.assertEqual(lines.count(b"Host: "), 2)
        self.assertEqual(lines.count(b"galaxy.example.org"), 0)
        unnamed = Seen(b"192.0.2.1", b"http", b"", b"192.0.2.1")
        lines = written(seen=unnamed, destination=to(visible_host=True))
        self.assertTrue(lines.startswith(b"Host: 127.0.0.1:9000\r\n"))

    def test_what_rstudio_reads(self) -> None:
        rstudio = to(headers=((b"X-RStudio-Root-Path", b"/base"),))
        for sent, got in (
            (b"application/x-www-form-urlencoded; charset=UTF-8", _FORM),
            (b"application/x-www-form-urlencoded ;charset=utf-8", _FORM),
            (_FORM, _FORM),
            (b"application/json; charset=UTF-8", b"application/json; charset=UTF-8"),
            (b"multipart/form-data; boundary=a", b"multipart/form-data; boundary=a"),
        ):
            fields = ((b"content-type", sent), (b"content-length", b"3"), (b"x-RS-CSRF", b"1"))
            lines = written(*fields, destination=rstudio)
            self.assertIn(b"\r\nContent-Type: %b\r\n" % got, lines)
            self.assertIn(b"\r\nContent-Length: 3\r\n", lines)
            self.assertIn(b"\r\nx-RS-CSRF: 1\r\n", lines)
            # Others get what was sent.
            self.assertIn(b"\r\ncontent-type: %b\r\n" % sent, written(*fields))

    def test_framing_is_written_anew(self) -> None:
        for fields, framing in (
            ((), b""),
            (((b"Content-Length", b" 0012"),), b"Content-Length: 12\r\n"),
            (((b"content-length", b"0"),), b"Content-Length: 0\r\n"),
            (((b"Transfer-Encoding", b"CHUNKED"),), b"Transfer-Encoding: chunked\r\n"),
            (((b"Expect", b"100-continue"),), b""),
            (
                ((b"expect", b"100-Continue"), (b"Content-Length", b"1")),
                b"Expect: 100-continue\r\nContent-Length: 1\r\n",
            ),
            (
                ((b"Expect", b"100-continue"), (b"Transfer-Encoding", b"chunked")),
                b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
            ),
            (
                ((b"upgrade", b"WebSocket"), (b"Connection", b"x, UPGRADE")),
                b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
            ),
            (((b"Upgrade", b"h2c"), (b"Connection", b"upgrade")), b""),
        ):
            lines = written(*fields)
            self.assertTrue(lines.endswith(b"seen.example.org\r\n" + framing + b"\r\n"), lines)

    def test_a_client_without_a_host(self) -> None:
        fields = RequestFields([], "1.0", GUARDED)
        seen = Seen(b"192.0.2.1", b"http", b"", b"192.0.2.1")
        for address, host in (
            (Address("10.0.0.5", 8888), b"10.0.0.5:8888"),
            (Address("::1", 8888), b"[::1]:8888"),
            (Address(path="/run/x.sock"), b"localhost"),
        ):
            lines = backend_fields(fields, seen, Destination(address, "service", "x", None))
            self.assertTrue(lines.startswith(b"Host: %b\r\n" % host))
            self.assertNotIn(b"X-Forwarded-Host", lines)

    def test_a_peer_without_an_address(self) -> None:
        seen = Seen(b"unix:", b"http", b"a", b"")
        self.assertNotIn(b"X-Forwarded-For", written(seen=seen))

    def test_the_prefix(self) -> None:
        lines = written((b"X-Forwarded-Prefix", b"/evil"), destination=to(prefix=b"/apollo"))
        self.assertEqual(lines.count(b"Prefix"), 1)
        self.assertIn(b"\r\nX-Forwarded-Prefix: /apollo\r\n", lines)

    def test_headers_that_are_set_replace_what_the_client_sent(self) -> None:
        destination = to(headers=((b"X-My_Path", b"/a/b"), (b"REMOTE_USER", b"alice@example.org")))
        for spelt in (b"X-My-Path", b"x_my_path", b"X.MY.PATH", b"X-my!path"):
            lines = written((spelt, b"/evil"), (b"X-Other", b"1"), destination=destination)
            self.assertNotIn(b"evil", lines)
            self.assertIn(b"\r\nX-Other: 1\r\n", lines)
            self.assertIn(b"\r\nX-My_Path: /a/b\r\nREMOTE_USER: alice@example.org\r\n", lines)

    def test_a_header_without_a_value_is_only_removed(self) -> None:
        lines = written((b"x_my_path", b"/evil"), destination=to(headers=((b"X-My-Path", b""),)))
        self.assertNotIn(b"path", lines.lower())

    def test_a_header_of_the_tool_takes_the_place_of_giestacks(self) -> None:
        destination = to(prefix=b"/p", headers=((b"x-forwarded_prefix", b"/p/k/t"),))
        lines = written(destination=destination)
        self.assertEqual(lines.lower().count(b"prefix"), 1)
        self.assertIn(b"\r\nx-forwarded_prefix: /p/k/t\r\n", lines)

    NAMES = (
        *(b"X-Forwarded-For", b"X_Forwarded_For", b"x-forwarded-host", b"Forwarded", b"X-Real-IP"),
        *(b"X-Forwarded-Proto", b"X-Forwarded-Port", b"X-Forwarded-Prefix", b"Remote_User"),
        *(b"remote-user", b"X-My-Path", b"x_my_path", b"X-A"),
    )
    SAFE = st.binary(max_size=8).map(lambda value: bytes(c for c in value if c > 31 and c != 127))

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(NAMES),
                SAFE,
            )
        )
    )
    def test_each_name_is_there_once_whatever_the_client_says(
        self, fields: list[tuple[bytes, bytes]]
    ) -> None:
        destination = to(prefix=b"/p", headers=((b"REMOTE_USER", b"alice"), (b"X-My-Path", b"/p")))
        lines = written(*fields, destination=destination).split(b"\r\n")[:-2]
        names = [canonical(line.partition(b":")[0]) for line in lines]
        told = {canonical(line.partition(b":")[0]): line.partition(b": ")[2] for line in lines}
        names = [name for name in names if name != b"x-a"]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(told[b"remote-user"], b"alice")
        self.assertEqual(told[b"x-my-path"], b"/p")
        self.assertEqual(told[b"x-forwarded-for"], SEEN.forwarded_for)
        self.assertEqual(told[b"x-forwarded-prefix"], b"/p")


class TrailerTests(SynchronousTestCase):
    """RFC 9110 section 6.5.1."""

    def test_harmless_ones_pass(self) -> None:
        trailers = [(b"X-Checksum", b"abc"), (b"Server-Timing", b"a;dur=1"), (b"ETag", b"")]
        lines = trailer_lines(trailers)
        self.assertEqual(lines, b"X-Checksum: abc\r\nServer-Timing: a;dur=1\r\nETag: \r\n")

    def test_none(self) -> None:
        self.assertEqual(trailer_lines([]), b"")

    def test_what_would_mean_something_in_a_head_does_not(self) -> None:
        for name in (
            b"Authorization", b"Connection", b"Content-Length", b"Content_Length", b"Cookie",
            b"Content-Type", b"Content-Encoding", b"Content-Range", b"Host", b"Set-Cookie", b"TE",
            b"Transfer-Encoding", b"transfer.encoding", b"Upgrade", b"Trailer", b"Location",
            b"Expect", b"Proxy", b"Proxy-Authorization", b"Proxy-Connection", b"Keep-Alive",
            b"Forwarded", b"X-Forwarded-For", b"X_FORWARDED_HOST", b"X-Real-IP", b"X-Scheme",
            b"X-Interactive-Tool-Host", b"Origin", b"Referer", b"Access-Control-Allow-Origin",
            b"Strict-Transport-Security", b"Clear-Site-Data", b"Set-Cookie2", b"Alt-Svc",
            b"X-Accel-Redirect", b"X-Sendfile", b"Cache-Control", b"Range", b"Vary",
            b"HTTP2-Settings",
        ):  # fmt: skip
            for spelt in (name, name.upper(), name.lower()):
                self.assertEqual(trailer_lines([(spelt, b"1")]), b"", spelt)

    def test_what_only_giestack_may_say_does_not(self) -> None:
        forbidden = frozenset((b"remote-user", b"x-my-path"))
        for name in (b"REMOTE_USER", b"Remote-User", b"remote.user", b"X_My-Path"):
            self.assertEqual(trailer_lines([(name, b"eve"), (b"X", b"1")], forbidden), b"X: 1\r\n")
