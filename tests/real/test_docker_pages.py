"""What pages show of a Docker engine: on each screen, pleasant to read and for everybody."""

import re
from contextlib import ExitStack

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
from tests.neighbours.containers import MB, ContainerCase, Containers
from tests.neighbours.docker import docker
from tests.neighbours.elsewhere import Elsewhere
from tests.neighbours.galaxy import ADMIN, ALICE, cookie
from tests.neighbours.giestack import COOKIE
from tests.neighbours.registry import Registry

IMAGE = "giestack/rstudio-with-everything:4.4.1"
EATER = "echo 'MemoryError: no room for an array' >&2; exec program eat"


class PageCase(ContainerCase):
    def setUp(self):
        super().setUp()
        self.engine = docker()
        self.assertTrue(self.engine.tools)
        self.elsewhere = Elsewhere(self)

    def begin(self, ends, **more):
        """A giestack, until the stack ``ends`` does."""
        self.sessions = Containers(self, self.galaxy, self.engine, **more)
        # It can't outlive this thread.
        ends.callback(self.sessions.end_and_look)
        self.elsewhere.lead(self.sessions.port)
        self.site = f"http://127.0.0.1:{self.sessions.port}/giestack/"

    def somebody(self, people, browser, who=ALICE):
        context = people.enter_context(visitor(browser))
        context.add_cookies([{"name": COOKIE, "value": cookie(who), "url": self.site}])
        page = context.new_page()
        return page, Complaints(page)

    def look(self, page, name):
        """On each screen, in each scheme of colours."""
        for look, options in LOOKS:
            page.set_viewport_size(options["viewport"])
            page.emulate_media(color_scheme=options["color_scheme"])
            screenshot(page, f"docker-{name}-{look}", self.sessions.folder / "pictures")
            self.assertEqual([(one["id"], one["nodes"]) for one in violations(page)], [], name)
            self.assertTrue(fits(page), name)


class StateTests(PageCase):
    @in_a_thread
    def test_states_that_only_containers_have(self):
        registry = Registry(self, rate=400_000)
        registry.push(IMAGE)
        image = f"{registry.host}/{IMAGE}"
        profiles = {
            "slow": {"title": "RStudio", "image": image},
            "eater": {"title": "JupyterLab", "command": ["sh", "-c", EATER]},
            "none": {"title": "EtherCalc", "image": f"{registry.host}/giestack/none:1"},
            "large": {"title": "Deep learning", "memory": "150M"},
        }
        with ExitStack() as ends, chromium(self.elsewhere) as browser, ExitStack() as people:
            self.begin(ends, profiles=profiles, settings={"memory": 160 * MB})
            self.sessions.until_open()
            # When nothing runs of it any more.
            self.addCleanup(self.engine.api.ask, "DELETE", f"/images/{image}", force="1")
            alice, complaints = self.somebody(people, browser)
            self.show(alice, "slow")
            self.until(alice, re.compile(r"Fetching the image .* MB of \d+(\.\d)? MB"))
            alice.get_by_text(re.compile(r"About \d+ s left for the image")).wait_for()
            self.look(alice, "pulling")
            self.show(alice, "eater")
            self.until(alice, "out of memory (its limit is 32 MB)")
            alice.locator("pre", has_text="MemoryError: no room for an array").wait_for()
            self.look(alice, "out-of-memory")
            self.show(alice, "none")
            self.until(alice, "cannot be fetched: manifest for")
            self.look(alice, "no-image")
            self.show(alice, "large")
            self.until(alice, "Deep learning waits until memory is free")
            self.look(alice, "waiting")
            alice.goto(self.site)
            self.look(alice, "dashboard")
            self.assertEqual(complaints.texts, [])
            admin, _ = self.somebody(people, browser, ADMIN)
            admin.goto(f"{self.site}admin")
            self.look(admin, "admin")

    def until(self, page, words):
        """Wait until a session's page says so."""
        page.locator("#message", has_text=words).wait_for()

    def show(self, page, profile):
        """The page of a new session."""
        page.goto(f"{self.site}sessions/{self.sessions.request(profile)['id']}")


class NoEngineTests(PageCase):
    @in_a_thread
    def test_there_is_none(self):
        nowhere = {"docker_host": f"unix://{self.galaxy.folder}/d.sock"}
        with ExitStack() as ends, chromium(self.elsewhere) as browser, ExitStack() as people:
            self.begin(ends, settings=nowhere)
            alice, complaints = self.somebody(people, browser)
            alice.goto(self.site)
            button = alice.get_by_role("button", name="Start The good one")
            self.assertTrue(button.is_disabled())
            alice.get_by_text("can’t be started just now").first.wait_for()
            alice.get_by_text("cannot be reached").first.wait_for()
            self.look(alice, "no-engine")
            alice.goto(f"{self.site}launch?profile=good")
            self.look(alice, "no-engine-launch")
            self.assertEqual(complaints.texts, [])
            self.sessions.die()
