"""Galaxy behind a front that logs people in and names them in a header."""

from tests.galaxy.client import Visitor
from tests.galaxy.front import API
from tests.galaxy.server import Server, server
from tests.galaxy.story import NOT_LOGGED_IN, NOT_OWNER, GalaxyTestCase


class RemoteUserTests(GalaxyTestCase):
    # Who comes without that front gets no further than its login.
    settings = {"galaxy": {"url": "https://galaxy.example.org/"}}

    def galaxy(self) -> Server:
        return server(use_remote_user=True)

    def person(self, name: str) -> Visitor:
        """Somebody whom the front has logged in."""
        visitor = Visitor(self.server)
        visitor.named = {"REMOTE_USER": f"{name}@example.org"}
        visitor.done("GET", "/history/current_history_json")
        return visitor

    def test_a_tool_is_stopped_past_the_front(self) -> None:
        alice, bob = self.person("alice"), self.person("bob")
        tool = self.started(alice)
        self.assertEqual(self.front.told(tool["url"], bob), NOT_OWNER)
        self.assertEqual(self.front.get(f"{API}whoami", alice).json["email"], "alice@example.org")
        # Nobody is believed to be who cookie and front do not both say.
        bob.named = alice.named
        self.assertEqual(self.front.told(tool["url"], bob), NOT_LOGGED_IN)
        self.assertEqual(self.front.stop(tool["id"], bob).status, 401)
        self.assertEqual(self.front.stop(tool["id"], alice).status, 202)
        self.assertEqual(alice.entry_points(), {})
        self.front.program.until(
            lambda: self.front.get(tool["url"], alice).status == 404, "the end of a route"
        )
