"""The login page sends nobody to a host that is not one of ours."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from giestack.access import NOT_FOUND, NOT_LOGGED_IN, UNAVAILABLE
from giestack.host_login import NOT_SECURE
from giestack.proxy.decision import Decision, Redirect, Refuse

from .visiting_hosts import (
    ALICE,
    BELOW,
    BOB,
    BOBS,
    GALAXY,
    LOGIN,
    PAGE,
    TOOL,
    WEBSOCKET,
    Browser,
    Site,
)

_PIECES = (
    *("https:", "http:", "/", "//", "\\", "@", ":", "#", "?", ".", "%2f", "%", "evil.example"),
    *(TOOL, BOBS, BELOW, "key1-token1", f"key1-token1.{BELOW}", "443", "\t", "\r\n", "x"),
)


class LoginPageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.alice = Browser(self.site, ALICE.session_key)

    def at(self, following: str, page: str = GALAXY + LOGIN) -> Decision:
        return self.alice.ask(f"{page}?next={quote(following, safe='', encoding='latin-1')}", *PAGE)

    def test_it_stands_in_both_places(self) -> None:
        for page in (GALAXY + LOGIN, GALAXY + "/giestack/login"):
            decision = self.at(TOOL + "/lab", page)
            assert isinstance(decision, Redirect)
            # No nonce has been set there yet.
            self.assertEqual(decision.location.decode(), TOOL + "/lab")

    def test_strangers_hosts(self) -> None:
        name = TOOL.removeprefix("https://")
        for following in (
            "https://evil.example/",
            "//evil.example/",
            "///evil.example/",
            "/\\evil.example/",
            "\\\\evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https:///evil.example",
            "https:\\\\evil.example",
            f"https://{name}@evil.example/",
            f"https://{name}:443@evil.example/",
            f"https://evil.example\\@{name}/",
            f"https://evil.example\\.{name}/",
            f"https://evil.example#@{name}/",
            f"https://evil.example?{name}/",
            f"https://user@{name}/",
            f"https://user:pass@{name}/",
            f"https://{name}.evil.example/",
            f"https://evil{name}/",
            f"https://{name}\r\nX: y/",
            f"https://{name}/\r\nSet-Cookie: a=b",
            f"https://{name}/ x",
            f"https://{name}/\x00",
            f"https://{name}//evil.example/",
            f"https://{name}/\\evil.example",
            f"https://{name}/x\\y",
            f"https://{name}/#x",
            f"https://{name}./",
            f"https://{name.upper()}/",
            f"https://{name}:/",
            f"https://{name}:0443/",
            f"https://{name}:99999/",
            f"https://{name}:-1/",
            f" https://{name}/",
            f"\thttps://{name}/",
            f"HTTPS://{name}/",
            f"ftp://{name}/",
            f"javascript://{name}/%0aalert(1)",
            f"data:text/html,{name}",
            f"view-source:https://{name}/",
            f"https://k\xe9y1-token1.{BELOW}/",
            f"https://xn--ky1-token1-g7a.{BELOW}/",
            f"https://key1-token1\xb7{BELOW}/",
            "https://\u2025evil.example".encode("utf-8").decode("latin-1"),
            f"https://{BELOW}/",
            "https://galaxy.example.org/",
            GALAXY + LOGIN,
            "",
            "/",
            "/lab",
            "https://",
            "https://[::1]/",
            "https://127.0.0.1/",
        ):
            self.assertIs(self.at(following), NOT_FOUND, following)

    def test_other_ports_of_a_tools_host(self) -> None:
        # Cookies know no ports: whoever listens there would get ticket and nonce.
        for port in (1, 22, 8080, 8443, 9999, 65535):
            self.assertIs(self.at(f"{TOOL}:{port}/"), NOT_FOUND)
        for port in (80, 443, 8800):
            self.assertIsInstance(self.at(f"{TOOL}:{port}/"), Redirect)
        page = f"{GALAXY}:8443{LOGIN}"
        self.assertIsInstance(self.at(f"{TOOL}:8443/", page), Redirect)

    def test_a_login_over_https_is_not_carried_to_http(self) -> None:
        http = TOOL.replace("https", "http") + "/"
        self.assertIs(self.at(http), NOT_SECURE)
        page = GALAXY.replace("https", "http") + LOGIN
        for following in (http, TOOL + "/"):
            self.assertIsInstance(self.at(following, page), Redirect)

    @given(
        st.lists(
            st.sampled_from(_PIECES),
            max_size=7,
        )
    )
    def test_whatever_is_asked_for_only_ones_own_tools_are_gone_to(self, parts: list[str]) -> None:
        decision = self.at("".join(parts))
        if isinstance(decision, Redirect):
            location = decision.location.decode()
            self.assertTrue(
                location == TOOL or location.startswith((TOOL + "/", TOOL + ":443/")), location
            )
            self.assertRegex(location, r"\A[!-\[\]-~]+\Z")
        else:
            assert isinstance(decision, Refuse)
            self.assertIn(decision.status, (403, 404))

    def test_tools_of_others_and_unknown_ones(self) -> None:
        decision = self.at(BOBS + "/")
        assert isinstance(decision, Refuse)
        self.assertEqual((decision.status, decision.code), (403, "not-owner"))
        for host in ("key1-token2", "key9-token9", "key1", "x.key1-token1"):
            self.assertIs(self.at(f"https://{host}.{BELOW}/"), NOT_FOUND)
        # Whoever asks.
        self.alice = Browser(self.site)
        self.assertIs(self.at(f"https://key9-token9.{BELOW}/"), NOT_FOUND)

    def test_a_tool_that_has_ended(self) -> None:
        self.site.standings["key1"] = "gone"
        self.assertIs(self.at(TOOL + "/"), NOT_FOUND)
        self.site.standings["key1"] = "unavailable"
        self.assertIs(self.at(TOOL + "/"), UNAVAILABLE)

    def test_who_owns_it_is_looked_up(self) -> None:
        asked: Deferred[str] = Deferred()
        self.site.standings["key1"] = asked  # type: ignore[assignment]
        found: list[Decision] = []
        request = self.alice.request(f"{GALAXY}{LOGIN}?next={TOOL}/", *PAGE)
        self.site.gate(request).addCallback(found.append)  # type: ignore[union-attr]
        self.assertEqual(found, [])
        asked.callback("owner")
        self.assertIsInstance(found[0], Redirect)

    def test_without_a_wish(self) -> None:
        for url in (GALAXY + LOGIN, GALAXY + "/giestack/login", f"{GALAXY}{LOGIN}?x=1"):
            self.assertEqual(self.alice.ask(url, *PAGE), Redirect(b"/giestack/"))
            self.assertIs(Browser(self.site).ask(url, *PAGE), NOT_LOGGED_IN)

    def test_two_wishes_are_none(self) -> None:
        url = f"{GALAXY}{LOGIN}?next={TOOL}/&next=https://evil.example/"
        self.assertEqual(self.alice.ask(url, *PAGE), Redirect(b"/giestack/"))

    def test_only_to_look_at(self) -> None:
        url = f"{GALAXY}{LOGIN}?next={TOOL}/"
        for method, headers in ((b"POST", PAGE), (b"DELETE", ()), (b"GET", WEBSOCKET)):
            self.assertIs(self.alice.ask(url, *headers, method=method), NOT_FOUND)

    def test_bob_gets_no_ticket_for_alices_tool(self) -> None:
        bob = Browser(self.site, BOB.session_key)
        login = bob.step(TOOL + "/lab")
        decision = bob.ask(login, *PAGE)
        assert isinstance(decision, Refuse)
        self.assertEqual((decision.status, decision.visitor), (403, BOB))
