"""The page of all sessions."""

from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from giestack.site import admin_page
from giestack.spawner.engine import Stats
from tests.site.conversation import ADMIN, ALICE, GUEST, Galaxy, ask, pages_of
from tests.site.fake_spawning import BOB, PLAIN, FakeSpawning, of_every_state, session


class AdminPageTests(SynchronousTestCase):
    def setUp(self) -> None:
        bobs = session(owner=BOB, id="bobs", profile=PLAIN, name="Fliegen <i>")
        self.spawning = FakeSpawning(*of_every_state(), bobs)
        self.site = pages_of(Galaxy(), spawning=self.spawning)

    def text(self, query: str = "") -> str:
        said = ask(self.site, f"/giestack/admin{query}".encode(), ADMIN)
        self.assertEqual(said.status, 200)
        return said.markup

    def found(self, query: str) -> list[str]:
        text = self.text(query)
        return [id for id in self.spawning.sessions if f'<tr role="row" id="session-{id}"' in text]

    def test_only_for_administrators(self) -> None:
        for visitor, status in ((None, 401), (GUEST, 401), (ALICE, 403)):
            said = ask(self.site, b"/giestack/admin", visitor)
            self.assertEqual(said.status, status)
            self.assertNotIn("bob", said.markup)

    def test_everybodys_sessions_and_no_way_into_them(self) -> None:
        self.spawning.used = {"bobs": Stats(2**30, 0.5)}
        text = self.text()
        for words in (
            "<bdi>bob</bdi>",
            "bob@example.org",
            "alice@example.org",
            "1.0 GB of 2.0 GB",
            "50%",
            "9 sessions",
            "2 running",
            "3 starting",
            "1 waiting",
            "1 failed",
            "2nd in the queue",
            "It was idle for an hour.",
            'action="/giestack/sessions/bobs"',
            'name="back" value="admin"',
            'href="/giestack/sessions/bobs/logs"',
        ):
            self.assertIn(words, text)
        self.assertNotIn("/giestack/session/", text)
        self.assertNotIn('value="restart"', text)
        self.assertNotIn("<i>", text)

    def test_what_can_be_done(self) -> None:
        text = self.text()
        self.assertIn('id="stop-ready"', text)
        self.assertNotIn('id="stop-stopping"', text)
        self.assertIn('id="dismiss-failed"', text)

    def test_a_filter(self) -> None:
        for words, ids in (
            ("bob", ["bobs"]),
            ("BOB%40example", ["bobs"]),
            ("fliegen+bob", ["bobs"]),
            ("fliegen+alice", []),
            ("failed", ["failed"]),
            ("waiting", ["queued"]),
            ("rstudio", ["bobs"]),
        ):
            self.assertEqual(self.found(f"?filter={words}"), ids, words)
        text = self.text("?filter=%22%3E%3Ci%3E")
        self.assertIn('value="&#34;&gt;&lt;i&gt;"', text)
        self.assertIn("No session fits the filter.", text)
        self.assertIn("9 sessions", text)
        self.assertIn("1 fits the filter", self.text("?filter=bob"))

    def test_no_more_than_a_page_can_bear(self) -> None:
        with patch.object(admin_page, "MOST", 4):
            text = self.text()
        self.assertEqual(text.count('<tr role="row" id='), 4)
        self.assertIn("The newest 4 are shown", text)

    def test_nobody_has_one(self) -> None:
        self.spawning.sessions.clear()
        text = self.text()
        self.assertIn("Nobody has a session.", text)
        self.assertIn("0 sessions", text)
