"""The demo's page to become somebody."""

import re
from urllib.parse import urlencode

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.site.demo import DemoPage
from giestack.site.links import Links
from giestack.site.pages import make_site
from giestack.site.refusals import RefusalPages
from giestack.visitor import Anonymous, Identity
from tests.site.conversation import ALICE, GUEST, HOST, NOW, Galaxy, Said, ask, seen_as

DEMO = b"/giestack/demo"
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")


class Logins:
    """What the demo's host does when someone logs in or out."""

    def __init__(self) -> None:
        self.done: list[object] = []

    def log_in(self, username: str) -> Deferred[str]:
        self.done.append(f"in {username}")
        return succeed(f"cookie-of-{username}")

    def log_out(self, visitor: Identity | Anonymous) -> Deferred[None]:
        self.done.append(visitor)
        return succeed(None)


class DemoTests(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        self.logins = Logins()
        refusals = RefusalPages(Links(demo=True), clock)
        page = DemoPage(refusals, self.logins)
        self.site = make_site(clock, refusals, Galaxy().tools(), lambda: NOW, demo=page)

    def shown(self, target: bytes = DEMO, visitor=None, **more) -> Said:
        return ask(self.site, target, visitor, **more)

    def token_and_cookie(self) -> tuple[str, str]:
        said = self.shown()
        found = re.search(r'name="token" value="([^"]+)"', said.text)
        assert found is not None
        return found[1], (said.header("set-cookie") or "").partition(";")[0]

    def send(
        self,
        fields: dict[str, str],
        visitor=None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        token: str | None = None,
        cookie: str | None = None,
        **more,
    ) -> Said:
        own_token, own_cookie = self.token_and_cookie()
        fields = {"token": own_token if token is None else token} | fields
        sent = own_cookie if cookie is None else cookie
        return ask(
            self.site,
            DEMO,
            visitor,
            b"POST",
            [FORM, (b"Cookie", sent.encode()), *headers],
            urlencode(fields).encode(),
            **more,
        )

    def assert_refused(self, said: Said, status: int = 403) -> None:
        self.assertEqual(said.status, status)
        self.assertEqual(self.logins.done, [])
        self.assertNotIn("galaxysession", said.header("set-cookie") or "")


class ShowTests(DemoTests):
    def test_names_its_users_and_says_what_it_is(self) -> None:
        said = self.shown()
        self.assertEqual(said.status, 200)
        for name in ("alice", "bob", "admin"):
            self.assertIn(f'name="become" value="{name}"', said.text)
        self.assertIn("This is a demo.", said.text)
        self.assertIn("without a password", said.text)
        self.assertIn("You are not logged in", said.text)
        self.assertNotIn("Log out", said.text)

    def test_who_one_is_now(self) -> None:
        text = self.shown(visitor=ALICE).text
        self.assertIn("You are <strong>alice</strong>", text)
        self.assertIn("Log out", text)
        self.assertIn("not logged in", self.shown(visitor=GUEST).text)

    def test_its_cookie_is_for_this_page_alone(self) -> None:
        cookie = self.shown().header("set-cookie") or ""
        self.assertRegex(
            cookie,
            r"\Agiestack-demo=[\w-]{43}; Path=/giestack/demo; HttpOnly; SameSite=Strict\Z",
        )

    def test_two_tabs_share_a_cookie(self) -> None:
        cookie = (self.shown().header("set-cookie") or "").partition(";")[0]
        again = self.shown(headers=[(b"Cookie", b"a=b; " + cookie.encode())])
        self.assertTrue((again.header("set-cookie") or "").startswith(cookie + ";"))

    def test_where_to_go_next_is_kept_when_it_is_here(self) -> None:
        self.assertIn('name="next" value="/a?b=c"', self.shown(DEMO + b"?next=/a%3Fb%3Dc").text)
        for elsewhere in (b"//evil.example", b"https://evil.example", b"/%5Cevil", b"/a%0D%0Ab"):
            self.assertIn('name="next" value=""', self.shown(DEMO + b"?next=" + elsewhere).text)


class SubmitTests(DemoTests):
    def test_become_someone(self) -> None:
        said = self.send({"become": "bob"})
        self.assertEqual((said.status, said.header("location")), (303, "/giestack/"))
        self.assertEqual(
            said.header("set-cookie"),
            "galaxysession=cookie-of-bob; Path=/; HttpOnly; SameSite=Lax",
        )
        self.assertEqual(said.header("cache-control"), "no-store")
        self.assertEqual(self.logins.done, ["in bob"])

    def test_the_session_before_it_ends(self) -> None:
        self.send({"become": "bob"}, ALICE)
        self.assertEqual(self.logins.done, [ALICE, "in bob"])

    def test_goes_on_where_one_wanted_to_go(self) -> None:
        self.assertEqual(
            self.send({"become": "bob", "next": "/a%2Fb?c"}).header("location"), "/a%2Fb?c"
        )
        for elsewhere in ("//evil.example", "/\\evil.example", "http://evil.example", "/a\r\nB: c"):
            said = self.send({"become": "bob", "next": elsewhere})
            self.assertEqual(said.header("location"), "/giestack/")

    def test_log_out(self) -> None:
        said = self.send({"log_out": "1"}, ALICE)
        self.assertEqual((said.status, said.header("location")), (303, "/giestack/demo"))
        self.assertEqual(said.header("set-cookie"), "galaxysession=; Path=/; Max-Age=0")
        self.assertEqual(self.logins.done, [ALICE])

    def test_log_out_without_a_session(self) -> None:
        self.assertEqual(self.send({"log_out": "1"}).status, 303)
        self.assertEqual(self.logins.done, [])

    def test_somebody_unknown(self) -> None:
        self.assert_refused(self.send({"become": "eve"}, ALICE), 400)
        self.assert_refused(self.send({}, ALICE), 400)

    def test_a_wrong_token(self) -> None:
        token, _ = self.token_and_cookie()
        for wrong in ("", "0" * 64, token, token.upper() + "é"):
            self.assert_refused(self.send({"become": "bob"}, token=wrong))

    def test_without_the_tokens_cookie(self) -> None:
        _, cookie = self.token_and_cookie()
        for wrong in ("", "giestack-demo=", cookie, cookie[:-1], cookie + "; giestack-demo=x"):
            self.assert_refused(self.send({"become": "bob"}, cookie=wrong))

    def test_a_form_that_is_none(self) -> None:
        said = ask(
            self.site, DEMO, None, b"POST", [(b"Content-Type", b"text/plain")], b"become=bob"
        )
        self.assert_refused(said)

    def test_a_form_that_is_too_large(self) -> None:
        self.assert_refused(self.send({"become": "bob", "x": "y" * 70_000}), 413)

    def test_other_methods(self) -> None:
        said = ask(self.site, DEMO, None, b"PUT")
        self.assertEqual((said.status, said.header("allow")), (405, "GET, HEAD, POST"))


class ForeignTests(DemoTests):
    """Pages of other sites, also ones whose name leads to this machine."""

    def test_names_of_this_machine(self) -> None:
        for host in (b"127.0.0.1:8800", b"localhost", b"LOCALHOST:1", b"[::1]:8800", b"[::1]"):
            self.assertEqual(self.shown(seen=seen_as(host)).status, 200, host)

    def test_any_other_name(self) -> None:
        for host in (
            b"evil.example:8800",
            b"127.0.0.1.evil.example",
            b"localhost.evil.example",
            b"127.0.0.2",
            b"10.0.0.1:8800",
            b"[::2]",
        ):
            self.assert_refused(self.shown(seen=seen_as(host)))
            self.assert_refused(self.send({"become": "bob"}, seen=seen_as(host)))

    def test_a_name_that_only_a_forwarding_field_tells(self) -> None:
        # As with "Host: evil.example" and "X-Forwarded-Host: localhost", and the reverse.
        said = self.send({"become": "bob"}, headers=((b"Host", b"evil.example"),))
        self.assert_refused(said)
        evil = seen_as(b"evil.example")
        self.assert_refused(self.send({"become": "bob"}, headers=((b"Host", HOST),), seen=evil))

    def test_its_own_origin(self) -> None:
        said = self.send({"become": "bob"}, headers=((b"Origin", b"http://" + HOST),))
        self.assertEqual(said.status, 303)

    def test_any_other_origin(self) -> None:
        for origin in (b"http://evil.example", b"null", b"http://127.0.0.1:9900", b"", b"http://"):
            said = self.send({"become": "bob"}, headers=((b"Origin", origin),))
            self.assert_refused(said)
