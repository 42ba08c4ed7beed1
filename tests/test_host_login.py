"""Logging in on a host that Galaxy's cookie does not reach, there and back; and attacks on that."""

from dataclasses import replace
from urllib.parse import parse_qs, quote, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.access import FOREIGN_ORIGIN, NOT_FOUND, NOT_LOGGED_IN, UNAVAILABLE, Policy
from giestack.address import Address
from giestack.gate import Gate
from giestack.proxy.decision import Decision, Forward, Redirect, Refuse
from giestack.routing.places import Service
from giestack.routing.table import Prefixes
from giestack.visitor import Refused

from .visiting_hosts import (
    ALICE,
    BELOW,
    BOB,
    BOBS,
    GALAXY,
    LOGIN,
    NOBODY,
    NOBODYS,
    PAGE,
    SESSION,
    SESSIONS,
    TOOL,
    WEBSOCKET,
    Browser,
    Site,
)

NAME = urlsplit(TOOL).hostname or ""
COOKIE = (NAME, b"__Host-giestack")
NONCE = (NAME, b"__Host-giestack-nonce")
DEEP = "/lab/tree/My%20Notebook.ipynb?a=1&b=%2F+c;d"


class HostCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = Site()
        self.alice = Browser(self.site, ALICE.session_key)
        self.bob = Browser(self.site, BOB.session_key)
        self.stranger = Browser(self.site)

    def admitted(self, decision: Decision, target: str = "/") -> None:
        assert isinstance(decision, Forward), decision
        self.assertEqual(decision.target, target.encode())

    def status(self, decision: Decision) -> int:
        assert isinstance(decision, Refuse), decision
        return decision.status

    def ticket(self, browser: Browser, url: str = TOOL + "/lab") -> str:
        """How far a browser gets: the address with the ticket, not asked for yet."""
        way = browser.step(browser.step(url))
        self.assertIn("/giestack/ticket?ticket=", way)
        return way


class ThereAndBackTests(HostCase):
    def test_a_deep_link(self) -> None:
        self.admitted(self.alice.go(TOOL + DEEP), DEEP)
        first, login, ticket, last = self.alice.asked
        self.assertEqual((first, last), (TOOL + DEEP, TOOL + DEEP))
        parts = urlsplit(login)
        self.assertEqual(f"{parts.scheme}://{parts.netloc}{parts.path}", GALAXY + LOGIN)
        self.assertEqual(parse_qs(parts.query)["next"], [TOOL + DEEP])
        self.assertTrue(ticket.startswith(TOOL + "/giestack/ticket?ticket="))
        # From now on there is nothing in the way.
        self.admitted(self.alice.ask(TOOL + "/api/kernels?x", method=b"POST"), "/api/kernels?x")
        self.assertEqual(self.named_cookies(), {COOKIE[1]})

    def named_cookies(self) -> set[bytes]:
        return {name for host, name in self.alice.cookies if host == NAME}

    def test_nothing_secret_goes_elsewhere(self) -> None:
        self.alice.go(TOOL + "/lab")
        for url in self.alice.asked:
            self.assertNotIn(ALICE.session_key, url)
            self.assertNotIn(self.alice.cookies[COOKIE].decode(), url)
        self.assertNotIn(ALICE.session_key.encode(), self.alice.cookies[COOKIE])

    def test_no_redirect_is_kept_or_tells_where_one_comes_from(self) -> None:
        for url in (TOOL + "/lab", self.ticket(self.alice), self.alice.step(TOOL + "/x")):
            decision = self.alice.ask(url, *PAGE)
            assert isinstance(decision, Redirect)
            self.assertIn((b"Cache-Control", b"no-store"), decision.headers)
            self.assertIn((b"Referrer-Policy", b"no-referrer"), decision.headers)
            for secret in (decision.location.decode(), "Set-Cookie"):
                self.assertNotIn(secret, repr(decision))

    def test_two_tabs_at_once(self) -> None:
        one, two = self.ticket(self.alice), self.ticket(self.alice, TOOL + "/two")
        self.admitted(self.alice.go(one), "/lab")
        self.admitted(self.alice.go(two), "/two")
        # Also in the other order, and with one that never comes back.
        other = Browser(self.site, ALICE.session_key)
        self.ticket(other)
        one, two = self.ticket(other), self.ticket(other, TOOL + "/two")
        self.admitted(other.go(two), "/two")
        self.admitted(other.go(one), "/lab")

    def test_tabs_that_leave_in_the_same_moment(self) -> None:
        logins = []
        for path in ("/one", "/two", "/three"):
            # None of them knows of the others' nonces yet, and the last answer counts.
            self.alice.cookies.pop(NONCE, None)
            logins.append(self.alice.step(TOOL + path))
        ways = [self.alice.step(login) for login in logins]
        again = self.alice.step(ways[0])
        self.assertEqual(again, TOOL + "/one")
        way = self.ticket(self.alice, again)
        self.admitted(self.alice.go(ways[2]), "/three")
        self.admitted(self.alice.go(ways[1]), "/two")
        self.admitted(self.alice.go(way), "/one")

    def test_two_tools_at_once(self) -> None:
        self.site.owners["key2"] = ALICE
        one, two = self.ticket(self.alice), self.ticket(self.alice, BOBS + "/two")
        self.admitted(self.alice.go(one), "/lab")
        self.admitted(self.alice.go(two), "/two")

    def test_an_anonymous_visitors_own_tool(self) -> None:
        self.admitted(Browser(self.site, NOBODY.session_key).go(NOBODYS + "/x"), "/x")

    def test_over_http(self) -> None:
        self.site = Site(
            Policy(galaxy_origin=b"http://galaxy.example.org"), "http://galaxy.example.org/"
        )
        alice = Browser(self.site, ALICE.session_key)
        url = TOOL.replace("https", "http") + ":8800/lab"
        self.admitted(alice.go(url), "/lab")
        self.assertEqual({name for host, name in alice.cookies if host == NAME}, {b"giestack"})
        self.assertTrue(alice.asked[2].startswith(TOOL.replace("https", "http") + ":8800/gie"))

    def test_the_port_of_galaxy(self) -> None:
        self.site = Site(galaxy_url="https://galaxy.example.org:8443/")
        alice = Browser(self.site, ALICE.session_key)
        self.admitted(alice.go(TOOL + ":8443/lab"), "/lab")

    def test_default_ports_are_not_told(self) -> None:
        self.admitted(self.alice.go(TOOL + ":443/lab"), "/lab")
        self.assertTrue(self.alice.asked[2].startswith(TOOL + "/giestack/ticket"))

    def test_a_database_that_takes_its_time(self) -> None:
        self.site.late = True
        self.admitted(self.alice.go(TOOL + "/lab"), "/lab")
        self.assertEqual(self.status(self.bob.go(TOOL + "/lab")), 403)

    def test_a_front_that_names_users_on_galaxys_host_alone(self) -> None:
        login = self.alice.step(TOOL + "/lab")
        ticket = self.alice.step(login, (b"Remote-User", b"alice@example.org"))
        self.admitted(self.alice.go(ticket), "/lab")
        self.assertEqual(self.site.named[-1], "alice@example.org")
        self.admitted(self.alice.ask(TOOL + "/lab", (b"Remote-User", b"bob@example.org")), "/lab")
        self.assertEqual(self.site.named[-1], "bob@example.org")

    def test_another_node_may_take_the_ticket_and_the_cookie(self) -> None:
        way = self.ticket(self.alice)
        self.site.gate = self.site.node()
        self.admitted(self.alice.go(way), "/lab")
        self.site.gate = self.site.node()
        self.admitted(self.alice.ask(TOOL + "/lab"), "/lab")

    def test_very_long_addresses_lose_their_query_or_all(self) -> None:
        self.admitted(self.alice.go(TOOL + "/lab?" + "q" * 5000), "/lab")
        other = Browser(self.site, ALICE.session_key)
        self.admitted(other.go(TOOL + "/" + "p" * 5000), "/")


class LoginInGalaxyTests(HostCase):
    def test_who_is_not_logged_in_comes_back_to_an_address_that_galaxy_can_carry(self) -> None:
        self.assertEqual(self.stranger.go(TOOL + DEEP), NOT_LOGGED_IN)
        back = self.stranger.asked[-1]
        self.assertRegex(back, rf"\A{GALAXY}{LOGIN}\?back=[A-Za-z0-9_-]+\Z")
        self.assertNotIn("token1", back)
        # Minutes later; the nonce may be gone by then.
        del self.stranger.cookies[NONCE]
        self.site.now += 3600
        self.stranger.log_in(ALICE.session_key)
        self.admitted(self.stranger.go(back), DEEP)

    def test_an_anonymous_visitor_of_somebodys_tool(self) -> None:
        visitor = Browser(self.site, NOBODY.session_key)
        self.assertEqual(self.status(visitor.go(TOOL + DEEP)), 403)
        back = visitor.asked[-1]
        self.assertIn("?back=", back)
        visitor.log_in(ALICE.session_key)
        self.admitted(visitor.go(back), DEEP)

    def test_an_altered_way_back(self) -> None:
        self.stranger.go(TOOL + DEEP)
        back = self.stranger.asked[-1]
        for url in (back[:-2], back + "AA", f"{GALAXY}{LOGIN}?back=", f"{GALAXY}{LOGIN}?back=é"):
            self.assertIs(self.stranger.go(url), NOT_FOUND)

    def test_programs_are_told_at_once(self) -> None:
        login = self.stranger.step(TOOL + "/lab")
        self.assertIs(self.stranger.ask(login), NOT_LOGGED_IN)

    def test_the_session_ends(self) -> None:
        self.alice.go(TOOL + "/lab")
        self.site.visitors[ALICE.session_key] = Refused("the session has ended")
        self.assertIs(self.alice.ask(TOOL + "/x"), NOT_LOGGED_IN)
        self.assertIs(self.alice.go(TOOL + "/x"), NOT_LOGGED_IN)
        self.assertTrue(self.alice.asked[-1].startswith(GALAXY + LOGIN))
        self.assertNotIn(COOKIE, self.alice.cookies)

    def test_another_user_logs_in_in_the_same_browser(self) -> None:
        self.alice.go(TOOL + "/lab")
        self.site.visitors[ALICE.session_key] = Refused("the session has ended")
        self.alice.log_in(BOB.session_key)
        self.assertEqual(self.status(self.alice.go(TOOL + "/lab")), 403)

    def test_without_galaxys_address_nobody_is_sent_anywhere(self) -> None:
        self.site = Site(galaxy_url=None)
        self.assertIs(Browser(self.site, ALICE.session_key).go(TOOL + "/lab"), NOT_LOGGED_IN)

    def test_a_database_that_is_down(self) -> None:
        self.alice.go(TOOL + "/lab")
        login = self.bob.step(TOOL + "/lab")
        self.site.down = True
        for browser, url in ((self.alice, TOOL + "/lab"), (self.bob, login)):
            self.assertIs(browser.go(url), UNAVAILABLE)
        self.assertIn(COOKIE, self.alice.cookies)


class NotRedirectedTests(HostCase):
    """Only a browser that goes to a page is sent to log in."""

    def test_everything_else(self) -> None:
        script = (b"Sec-Fetch-Mode", b"cors")
        for method, headers in (
            (b"POST", PAGE),
            (b"PUT", PAGE),
            (b"DELETE", PAGE),
            (b"OPTIONS", PAGE),
            (b"GET", ()),
            (b"GET", (*PAGE, script)),
            (b"GET", (*PAGE, *WEBSOCKET)),
            (b"GET", WEBSOCKET),
        ):
            decision = self.alice.ask(TOOL + "/lab", *headers, method=method)
            self.assertIs(decision, NOT_LOGGED_IN, (method, headers))
        self.assertNotIn(NONCE, self.alice.cookies)
        navigates = (b"Sec-Fetch-Mode", b"navigate")
        self.assertIn(LOGIN, self.alice.step(TOOL + "/lab", navigates))

    def test_head_is_as_get(self) -> None:
        self.assertIsInstance(self.alice.ask(TOOL + "/lab", *PAGE, method=b"HEAD"), Redirect)

    def test_a_websocket_with_the_cookie(self) -> None:
        self.alice.go(TOOL + "/lab")
        own = (b"Origin", TOOL.encode())
        self.admitted(self.alice.ask(TOOL + "/ws", *WEBSOCKET, own), "/ws")
        # A page of a neighbouring tool has the cookie sent along: it is the same site.
        for origin in (BOBS, "https://evil.example", TOOL + ".evil.example", "null"):
            decision = self.alice.ask(TOOL + "/ws", *WEBSOCKET, (b"Origin", origin.encode()))
            self.assertIs(decision, FOREIGN_ORIGIN, origin)

    def test_a_form_of_a_neighbours_page(self) -> None:
        self.alice.go(TOOL + "/lab")

        def post(*headers: tuple[bytes, bytes]) -> Decision:
            return self.alice.ask(TOOL + "/api", *headers, method=b"POST")

        for origin in (BOBS, "null", "https://evil.example"):
            self.assertIs(post((b"Origin", origin.encode())), FOREIGN_ORIGIN, origin)
        site = b"Sec-Fetch-Site"
        self.assertIs(post((site, b"same-site")), FOREIGN_ORIGIN)
        self.assertIs(post((site, b"same-origin"), (site, b"cross-site")), FOREIGN_ORIGIN)
        self.assertIs(post((site, b"same-site"), (b"Origin", BOBS.encode())), FOREIGN_ORIGIN)
        for fine in (
            ((b"Origin", TOOL.encode()),),
            ((b"Origin", GALAXY.encode()), (site, b"same-site")),
            ((b"Origin", b"null"), (site, b"same-origin")),
            ((site, b"none"),),
        ):
            self.admitted(post(*fine), "/api")


class UnknownTests(HostCase):
    def test_nobody_learns_which_tools_there_are(self) -> None:
        for host in ("key1-token2", "key9-token9", "key1-token1.x", "key1"):
            for path in ("/", "/lab", "/giestack/ticket?ticket=x&next=/", "/giestack/login"):
                for browser in (self.alice, self.stranger):
                    url = f"https://{host}.{BELOW}{path}"
                    self.assertIs(browser.ask(url, *PAGE), NOT_FOUND, url)
        self.assertEqual(self.stranger.cookies, {})

    def test_nothing_else_of_ours_is_there(self) -> None:
        for path in ("/giestack/login?next=/", "/giestack/", LOGIN, "/giestack/session/s1/"):
            self.assertIn(LOGIN, self.alice.step(TOOL + path))
        self.alice.go(TOOL + "/")
        self.admitted(self.alice.ask(TOOL + "/giestack/login?next=x"), "/giestack/login?next=x")

    def test_in_token_mode_it_is_as_ever(self) -> None:
        self.site = Site(Policy(check_owner=False))
        stranger = Browser(self.site)
        self.admitted(stranger.go(TOOL + "/lab"), "/lab")
        post = stranger.ask(TOOL + "/x", (b"Origin", BOBS.encode()), method=b"POST")
        self.admitted(post, "/x")
        self.assertIs(stranger.ask(TOOL + "/giestack/ticket"), NOT_FOUND)

    def test_in_token_mode_nobody_is_sent_from_the_login_page_to_tools(self) -> None:
        # There any host may be a tool's, and whose tool it is is not asked.
        self.site = Site(Policy(check_owner=False))
        self.site.table.configure(Prefixes(domains=("*",), session_domain=SESSIONS))
        bob = Browser(self.site, BOB.session_key)
        for origin in ("https://key1-token1.evil.example", TOOL):
            self.assertIs(bob.ask(f"{GALAXY}{LOGIN}?next={origin}/lab", *PAGE), NOT_FOUND)

    def test_where_galaxys_cookie_arrives_no_ticket_is_needed(self) -> None:
        self.site = Site(Policy(cookie_domain=b"galaxy.example.org"))
        alice = Browser(self.site)
        alice.cookies[NAME, b"galaxysession"] = ALICE.session_key.encode()
        self.admitted(alice.go(TOOL + "/lab"), "/lab")
        self.assertIs(alice.ask(TOOL + "/giestack/ticket", *PAGE), NOT_FOUND)
        # Ours does not count there: it might name another session.
        alice.cookies[COOKIE] = b"x"
        self.admitted(alice.go(TOOL + "/lab"), "/lab")
        alice.log_in(ALICE.session_key)
        self.assertEqual(alice.step(f"{GALAXY}{LOGIN}?next={TOOL}/lab"), TOOL + "/lab")

    def test_galaxys_cookie_where_it_can_not_have_come_from_galaxy(self) -> None:
        self.stranger.cookies[NAME, b"galaxysession"] = ALICE.session_key.encode()
        self.assertIs(self.stranger.ask(TOOL + "/lab"), NOT_LOGGED_IN)
        for domain in (b"other.example", b"axy.example.org", b"org.galaxy"):
            site = Site(Policy(cookie_domain=domain))
            stranger = Browser(site)
            stranger.cookies[NAME, b"galaxysession"] = ALICE.session_key.encode()
            self.assertIs(stranger.ask(TOOL + "/lab"), NOT_LOGGED_IN)

    def test_without_a_host_whose_sessions_could_be_checked(self) -> None:
        gate = Gate(
            self.site.table.locate,
            self.site.check,
            self.site.standing,
            self.site.policy,
            self.site.entrances.get,
        )
        for url in (TOOL, SESSION):
            request = self.alice.request(url + "/lab", *PAGE)
            self.assertIs(gate(request), NOT_LOGGED_IN)
            self.assertIs(gate(self.alice.request(url + "/giestack/ticket", *PAGE)), NOT_FOUND)


class TicketTests(HostCase):
    def bad(self, browser: Browser, url: str, way: str = "/lab") -> None:
        decision = browser.ask(url, *PAGE)
        assert isinstance(decision, Refuse), decision
        self.assertEqual((decision.status, decision.code), (401, "bad-ticket"))
        self.assertEqual(decision.again, way)
        self.assertNotIn(way.strip("/") or "none", repr(decision))

    def test_a_second_time(self) -> None:
        way = self.ticket(self.alice)
        nonce = self.alice.cookies[NONCE]
        self.alice.ask(way)
        self.assertNotIn(NONCE, self.alice.cookies)
        del self.alice.cookies[COOKIE]
        self.bad(self.alice, way)
        # Also for somebody who has kept the nonce.
        self.alice.cookies[NONCE] = nonce
        self.bad(self.alice, way)

    def test_a_second_time_in_the_same_browser_does_no_harm(self) -> None:
        way = self.ticket(self.alice)
        self.admitted(self.alice.go(way), "/lab")
        self.admitted(self.alice.go(way), "/lab")

    def test_too_late(self) -> None:
        way = self.ticket(self.alice)
        self.site.now += 30
        self.bad(self.alice, way)
        # Begun again, it works.
        self.admitted(self.alice.go(TOOL + "/lab"), "/lab")

    def test_altered(self) -> None:
        way = self.ticket(self.alice)
        start = way.index("ticket=") + 7
        for url in (
            way.replace("ticket=", "ticket=A"),
            way[:start] + way[start + 1 :],
            f"{TOOL}/giestack/ticket?next=/lab",
            f"{TOOL}/giestack/ticket?ticket=&next=/lab",
            f"{TOOL}/giestack/ticket?ticket=%C3%A9%00&next=/lab",
        ):
            self.bad(self.alice, url)
        self.bad(self.alice, way + "&ticket=x", "/")
        self.bad(self.alice, f"{TOOL}/giestack/ticket?" + "&".join("a" * 99), "/")
        self.admitted(self.alice.go(way), "/lab")

    def test_for_another_host(self) -> None:
        self.site.owners["key2"] = ALICE
        way = self.ticket(self.alice)
        other = way.replace(TOOL, BOBS)
        name = urlsplit(BOBS).hostname or ""
        self.alice.cookies[name, b"__Host-giestack-nonce"] = self.alice.cookies[NONCE]
        self.bad(self.alice, other)
        self.bad(self.alice, way.replace(TOOL, TOOL.replace("https", "http")))
        self.bad(self.alice, way.replace(TOOL, TOOL + ":8800"))

    def test_the_link_is_stolen(self) -> None:
        way = self.ticket(self.alice)
        self.bad(self.bob, way)
        self.bad(self.stranger, way)
        # With a nonce of their own, which they get where anybody gets one: they begin anew.
        for thief, status in ((self.bob, 403), (self.stranger, 401)):
            thief.step(TOOL + "/lab")
            self.assertIn(NONCE, thief.cookies)
            self.assertEqual(thief.step(way), TOOL + "/lab")
            self.assertEqual(self.status(thief.go(way)), status)
            self.assertNotIn(COOKIE, thief.cookies)
        self.admitted(self.alice.go(way), "/lab")

    def test_somebody_elses_login_page_is_visited(self) -> None:
        # Bob sends alice the address to which he was sent to log in: she comes back without nonce.
        login = self.bob.step(TOOL + "/lab")
        way = self.alice.step(login)
        self.bad(self.alice, way)

    def test_a_forged_nonce(self) -> None:
        login = self.alice.step(TOOL + "/lab")
        for forged in (b"x", b"", self.alice.cookies[NONCE][:-1] + b"!"):
            self.alice.cookies[NONCE] = forged
            self.bad(self.alice, self.alice.step(login))
        self.alice.cookies[NONCE] = b"x" * 43
        self.assertEqual(self.alice.step(self.alice.step(login)), TOOL + "/lab")
        self.assertNotIn(COOKIE, self.alice.cookies)
        # The page of a tool may plant one: then its visitor only has to begin again.
        self.alice.cookies[NONCE] = b"short"
        self.admitted(self.alice.go(TOOL + "/lab"), "/lab")

    def test_odd_challenges(self) -> None:
        for challenge in ("x", "x" * 44, "%00" * 43, quote("é" * 43)):
            url = f"{GALAXY}{LOGIN}?next={TOOL}/lab&nonce={challenge}"
            self.assertIs(self.alice.ask(url, *PAGE), NOT_FOUND)

    def test_browsers_that_keep_no_cookies_do_not_go_round_for_ever(self) -> None:
        way = self.ticket(self.alice)
        del self.alice.cookies[NONCE]
        self.bad(self.alice, way)
        decision = self.alice.ask(way, *PAGE)
        assert isinstance(decision, Refuse)
        self.assertIn("a tab of its own", decision.message)
        # It is not the browser's fault where the ticket is no good any more.
        self.site.now += 30
        decision = self.alice.ask(way, *PAGE)
        assert isinstance(decision, Refuse)
        self.assertIn("too old", decision.message)

    def test_only_a_page_that_is_gone_to_takes_it(self) -> None:
        way = self.ticket(self.alice)
        for method, headers in (
            (b"POST", ()),
            (b"HEAD", ()),
            (b"GET", ((b"Sec-Fetch-Mode", b"no-cors"),)),
            (b"GET", WEBSOCKET),
        ):
            self.assertIs(self.alice.ask(way, *headers, method=method), NOT_FOUND)
        self.admitted(self.alice.go(way), "/lab")

    def test_it_leads_nowhere_else(self) -> None:
        way = self.ticket(self.alice)
        for elsewhere in (
            "//evil.example/",
            "https://evil.example/",
            "/\\evil.example",
            "\\\\evil.example",
            "/x\r\nSet-Cookie: a=b",
            "/%0d%0a",
            "evil.example",
            "javascript:alert(1)",
            "/é",
            "/#x",
            "",
        ):
            alice = Browser(self.site, ALICE.session_key)
            way = self.ticket(alice)
            url = way.partition("&next=")[0] + "&next=" + quote(elsewhere, encoding="latin-1")
            decision = alice.ask(url, *PAGE)
            assert isinstance(decision, Redirect), decision
            path = elsewhere if elsewhere == "/%0d%0a" else "/"
            self.assertEqual(decision.location.decode(), TOOL + path)

    @given(st.text(st.characters(max_codepoint=255), max_size=40))
    def test_wherever_it_leads_it_is_on_the_same_host(self, elsewhere: str) -> None:
        site = Site()
        alice = Browser(site, ALICE.session_key)
        url = self.ticket(alice).partition("&next=")[0]
        decision = alice.ask(f"{url}&next={quote(elsewhere, safe='', encoding='latin-1')}")
        assert isinstance(decision, Redirect)
        self.assertRegex(decision.location, rb"\A[!-~]+\Z")
        self.assertEqual(urlsplit(decision.location.decode()).netloc, NAME)
        self.assertFalse(decision.location.decode().removeprefix(TOOL).startswith(("//", "/\\")))


class CookieTests(HostCase):
    def test_it_is_for_one_host(self) -> None:
        self.site.owners["key2"] = ALICE
        self.alice.go(TOOL + "/lab")
        name = urlsplit(BOBS).hostname or ""
        self.stranger.cookies[name, COOKIE[1]] = self.alice.cookies[COOKIE]
        self.assertIs(self.stranger.ask(BOBS + "/lab"), NOT_LOGGED_IN)
        self.stranger.cookies[NAME, b"giestack"] = self.alice.cookies[COOKIE]
        self.assertIs(self.stranger.ask(TOOL + "/lab"), NOT_LOGGED_IN)

    def test_two_of_them(self) -> None:
        self.site.owners["key1"] = ALICE
        self.alice.go(TOOL + "/lab")
        mine = self.alice.cookies[COOKIE]
        self.site.owners["key1"] = BOB
        self.bob.go(TOOL + "/lab")
        his = self.bob.cookies[COOKIE]
        for value, cookies in (
            (200, (his, b"junk")),
            (200, (b"junk", b"", his)),
            (200, (his, his)),
            (401, (his, mine)),
            (200, (*(b"%d" % number for number in range(7)), his)),
            (401, (*(b"%d" % number for number in range(8)), his)),
            (401, (b"junk",)),
        ):
            line = b"; ".join(b"__Host-giestack=" + one for one in cookies)
            decision = self.stranger.ask(TOOL + "/lab", (b"Cookie", line))
            if value == 200:
                self.admitted(decision, "/lab")
            else:
                self.assertIs(decision, NOT_LOGGED_IN)

    def test_who_owns_the_tool_is_asked_again(self) -> None:
        self.alice.go(TOOL + "/lab")
        self.site.standings["key1"] = "gone"
        self.assertIs(self.alice.ask(TOOL + "/lab"), NOT_FOUND)
        self.site.standings["key1"] = "other"
        self.assertEqual(self.status(self.alice.ask(TOOL + "/lab")), 403)


class SessionTests(HostCase):
    """Spawned sessions with hosts of their own."""

    def test_there_and_back(self) -> None:
        self.admitted(self.alice.go(SESSION + DEEP), DEEP)
        self.admitted(self.alice.ask(SESSION + "/api", method=b"POST"), "/api")
        self.admitted(self.alice.ask(SESSION + "/lab"), "/lab")
        neighbour = (b"Origin", SESSION.replace("s1", "s2").encode())
        self.assertIs(self.alice.ask(SESSION + "/x", neighbour, method=b"POST"), FOREIGN_ORIGIN)
        self.assertIs(self.alice.ask(SESSION + "/x", neighbour, *WEBSOCKET), FOREIGN_ORIGIN)

    def test_others(self) -> None:
        self.assertEqual(self.status(self.bob.go(SESSION + "/lab")), 403)
        self.assertIs(self.stranger.go(SESSION + "/lab"), NOT_LOGGED_IN)
        visitor = Browser(self.site, NOBODY.session_key)
        self.assertIs(visitor.go(SESSION + "/lab"), NOT_LOGGED_IN)
        self.assertIn("?back=", visitor.asked[-1])

    def test_unknown_ones(self) -> None:
        for host in ("s2", "s1.x", "x.s1"):
            url = f"https://{host}.session.example.net"
            for path in ("/", "/giestack/", "/giestack/ticket?ticket=x"):
                self.assertIs(self.alice.ask(url + path, *PAGE), NOT_FOUND)
            self.assertIs(self.alice.ask(f"{GALAXY}{LOGIN}?next={url}/", *PAGE), NOT_FOUND)

    def test_one_that_ends_during_the_login(self) -> None:
        login = self.alice.step(SESSION + "/lab")
        self.site.late = True
        request = self.alice.request(login, *PAGE)
        found: list[Decision] = []
        waiting = self.site.gate(request)
        waiting.addCallback(found.append)  # type: ignore[union-attr]
        del self.site.entrances["s1"]
        answer, visitor = self.site.waiting.pop()
        answer.callback(visitor)
        self.assertEqual(found, [NOT_FOUND])

    def test_the_old_address_leads_there(self) -> None:
        old = GALAXY + "/giestack/session/s1"
        for rest, there in (("", "/"), ("/", "/"), ("/lab?x=1", "/lab?x=1")):
            self.assertEqual(self.alice.step(old + rest), SESSION + there)
        self.assertEqual(
            self.alice.step("https://galaxy.example.org:8443/giestack/session/s1/"),
            SESSION + ":8443/",
        )
        for method, headers in ((b"POST", ()), (b"GET", WEBSOCKET)):
            self.assertIs(self.alice.ask(old + "/x", *headers, method=method), NOT_FOUND)
        self.assertEqual(self.status(self.bob.ask(old + "/x")), 403)
        self.assertIs(self.stranger.ask(old + "/x"), NOT_LOGGED_IN)

    def test_its_pages_can_send_no_forms_to_what_else_is_there(self) -> None:
        self.site.table.configure(
            self.site.table.prefixes, [Service(b"/apollo", Address("127.0.0.1", 8080))]
        )
        own, session = ((b"Origin", one.encode()) for one in (GALAXY, SESSION))
        path = "/interactivetool/ep/key1/token1/x"
        for url in (f"{GALAXY}/apollo/x", GALAXY + path):
            for _ in range(2):  # also when the gate remembers who may go there
                self.assertIs(self.alice.ask(url, session, method=b"POST"), FOREIGN_ORIGIN)
                self.assertIsInstance(self.alice.ask(url, own, method=b"POST"), Forward)
            self.assertIsInstance(self.alice.ask(url, session), Forward)
        # Without such hosts it is as ever.
        self.site.policy = replace(self.site.policy, session_domain=None)
        self.site.gate = self.site.node()
        self.assertIsInstance(self.alice.ask(GALAXY + path, session, method=b"POST"), Forward)

    def test_a_tools_page_can_send_no_forms_to_services_either(self) -> None:
        self.site.policy = Policy(tool_domains=(b"." + BELOW.encode(),))
        self.site.gate = self.site.node()
        self.site.table.configure(
            self.site.table.prefixes, [Service(b"/apollo", Address("127.0.0.1", 8080))]
        )

        def post(*headers: tuple[bytes, bytes]) -> Decision:
            return self.alice.ask(f"{GALAXY}/apollo/x", *headers, method=b"POST")

        null, site = (b"Origin", b"null"), b"Sec-Fetch-Site"
        for refused in (
            ((b"Origin", TOOL.encode()),),
            ((b"Origin", BOBS.upper().encode() + b":8443"), (site, b"same-site")),
            # Any page can hide where it is from.
            (null, (site, b"same-site")),
            ((site, b"same-site"),),
        ):
            self.assertIs(post(*refused), FOREIGN_ORIGIN, refused)
        for fine in (
            (),
            ((b"Origin", GALAXY.encode()), (site, b"same-origin")),
            (null, (site, b"same-origin")),
            # As a login elsewhere sends visitors back.
            ((b"Origin", b"https://login.example.org"), (site, b"same-site")),
            ((b"Origin", b"https://login.example.net"), (site, b"cross-site")),
        ):
            self.assertIsInstance(post(*fine), Forward, fine)
        self.site.policy = replace(self.site.policy, allowed_origins=frozenset((TOOL.encode(),)))
        self.site.gate = self.site.node()
        self.assertIsInstance(post((b"Origin", TOOL.encode())), Forward)
        # Where no tool has a host it is as ever.
        self.site.policy = Policy()
        self.site.gate = self.site.node()
        self.assertIsInstance(post((site, b"same-site")), Forward)

    def test_one_that_was_started_before_it_had_a_host(self) -> None:
        base = b"/giestack/session/s1"
        for strip_path, seen in ((False, "/giestack/session/s1/lab?x"), (True, "/lab?x")):
            self.site = Site(base=base, strip_path=strip_path)
            alice = Browser(self.site, ALICE.session_key)
            self.admitted(alice.go(f"{GALAXY}/giestack/session/s1/lab?x"), seen)
            self.assertEqual(alice.asked[-1], SESSION + seen)

    def test_one_that_was_started_when_there_were_such_hosts(self) -> None:
        self.site = Site(Policy())
        alice = Browser(self.site, ALICE.session_key)
        decision = alice.go(f"{GALAXY}/giestack/session/s1/lab?x")
        self.admitted(decision, "/lab?x")
        assert isinstance(decision, Forward)
        self.assertEqual(decision.destination.prefix, b"/giestack/session/s1")

    def test_one_that_is_not_ready(self) -> None:
        self.site = Site(state="starting")
        decision = Browser(self.site, ALICE.session_key).go(SESSION + "/lab")
        assert isinstance(decision, Refuse)
        self.assertEqual(decision.link, GALAXY + "/giestack/sessions/s1")
