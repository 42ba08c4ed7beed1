"""The way into an interactive tool on a host of its own, by way of web servers."""

from urllib.parse import urlsplit

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.documented_fronts import ToolsNginx, both_families
from tests.neighbours.fronted_site import Site, tool_host
from tests.neighbours.fronts import FRONTS, HOST
from tests.neighbours.galaxy import ALICE, BOB, PLAIN

HTML = {"Accept": "text/html"}


class LoginTests(SynchronousTestCase):
    def test_there_and_back(self):
        """Galaxy's cookie does not reach that host; a ticket does."""
        no_domain = {"galaxy": {"cookie_domain": None}}
        site = Site(self, (*FRONTS, ToolsNginx), settings=no_domain, listen=both_families)
        site.visits(self.visit)

    def visit(self, visitor):
        host = tool_host(PLAIN)
        cookies: dict[str, str] = {}

        def ask(url, case=None):
            parts = urlsplit(url)
            sent = "; ".join(f"{name}={value}" for name, value in cookies.items() if value)
            own = {"Cookie": sent} if sent and parts.hostname == host else {}
            answer = visitor.ask(
                f"{parts.path}?{parts.query}", case, host=parts.hostname, headers={**HTML, **own}
            )
            for line in answer.headers.get_all("Set-Cookie") or ():
                self.assertIn("; Secure", line)
                name, _, value = line.partition(";")[0].partition("=")
                cookies[name] = value
            return answer

        page = f"https://{host}/lab?x=1%2F"
        there = ask(page).headers["Location"]
        self.assertEqual(urlsplit(there).netloc, HOST)
        self.assertEqual(ask(there, BOB).status, 403)
        ticket = ask(there, ALICE).headers["Location"]
        back = ask(ticket).headers["Location"]
        self.assertEqual(urlsplit(back).hostname, host)
        answer = ask(back)
        self.assertEqual((answer.status, answer.json["path"]), (200, "/lab?x=1%2F"))
        self.assertNotIn("giestack", dict(answer.json["headers"]).get("Cookie", ""))
