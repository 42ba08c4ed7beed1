"""The life of a session in a container, in a real Chromium: JupyterLab from the demo's image."""

import signal
import time
from contextlib import ExitStack

from giestack.demo import docker_probe
from giestack.demo.image.recipe import HOME
from giestack.demo.settings import demo_settings
from tests.neighbours.chromium import (
    Complaints,
    chromium,
    fits,
    in_a_thread,
    screenshot,
    violations,
    visitor,
)
from tests.neighbours.containers import ContainerCase, Containers
from tests.neighbours.docker import docker
from tests.neighbours.elsewhere import Elsewhere
from tests.neighbours.galaxy import ALICE, BOB, cookie, new_folder
from tests.neighbours.giestack import COOKIE
from tests.neighbours.jupyter_image import jupyter_image
from tests.neighbours.program import allowed, eventually

WIDE = {"width": 1280, "height": 800}
EXPECTED = ("Failed to load resource", "Connection lost, reconnecting", "WebSocket connection")
"""What a browser has to say while giestack is not there."""

CRASH_SHOWN = 1.0
CLAIMED = 1.0
"""Seconds."""

HISTORY = "f2db41e1fa331b3e"


class Notebooks(Containers):
    """A giestack that keeps sessions ready beforehand."""

    def end_and_look(self, seconds=10):
        """The same; what was kept ready goes when it ends."""
        if self.program.running:
            sessions = self.all()
            for one in sessions:
                self._dismiss(one)
            left = {one["id"] for one in sessions}
            eventually(lambda: not left & set(self.there()), "the end of sessions")
            self.program.send(signal.SIGTERM)
            assert self.program.wait(seconds) == 0, self.program.output[-3000:]
            assert not self.there() and not self.volumes(), (self.there(), self.volumes())
        super().end_and_look(seconds)

    def until_one_is_ready(self):
        """Wait until a container is paused; the id of its session to be."""

        def paused():
            return next((id for id, state in self.there().items() if state == "paused"), "")

        return self.program.until(paused, "a session that is ready beforehand")


class NotebookCase(ContainerCase):
    """The demo's profile on an engine, for people of a Galaxy."""

    def setUp(self):
        super().setUp()
        self.engine = docker()
        self.image = jupyter_image(self.engine)
        self.elsewhere = Elsewhere(self)

    def begin(self, ends, instance, **more):
        """A giestack, until the stack ``ends`` does; ``more`` is laid over its only profile."""
        (profile,) = demo_settings(0, docker_probe.Containers(self.engine.url, self.image))[
            "spawner"
        ]["profiles"]
        profile |= {"volumes": {f"home-{instance}-{{user}}": HOME}, **more}
        self.instance = instance
        self.sessions = Notebooks(
            self,
            self.galaxy,
            self.engine,
            instance=instance,
            spawner={"profiles": [profile]},
            environment={"PYTHONPATH": self.idle()},
        )
        # It can't outlive this thread.
        ends.callback(self.sessions.end_and_look)
        self.elsewhere.lead(self.sessions.port)
        self.sessions.until_open()
        self.origin = f"http://127.0.0.1:{self.sessions.port}"
        self.site = f"{self.origin}/giestack/"

    def idle(self):
        """A folder for Python's path with which a busy machine has nothing to do.

        Else nothing is started ahead on it.
        """
        folder = new_folder(self)
        text = "import os\n\nos.getloadavg = lambda: (0.0, 0.0, 0.0)\n"
        (folder / "sitecustomize.py").write_text(text, encoding="ascii")
        return str(folder)

    def somebody(self, people, browser, who):
        """A page of somebody who is logged in."""
        context = people.enter_context(visitor(browser, viewport=WIDE))
        context.add_cookies([{"name": COOKIE, "value": cookie(who), "url": self.origin}])
        page = context.new_page()
        return page, Complaints(page)

    def picture(self, page, name):
        screenshot(page, f"docker-{name}", self.sessions.folder / "pictures")

    def click(self, page):
        """Ask for JupyterLab on the dashboard."""
        page.goto(self.site)
        page.get_by_role("button", name="Start JupyterLab").click()

    def until_in_jupyterlab(self, page):
        page.wait_for_url("**/giestack/session/*/lab**")
        page.locator(".jp-DirListing-itemText", has_text="Welcome.ipynb").wait_for()

    def open_notebook(self, page):
        page.locator(".jp-DirListing-itemText", has_text="Welcome.ipynb").dblclick()
        # Before there is a kernel, JupyterLab forgets what it is asked to run.
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()

    def compute(self, page, code, result):
        """Run this in the last cell of the notebook; wait for what it is to print."""
        page.locator(".jp-Notebook .jp-CodeCell").last.locator(".cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.type(code)
        page.keyboard.press("Shift+Enter")
        page.locator(".jp-OutputArea-output").get_by_text(result, exact=True).wait_for()

    def session(self):
        """What is told of the only session."""
        (told,) = self.sessions.all()
        return told

    def read(self, file):
        """What is in a file of the home, as its owner sees it."""
        status, text = self.sessions.run(self.session(), "cat", f"{HOME}/{file}")
        return "" if status else text


class StoryTests(NotebookCase):
    @in_a_thread
    def test_from_the_click_to_the_end(self):
        with ExitStack() as ends, chromium(self.elsewhere) as browser, ExitStack() as people:
            self.begin(ends, "story", warm=0)
            alice, complaints = self.somebody(people, browser, ALICE)
            self.start_it(alice)
            self.work(alice)
            bob, _ = self.somebody(people, browser, BOB)
            self.assertEqual(bob.goto(alice.url).status, 403)
            bob.get_by_text("belongs to somebody else").wait_for()
            self.giestack_dies(alice)
            own = self.restart(alice)
            self.crash(alice, own)
            said = [one for one in complaints.texts if not any(word in one for word in EXPECTED)]
            self.assertEqual(said, [])

    def start_it(self, page):
        """From the card, over the steps, into JupyterLab."""
        self.click(page)
        page.wait_for_url("**/giestack/sessions/*?open=1")
        page.locator("[aria-current=step]", has_text="Start").wait_for()
        page.get_by_text("Waiting for JupyterLab to answer").wait_for()
        self.assertEqual(violations(page), [])
        self.assertTrue(fits(page))
        self.picture(page, "progress")
        self.until_in_jupyterlab(page)

    def work(self, page):
        self.open_notebook(page)
        self.compute(page, "kept = 20; kept + 22", "42")
        self.compute(page, "open('mine.txt', 'w').write('hers')", "4")
        page.keyboard.press("Control+s")
        eventually(lambda: "kept + 22" in self.read("Welcome.ipynb"), "a saved notebook")
        self.picture(page, "42")

    def giestack_dies(self, page):
        """Whoever is at work keeps the kernel with all that is in it."""
        # It may say so in a dialog, too, if it has asked for something meanwhile.
        page.add_locator_handler(
            page.get_by_role("dialog").filter(has_text="Server Connection Error"),
            lambda dialog: dialog.get_by_role("button", name="Close").click(),
        )
        status = page.locator(".jp-StatusBar-TextItem", has_text="Python 3 (ipykernel) |")
        self.sessions.die()
        status.get_by_text("Connecting").wait_for()
        self.sessions.start_again()
        # It tries again by itself, later each time.
        status.get_by_text("Connecting").wait_for(state="detached")
        self.compute(page, "kept + 23", "43")
        page.keyboard.press("Control+s")
        eventually(lambda: "kept + 23" in self.read("Welcome.ipynb"), "a saved notebook")

    def restart(self, page):
        """From giestack's page; it is another container, with the same home."""
        before = self.sessions.inspect(self.session())["Id"]
        page.goto(self.site)
        page.get_by_role("button", name="Restart: JupyterLab").click()
        self.until_in_jupyterlab(page)
        self.assertNotEqual(self.sessions.inspect(self.session())["Id"], before)
        page.locator(".jp-OutputArea-output").get_by_text("43", exact=True).wait_for()
        self.assertEqual(self.read("mine.txt"), "hers")
        page.goto(self.site)
        page.get_by_role("link", name="JupyterLab", exact=True).click()
        page.get_by_role("link", name="Open JupyterLab").wait_for()
        return page.url

    def crash(self, page, own):
        """The session's page tells by itself why it has ended, with the last lines."""
        page.get_by_text("Memory").wait_for()
        self.picture(page, "running")
        name = self.sessions.name_of(self.session())
        killed = time.monotonic()
        self.engine.api.must("POST", f"/containers/{name}/kill")
        page.locator("#message", has_text="stopped unexpectedly").wait_for()
        page.locator("pre", has_text="is running at").wait_for()
        took = time.monotonic() - killed
        self.assertIn("Failed: JupyterLab", page.title())
        self.picture(page, "crashed")
        self.assertIn("SIGKILL", page.locator("#message").inner_text())
        self.assertLess(took, allowed(CRASH_SHOWN))


class WarmTests(NotebookCase):
    @in_a_thread
    def test_what_was_ready_beforehand_is_hers(self):
        with ExitStack() as ends, chromium(self.elsewhere) as browser, ExitStack() as people:
            self.begin(ends, "warm", warm=1)
            alice, complaints = self.somebody(people, browser, ALICE)
            self.claim(alice)
            self.open_notebook(alice)
            self.compute(alice, "import os; os.environ['USER_EMAIL']", "'alice@example.org'")
            self.compute(alice, "os.environ['HISTORY_ID']", f"'{HISTORY}'")
            self.compute(alice, "open('mine.txt', 'w').write('hers')", "4")
            self.look_as_bob()
            self.come_back(alice)
            self.assertEqual(complaints.texts, [])

    def claim(self, page):
        """From a link in Galaxy, into what waits for somebody."""
        ready = self.sessions.until_one_is_ready()
        page.goto(f"{self.site}launch?profile=jupyter&history_id={HISTORY}")
        button = page.get_by_role("button", name="Start JupyterLab")
        clicked = time.monotonic()
        button.click()
        page.wait_for_url("**/giestack/session/*/lab**", wait_until="commit")
        took = time.monotonic() - clicked
        self.assertIn(f"/session/{ready}/", page.url)
        self.assertLess(took, allowed(CLAIMED))
        self.until_in_jupyterlab(page)

    def look_as_bob(self):
        """He gets another one, with a home that is his."""
        self.sessions.until_one_is_ready()
        hers = self.session()["id"]
        told = self.sessions.request("jupyter", BOB)
        self.assertNotEqual(told["id"], hers)
        path = f"{told['url']}api/contents"
        found = self.sessions.until_it_answers(path, 200, cookie=cookie(BOB)).json["content"]
        self.assertEqual([one["name"] for one in found], ["Welcome.ipynb"])
        status, text = self.sessions.run(told, "cat", "/run/secrets/giestack.env")
        self.assertEqual(status, 0)
        self.assertIn("bob@example.org", text)
        self.assertNotIn("alice", text)
        self.sessions.stop(told, BOB)

    def come_back(self, page):
        """What she has made is in the next one, too."""
        page.goto(self.site)
        page.get_by_role("button", name="Stop: JupyterLab").click()
        page.get_by_text("You have no session yet.").wait_for()
        self.claim(page)
        page.locator(".jp-DirListing-itemText", has_text="mine.txt").wait_for()
        self.assertEqual(self.read("mine.txt"), "hers")
