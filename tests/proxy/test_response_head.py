"""What a backend's response head may say to a browser, and what it may not."""

from http.cookies import CookieError, SimpleCookie

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.head import Malformed
from giestack.proxy.response_head import ResponseHead, client_head, cookie_allowed, status_line
from giestack.proxy.response_parser import ParsedHead
from tests.proxy.memory import GUARDED

HOST = b"galaxy.example.org"
HIDDEN = GUARDED.hidden_cookies


def head(
    *fields: tuple[bytes, bytes],
    status: int = 200,
    reason: bytes = b"OK",
    version: str = "1.1",
    origin: bytes | None = None,
    own: bool = False,
) -> ResponseHead:
    parsed = ParsedHead(status, reason, version, list(fields))
    return ResponseHead(parsed, HOST, None if own else HIDDEN, origin)


class RefusalTests(SynchronousTestCase):
    """Answers that can be read in more than one way."""

    def refused(self, *fields: tuple[bytes, bytes], **options: object) -> None:
        with self.assertRaises(Malformed) as caught:
            head(*fields, **options)  # type: ignore[arg-type]
        self.assertEqual(caught.exception.status, 502)

    def test_versions(self) -> None:
        for version in ("0.9", "1.2", "2.0", "3.0"):
            self.refused(version=version)
        self.assertEqual(head(version="1.0").status, 200)

    def test_statuses(self) -> None:
        for status in (0, 1, 99, 1000):
            self.refused(status=status)
        for status in (100, 200, 404, 599, 999):
            self.assertEqual(head(status=status).status, status)

    def test_reasons(self) -> None:
        for reason in (b"a\0b", b"a\rb", b"a\nb", b"\x1b[2J", b"\x7f"):
            self.refused(reason=reason)
        for reason in (b"", b"OK", b"Nicht \xfcblich", b"a\tb"):
            self.assertEqual(head(reason=reason).reason, reason)

    def test_framing(self) -> None:
        length, chunked = (b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")
        self.refused(length, length)
        self.refused(length, (b"content-length", b"4"))
        self.refused(length, chunked)
        self.refused(chunked, length)
        self.refused(chunked, chunked)
        for value in (b"", b"-1", b"+1", b"1, 1", b"0x1", b"\xb2", b"1" * 19):
            self.refused((b"Content-Length", value))
        for value in (b"", b"gzip", b"gzip, chunked", b"chunked, identity", b"identity"):
            self.refused((b"Transfer-Encoding", value))


class FramingTests(SynchronousTestCase):
    def test_bodies(self) -> None:
        for fields, length, chunked in (
            ((), None, False),
            (((b"CONTENT-length", b"\t007 "),), 7, False),
            (((b"Transfer-Encoding", b" Chunked\t"),), None, True),
        ):
            read = head(*fields)
            self.assertEqual((read.content_length, read.chunked), (length, chunked))
            self.assertEqual(read.lines, b"")


class PassingTests(SynchronousTestCase):
    """What reaches the browser."""

    def test_ordinary_fields_pass_unchanged(self) -> None:
        ordinary = (
            (b"Content-Type", b"text/html; charset=UTF-8"),
            (b"content-encoding", b"gzip"),
            (b"Location", b"/interactivetool/ep/k/t/lab"),
            (b"X-Accel-Buffering", b"no"),
            (b"Content-Security-Policy", b"frame-ancestors 'self'"),
            (b"WWW-Authenticate", b"Basic"),
            (b"X-Empty", b""),
            (b"X-Bytes", b"\xe9\xff"),
        )
        lines = head(*ordinary).lines
        self.assertEqual(lines, b"".join(b"%b: %b\r\n" % field for field in ordinary))

    def test_hop_by_hop_fields_do_not_pass(self) -> None:
        lines = head(
            (b"Connection", b"x-a, X-B , keep-alive"),
            (b"connection", b"close, content-type-options"),
            (b"X-A", b"1"),
            (b"x-b", b"2"),
            (b"X-C", b"3"),
            (b"Keep-Alive", b"timeout=5"),
            (b"Upgrade", b"h2c"),
            (b"Proxy-Authenticate", b"Basic"),
            (b"Proxy-Connection", b"x"),
            (b"TE", b"trailers"),
        ).lines
        self.assertEqual(lines, b"X-C: 3\r\n")
        for usual in (b"keep-alive", b"close"):
            self.assertEqual(head((b"Connection", usual), (b"X-C", b"3")).lines, lines)

    @given(
        st.lists(st.sampled_from((b"x-a", b"X-B", b"content-type", b"close", b"", b" x-c\t"))),
        st.sampled_from((b",", b" , ", b",\t")),
    )
    def test_a_named_field_never_passes(self, named: list[bytes], comma: bytes) -> None:
        sent = (b"X-A", b"x-b", b"X-C", b"Content-Type")
        lines = head((b"Connection", comma.join(named)), *((name, b"1") for name in sent)).lines
        told = {name.strip(b" \t").lower() for name in named}
        kept = [name for name in sent if name.lower() not in told]
        self.assertEqual(lines, b"".join(b"%b: 1\r\n" % name for name in kept))

    def test_nothing_passes_that_speaks_for_the_whole_origin(self) -> None:
        for name in (
            b"Alt-Svc", b"Clear-Site-Data", b"NEL", b"Public-Key-Pins", b"Report-To", b"Accept-CH",
            b"Service-Worker-Allowed", b"Set-Cookie2", b"Strict-Transport-Security", b"Set-Login",
            b"Secure-Session-Registration", b"Sec-Session-Registration",
        ):  # fmt: skip
            for spelt in (name, name.upper(), name.lower()):
                self.assertEqual(head((spelt, b'"*"')).lines, b"", spelt)

    def test_nothing_passes_that_is_an_order_to_a_front(self) -> None:
        # nginx answers an X-Accel-Redirect of its upstream with a file of its own.
        for name in (
            b"X-Accel-Redirect", b"X-Accel-Charset", b"X-Accel-Expires", b"X-Accel-Limit-Rate",
            b"X-Sendfile", b"X-LIGHTTPD-send-file", b"X-LIGHTTPD-send-tempfile", b"X-Sendfile2",
            b"X-LiteSpeed-Location", b"X-Reproxy-URL",
        ):  # fmt: skip
            for spelt in (name, name.upper(), name.lower()):
                self.assertEqual(head((spelt, b"/etc/passwd")).lines, b"", spelt)

    def test_vary_is_one_line(self) -> None:
        fields = ((b"Vary", b"Accept"), (b"X", b"1"), (b"vary", b"Cookie, Accept-Encoding"))
        self.assertEqual(head(*fields).lines, b"X: 1\r\nVary: Accept, Cookie, Accept-Encoding\r\n")
        lines = head(*fields, origin=b"https://a.example").lines
        self.assertIn(b"\r\nVary: Accept, Cookie, Accept-Encoding, Origin\r\n", lines)


class OriginTests(SynchronousTestCase):
    """Who may read the answer across origins."""

    CLAIMS = (
        (b"Access-Control-Allow-Origin", b"*"),
        (b"access-control-allow-credentials", b"yes"),
        (b"Access-Control-Allow-Headers", b"X-XSRFToken"),
        (b"Access-Control-Max-Age", b"600"),
    )

    def test_nobody(self) -> None:
        self.assertEqual(head(*self.CLAIMS).lines, b"")

    def test_an_allowed_origin(self) -> None:
        lines = head(*self.CLAIMS, origin=b"https://galaxy.example.org").lines
        self.assertEqual(
            lines,
            b"Access-Control-Allow-Headers: X-XSRFToken\r\n"
            b"Access-Control-Max-Age: 600\r\n"
            b"Access-Control-Allow-Origin: https://galaxy.example.org\r\n"
            b"Access-Control-Allow-Credentials: true\r\n"
            b"Vary: Origin\r\n",
        )

    def test_a_connection_field_does_not_take_that_away(self) -> None:
        lines = head(
            (b"Connection", b"access-control-allow-origin, vary, set-cookie"),
            (b"Set-Cookie", b"a=1"),
            (b"Vary", b"Accept"),
            origin=b"https://a.example",
        ).lines
        self.assertEqual(
            lines,
            b"Set-Cookie: a=1\r\n"
            b"Access-Control-Allow-Origin: https://a.example\r\n"
            b"Access-Control-Allow-Credentials: true\r\n"
            b"Vary: Accept, Origin\r\n",
        )

    def test_own_pages_speak_for_themselves(self) -> None:
        fields = (*self.CLAIMS, (b"Set-Cookie", b"galaxysession=abc; Domain=example.org"))
        lines = head(*fields, own=True).lines
        self.assertEqual(lines, b"".join(b"%b: %b\r\n" % field for field in fields))


class CookieTests(SynchronousTestCase):
    """Cookies on a host that the backend shares with Galaxy."""

    def test_its_own_ones(self) -> None:
        for value in (
            b"a=1",
            b"a=",
            b' a = "1"; Path=/x; HttpOnly; SameSite=Lax',
            b"_xsrf=2|abc|def|1700000000; expires=Mon, 21 Dec 2026 08:42:48 GMT; Path=/",
            b"user-id=x; Domain=galaxy.example.org",
            b"user-id=x;domain = .GALAXY.example.org ;Secure",
            b"a=1; Domain=",
            b"a=1; Domain",
            b"a=1; Domain=.",
            b"a=1; Domains=example.org; My-Domain=example.org",
            b"galaxysession2=1",
            b"xgalaxysession=1",
            b"a=galaxysession",
            b"a[b]=1",
            b"a=1; Path=/galaxysession=1",
        ):
            self.assertTrue(cookie_allowed(value, HOST, HIDDEN), value)
            self.assertEqual(head((b"Set-Cookie", value)).lines, b"Set-Cookie: %b\r\n" % value)

    def test_those_of_galaxy_and_giestack(self) -> None:
        for value in (
            b"galaxysession=1",
            b"GALAXYSESSION=1",
            b"GalaxySession = 1",
            b"\tgalaxysession\t=1; Path=/",
            b"galaxytoolrunnersession=1",
            b"giestack=1",
            b"galaxysession=; Max-Age=0",
            b"galaxysession",
            b"galaxysession; Path=/",
            # Without a name browsers send back the bare value.
            b"=galaxysession=1",
            b" = galaxysession=1",
            b"a",
            b"",
            b";",
            # Python's cookie parser, and so Galaxy's, ends a pair at white space as well.
            b"a=1 galaxysession=2",
            b"galaxya=1\tgalaxysession=2",
            b'a="1" galaxysession="2"',
            b'a="1"galaxysession=2',
            b"a=1,galaxysession=2",
            b"a=1, GalaxySession =2",
            # Some programs trim more than blanks, or read bytes above ASCII as them.
            b"\xa0galaxysession=1",
            b"galaxysession\x85=1",
            b'"galaxysession"=1',
            b"(galaxysession=1",
        ):
            self.assertFalse(cookie_allowed(value, HOST, HIDDEN), value)
            self.assertEqual(head((b"set-cookie", value)).lines, b"", value)

    def test_names_that_parsers_stumble_over(self) -> None:
        for name in (b"a b", b"a\tb", b'"a"', b"a,b", b"\xe9", b"a\\", b"\xc2\xa0a"):
            self.assertFalse(cookie_allowed(name + b"=1", HOST, HIDDEN), name)

    def test_those_for_other_hosts(self) -> None:
        for attribute in (
            b"Domain=example.org",
            b"Domain=.example.org",
            b"DOMAIN=org",
            b"domain\t=\texample.org",
            b" domain = example.org ",
            b"Domain=other.galaxy.example.org",
            b"Domain=xgalaxy.example.org",
            b"Domain=galaxy.example.org.",
            b"Domain=..galaxy.example.org",
            b'Domain="galaxy.example.org"',
            b"Domain=galaxy.example.org; Domain=example.org",
            b"Domain=example.org; Domain=galaxy.example.org",
            b"Domain=example.org; Domain=",
        ):
            value = b"a=1; Path=/;" + attribute + b"; Secure"
            self.assertFalse(cookie_allowed(value, HOST, HIDDEN), value)

    def test_no_domain_on_a_host_without_a_name(self) -> None:
        self.assertFalse(cookie_allowed(b"a=1; Domain=example.org", b"", HIDDEN))
        self.assertTrue(cookie_allowed(b"a=1", b"", HIDDEN))

    def test_one_bad_cookie_does_not_take_others_along(self) -> None:
        lines = head(
            (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"galaxysession=1"), (b"SET-COOKIE", b"b=2")
        ).lines
        self.assertEqual(lines, b"Set-Cookie: a=1\r\nSET-COOKIE: b=2\r\n")

    JUNK = st.lists(
        st.sampled_from((b"a", b"=", b";", b" ", b"\t", b'"', b",", b"\\", b"(", b"$", b"\xa0")),
        max_size=4,
    ).map(b"".join)

    @given(JUNK, st.sampled_from(sorted(HIDDEN)), JUNK, JUNK, st.booleans())
    def test_python_reads_no_hidden_cookie_either(
        self, before: bytes, name: bytes, after: bytes, end: bytes, upper: bool
    ) -> None:
        value = b"a=1" + before + (name.upper() if upper else name) + after + b"=" + end
        read: SimpleCookie = SimpleCookie()
        try:
            read.load(value.partition(b";")[0].decode("latin-1"))
        except CookieError:
            return
        names = {name.lower().encode("latin-1") for name in read}
        if names & HIDDEN:
            self.assertFalse(cookie_allowed(value, HOST, HIDDEN), value)


class ClientHeadTests(SynchronousTestCase):
    """How the body is delimited towards the client (RFC 9112 section 6.3)."""

    LENGTH = (b"Content-Length", b"5")
    CHUNKED = (b"Transfer-Encoding", b"chunked")

    def test_all_combinations(self) -> None:
        chunked, length = b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n"
        close, keep = b"Connection: close\r\n", b"Connection: keep-alive\r\n"
        for status, fields, version, head_only, lines, in_chunks, goes_on in (
            (200, (self.LENGTH,), "1.1", False, length, False, True),
            (200, (self.LENGTH,), "1.1", True, length, False, True),
            (200, (self.LENGTH,), "1.0", False, length + keep, False, True),
            (200, (self.CHUNKED,), "1.1", False, chunked, True, True),
            (200, (self.CHUNKED,), "1.1", True, chunked, False, True),
            (200, (self.CHUNKED,), "1.0", False, close, False, False),
            (200, (self.CHUNKED,), "1.0", True, close, False, False),
            (200, (), "1.1", False, chunked, True, True),
            (200, (), "1.1", True, b"", False, True),
            (200, (), "1.0", False, close, False, False),
            (200, (), "1.0", True, keep, False, True),
            (204, (), "1.1", False, b"", False, True),
            (204, (self.LENGTH,), "1.1", False, b"", False, True),
            (204, (self.CHUNKED,), "1.1", False, b"", False, True),
            (204, (), "1.0", False, keep, False, True),
            (304, (self.LENGTH,), "1.1", False, length, False, True),
            (304, (), "1.1", False, b"", False, True),
            (304, (self.CHUNKED,), "1.0", False, keep, False, True),
        ):
            case = (status, fields, version, head_only)
            told = client_head(head(*fields, status=status, reason=b"R"), version, head_only, True)
            data = b"HTTP/1.1 %d R\r\n%b\r\n" % (status, lines)
            self.assertEqual(told, (data, in_chunks, goes_on), case)

    def test_fronts_hold_no_events_back(self) -> None:
        events = (b"Content-Type", b"text/event-stream; charset=utf-8")
        said = b"X-Accel-Buffering: no\r\n"
        for fields, version, expected in (
            ((events,), "1.1", said),
            ((events,), "1.0", said),
            (((b"Content-Type", b"text/html"),), "1.1", b""),
            # Whoever knows the front knows best.
            ((events, (b"x-accel-Buffering", b"yes")), "1.1", b""),
            # A length: that is no stream.
            ((events, self.LENGTH), "1.1", b""),
        ):
            data, _, _ = client_head(head(*fields), version, False, True)
            self.assertEqual(data.count(said), expected.count(said), fields)

    def test_an_end_is_announced(self) -> None:
        for version in ("1.1", "1.0"):
            data, in_chunks, goes_on = client_head(head(self.LENGTH), version, False, False)
            self.assertTrue(data.endswith(b"Content-Length: 5\r\nConnection: close\r\n\r\n"))
            self.assertEqual((in_chunks, goes_on), (False, False))

    def test_any_number_of_different_reasons(self) -> None:
        for number in range(250):
            reason = b"R%d" % number
            for _ in range(2):
                self.assertEqual(status_line(200, reason), b"HTTP/1.1 200 %b\r\n" % reason)


class UnusualTests(SynchronousTestCase):
    def test_any_number_of_different_names(self) -> None:
        for number in range(1100):
            name = b"X-%d" % number
            self.assertEqual(head((name, b"1")).lines, name + b": 1\r\n")
        self.assertEqual(head((b"SeT-cOoKiE", b"galaxysession=1")).lines, b"")
