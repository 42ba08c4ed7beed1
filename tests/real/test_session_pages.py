"""The pages of sessions in a real Chromium, over a spawner in memory."""

import re
import sys
from pathlib import Path
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.chromium import (
    LOOKS,
    Complaints,
    chromium,
    fits,
    foreign_requests,
    in_a_thread,
    screenshot,
    violations,
    visitor,
)
from tests.neighbours.galaxy import new_folder
from tests.neighbours.giestack import ask
from tests.neighbours.program import Program, free_port

ROOT = Path(__file__).parent.parent.parent
WIDE = {"viewport": {"width": 1280, "height": 800}}
_REFUSED = "Failed to load resource: the server responded with a status of "
PAGES = (
    ("dashboard", "alice", "", 200),
    ("tool", "alice", "tools/key1", 200),
    ("guest", "guest", "", 200),
    ("launch", "bob", "launch?profile=jupyter", 200),
    ("launch-again", "alice", "launch?profile=jupyter", 200),
    ("launch-422", "bob", "launch?profile=jupyter&option.rows=0&option.no=1", 422),
    ("launch-closed", "bob", "launch?profile=gpu&history_id=f2db41e1fa331b3e", 200),
    ("launch-refused", "bob", "launch?profile=jupyter&image=other&dataset_id=a", 422),
    ("launch-404", "bob", "launch?profile=nothing", 404),
    ("queued", "alice", "sessions/queued", 200),
    ("waiting", "alice", "sessions/waiting", 200),
    ("pulling", "alice", "sessions/pulling", 200),
    ("hostile", "alice", "sessions/creating", 200),
    ("ready", "alice", "sessions/ready", 200),
    ("ending", "alice", "sessions/ending", 200),
    ("failed", "alice", "sessions/failed", 200),
    ("logs", "alice", "sessions/ready/logs", 200),
    ("admin", "admin", "admin", 200),
    ("admin-403", "bob", "admin", 403),
)


class PagesCase(SynchronousTestCase):
    def setUp(self):
        self.folder = new_folder(self)
        self.port = free_port()
        self.site = f"http://127.0.0.1:{self.port}/giestack/"
        program = [sys.executable, "-m", "tests.site.serve_pages", str(self.port)]
        Program(
            self, program, self.folder, {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        ).until_it_accepts(self.port)

    def tell(self, do, **given):
        """Have the spawner change."""
        answer = ask(self.port, f"/giestack/tell?{urlencode({'do': do, **given})}")
        self.assertEqual(answer.status, 200)

    def page_as(self, context, who):
        """A page of somebody who is logged in, and what may be complained of."""
        self.become(context, who)
        page = context.new_page()
        return page, Complaints(page)

    def become(self, context, who):
        cookie = {"name": "galaxysession", "value": who, "url": self.site}
        context.add_cookies([cookie])

    def look_again(self, page):
        """Come back to the page, which then looks for news without waiting."""
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    def assertQuiet(self, complaints):
        """Nothing but the browser's own word on a page with an error status."""
        self.assertEqual([text for text in complaints.texts if _REFUSED not in text], [])


class LookTests(PagesCase):
    @in_a_thread
    def test_every_page_by_day_and_by_night(self):
        with chromium() as browser:
            for look, options in LOOKS:
                # Each size and each scheme of colours once.
                if look not in ("wide-light", "phone-dark"):
                    continue
                with visitor(browser, **options) as somebody:
                    page, complaints = self.page_as(somebody, "alice")
                    foreign = foreign_requests(somebody, self.site)
                    for name, who, path, status in PAGES:
                        self.become(somebody, who)
                        self.assertEqual(page.goto(self.site + path).status, status)
                        screenshot(page, f"{name}-{look}", self.folder / "pictures")
                        self.assertTrue(fits(page), page.url)
                        self.assertAccessible(page)
                        # The same with letters four times as large.
                        page.set_viewport_size({"width": 320, "height": 256})
                        self.assertTrue(fits(page), page.url)
                        page.set_viewport_size(options["viewport"])
                    self.assertQuiet(complaints)
                    self.assertEqual(foreign, [])

    def assertAccessible(self, page):
        found = [(one["id"], one["nodes"]) for one in violations(page)]
        self.assertEqual(found, [], page.url)


class StoryTests(PagesCase):
    @in_a_thread
    def test_click_watch_work_crash_and_again(self):
        self.tell("clear")
        with chromium() as browser, visitor(browser, **WIDE) as alice:
            page, complaints = self.page_as(alice, "alice")
            page.goto(self.site)
            page.get_by_label("Rows").fill("7")
            page.get_by_role("button", name="Start JupyterLab").click()
            page.wait_for_url("**/sessions/new1?open=1")
            step = page.locator("[aria-current=step]")
            step.filter(has_text="Wait for a place").wait_for()
            self.tell("become", id="new1", state="pulling")
            step.filter(has_text="Fetch the image").wait_for()
            self.tell("far", id="new1", percent=63)
            page.get_by_text("63 %").wait_for()
            self.assertEqual(page.get_by_role("progressbar").get_attribute("value"), "63")
            self.assertIn("Starting: JupyterLab", page.title())
            self.tell("become", id="new1", state="ready")
            page.wait_for_url("**/giestack/session/new1/lab")
            # The way back leads not to the page that would go on at once.
            page.go_back()
            page.get_by_role("heading", name="You are alice").wait_for()
            page.get_by_role("link", name="JupyterLab", exact=True).click()
            page.get_by_role("link", name="Open JupyterLab").wait_for()
            self.tell("become", id="new1", state="failed")
            page.locator("#message", has_text="exit status 1.").wait_for()
            self.assertIn("MemoryError: <none> left", page.locator("pre").inner_text())
            self.assertIn("Failed: JupyterLab", page.title())
            page.get_by_role("button", name="Start again").click()
            step.filter(has_text="Start").wait_for()
            self.tell("forget", id="new1")
            page.get_by_text("This session has ended and is gone.").wait_for()
            self.assertQuiet(complaints)

    @in_a_thread
    def test_what_cannot_be_started_just_now(self):
        self.tell("clear")
        with chromium() as browser, visitor(browser, **WIDE) as alice:
            page, complaints = self.page_as(alice, "alice")
            page.goto(self.site)
            button = page.get_by_role("button", name="Start Deep learning")
            self.assertTrue(button.is_disabled())
            page.get_by_text("No engine can be reached just now").wait_for()
            self.tell("close", id="gpu", reason="")
            page.reload()
            button.click()
            page.get_by_role("heading", name="Deep learning").wait_for()
            self.assertQuiet(complaints)

    @in_a_thread
    def test_without_scripts(self):
        self.tell("clear")
        with (
            chromium() as browser,
            visitor(browser, **WIDE, java_script_enabled=False) as alice,
        ):
            page, complaints = self.page_as(alice, "alice")
            page.goto(f"{self.site}launch?profile=jupyter")
            page.get_by_role("button", name="Start JupyterLab").click()
            page.locator("[aria-current=step]").wait_for()
            self.tell("become", id="new1", state="ready")
            page.wait_for_url("**/giestack/session/new1/lab")
            page.goto(f"{self.site}sessions/new1/logs")
            page.get_by_text("It has printed nothing so far.").wait_for()
            page.goto(self.site)
            page.get_by_role("button", name="Stop: JupyterLab").click()
            page.get_by_text("Stopping").first.wait_for()
            self.assertQuiet(complaints)


class LiveTests(PagesCase):
    @in_a_thread
    def test_the_dashboard_changes_under_nobodys_hands(self):
        with chromium() as browser, visitor(browser, **WIDE) as alice:
            page, complaints = self.page_as(alice, "alice")
            page.goto(self.site)
            page.get_by_text("Last lines of the log").click()
            page.get_by_label("Greeting").fill("typed")
            page.locator("#logs-ready").focus()
            self.tell("become", id="starting", state="ready")
            self.look_again(page)
            page.locator("#open-starting[href*='/session/starting/lab']").wait_for()
            self.assertEqual(page.evaluate("document.activeElement.id"), "logs-ready")
            self.assertTrue(page.locator("#more-failed").get_attribute("open") is not None)
            self.assertEqual(page.get_by_label("Greeting").input_value(), "typed")
            self.assertEqual(
                page.locator("#told").inner_text(), "JupyterLab – mouse brain 7: Running"
            )
            # Whose own place vanishes is put at the beginning of the list.
            page.locator("#logs-ready").focus()
            self.tell("forget", id="ready")
            self.look_again(page)
            page.locator("#session-ready").wait_for(state="detached")
            self.assertEqual(page.evaluate("document.activeElement.id"), "sessions")
            alice.clear_cookies()
            # By itself, within some seconds.
            page.get_by_text("You are logged out.").wait_for()
            self.assertQuiet(complaints)

    @in_a_thread
    def test_a_log_is_followed_and_holds_still_for_a_reader(self):
        with chromium() as browser, visitor(browser, **WIDE) as alice:
            page, complaints = self.page_as(alice, "alice")
            page.goto(f"{self.site}sessions/ready/logs")
            page.get_by_text("New lines appear by themselves.").wait_for()
            log, newest = page.locator("#log"), page.get_by_role("button", name="Go to the newest")
            self.tell("say", id="ready", text="\x1b[32mall is well\x1b[0m")
            log.get_by_text("all is well").wait_for()
            self.assertNotIn("\x1b", log.inner_text())
            at_end = "log => log.scrollHeight - log.scrollTop - log.clientHeight < 24"
            self.assertTrue(log.evaluate(at_end))
            log.evaluate("log => { log.scrollTop = 0 }")
            self.tell("say", id="ready", text="later")
            newest.wait_for()
            self.assertEqual(log.evaluate("log => log.scrollTop"), 0)
            newest.click()
            self.assertTrue(log.evaluate(at_end))
            self.assertIn("later", log.inner_text())
            self.tell("forget", id="ready")
            page.get_by_text(re.compile("It prints nothing more|This session has ended")).wait_for()
            self.assertQuiet(complaints)

    @in_a_thread
    def test_an_administrator_finds_and_stops(self):
        with chromium() as browser, visitor(browser, **WIDE) as admin:
            page, complaints = self.page_as(admin, "admin")
            page.goto(f"{self.site}admin")
            page.get_by_label("Filter", exact=True).type("bob running")
            page.get_by_text("1 fits the filter").wait_for()
            self.assertEqual(page.get_by_role("row").count(), 2)
            self.assertEqual(page.get_by_role("link", name="Open").count(), 0)
            page.get_by_role("button", name="Stop: rstudio").click()
            page.get_by_role("row", name="bob").get_by_text("Stopping").wait_for()
            self.assertQuiet(complaints)

    @in_a_thread
    def test_by_keyboard_alone(self):
        with chromium() as browser, visitor(browser, **WIDE) as bob:
            page, complaints = self.page_as(bob, "bob")
            page.goto(self.site)
            for name in ("My sessions", "Refresh", "Open rstudio – bob's own", "Rows", "Start"):
                self.tab_to(page, name)
            page.keyboard.press("Enter")
            page.locator("[aria-current=step]").wait_for()
            self.assertQuiet(complaints)

    def tab_to(self, page, name):
        """Press Tab until something of this name has the focus, and it is seen to have it."""
        for _ in range(25):
            page.keyboard.press("Tab")
            found, outline = page.evaluate(
                "(e => [e.ariaLabel || e.labels?.[0]?.innerText || e.innerText,"
                " getComputedStyle(e).outlineStyle])(document.activeElement)"
            )
            if found.startswith(name):
                self.assertEqual(outline, "solid")
                return
        self.fail(f"{name} is not reached by Tab")
