"""Whose page sends a request, and whether it may."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.origins import by_a_tool, may_change, origin_allowed
from giestack.proxy.decision import Request
from giestack.proxy.head import GuardedNames, RequestFields
from giestack.proxy.seen import Seen

TRUSTED = frozenset((b"https://galaxy.example.org", b"https://a.example:8443"))
HOST = b"tools.example.org"
OWN = (b"Origin", b"https://tools.example.org")
GALAXY = (b"Origin", b"https://galaxy.example.org")
EVIL = (b"Origin", b"https://evil.example")


def ask(*fields: tuple[bytes, bytes], host: bytes = HOST, scheme: bytes = b"https") -> Request:
    request = Request(b"POST", b"/x", "1.1", [(b"Host", host), *fields])
    request.fields = RequestFields(request.raw, "1.1", GuardedNames())
    request.seen = Seen(b"192.0.2.1", scheme, host, b"192.0.2.1")
    return request


class OriginAllowedTests(SynchronousTestCase):
    def allowed(self, host: bytes, origin: bytes | None, scheme: bytes = b"https") -> bool:
        fields = () if origin is None else ((b"Origin", origin),)
        return origin_allowed(ask(*fields, host=host, scheme=scheme), TRUSTED)

    def test_allowed(self) -> None:
        for host, origin in (
            (b"tools.example.org", None),
            (b"tools.example.org", b"https://tools.example.org"),
            (b"Tools.example.ORG", b"HTTPS://tools.Example.org"),
            (b"tools.example.org", b"https://tools.example.org:8443"),
            (b"tools.example.org.", b"https://tools.example.org"),
            (b"tools.example.org:8443", b"https://tools.example.org:8443"),
            (b"tools.example.org:443", b"https://tools.example.org"),
            (b"tools.example.org:80", b"http://tools.example.org"),
            (b"tools.example.org", b"https://galaxy.example.org"),
            (b"tools.example.org:1", b"https://galaxy.example.org"),
            (b"tools.example.org", b"https://A.example:8443"),
            (b"[::1]", b"https://[::1]"),
            (b"[::1]", b"https://[::1]:8888"),
            (b"[::1]:8888", b"http://[::1]:8888"),
            (b"127.0.0.1:8888", b"http://127.0.0.1:8888"),
        ):
            self.assertTrue(self.allowed(host, origin), (host, origin))

    def test_pages_without_encryption(self) -> None:
        for host, origin in (
            (b"tools.example.org", b"http://tools.example.org"),
            (b"tools.example.org", b"http://tools.example.org:8080"),
            (b"[::1]", b"http://[::1]"),
        ):
            self.assertTrue(self.allowed(host, origin, b"http"), (host, origin))
            # By whoever is on the way to a host that visitors use over HTTPS.
            self.assertFalse(self.allowed(host, origin), (host, origin))

    def test_not_allowed(self) -> None:
        for host, origin in (
            (b"tools.example.org", b""),
            (b"tools.example.org", b"null"),
            (b"tools.example.org", b"https://evil.example"),
            (b"tools.example.org", b"https://example.org"),
            (b"tools.example.org", b"https://x.tools.example.org"),
            (b"tools.example.org", b"https://tools.example.org.evil.example"),
            (b"tools.example.org", b"https://tools.example.org:443@evil.example"),
            (b"tools.example.org", b"https://tools.example.org@evil.example"),
            (b"tools.example.org", b"https://tools.example.org:evil"),
            (b"tools.example.org", b"https://tools.example.org/"),
            (b"tools.example.org", b"https://tools.example.org https://evil.example"),
            (b"tools.example.org", b"tools.example.org"),
            (b"tools.example.org", b"//tools.example.org"),
            (b"tools.example.org", b"ftp://tools.example.org"),
            (b"tools.example.org", b"chrome-extension://tools.example.org"),
            (b"tools.example.org:8443", b"https://tools.example.org"),
            (b"tools.example.org:8443", b"https://tools.example.org:9443"),
            (b"tools.example.org:443", b"http://tools.example.org"),
            (b"tools.example.org", b"http://galaxy.example.org"),
            (b"tools.example.org", b"https://galaxy.example.org:8443"),
            (b"tools.example.org", b"https://a.example"),
            (b"[::1]", b"http://[::2]"),
            (b"[::1]:8888", b"http://[::1]"),
            (b"[::1]:8888", b"http://[::1]:8889"),
        ):
            self.assertFalse(self.allowed(host, origin), (host, origin))

    def test_a_host_without_a_name_has_no_origin_of_its_own(self) -> None:
        request = ask((b"Origin", b"http://:80"))
        request.seen = Seen(b"192.0.2.1", b"http", b"", b"")
        self.assertFalse(origin_allowed(request, frozenset()))


class MayChangeTests(SynchronousTestCase):
    """Fetch Metadata and Origin of requests that change something."""

    def test_by_what_the_browser_says(self) -> None:
        for fields, may in (
            ((), True),
            ((OWN,), True),
            ((EVIL,), False),
            (((b"Sec-Fetch-Site", b"same-origin"),), True),
            (((b"sec-fetch-site", b"none"),), True),
            # A page that hides where it is from.
            (((b"Sec-Fetch-Site", b"same-origin"), (b"Origin", b"null")), True),
            (((b"Sec-Fetch-Site", b"same-site"),), False),
            (((b"Sec-Fetch-Site", b"cross-site"),), False),
            (((b"Sec-Fetch-Site", b"same-site"), OWN), True),
            (((b"Sec-Fetch-Site", b"same-site"), EVIL), False),
            (
                ((b"Sec-Fetch-Site", b"cross-site"), (b"Origin", b"https://galaxy.example.org")),
                True,
            ),
            # Two of them are nobody's word.
            (((b"Sec-Fetch-Site", b"same-origin"), (b"Sec-Fetch-Site", b"none")), False),
        ):
            self.assertIs(may_change(ask(*fields), TRUSTED), may, fields)


class ByAToolTests(SynchronousTestCase):
    """Pages on tools' own hosts, and those that may be."""

    def test_by_name(self) -> None:
        site = b"Sec-Fetch-Site"
        for fields, tool in (
            ((), False),
            ((OWN,), False),
            ((EVIL,), False),
            (((b"Origin", b"https://key-token.ep.example.org"),), True),
            (((b"Origin", b"HTTPS://Key-Token.EP.example.org:8443"),), True),
            (((b"Origin", b"http://key-token.ep.example.org."),), True),
            (((b"Origin", b"https://ep.example.org"),), False),
            (((b"Origin", b"https://deep.example.org"),), False),
            (((b"Origin", b"null"),), False),
            (((b"Origin", b"null"), (site, b"same-site")), True),
            (((b"Origin", b"null"), (site, b"same-origin")), False),
            (((b"Origin", b"null"), (site, b"none"), (site, b"Same-Site")), True),
            (((site, b"cross-site"),), False),
            (((site, b"same-site"), OWN), False),
        ):
            self.assertIs(by_a_tool(ask(*fields), (b".ep.example.org",), TRUSTED), tool, fields)
        trusted = frozenset((b"https://key-token.ep.example.org",))
        request = ask((b"Origin", b"https://key-token.ep.example.org"))
        self.assertFalse(by_a_tool(request, (b".ep.example.org",), trusted))
