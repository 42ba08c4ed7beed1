"""Galaxy as it comes: SQLite for its database and for the map of its tools."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

from tests.galaxy.client import Visitor
from tests.galaxy.front import API, wait_for_answer
from tests.galaxy.server import Server, server
from tests.galaxy.story import NO_ROUTE, NOT_LOGGED_IN, GalaxyTestCase, Story
from tests.neighbours.giestack import Answer


class SqliteTests(Story, GalaxyTestCase):
    def galaxy(self) -> Server:
        return server()


class TokenTests(GalaxyTestCase):
    """As with gx-it-proxy: who knows a tool's address may enter."""

    settings = {"proxy": {"interactivetools_auth": "token"}}

    def galaxy(self) -> Server:
        return server()

    def test_an_address_is_enough_on_a_host_and_by_path(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        host, path = self.host_of(self.started(alice, "by_host", "host")["target"])
        head = wait_for_answer(self.front, path, bob, host).body.decode()
        self.assertIn(f"GET {path} HTTP/1.1\nHost: {host}\n", head)
        self.assertNotIn(bob.cookie, head)
        self.assertEqual(self.front.get(path, None, host).status, 200)
        wrong = host.replace(".ep.", "x.ep.", 1)
        self.assertEqual(self.front.told(path, alice, wrong), NO_ROUTE)
        by_path = self.started(alice)
        wait_for_answer(self.front, by_path["url"], bob)
        self.assertEqual(self.front.get(by_path["url"], None).status, 200)


class HostLoginTests(GalaxyTestCase):
    """Tools on hosts of their own, which Galaxy's cookie does not reach."""

    def galaxy(self) -> Server:
        return server()

    def test_the_owner_is_taken_there_and_nobody_else(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        tool = self.started(alice, "by_host", "host")
        url, host = tool["target"], urlsplit(tool["target"]).netloc
        here = f"localhost:{self.server.port}"
        [told] = self.front.get(f"{API}entry_points", alice, here).json
        self.assertEqual(told["url"], url)

        browser = self.browser(alice)
        self.front.program.until(lambda: _status(browser.go(url)) == 200, "the tool's program")
        browser = self.browser(alice)
        page = browser.go(url)
        assert page is not None
        self.assertEqual(browser.been[-1], url)
        self.assertEqual(urlsplit(browser.been[1]).path, "/interactivetool/giestack/login")
        self.assertEqual(len(browser.been), 4)
        self.assertIn(f"Host: {host}\n", page.body.decode())
        for secret in (alice.cookie, browser.cookies(url).partition("=")[2]):
            self.assertNotIn(secret.encode(), page.body)
        browser.go(url)
        self.assertEqual(browser.been, [url])
        # The way that another has gone leads to nobody else's tool.
        self.assertEqual(_status(self.browser(bob).go(url)), 403)
        self.assertEqual(_status(self.browser(self.visitor()).go(url)), 403)
        self.assertEqual(self.front.told("/begin", bob, host), NOT_LOGGED_IN)

        tunnel = browser.tunnel(url)
        self.assertTrue(tunnel.echoes(b"still here"))
        alice.log_out()
        tunnel.until_cut()
        self.assertEqual(_status(browser.go(url)), 403)
        self.assertEqual(_status(self.browser(self.visitor("alice")).go(url)), 200)

    def test_who_has_no_session_gets_there_by_galaxys_login(self) -> None:
        alice = self.visitor("alice")
        url = self.started(alice, "by_host", "host")["target"]
        old = Visitor(self.server, alice.cookie)
        alice.log_out()
        self.front.program.until(
            lambda: self.front.get(f"{API}whoami", old).status == 401, "the end of a session"
        )
        browser = self.browser(old)
        page = browser.go(url)
        assert page is not None
        self.assertEqual(page.status, 401)
        [link] = re.findall(r'href="([^"]+/login/start[^"]*)"', page.body.decode())
        self.assertTrue(link.startswith(self.server.url), link)
        [way] = parse_qs(urlsplit(unescape(link)).query)["redirect"]
        # Galaxy's page goes there when it has logged somebody in.
        browser = self.browser(self.visitor("alice"))
        page = browser.go(f"http://localhost:{self.server.port}{way}")
        self.assertEqual((_status(page), browser.been[-1]), (200, url))


def _status(answer: Answer | None) -> int | None:
    return answer and answer.status


class WebhookTests(GalaxyTestCase):
    """The chat in Galaxy's pages: Galaxy hands out the webhook, giestack what it loads."""

    settings = {"chat": {"listen": [], "rooms": ["Help"]}}

    def galaxy(self) -> Server:
        return server()

    def test_galaxy_serves_the_webhook_and_giestack_the_bubble(self) -> None:
        alice = self.visitor("alice")
        [webhook] = [
            one for one in alice.done("GET", "/api/webhooks") if one["id"] == "giestack-chat"
        ]
        self.assertIn("masthead", webhook["type"])
        self.assertIn("widget.js", webhook["script"])
        answer = self.front.get("/giestack/chat/widget.js", None)
        self.assertEqual(answer.status, 200)
        self.assertIn("javascript", answer.headers["content-type"])
        self.assertEqual(self.front.get("/giestack/chat/whoami", alice).json["name"], "alice")
