"""The demo in a real Chromium: what alice, bob and a stranger see, and that it can be used."""

import atexit
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from playwright.sync_api import WebSocket
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.host import HostDatabase
from giestack.demo.session_map import SessionMap, new_token
from giestack.identity.cookie import CookieCodec
from tests.neighbours.chromium import (
    LOOKS,
    Complaints,
    chromium,
    fits,
    in_a_thread,
    screenshot,
    violations,
    visitor,
)
from tests.neighbours.galaxy import new_folder
from tests.neighbours.giestack import TWISTD, ask, without_docker
from tests.neighbours.program import PATIENCE, Program, eventually, free_port

WIDE = {"viewport": {"width": 1280, "height": 800}}
MILLISECONDS = PATIENCE * 1000
# Chromium's own words for a document that came with an error status.
_REFUSED = re.compile(r"error: Failed to load resource: the server responded with a status of ")
_OPEN_SOCKET = """
url => new Promise(done => {
    const socket = new WebSocket(url);
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
})
"""
# A page that waits for something looks again by itself, and says so; it has no script.
_REFRESHES = "meta-refresh"


class _Process:
    """What ends with this process, instead of a test."""

    def addCleanup(self, function: Callable[[], object]) -> None:
        atexit.register(function)


@cache
def demo() -> tuple[Path, int]:
    """Its folder and its port. It is one for all tests, who come with browsers of their own."""
    folder = new_folder(_Process())
    place, port = folder / "demo", free_port()
    command = [TWISTD, "-n", "--pidfile=", "giestack", "--demo", "--port", str(port)]
    command += ["--demo-dir", str(place)]
    program = Program(_Process(), command, folder, without_docker())
    program.until(lambda: "JupyterLab is ready" in program.output, "alice's JupyterLab")
    return place, port


class DemoCase(SynchronousTestCase):
    def setUp(self):
        self.place, self.port = demo()
        self.site = f"http://127.0.0.1:{self.port}"

    def page_of(self, context):
        page = context.new_page()
        return page, Complaints(page)

    def become(self, page, name):
        """Log in, as the demo's page does it."""
        page.goto(f"{self.site}/giestack/demo")
        page.get_by_role("button", name=f"Become {name}").click()
        page.get_by_role("heading", name=f"You are {name}").wait_for()

    def open_lab(self, page):
        """From alice's own page to her notebook; return its address."""
        page.get_by_role("link", name="Open JupyterLab").click()
        self.until_shown(page)
        return page.url

    def until_shown(self, page):
        """Wait until the notebook is there."""
        page.locator(".jp-Notebook .jp-CodeCell .cm-content", has_text="6*7").wait_for()

    def tool_without_container(self):
        """Give alice another tool, of which the container is gone; return its path."""
        secret = (self.place / "id_secret").read_text().strip()
        host = HostDatabase(
            self.place / "galaxy.sqlite", lambda: datetime.now(UTC).replace(tzinfo=None)
        )
        tool = host.request_tool("alice", "RStudio", new_token(), "")
        port = free_port()
        host.tool_configured(tool, "127.0.0.1", port, None)
        key = CookieCodec(secret).entry_point_key(tool.entry_point_id)
        SessionMap(self.place / "interactivetools_map.sqlite").save(
            key, tool.token, "127.0.0.1", port
        )
        path = f"/interactivetool/ep/{key}/{tool.token}/"
        # A stranger is told 404 until the route is there, and 401 from then on.
        eventually(lambda: ask(self.port, path).status == 401, "a route to the new tool")
        return path


class StoryTests(DemoCase):
    @in_a_thread
    def test_alice_computes_and_nobody_else_gets_there(self):
        with chromium() as browser:
            with (
                visitor(browser, **WIDE) as alice,
                visitor(browser, **WIDE) as bob,
                visitor(browser, **WIDE) as stranger,
            ):
                page, complaints = self.page_of(alice)
                sockets: list[WebSocket] = []
                page.on("websocket", lambda socket: sockets.append(socket))
                self.become(page, "alice")
                address = self.open_lab(page)
                self.run_cell(page)
                screenshot(page, "alice-42", self.place.parent / "pictures")
                self.assertEqual(complaints.texts, [])
                kernel = [one for one in sockets if "/api/kernels/" in one.url][-1]
                self.assertFalse(kernel.is_closed())
                self.look_as_bob(bob, address, kernel.url)
                self.look_as_stranger(stranger, address, kernel.url)
                # She was not disturbed by them.
                self.assertFalse(kernel.is_closed())
                self.log_out(alice, kernel)
                self.assertEqual(page.reload().status, 401)
                self.come_back(page, address)

    def run_cell(self, page):
        # Before there is a kernel, JupyterLab forgets what it is asked to run.
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        cell = page.locator(".jp-Notebook .jp-CodeCell").first
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        cell.locator(".jp-OutputArea-output").get_by_text("42", exact=True).wait_for()

    def look_as_bob(self, context, address, kernel):
        page, complaints = self.page_of(context)
        self.become(page, "bob")
        page.get_by_text("Nothing is running").wait_for()
        self.assertEqual(page.get_by_role("link", name="Open").count(), 0)
        self.assertEqual(page.goto(address).status, 403)
        page.get_by_text("belongs to somebody else").wait_for()
        self.assertNotIn("alice", page.content())
        self.assertComplaints(complaints, 1)
        self.assertEqual(self.socket_from(page, kernel), "refused")

    def look_as_stranger(self, context, address, kernel):
        page, complaints = self.page_of(context)
        self.assertEqual(page.goto(address).status, 401)
        page.get_by_role("link", name="Log in").wait_for()
        self.assertComplaints(complaints, 1)
        self.assertEqual(self.socket_from(page, kernel), "refused")

    def socket_from(self, page, url):
        """Try a WebSocket from a page of the same origin, whose policy would not stop it."""
        page.goto(f"{self.site}/giestack/api/v1/whoami")
        return page.evaluate(_OPEN_SOCKET, url)

    def log_out(self, context, kernel):
        page, complaints = self.page_of(context)
        page.goto(f"{self.site}/giestack/demo")
        with kernel.expect_event("close", timeout=MILLISECONDS):
            page.get_by_role("button", name="Log out").click()
        page.get_by_text("You are not logged in").wait_for()
        self.assertEqual(complaints.texts, [])

    def come_back(self, page, address):
        """The way from the 401 page leads to the login and back to the notebook."""
        page.get_by_role("link", name="Log in").click()
        page.get_by_role("button", name="Become alice").click()
        page.wait_for_url(address)
        self.until_shown(page)

    def assertComplaints(self, complaints, refusals):
        """Nothing but the browser's own word on documents that are refusals."""
        self.assertEqual([t for t in complaints.texts if not _REFUSED.match(t)], [])
        self.assertEqual(len(complaints.texts), refusals)


class PageTests(DemoCase):
    """giestack's own pages, on every screen."""

    @in_a_thread
    def test_looks(self):
        dead = self.tool_without_container()
        pictures = self.place.parent / "pictures"
        with chromium() as browser:
            for look, options in LOOKS:
                with visitor(browser, **options) as somebody:
                    page, complaints = self.page_of(somebody)

                    def show(name, path, status, page=page, look=look):
                        self.assertEqual(page.goto(self.site + path).status, status)
                        screenshot(page, f"{name}-{look}", pictures)
                        self.assertAccessible(page)
                        self.assertTrue(fits(page), page.url)

                    show("stranger-401", "/giestack/", 401)
                    show("demo", "/giestack/demo", 200)
                    self.become(page, "bob")
                    show("bob-dashboard", "/giestack/", 200)
                    show("bob-403", dead, 403)
                    self.become(page, "admin")
                    show("admin-dashboard", "/giestack/", 200)
                    self.become(page, "alice")
                    show("alice-dashboard", "/giestack/", 200)
                    show("alice-demo", "/giestack/demo", 200)
                    show("alice-404", "/nowhere", 404)
                    show("alice-502", dead, 502)
                    refused = [t for t in complaints.texts if _REFUSED.match(t)]
                    self.assertEqual((len(refused), complaints.texts), (4, refused))
                    # Night and day are no matter of giestack's in there.
                    if options["color_scheme"] == "light":
                        page.goto(f"{self.site}/giestack/")
                        self.open_lab(page)
                        screenshot(page, f"alice-jupyterlab-{look}", pictures)

    def assertAccessible(self, page):
        serious = [
            (one["id"], one["help"], [node["html"] for node in one["nodes"]])
            for one in violations(page, _REFRESHES)
            if one["impact"] in ("serious", "critical")
        ]
        self.assertEqual(serious, [], page.url)

    @in_a_thread
    def test_by_keyboard_alone(self):
        with chromium() as browser, visitor(browser, **WIDE) as somebody:
            page, complaints = self.page_of(somebody)
            page.goto(f"{self.site}/giestack/demo")
            self.tab_to(page, "Become alice")
            page.keyboard.press("Enter")
            page.get_by_role("heading", name="You are alice").wait_for()
            self.tab_to(page, "Become another user")
            self.tab_to(page, "Refresh")
            self.tab_to(page, "Open JupyterLab")
            page.keyboard.press("Enter")
            self.until_shown(page)
            page.goto(f"{self.site}/giestack/")
            self.tab_to(page, "Become another user")
            page.keyboard.press("Enter")
            page.get_by_role("heading", name="Who do you want to be?").wait_for()
            self.tab_to(page, "Log out")
            page.keyboard.press("Space")
            page.get_by_text("You are not logged in").wait_for()
            self.assertEqual(complaints.texts, [])

    def tab_to(self, page, name):
        """Press Tab until something of this name has the focus, and it is seen to have it."""
        for _ in range(20):
            page.keyboard.press("Tab")
            found, outline = page.evaluate(
                "(e => [e.ariaLabel || e.innerText, getComputedStyle(e).outlineStyle])"
                "(document.activeElement)"
            )
            if found == name:
                self.assertEqual(outline, "solid")
                return
        self.fail(f"{name} is not reached by Tab")
