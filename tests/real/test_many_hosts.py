"""Tools and sessions on hosts of their own, in a browser that keeps no cookies of third parties."""

import re
from contextlib import ExitStack
from urllib.parse import quote, urlsplit, urlunsplit

from playwright.sync_api import Browser
from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.chromium import visitor
from tests.neighbours.galaxy import (
    ALICE,
    ALICE_ELSEWHERE,
    BOB,
    PLAIN,
    Galaxy,
    cookie,
    path_of,
)
from tests.neighbours.many_hosts import (
    BELOW,
    ELSEWHERE,
    GALAXY,
    NAMES,
    NEIGHBOUR,
    SESSIONS,
    ManyHosts,
    ShownTool,
)
from tests.neighbours.program import PATIENCE, eventually, free_port
from tests.neighbours.sessions import Sessions
from tests.neighbours.shared_browser import SharedBrowser

in_the_browser = SharedBrowser(arguments=(NAMES,), whole=True).lend

DEEP = "/lab/tree/My%20Notebook.ipynb?a=1&b=%2F+c"
MILLISECONDS = PATIENCE * 1000
_POST = """
url => fetch(url, {method: "POST", credentials: "include", mode: "no-cors", body: "x"})
    .then(answer => answer.type + answer.status, () => "failed")
"""
_SOCKET = """
url => new Promise(done => {
    window.socket = new WebSocket(url);
    window.ended = new Promise(end => { socket.onclose = () => end("closed"); });
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
})
"""


class ManyHostsTests(SynchronousTestCase):
    """One site for all of it; everybody comes with a browser of their own."""

    browser: Browser

    def setUp(self):
        self.galaxy = Galaxy(self)
        self.tool = ShownTool(self)
        self.galaxy.publish(PLAIN, self.tool.port)
        port = free_port()
        self.site = f"https://{GALAXY}:{port}"
        label = "-".join(path_of(PLAIN).rsplit("/", 2)[1:])
        self.here, self.there = (f"https://{label}.{at}:{port}" for at in (BELOW, ELSEWHERE))
        self.sessions_end = f".{SESSIONS}:{port}"
        self.evil = f"https://{NEIGHBOUR}:{port}/"
        self.giestack = Sessions(
            self,
            self.galaxy,
            spawner={"domain": SESSIONS},
            sections={
                "galaxy": {"url": f"{self.site}/"},
                "proxy": {"interactivetools_domains": [BELOW, ELSEWHERE]},
            },
        )
        ManyHosts(self, port, self.giestack.port, cookie(ALICE))

    def browser_of(self, who=None):
        """A browser profile, logged in in Galaxy or not."""
        context = self.browsers.enter_context(visitor(self.browser, ignore_https_errors=True))
        if who is not None:
            context.add_cookies(
                [
                    {
                        "name": "galaxysession",
                        "value": cookie(who),
                        "url": f"{self.site}/",
                        "httpOnly": True,
                        "secure": True,
                        "sameSite": "Lax",
                    }
                ]
            )
        return context

    def shown(self, frame, path):
        """Wait until a page or frame shows the tool at a path."""
        frame.locator("#path", has_text=path).wait_for(timeout=MILLISECONDS)
        self.assertEqual(frame.locator("#path").inner_text(), path)

    def own_cookies(self, context, url):
        return {one["name"]: one for one in context.cookies(url) if "giestack" in one["name"]}

    @in_the_browser
    def test_all_of_it(self):
        with ExitStack() as self.browsers:
            self.a_deep_link_through_galaxys_login()
            alice = self.browser_of(ALICE)
            self.inside_galaxys_page(alice)
            self.forms_and_sockets(alice)
            self.a_stolen_link()
            self.a_session(alice)
            self.logged_out_while_inside()
        for method, path, sent in self.tool.asked:
            self.assertNotIn("giestack", sent, (method, path))
            self.assertNotIn("galaxysession", sent, (method, path))
        token = path_of(PLAIN).rpartition("/")[2].encode()
        for name, written in self.giestack.written().items():
            # What comes back from Galaxy is nothing to anybody, and is all of ours that is shown.
            written = re.sub(rb"back=gAAAA[A-Za-z0-9_-]+", b"", written)
            for secret in (b"gAAAA", token, cookie(ALICE).encode()):
                found = [line[:300] for line in written.splitlines() if secret in line]
                self.assertEqual(found, [], name)

    def a_deep_link_through_galaxys_login(self):
        context = self.browser_of()
        page = context.new_page()
        self.assertEqual(page.goto(self.here + DEEP + "#part").status, 401)
        self.assertTrue(page.url.startswith(f"{self.site}/interactivetool/giestack/login?back="))
        self.assertEqual(self.tool.asked, [])
        page.get_by_role("link", name="Log in").click()
        self.shown(page, DEEP)
        self.assertEqual(page.url.partition("#")[0], self.here + DEEP)
        kept = self.own_cookies(context, self.here)
        self.assertEqual(set(kept), {"__Host-giestack"})
        ours = kept["__Host-giestack"]
        self.assertTrue(ours["httpOnly"] and ours["secure"])
        self.assertEqual((ours["sameSite"], ours["path"]), ("Lax", "/"))
        # A link from elsewhere goes in at once, and what the tool set has changed nothing.
        page.goto(self.evil)
        page.evaluate("url => { location.href = url; }", self.here + "/again")
        self.shown(page, "/again")

    def inside_galaxys_page(self, context):
        """Three frames at once of a tool below Galaxy's host, then of one on another site."""
        page = context.new_page()
        # The browser does block what it is told to block.
        for _ in range(2):
            page.goto(f"{self.site}/page?a={self.there}/plain-cookie")
            page.frame("a").get_by_text("cookies:").wait_for()
        self.assertEqual(page.frame("a").locator("body").inner_text().strip(), "cookies:")
        for host, same_site in ((self.here, "Lax"), (self.there, "None")):
            query = "&".join(f"{name}={quote(host, safe='/:')}/{name}" for name in "abc")
            page.goto(f"{self.site}/page?{query}")
            for name in "abc":
                frame = page.frame(name)
                # Who comes back second has lost the nonce to the first, but not the cookie.
                self.shown(frame, f"/{name}")
            ours = self.own_cookies(context, host)["__Host-giestack"]
            self.assertEqual(ours["sameSite"], same_site)
        # By itself it is another jar there, and works as well.
        page.goto(self.there + "/top")
        self.shown(page, "/top")

    def forms_and_sockets(self, context):
        page = context.new_page()
        page.goto(self.here + "/lab")
        self.shown(page, "/lab")
        socket = self.here.replace("https", "wss") + "/socket"
        self.assertEqual(page.evaluate(_POST, self.here + "/form"), "basic200")
        self.assertEqual(page.evaluate(_SOCKET, socket), "open")
        self.assertEqual(self.named("POST"), ["/form"])
        # A neighbour's page is the same site: the cookie is sent along, and does not help.
        page.goto(self.evil)
        self.assertEqual(page.evaluate(_POST, self.here + "/evil"), "opaque0")
        self.assertEqual(page.evaluate(_SOCKET, socket + "/evil"), "refused")
        stranger = self.browser_of().new_page()
        stranger.goto(f"{self.site}/page")
        self.assertEqual(stranger.evaluate(_POST, self.here + "/stranger"), "opaque0")
        self.assertEqual(stranger.evaluate(_SOCKET, socket + "/stranger"), "refused")
        self.assertEqual(self.named("POST"), ["/form"])
        self.assertFalse([path for _, path, _ in self.tool.asked if path.startswith("/socket/")])

    def named(self, method):
        return [path for asked, path, _ in self.tool.asked if asked == method]

    def a_stolen_link(self):
        """Each step of alice's way, in bob's browser."""
        alice = self.browser_of(ALICE)
        steps, nonce = [self.here + "/stolen"], ""
        for _ in range(2):
            parts = urlsplit(steps[-1])
            fields = {"Host": parts.netloc, "X-Forwarded-Proto": "https", "Accept": "text/html"}
            target = urlunsplit(("", "", *parts[2:]))
            answer = self.giestack.ask(target, cookie=cookie(ALICE), headers=fields)
            self.assertEqual(answer.status, 302)
            steps.append(answer.headers["Location"])
            nonce = answer.headers["Set-Cookie"] or nonce
        self.assertIn("/giestack/ticket?ticket=", steps[-1])
        name, _, value = nonce.partition(";")[0].partition("=")
        self.assertEqual(name, "__Host-giestack-nonce")
        alice.add_cookies([{"name": name, "value": value, "url": f"{self.here}/", "secure": True}])
        for who in (BOB, None):
            thief = self.browser_of(who).new_page()
            found = [thief.goto(step) for step in (*steps, *steps)]
            refused = 401 if who is None else 403
            # The ticket is nothing to them: with a nonce of theirs they begin anew.
            self.assertEqual([one.status for one in found], [refused] * 6)
        self.assertNotIn("/stolen", self.named("GET"))
        # Hers is still good, once.
        own = alice.new_page()
        own.goto(steps[-1])
        self.shown(own, "/stolen")
        alice.clear_cookies(name="__Host-giestack")
        self.assertEqual(own.goto(steps[-1]).status, 401)
        own.get_by_text("used up").wait_for()
        own.get_by_role("link", name="Log in").click()
        self.shown(own, "/stolen")

    def a_session(self, context):
        """A spawned session: the old address leads to its host, and its pages are strangers."""
        told = self.giestack.api("sessions", method="POST", body={"profile": "good"}).json
        eventually(
            lambda: self.giestack.api(f"sessions/{told['id']}").json["state"] == "ready", "ready"
        )
        page = context.new_page()
        answer = page.goto(self.site + told["url"])
        host = f"https://{told['id']}{self.sessions_end}"
        self.assertEqual((answer.status, page.url), (200, f"{host}/"))
        self.assertIn("pid", answer.json())
        for path in ("/giestack/api/v1/whoami", "/giestack/api/v1/sessions"):
            found = page.evaluate(
                "url => fetch(url, {credentials: 'include'}).then(() => 'read', () => 'failed')",
                self.site + path,
            )
            self.assertEqual(found, "failed")
        self.assertEqual(page.evaluate(_POST, f"{self.site}/giestack/api/v1/sessions"), "opaque0")
        self.assertEqual(len(self.giestack.api("sessions").json), 1)
        bob = self.browser_of(BOB).new_page()
        self.assertEqual(bob.goto(f"{host}/").status, 403)
        self.assertEqual(bob.goto(f"https://unknown{self.sessions_end}/").status, 404)
        self.assertEqual(self.giestack.api(f"sessions/{told['id']}", method="DELETE").status, 202)

    def logged_out_while_inside(self):
        context = self.browser_of(ALICE_ELSEWHERE)
        page = context.new_page()
        page.goto(self.here + "/inside")
        self.shown(page, "/inside")
        socket = self.here.replace("https", "wss") + "/socket"
        self.assertEqual(page.evaluate(_SOCKET, socket), "open")
        self.galaxy.log_out(ALICE_ELSEWHERE)
        self.assertEqual(page.evaluate("ended"), "closed")
        self.assertEqual(page.evaluate(_POST, self.here + "/late"), "basic401")
        self.assertEqual(page.goto(self.here + "/next").status, 401)
        self.assertTrue(page.url.startswith(f"{self.site}/interactivetool/giestack/login?back="))
        page.get_by_role("link", name="Log in").click()
        self.shown(page, "/next")
