"""The page that asks whether a tool is to be stopped."""

from html import unescape

from twisted.trial.unittest import SynchronousTestCase

from tests.site.conversation import ALICE, GUEST, HOST, Entry, Galaxy, Said, ask, pages_of
from tests.site.fake_stopping import FakeGalaxyApi

PAGE = b"/giestack/tools/key1"
FORM = [
    (b"Content-Type", b"application/x-www-form-urlencoded"),
    (b"Origin", b"http://" + HOST),
]


class ToolPageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.galaxy = Galaxy()
        self.galaxy.entries = [Entry(name="<Jupyter>")]
        self.api = FakeGalaxyApi({"key1": ALICE})
        self.site = pages_of(self.galaxy, stopping=self.api.stopping())

    def submit(self, body: bytes = b"action=stop", headers=FORM, visitor=ALICE) -> Said:
        return ask(self.site, PAGE, visitor, b"POST", headers, body)

    def test_it_asks_first(self) -> None:
        said = ask(self.site, PAGE, ALICE)
        self.assertEqual(said.status, 200)
        text = unescape(said.text)
        for words in (
            "Stop <bdi><Jupyter></bdi>?",
            "started 2 hours ago",
            '<form method="post" action="/giestack/tools/key1">',
            'name="action" value="stop"',
            '<a href="/giestack/">No, leave it running</a>',
        ):
            self.assertIn(words, text)
        self.assertNotIn("<Jupyter>", said.text)
        self.assertEqual(self.api.stopped, [])

    def test_a_tool_of_an_unknown_age_without_a_name(self) -> None:
        self.galaxy.entries = [Entry(name="", label=None, created_time=None)]
        text = ask(self.site, PAGE, ALICE).text
        self.assertIn("Stop <bdi>Interactive tool</bdi>?", text)
        self.assertNotIn("started", text)

    def test_it_stops_the_tool_and_leads_back(self) -> None:
        said = self.submit()
        self.assertEqual((said.status, said.header("location")), (303, "/giestack/"))
        self.assertEqual(self.api.stopped, [("key1", ALICE)])

    def test_only_our_own_pages_can_send_it(self) -> None:
        for headers in (
            FORM[:1],
            [FORM[0], (b"Origin", b"https://elsewhere.example.org")],
            [FORM[0], (b"Origin", b"null")],
        ):
            said = self.submit(headers=headers)
            self.assertEqual(said.status, 403)
        self.assertEqual(self.api.stopped, [])

    def test_a_form_that_says_nothing(self) -> None:
        for body in (b"", b"action=start", b"action=stop" + b"x" * 70_000):
            self.assertEqual(self.submit(body).status, 400)
        self.assertEqual(self.api.stopped, [])

    def test_a_tool_that_is_not_theirs(self) -> None:
        self.galaxy.entries = []
        self.assertEqual(ask(self.site, PAGE, GUEST).status, 404)
        self.assertEqual(self.submit(visitor=GUEST).status, 403)
        self.assertEqual(ask(self.site, b"/giestack/tools/", ALICE).status, 404)
        self.assertEqual(ask(self.site, b"/giestack/tools", ALICE).status, 404)

    def test_nobody(self) -> None:
        self.assertEqual(ask(self.site, PAGE).status, 401)
        self.assertEqual(self.submit(visitor=None).status, 401)

    def test_galaxy_is_away(self) -> None:
        self.api.outcome = "unavailable"
        said = self.submit()
        self.assertEqual(said.status, 503)
        self.assertIn("it is not certain that the tool is stopped", said.text)
        self.api.outcome = "login"
        said = self.submit()
        self.assertEqual(said.status, 502)
        self.assertIn("Stop the tool in Galaxy", said.text)

    def test_there_is_none_where_tools_can_not_be_stopped(self) -> None:
        self.site = pages_of(self.galaxy)
        self.assertEqual(ask(self.site, PAGE, ALICE).status, 404)
        self.assertNotIn("Stop", ask(self.site, b"/giestack/", ALICE).markup)

    def test_the_start_page_leads_there(self) -> None:
        link = 'href="/giestack/tools/key1" aria-label="Stop <Jupyter>"'
        self.assertIn(link, unescape(ask(self.site, b"/giestack/", ALICE).text))
        self.galaxy.routed.add((b"key1", b"secret1"))
        self.assertIn(link, unescape(ask(self.site, b"/giestack/", ALICE).text))
