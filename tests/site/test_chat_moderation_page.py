"""The page of the chat's moderators."""

from dataclasses import replace
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import wire
from giestack.chat.storage import Rejected
from giestack.database import DatabaseUnavailable
from tests.site.chat_conversation import GALAXY, ChatHouse
from tests.site.conversation import ADMIN, ALICE, HOST, NOW, Said
from tests.site.fake_chat import report
from tests.site.fake_spawning import BOB

MALLORY = "cccc41e1fa331b3e"
NOW_MS = int(NOW.timestamp() * 1000)
REPORT = {"report": "1", "room": "r1", "ref": "5", "user": MALLORY, "for": "day"}
REPORT["reason"] = " spam "
ACTS = ("sanction", "lift", "close_report", "delete")
DAY = 24 * 3600 * 1000


class PageCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = ChatHouse()
        self.chat = self.house.chat

    def show(self, visitor=BOB, query: str = "") -> Said:
        return self.house.ask(f"/moderation{query}", visitor, html=True)

    def act(self, action: str, visitor=BOB, origin=b"http://" + HOST, **form) -> Said:
        headers = [
            (b"Origin", origin),
            (b"Content-Type", b"application/x-www-form-urlencoded"),
        ]
        body = urlencode({"action": action, **form}).encode()
        return self.house.ask("/moderation", visitor, "POST", headers, body, html=True)

    @property
    def acts(self):
        return [call for call in self.chat.calls if call[0] in ACTS]


class ShowTests(PageCase):
    def test_what_is_reported(self) -> None:
        said = self.show()
        self.assertEqual(said.status, 200)
        self.assertIn("buy &lt;b&gt;this&lt;/b&gt;", said.markup)
        self.assertIn("mallory", said.markup)
        self.assertIn("reported 1 minute ago", said.markup)
        self.assertIn("spam", said.markup)
        for action in ("delete", "mute", "mute-everywhere", "ban", "dismiss"):
            self.assertIn(f'value="{action}"', said.markup)

    def test_what_is_in_force(self) -> None:
        text = self.show().markup
        self.assertIn("for good", text)
        self.assertIn("1 h left", text)
        self.assertIn('value="lift-ban"', text)
        self.assertIn('value="lift-mute"', text)

    def test_rooms_have_names(self) -> None:
        self.chat.called = {"r1": "Genome <b>Annotation</b>"}
        self.assertIn("Genome &lt;b&gt;Annotation&lt;/b&gt;", self.show().markup)
        self.chat.called = {"r1": ""}
        self.assertIn("a direct message", self.show().markup)

    def test_what_was_done(self) -> None:
        text = self.show(ADMIN).markup
        self.assertIn("banned", text)
        self.assertIn("admin@example.org", text)
        self.assertIn("impersonated_by: b@example.org", text)

    def test_what_was_done_in_words(self) -> None:
        (line,) = self.chat.lines
        ends = {NOW_MS: "until: 2026-03-04 12:00 UTC", wire.FOR_EVER: "until: for good"}
        for until, words in ends.items():
            detail = {"user": MALLORY, "until": until, "reason": "", "seconds": None}
            self.chat.lines = [replace(line, detail=detail)]
            text = self.show().markup
            self.assertIn(words, text)
            self.assertNotIn("reason:", text)
            self.assertNotIn("seconds:", text)
            self.assertNotIn("user:", text)
        self.chat.lines = [replace(line, action="chat-new-act", detail={"until": "soon"})]
        self.assertIn("new act", self.show().markup)
        self.assertIn("until: soon", self.show().markup)

    def test_moderators_see_no_addresses(self) -> None:
        text = self.show().markup
        self.assertNotIn("admin@example.org", text)
        self.assertNotIn("b@example.org", text)

    def test_older_lines(self) -> None:
        self.assertNotIn("Older", self.show().markup)
        (line,) = self.chat.lines
        self.chat.lines = [replace(line, number=n) for n in range(60, 10, -1)]
        self.assertIn('href="/giestack/chat/moderation?before=11#audit"', self.show().markup)
        self.assertIn("The newest", self.show(query="?before=11").markup)
        self.assertEqual(self.chat.calls[-1], ("audited", "bob", 50, 11))
        self.assertEqual(self.show(query="?before=x").status, 400)

    def test_nothing_to_do(self) -> None:
        self.chat.reported, self.chat.sanctioned, self.chat.lines = [], [], []
        text = self.show().markup
        for words in ("Nothing is reported", "Nobody is muted or banned", "Nothing was done yet"):
            self.assertIn(words, text)

    def test_a_message_that_is_gone(self) -> None:
        self.chat.reported = [report(text="", reason="")]
        self.assertIn("(deleted)", self.show().markup)

    def test_links(self) -> None:
        text = self.show().markup
        self.assertIn('href="/giestack/chat/"', text)
        self.assertIn('href="/giestack/chat/moderation" aria-current="page"', text)
        alone = self.house.ask("/moderation", BOB, html=True, alone=True).markup
        self.assertIn('action="/moderation"', alone)
        self.assertIn('href="/moderation" aria-current="page"', alone)
        self.assertNotIn("/giestack/", alone)

    def test_nobody_else(self) -> None:
        said = self.show(ALICE)
        self.assertEqual(said.status, 403)
        self.assertIn("This page is for moderators.", said.text)
        self.assertEqual(self.act("ban", ALICE, **REPORT).status, 403)
        self.assertEqual(self.show(None).status, 401)
        self.assertEqual(self.acts, [])

    def test_it_runs_no_script(self) -> None:
        said = self.show()
        self.assertNotIn("<script", said.text)
        self.assertNotIn("script-src", said.header("content-security-policy") or "")

    def test_a_store_that_is_away(self) -> None:
        self.chat.error = DatabaseUnavailable("secret")
        said = self.show()
        self.assertEqual((said.status, said.header("retry-after")), (503, "5"))
        self.assertNotIn("secret", said.text)
        self.assertEqual(self.act("ban", **REPORT).status, 503)


class ActTests(PageCase):
    def assert_done(self, said: Said, *calls: tuple[object, ...]) -> None:
        self.assertEqual((said.status, said.header("location")), (303, "/giestack/chat/moderation"))
        self.assertEqual(self.acts, list(calls))

    def test_delete(self) -> None:
        said = self.act("delete", close="1", **REPORT)
        self.assert_done(said, ("delete", "bob", "r1", 5, "spam"), ("close_report", "bob", 1))

    def test_delete_that_is_refused(self) -> None:
        self.chat.error = Rejected("noroom", "There is no such room.")
        self.assertEqual(self.act("delete", close="1", **REPORT).status, 404)
        self.assertEqual(len(self.acts), 1)
        self.assertEqual(self.act("delete", **{**REPORT, "ref": "x"}).status, 400)

    def test_mute(self) -> None:
        said = self.act("mute", **REPORT)
        self.assert_done(said, ("sanction", "bob", "mute", MALLORY, "r1", NOW_MS + DAY, "spam"))

    def test_mute_everywhere(self) -> None:
        said = self.act("mute-everywhere", **{**REPORT, "for": "good"})
        self.assert_done(said, ("sanction", "bob", "mute", MALLORY, None, None, "spam"))

    def test_ban(self) -> None:
        said = self.act("ban", close="1", **{**REPORT, "for": "week", "reason": ""})
        self.assert_done(
            said,
            ("sanction", "bob", "ban", MALLORY, None, NOW_MS + 7 * DAY, ""),
            ("close_report", "bob", 1),
        )

    def test_dismiss(self) -> None:
        self.assert_done(self.act("dismiss", **REPORT), ("close_report", "bob", 1))

    def test_lift(self) -> None:
        said = self.act("lift-mute", user=MALLORY, room="r1")
        self.assert_done(said, ("lift", "bob", "mute", MALLORY, "r1"))
        self.chat.calls.clear()
        self.assert_done(
            self.act("lift-ban", user=MALLORY, room=""), ("lift", "bob", "ban", MALLORY, None)
        )

    def test_what_the_form_does_not_say(self) -> None:
        for form in (
            {"action": "other"},
            {"action": "ban", "for": "ever"},
            {"action": "mute"},
            {"action": "dismiss"},
            {"action": "dismiss", "report": "x"},
        ):
            self.assertEqual(self.act(**form).status, 400, form)
        self.assertEqual(self.act("ban", **{**REPORT, "reason": "x" * 70000}).status, 400)
        self.assertEqual(self.acts, [])

    def test_a_refusal(self) -> None:
        self.chat.error = Rejected("bad", "There is nobody of that id.")
        said = self.act("ban", **REPORT)
        self.assertEqual(said.status, 400)
        self.assertIn("There is nobody of that id.", said.text)

    def test_forms_come_from_our_own_pages_alone(self) -> None:
        for origin in (GALAXY, b"https://evil.example", b"null"):
            self.assertEqual(self.act("ban", origin=origin, **REPORT).status, 403)
        self.assertEqual(self.acts, [])
