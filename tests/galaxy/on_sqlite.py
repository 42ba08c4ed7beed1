"""Galaxy as it comes: SQLite for its database and for the map of its tools."""

from tests.galaxy.front import wait_for_answer
from tests.galaxy.server import Server, server
from tests.galaxy.story import NO_ROUTE, GalaxyTestCase, Story


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
