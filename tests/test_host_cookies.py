"""giestack's own cookies: their names, their attributes, and which of them count."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.host_cookies import NONCE, OWN_COOKIES, SESSION, set_cookie, values
from giestack.proxy.decision import Request
from giestack.proxy.head import GuardedNames, RequestFields
from giestack.proxy.response_head import cookie_allowed
from giestack.proxy.seen import Seen

NAME = b"k-t.ep.interactivetool.galaxy.example.org"


def seen(scheme: bytes = b"https") -> Seen:
    return Seen(b"192.0.2.1", scheme, NAME, b"")


def request(*cookies: bytes, scheme: bytes = b"https") -> Request:
    asked = Request(b"GET", b"/", "1.1", [(b"Cookie", line) for line in cookies])
    asked.seen = seen(scheme)
    return asked


class ReadingTests(SynchronousTestCase):
    def test_over_https_only_the_hosts_own(self) -> None:
        asked = request(b"giestack=a; __Host-giestack=b; __host-giestack=c; x__Host-giestack=d")
        self.assertEqual(values(asked, SESSION), [b"b"])
        asked = request(b"giestack=a; __Host-giestack=b", scheme=b"http")
        self.assertEqual(values(asked, SESSION), [b"a"])

    def test_all_that_there_are_each_once(self) -> None:
        asked = request(b'__Host-giestack=a; b=c;__Host-giestack="b"', b"__Host-giestack = a")
        self.assertEqual(values(asked, SESSION), [b"a", b"b"])
        self.assertEqual(values(asked, NONCE), [])
        self.assertEqual(values(request(b"__Host-giestack"), SESSION), [])

    def test_the_nonce_is_another_cookie(self) -> None:
        asked = request(b"__Host-giestack-nonce=n; __Host-giestack=s")
        self.assertEqual((values(asked, NONCE), values(asked, SESSION)), ([b"n"], [b"s"]))


class SettingTests(SynchronousTestCase):
    def test_on_a_host_below_galaxys(self) -> None:
        self.assertEqual(
            set_cookie(SESSION, b"v", seen(), True),
            (b"Set-Cookie", b"__Host-giestack=v; Path=/; HttpOnly; Secure; SameSite=Lax"),
        )
        self.assertEqual(
            set_cookie(NONCE, b"", seen(b"http"), True, 0)[1],
            b"giestack-nonce=; Path=/; HttpOnly; Max-Age=0; SameSite=Lax",
        )

    def test_on_another_site(self) -> None:
        self.assertTrue(
            set_cookie(SESSION, b"v", seen(), False)[1].endswith(
                b"; Secure; SameSite=None; Partitioned"
            )
        )
        # Without Secure a browser would throw such a cookie away.
        self.assertIn(b"SameSite=Lax", set_cookie(SESSION, b"v", seen(b"http"), False)[1])

    def test_no_backend_sees_them_or_sets_them(self) -> None:
        guarded = GuardedNames(hidden_cookies=frozenset(OWN_COOKIES))
        names = (b"giestack", b"giestack-nonce", b"__Host-giestack", b"__Host-giestack-nonce")
        for name in names:
            raw = [(b"Host", NAME), (b"Cookie", b"a=b; %b=secret; c=d" % name)]
            self.assertEqual(RequestFields(raw, "1.1", guarded).cookie, b"a=b; c=d")
            said = b"%b=x; Path=/; Secure" % name
            self.assertFalse(cookie_allowed(said, NAME, guarded.hidden_cookies))
