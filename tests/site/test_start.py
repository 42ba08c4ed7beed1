"""The start page."""

from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import DatabaseUnavailable
from giestack.site.links import Links
from giestack.spawner.engine import Stats
from tests.site.conversation import (
    ADMIN,
    ALICE,
    GUEST,
    NOW,
    OPENBIS,
    Entry,
    Galaxy,
    ask,
    pages_of,
)
from tests.site.fake_spawning import BOB, PLAIN, FakeSpawning, of_every_state, session


class StartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.galaxy = Galaxy()
        self.site = pages_of(self.galaxy)

    def page(self, visitor) -> str:
        said = ask(self.site, b"/giestack/", visitor)
        self.assertEqual(said.status, 200)
        self.assertEqual(said.header("content-type"), "text/html; charset=utf-8")
        return unescape(said.text)

    def test_who_am_i(self) -> None:
        text = self.page(ALICE)
        self.assertIn("<h1>You are alice</h1>", text)
        self.assertIn("alice@example.org", text)
        self.assertNotIn("Administrator", text)
        self.assertNotIn("acting", text)
        self.assertIn("Administrator", self.page(ADMIN))
        self.assertIn("<h1>You are o@example.org</h1>", self.page(OPENBIS))

    def test_an_impersonation_is_told_and_not_by_whom(self) -> None:
        text = self.page(replace(ALICE, impersonated_by="admin@example.org"))
        self.assertIn("An administrator is acting as this user.", text)
        self.assertNotIn("admin@example.org", text)

    def test_a_name_is_text_and_never_markup(self) -> None:
        said = ask(self.site, b"/giestack/", replace(ALICE, username="<i>x", email="<i>y"))
        self.assertNotIn("<i>", said.text)
        self.assertIn("&lt;i&gt;x", said.text)

    def test_my_tools(self) -> None:
        self.galaxy.entries = [
            Entry(id=1),
            Entry(id=2, name="<RStudio>", token="t2", created_time=None),
            Entry(id=3, name="", label="short", token="t3", created_time=datetime(2026, 3, 2)),
            Entry(id=4, name="", label=None, token="t4"),
        ]
        self.galaxy.routed |= {(b"key2", b"t2"), (b"key3", b"t3"), (b"key4", b"t4")}
        text = self.page(ALICE)
        for name in ("Jupyter Interactive Tool", "<RStudio>", "short", "Interactive tool"):
            self.assertIn(f"<h3>{name}</h3>", text)
        self.assertIn('href="/interactivetool/ep/key2/t2/ipython/lab"', text)
        self.assertIn("started 2 hours ago", text)
        self.assertIn("started 2 days ago", text)
        self.assertNotIn("Nothing is running", text)

    def test_names_of_tools_are_text_and_never_markup(self) -> None:
        self.galaxy.entries = [Entry(name="<i>", entry_url='"><i>')]
        self.galaxy.routed.add((b"key1", b"secret1"))
        self.assertNotIn("<i>", ask(self.site, b"/giestack/", ALICE).text)

    def test_a_tool_that_starts_cannot_be_opened_yet_and_the_page_looks_again(self) -> None:
        self.galaxy.entries = [Entry()]
        text = self.page(ALICE)
        self.assertIn("Starting", text)
        self.assertNotIn("key1", text)
        self.assertIn('http-equiv="refresh" content="5"', text)
        self.galaxy.routed.add((b"key1", b"secret1"))
        text = self.page(ALICE)
        self.assertIn("Running", text)
        self.assertIn("key1", text)
        self.assertNotIn("http-equiv", text)

    def test_without_tools_it_says_how_to_get_one(self) -> None:
        text = self.page(ALICE)
        self.assertIn("Nothing is running", text)
        self.assertIn('href="http://127.0.0.1:8080/"', text)

    def test_without_tools_and_without_a_known_galaxy(self) -> None:
        self.site = pages_of(self.galaxy, Links())
        self.assertIn("Start an interactive tool in Galaxy", self.page(ALICE))

    def test_an_anonymous_visitor_sees_the_sessions_tools_and_the_login(self) -> None:
        self.galaxy.entries = [Entry()]
        text = self.page(GUEST)
        self.assertIn("You are not logged in", text)
        self.assertIn("login/start?redirect=/giestack/", text)
        self.assertIn("Jupyter Interactive Tool", text)
        self.site = pages_of(self.galaxy, Links())
        self.assertNotIn("Log in", self.page(GUEST))

    def test_in_the_demo_one_becomes_another_user(self) -> None:
        self.site = pages_of(self.galaxy, Links(demo=True))
        text = self.page(ALICE)
        self.assertIn('href="/giestack/demo"', text)
        self.assertIn("This demo has nothing running for you", text)

    def test_without_a_session(self) -> None:
        said = ask(self.site, b"/giestack/")
        self.assertEqual(said.status, 401)
        self.assertIn("login/start?redirect=/giestack/", said.text)
        self.assertEqual(ask(self.site, b"/giestack/", html=False).json["error"], "not-logged-in")

    def test_without_a_database(self) -> None:
        self.galaxy.answer = fail(DatabaseUnavailable("away"))
        said = ask(self.site, b"/giestack/", ALICE)
        self.assertEqual(said.status, 503)
        self.assertIn("tries again by itself", said.text)

    def test_other_addresses(self) -> None:
        said = ask(self.site, b"/giestack")
        self.assertEqual((said.status, said.header("location")), (301, "/giestack/"))
        for target in (b"/giestack/nothing", b"/giestack/demo", b"/giestack//", b"/", b"/other/"):
            said = ask(self.site, target, ALICE)
            self.assertEqual(said.status, 404, target)
            self.assertIn("There is nothing at this address.", said.text)
        said = ask(self.site, b"/giestack/", ALICE, b"POST", html=False)
        self.assertEqual((said.status, said.header("allow")), (405, "GET, HEAD"))


class SessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.spawning = FakeSpawning()
        self.galaxy = Galaxy()
        self.site = pages_of(self.galaxy, spawning=self.spawning)

    def page(self, visitor=ALICE) -> str:
        said = ask(self.site, b"/giestack/", visitor)
        self.assertEqual(said.status, 200)
        return said.markup

    def test_what_can_be_started(self) -> None:
        text = self.page()
        self.assertIn("Start JupyterLab</button>", text)
        self.assertIn("Start rstudio</button>", text)
        self.assertIn("no isolation", text)
        self.assertIn('name="option.rows" value="100"', text)
        self.assertIn('<input type="hidden" name="profile" value="jupyter">', text)
        self.assertNotIn("Laboratory", text)
        self.assertIn("Start Laboratory</button>", self.page(ADMIN))
        self.assertIn("You have no session yet.", text)

    def test_there_is_nothing_to_start(self) -> None:
        self.spawning.offered = []
        self.assertIn("nothing that you may start here", self.page())

    def test_my_sessions(self) -> None:
        for view in of_every_state():
            self.spawning.add(view)
        self.spawning.add(session(owner=BOB, id="bobs"))
        self.spawning.used = {"ready": Stats(2**29, 0.5)}
        text = self.page()
        self.assertNotIn("bobs", text)
        for words in (
            "512 MB of 2.0 GB",
            "Stops in 55 min unless it is used",
            "2nd in the queue",
            "Pulling the image: 12 of 48 MB",
            "It was idle for an hour.",
            "exit status 1",
            "OSError: no &lt;space&gt; left",
            'href="/giestack/session/ready/lab" aria-label="Open JupyterLab – ready"',
            'id="restart-failed" name="action" value="restart"',
            'id="dismiss-stopped"',
            'http-equiv="refresh" content="5"',
        ):
            self.assertIn(words, text)
        for absent in ("stop-failed", "open-failed", "stop-stopping", "logs-queued"):
            self.assertNotIn(f'id="{absent}"', text)

    def test_an_end_that_is_near(self) -> None:
        self.spawning.add(session(end=NOW + timedelta(minutes=5), ending=True))
        self.assertIn('<span class="caution">Ends in 5 min</span>', self.page())
        self.assertNotIn("http-equiv", self.page())

    def test_names_are_text_and_never_markup(self) -> None:
        self.spawning.add(session(name='"><i>', note="<i>"))
        self.spawning.offered = [replace(PLAIN, title="<i>", description="<i>")]
        self.assertNotIn("<i>", self.page())

    def test_an_anonymous_visitor_is_told_to_log_in(self) -> None:
        text = self.page(GUEST)
        self.assertIn("and to start sessions", text)
        self.assertNotIn("Start something", text)
        self.assertNotIn("My sessions</h2>", text)
        self.site = pages_of(self.galaxy, Links(), spawning=self.spawning)
        self.assertIn("Log in to start sessions.", self.page(GUEST))

    def test_the_way_to_all_sessions_is_for_administrators(self) -> None:
        self.assertIn('href="/giestack/admin"', self.page(ADMIN))
        self.assertNotIn("/giestack/admin", self.page())

    def test_without_a_spawner_there_is_none_of_it(self) -> None:
        self.site = pages_of(self.galaxy)
        text = self.page(ADMIN)
        for absent in ("My sessions", "Start something", "/giestack/admin"):
            self.assertNotIn(absent, text)
        for path in (b"admin", b"launch", b"sessions/s1"):
            self.assertEqual(ask(self.site, b"/giestack/" + path, ADMIN).status, 404)
