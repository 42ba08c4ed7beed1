"""What Galaxy and giestack do together, whichever database Galaxy is on."""

import json
from typing import Any
from urllib.parse import urlsplit

from twisted.trial.unittest import SynchronousTestCase

from tests.galaxy.browser import Browser
from tests.galaxy.client import Visitor, with_users
from tests.galaxy.front import API, Front, wait_for_answer
from tests.galaxy.server import Server
from tests.neighbours.docker import docker

NOT_OWNER = (403, "not-owner")
NOT_LOGGED_IN = (401, "not-logged-in")
NO_ROUTE = (404, "no-such-route")


def containers() -> list[Any]:
    """Those that run."""
    found: list[Any] = docker().api.must("GET", "/containers/json")
    return found


class GalaxyTestCase(SynchronousTestCase):
    """Has a Galaxy, and giestack in front of it; `galaxy` says which."""

    settings: dict[str, dict[str, Any]] = {}

    def galaxy(self) -> Server:
        raise NotImplementedError

    def setUp(self) -> None:
        self.server = with_users(self.galaxy())
        self.front = Front(self, self.server, self.settings)

    def visitor(self, name: str | None = None) -> Visitor:
        """Somebody with a session of their own; anonymous without a name."""
        visitor = Visitor(self.server)
        return visitor.arrive() if name is None else visitor.log_in(name)

    def started(self, visitor: Visitor, tool: str = "by_path", label: str = "path") -> Any:
        """Start a tool, and wait until it runs.

        What giestack says of it, and as ``target`` where Galaxy sends people. It ends in time.
        """
        visitor.start(tool)
        self.addCleanup(visitor.end_tools)
        told = self.front.until_routed(visitor, label)
        return {**told, "target": visitor.entry_points()[label]["target"]}

    def browser(self, visitor: Visitor) -> Browser:
        return Browser(self.front, visitor)

    def host_of(self, url: str) -> tuple[str, str]:
        """The host and the path of a tool's address."""
        parts = urlsplit(url)
        return parts.netloc, parts.path


class Story:
    """The tests; each is for a `GalaxyTestCase`."""

    def test_from_the_start_to_the_end(self: Any) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        alice.start("by_path")
        self.addCleanup(alice.end_tools)
        # In Galaxy's database before the container is there, and so before the map has it.
        seen = set()

        def look() -> bool:
            tool = self.front.tools(alice).get("path")
            if tool is not None:
                seen.add(tool["state"])
            return "running" in seen

        self.front.program.until(look, "a tool")
        self.assertEqual(seen, {"starting", "running"})
        ours, galaxys = self.front.tools(alice), alice.entry_points()
        for label in ("path", "header"):
            self.assertEqual(ours[label]["url"], galaxys[label]["target"])
            self.assertEqual(ours[label]["id"], galaxys[label]["id"])
        self.assertEqual(self.front.tools(bob), {})

        url = ours["path"]["url"]
        answer = wait_for_answer(self.front, url, alice)
        self.assertTrue(answer.body.startswith(b"GET /begin/here?x=1 HTTP/1.1\n"), answer.body)
        self.assertNotIn(alice.cookie.encode(), answer.body)
        self.assertEqual(answer.headers.get_all("set-cookie"), ["own=1; Path=/"])
        for visitor in (bob, self.visitor("admin"), self.visitor()):
            self.assertEqual(self.front.told(url, visitor), NOT_OWNER)
        self.assertEqual(self.front.told(url, None), NOT_LOGGED_IN)
        wrong = url.replace("/begin", "x/begin")
        self.assertEqual(self.front.told(wrong, alice), NO_ROUTE)

        prefix = ours["header"]["url"]
        head = wait_for_answer(self.front, f"{prefix}deeper", alice).body.decode()
        self.assertIn(f"GET {prefix}deeper HTTP/1.1\n", head)
        self.assertIn(f"X-Tool-Path: {prefix.rstrip('/')}\n", head)

    def test_logged_out_is_out(self: Any) -> None:
        alice = self.visitor("alice")
        url = self.started(alice)["url"]
        wait_for_answer(self.front, url, alice)
        tunnel = self.front.tunnel(url, alice.fields)
        self.assertTrue(tunnel.echoes(b"still here"))
        old = Visitor(self.server, alice.cookie)
        alice.log_out()
        tunnel.until_cut()
        self.assertEqual(self.front.told(url, old), NOT_LOGGED_IN)
        # Galaxy has given the browser another session, which is nobody's.
        self.assertEqual(self.front.told(url, alice), NOT_OWNER)
        self.assertEqual(self.front.told(f"{API}whoami", alice), NOT_LOGGED_IN)
        again = self.visitor("alice")
        self.assertEqual(self.front.get(url, again).status, 200)

    def test_what_galaxy_stops_is_gone(self: Any) -> None:
        alice = self.visitor("alice")
        tool = self.started(alice)
        wait_for_answer(self.front, tool["url"], alice)
        tunnel = self.front.tunnel(tool["url"], alice.fields)
        alice.done("DELETE", f"/api/entry_points/{tool['id']}")
        tunnel.until_cut()
        self.front.until_it_answers(tool["url"], 404, cookie=alice.cookie)
        self.assertNotIn("path", self.front.tools(alice))

    def test_giestack_stops_a_tool_through_galaxy(self: Any) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        tool = self.started(alice)
        wait_for_answer(self.front, tool["url"], alice)
        running = len(containers())
        for visitor, status, code in (
            (bob, *NOT_OWNER),
            (self.visitor("admin"), *NOT_OWNER),
            (None, *NOT_LOGGED_IN),
        ):
            answer = self.front.stop(tool["id"], visitor)
            self.assertEqual((answer.status, answer.json["error"]), (status, code))
        self.assertEqual(self.front.get(tool["url"], alice).status, 200)

        answer = self.front.stop(tool["id"], alice)
        self.assertEqual((answer.status, answer.json["state"]), (202, "stopping"), answer)
        self.assertEqual(alice.entry_points(), {})
        self.assertEqual(self.front.tools(alice), {})
        self.front.until_it_answers(tool["url"], 404, cookie=alice.cookie)
        self.front.program.until(lambda: len(containers()) < running, "the end of its container")
        self.front.program.until(
            lambda: self.front.stop(tool["id"], alice).status == 404, "an end that is known"
        )
        written = self.front.written()
        audit = [json.loads(line) for line in written["var/audit.jsonl"].splitlines()]
        # Asked for again while it was not known yet, it was stopped once more.
        stopped = next(line for line in audit if line["event"] == "stopped")
        self.assertEqual((stopped["user"], stopped["route"]), ("alice", tool["id"]))
        for name, text in written.items():
            self.assertNotIn(alice.cookie.encode(), text, name)

    def test_so_does_its_page(self: Any) -> None:
        alice = self.visitor("alice")
        tool = self.started(alice)
        html = {"Accept": "text/html"}
        page = f"/giestack/tools/{tool['id']}"
        start = self.front.ask("/giestack/", cookie=alice.cookie, headers=html).body.decode()
        self.assertIn(f'href="{page}"', start)
        asks = self.front.ask(page, cookie=alice.cookie, headers=html)
        self.assertIn(b"Stop <bdi>Reached by path</bdi>?", asks.body)
        form = {
            **html,
            "Origin": f"http://127.0.0.1:{self.front.port}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = self.front.ask(
            page, cookie=alice.cookie, method="POST", headers=form, body=b"action=stop"
        )
        self.assertEqual((answer.status, answer.headers["location"]), (303, "/giestack/"))
        self.assertEqual(alice.entry_points(), {})

    def test_anonymous_visitors_have_tools_of_their_session(self: Any) -> None:
        guest, other = self.visitor(), self.visitor()
        tool = self.started(guest)
        wait_for_answer(self.front, tool["url"], guest)
        for visitor in (other, self.visitor("alice"), self.visitor("admin")):
            self.assertEqual(self.front.told(tool["url"], visitor), NOT_OWNER)
            self.assertEqual(self.front.tools(visitor), {})
            self.assertEqual(self.front.stop(tool["id"], visitor).status, 403)
        self.assertEqual(self.front.stop(tool["id"], guest).status, 202)
        self.front.until_it_answers(tool["url"], 404, cookie=guest.cookie)

    def test_impersonation_is_seen(self: Any) -> None:
        bob, admin = self.visitor("bob"), self.visitor("admin")
        tool = self.started(bob)
        told = self.front.get(f"{API}whoami", admin).json
        self.assertEqual((told["username"], told["is_admin"]), ("admin", True))
        self.assertEqual(self.front.told(tool["url"], admin), NOT_OWNER)
        admin.impersonate("bob")
        told = self.front.get(f"{API}whoami", admin).json
        self.assertEqual((told["username"], told["impersonated"]), ("bob", True))
        self.assertEqual(told["id"], bob.done("GET", "/api/users/current")["id"])
        self.assertIs(self.front.get(f"{API}whoami", bob).json["impersonated"], False)
        self.assertIn("impersonated by admin@example.org", self.front.explained(admin))
        self.assertNotIn("impersonated", self.front.explained(bob))
        wait_for_answer(self.front, tool["url"], admin)
        entered = self.front.written
        self.front.program.until(
            lambda: b'"impersonated_by": "admin@example.org"' in entered()["var/audit.jsonl"],
            "a line of the audit log",
        )
