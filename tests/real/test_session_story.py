"""The life of a session in a real Chromium: the demo, and the JupyterLab that it starts."""

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.process.environment import SESSION_VARIABLE
from tests.neighbours.chromium import (
    Complaints,
    chromium,
    fits,
    foreign_requests,
    in_a_thread,
    screenshot,
    violations,
    visitor,
)
from tests.neighbours.elsewhere import Elsewhere
from tests.neighbours.galaxy import new_folder
from tests.neighbours.giestack import TWISTD, without_docker
from tests.neighbours.program import Program, eventually, free_port

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
REFUSED = "Failed to load resource: the server responded with a status of "
CRASH_SHOWN = 3.0
"""Seconds: one until giestack tells, one until the page looks again, one for a busy machine."""


class StoryCase(SynchronousTestCase):
    def setUp(self):
        folder = new_folder(self)
        self.pictures, self.place = folder / "pictures", folder / "demo"
        self.complaints: list[Complaints] = []
        port = free_port()
        self.origin = f"http://127.0.0.1:{port}/"
        self.site = f"{self.origin}giestack/"
        command = [TWISTD, "-n", "--pidfile=", "giestack", "--demo", "--port", str(port)]
        command += ["--demo-dir", str(self.place)]
        self.demo = Program(self, command, folder, without_docker())
        self.demo.until_it_accepts(port)
        self.elsewhere = Elsewhere(self)
        self.elsewhere.lead(port)

    def somebody(self, people, browser, name, **options):
        """A page of somebody who has become a user of the demo."""
        context = people.enter_context(visitor(browser, **{"viewport": WIDE, **options}))
        page = self.page_of(context)
        page.goto(f"{self.site}demo")
        page.get_by_role("button", name=f"Become {name}").click()
        page.get_by_role("heading", name=f"You are {name}").wait_for()
        return page

    def page_of(self, context):
        """A new page, of which all complaints are kept."""
        page = context.new_page()
        self.complaints.append(Complaints(page))
        return page

    def picture(self, page, name):
        screenshot(page, f"story-{name}", self.pictures)

    def server(self):
        """The process id of the session's Jupyter server, which is started by its reaper."""
        return eventually(lambda: self.processes("-m\0giestack.demo.lab\0"), "a server")[0]

    def processes(self, words=""):
        """Those of this demo's sessions, and with these words on their command line."""
        mark = f"\0{SESSION_VARIABLE}="
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    environment = (folder / "environ").read_text("utf-8", "replace")
                    command = (folder / "cmdline").read_text("utf-8", "replace")
                except OSError:
                    continue
                ours = mark in f"\0{environment}" and str(self.place) in environment
                if ours and words in command and "reaper.py" not in command:
                    found.append(int(folder.name))
        return found


class StoryTests(StoryCase):
    @in_a_thread
    def test_from_the_click_to_the_end(self):
        with chromium(self.elsewhere) as browser, ExitStack() as people:
            alice = self.somebody(people, browser, "alice")
            phone = self.somebody(people, browser, "alice", viewport=PHONE, is_mobile=True)
            admin = self.somebody(people, browser, "admin", viewport=PHONE, is_mobile=True)
            foreign = [foreign_requests(page.context, self.origin) for page in (alice, phone)]
            self.start(alice)
            self.compute(alice)
            address = alice.url
            alice.close()
            alice = self.page_of(alice.context)
            self.come_back(alice)
            self.look_as_bob(self.somebody(people, browser, "bob"), address)
            own = self.look_at(alice)
            self.looks(phone, "", f"{own}", f"{own}/logs", "launch?profile=jupyter")
            self.looks(admin, "admin")
            self.crash(alice)
            self.looks(phone, "", own)
            self.start_again(alice, phone, own)
            self.stop_as_admin(admin, alice, own)
            plain = self.somebody(people, browser, "alice", java_script_enabled=False)
            self.without_scripts(plain)
            said = [text for one in self.complaints for text in one.texts if REFUSED not in text]
            self.assertEqual(said, [])
            self.assertEqual(foreign, [[], []])
        eventually(lambda: not self.processes(), "the end of all processes of sessions")

    def start(self, page):
        """From the card on her page, over the steps, into JupyterLab."""
        region = page.get_by_role("region", name="Start something")
        region.get_by_role("heading", name="JupyterLab").wait_for()
        self.picture(page, "profile")
        page.get_by_role("button", name="Start JupyterLab").click()
        page.wait_for_url("**/giestack/sessions/*?open=1")
        page.locator("[aria-current=step]", has_text="Start").wait_for()
        page.get_by_text("Waiting for JupyterLab to answer").wait_for()
        self.assertIn("Starting: JupyterLab", page.title())
        self.picture(page, "progress")
        self.until_in_jupyterlab(page)

    def until_in_jupyterlab(self, page):
        """Wait until the page is JupyterLab, with the first notebook in its list of files."""
        page.wait_for_url("**/giestack/session/*/lab**")
        page.locator(".jp-DirListing-itemText", has_text="Welcome.ipynb").wait_for()

    def compute(self, page):
        """Open the first notebook, run its cell, save it."""
        page.locator(".jp-DirListing-itemText", has_text="Welcome.ipynb").dblclick()
        # Before there is a kernel, JupyterLab forgets what it is asked to run.
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        self.until_42(page)
        page.keyboard.press("Control+s")
        (home,) = (self.place / "var" / "homes").iterdir()
        notebook = home / "Welcome.ipynb"
        eventually(lambda: '"42"' in notebook.read_text("utf-8"), "a saved result")
        self.picture(page, "42")

    def until_42(self, page):
        page.locator(".jp-OutputArea-output").get_by_text("42", exact=True).wait_for()

    def come_back(self, page):
        """The session goes on while nobody looks; what she did is there."""
        page.goto(self.site)
        card = page.locator("li.session")
        card.get_by_text("Running").wait_for()
        card.get_by_text("Memory").wait_for()
        self.picture(page, "back")
        card.get_by_role("link", name="Open JupyterLab").click()
        self.until_in_jupyterlab(page)
        self.until_42(page)

    def look_as_bob(self, page, address):
        self.assertEqual(page.goto(address).status, 403)
        page.get_by_text("belongs to somebody else").wait_for()
        self.assertNotIn("alice", page.content())
        self.picture(page, "bob-403")

    def look_at(self, page):
        """Go to the session's own page, which knows that it is ready; return its path."""
        page.goto(self.site)
        page.get_by_role("link", name="JupyterLab", exact=True).click()
        page.get_by_role("link", name="Open JupyterLab").wait_for()
        return page.url.removeprefix(self.site)

    def looks(self, page, *paths):
        """Pages by day and by night: nothing is wrong with them for anybody."""
        for path in paths:
            page.goto(self.site + path)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                name = page.title().partition(" – ")[0].replace(" ", "-").replace(":", "")
                self.picture(page, f"{name}-{scheme}")
                self.assertEqual(violations(page), [], page.url)
                self.assertTrue(fits(page), page.url)

    def crash(self, page):
        """The session's page tells by itself why it has ended."""
        killed = time.monotonic()
        os.kill(self.server(), signal.SIGKILL)
        page.locator("#message", has_text="killed by signal 9 (SIGKILL)").wait_for()
        self.assertLess(time.monotonic() - killed, CRASH_SHOWN)
        page.locator("pre", has_text="is running at").wait_for()
        self.assertIn("Failed: JupyterLab", page.title())
        self.picture(page, "crashed")

    def start_again(self, page, phone, own):
        """It opens by itself as it did before, and all is there; also where it takes long."""
        page.get_by_role("button", name="Start again").click()
        server = self.server()
        os.kill(server, signal.SIGSTOP)
        page.locator("[aria-current=step]", has_text="Start").wait_for()
        self.looks(phone, own)
        # Else it would go on to JupyterLab there, too.
        phone.goto(self.site)
        os.kill(server, signal.SIGCONT)
        self.until_in_jupyterlab(page)
        self.until_42(page)

    def stop_as_admin(self, admin, page, own):
        """Whose session it was reads that it is gone."""
        page.goto(self.site + own)
        page.get_by_role("link", name="Open JupyterLab").wait_for()
        admin.goto(f"{self.site}admin")
        row = admin.get_by_role("row", name="alice")
        self.assertEqual(row.get_by_role("link", name="Open").count(), 0)
        row.get_by_role("button", name="Stop: JupyterLab").click()
        admin.get_by_text("Nobody has a session.").wait_for()
        page.get_by_text("This session has ended and is gone.").wait_for()
        self.picture(page, "gone")

    def without_scripts(self, page):
        """The same by forms and by pages that load themselves again."""
        page.goto(f"{self.site}launch?profile=jupyter")
        page.get_by_role("button", name="Start JupyterLab").click()
        page.wait_for_url("**/giestack/sessions/*")
        page.locator("[aria-current=step]").wait_for()
        page.wait_for_url("**/giestack/session/*/lab**")
        page.goto(self.site)
        page.locator("li.session").get_by_role("link", name="Open JupyterLab").wait_for()
        page.get_by_role("button", name="Stop: JupyterLab").click()
        # The page loads itself again until there is nothing that goes on.
        page.get_by_text("You have no session yet.").wait_for()
