"""Refusals: pages for people, JSON for programs."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html import unescape

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.decision import Refuse, Request
from giestack.site.links import Links
from giestack.site.refusals import RefusalPages
from giestack.visitor import Identity
from tests.site.conversation import ALICE, GUEST, front_request, seen_as

LINKS = Links(galaxy_url="https://galaxy.example.org/", domains=("ep.interactivetool.example.org",))
HOST = seen_as(b"galaxy.example.org", b"https")
TOOL = b"/interactivetool/ep/KEY/TOKEN/lab?token=abc"
NOT_LOGGED_IN = Refuse(401, "not-logged-in", "Please log in to see this page.")
NOT_OWNER = Refuse(403, "not-owner", "This belongs to somebody else.", visitor=ALICE)
NOT_FOUND = Refuse(404, "no-such-route", "Nothing.")
DOWN = Refuse(502, "backend-down", "It does not answer.", retry_after=2)
STARTING = Refuse(
    502, "backend-down", "The image is fetched", 2, "session", "abc", ALICE, "pulling", (),
    "/giestack/sessions/abc",
)  # fmt: skip
FAILED = Refuse(
    502, "backend-down", "killed by signal 9", None, "session", "abc", ALICE, "failed",
    ("<b>one</b>", "two & three"), "/giestack/sessions/abc",
)  # fmt: skip
UNAVAILABLE = Refuse(503, "identity-unavailable", "Nobody can tell who you are.", retry_after=7)


def headers(lines: bytes) -> dict[str, str]:
    fields = lines.decode().split("\r\n")
    assert fields.pop() == ""
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in fields)}


class Refusals(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.pages = RefusalPages(LINKS, self.clock)

    def page(self, refuse: Refuse, request: Request | None = None) -> str:
        lines, body = self.pages(refuse, request or front_request(TOOL, seen=HOST))
        self.assertEqual(headers(lines)["content-type"], "text/html; charset=utf-8")
        return unescape(body.decode())


class JsonTests(Refusals):
    def answer(self, refuse: Refuse) -> tuple[dict[str, str], object]:
        lines, body = self.pages(refuse, front_request(TOOL, accept=b"*/*", seen=HOST))
        return headers(lines), json.loads(body)

    def test_code_and_message(self) -> None:
        fields, said = self.answer(NOT_OWNER)
        self.assertEqual(fields["content-type"], "application/json")
        self.assertEqual(said, {"error": "not-owner", "message": "This belongs to somebody else."})

    def test_401_has_a_challenge(self) -> None:
        fields, said = self.answer(NOT_LOGGED_IN)
        self.assertEqual(fields["www-authenticate"], 'Cookie realm="giestack"')
        self.assertEqual(
            said, {"error": "not-logged-in", "message": "Please log in to see this page."}
        )

    def test_when_to_come_back(self) -> None:
        self.assertEqual(self.answer(UNAVAILABLE)[0]["retry-after"], "7")
        self.assertEqual(self.answer(Refuse(503, "too-many", ""))[0]["retry-after"], "5")
        self.assertEqual(self.answer(Refuse(429, "x", "", retry_after=9))[0]["retry-after"], "9")
        self.assertNotIn("retry-after", self.answer(NOT_FOUND)[0])

    def test_a_session_that_is_not_ready(self) -> None:
        fields, said = self.answer(STARTING)
        self.assertEqual(fields["retry-after"], "2")
        self.assertEqual(
            said,
            {"error": "backend-down", "message": "The image is fetched.", "state": "pulling"},
        )

    def test_a_session_that_has_failed(self) -> None:
        fields, said = self.answer(FAILED)
        self.assertNotIn("retry-after", fields)
        self.assertEqual(
            said,
            {
                "error": "backend-down",
                "message": "Killed by signal 9.",
                "state": "failed",
                "log": ["<b>one</b>", "two & three"],
            },
        )

    def test_reasons_of_the_proxy_become_sentences(self) -> None:
        _, said = self.answer(Refuse(400, "bad-request", "bad Host"))
        self.assertEqual(said, {"error": "bad-request", "message": "Bad Host."})
        _, said = self.answer(Refuse(504, "backend-slow", ""))
        self.assertEqual(said, {"error": "backend-slow", "message": "Gateway Timeout."})

    def test_a_request_that_could_not_be_read(self) -> None:
        unread = Request(b"-", b"-", "1.1", [])
        lines, body = self.pages(Refuse(400, "bad-request", "malformed request"), unread)
        self.assertEqual(headers(lines)["content-type"], "application/json")
        self.assertEqual(json.loads(body)["message"], "Malformed request.")


class HeaderTests(Refusals):
    def test_every_answer_is_for_this_moment_and_this_place_only(self) -> None:
        for accept in (b"text/html", b"*/*"):
            for refuse in (NOT_LOGGED_IN, NOT_OWNER, NOT_FOUND, DOWN, UNAVAILABLE):
                lines, _ = self.pages(refuse, front_request(TOOL, accept=accept, seen=HOST))
                fields = headers(lines)
                self.assertEqual(fields["cache-control"], "no-store")
                self.assertEqual(fields["x-content-type-options"], "nosniff")
                self.assertEqual(fields["referrer-policy"], "same-origin")
                policy = fields["content-security-policy"].split("; ")
                self.assertIn("default-src 'none'", policy)
                self.assertIn("base-uri 'none'", policy)
                self.assertIn("frame-ancestors 'self' https://galaxy.example.org", policy)
                self.assertNotIn("unsafe", fields["content-security-policy"])
                self.assertNotIn("content-length", fields)

    def test_without_a_known_galaxy_nobody_else_may_frame_it(self) -> None:
        pages = RefusalPages(Links(), self.clock)
        lines, _ = pages(NOT_FOUND, front_request())
        policy = headers(lines)["content-security-policy"].split("; ")
        self.assertIn("frame-ancestors 'self'", policy)

    def test_the_policy_allows_the_pages_own_style_and_nothing_else_of_it(self) -> None:
        lines, body = self.pages(DOWN, front_request())
        (style,) = re.findall(r"<style>(.*?)</style>", body.decode(), re.S)
        digest = b64encode(sha256(style.encode()).digest()).decode()
        policy = headers(lines)["content-security-policy"].split("; ")
        self.assertIn(f"style-src 'sha256-{digest}'", policy)
        for never in ("<script", " style=", "onclick", "<iframe", "@import", "url("):
            self.assertNotIn(never, body.decode())


class PageTests(Refusals):
    def test_each_is_a_whole_page_for_a_phone_in_the_dark(self) -> None:
        for status in (400, 401, 403, 404, 405, 408, 413, 431, 500, 501, 502, 503, 504, 505):
            text = self.page(Refuse(status, "code", "A message."))
            self.assertTrue(text.startswith("<!DOCTYPE html>"))
            self.assertIn('<html lang="en">', text)
            self.assertIn("width=device-width", text)
            self.assertIn("prefers-color-scheme:dark", text)
            self.assertEqual(text.count("<h1>"), 1)
            self.assertEqual(text.count("<main>"), 1)

    def test_a_message_is_text_and_never_markup(self) -> None:
        _, body = self.pages(Refuse(400, "x", "<b>&\"'"), front_request())
        self.assertIn(b"&lt;b&gt;&amp;", body)
        self.assertNotIn(b"<b>", body)

    def test_nothing_of_a_tools_address_stands_on_a_page(self) -> None:
        for refuse in (NOT_OWNER, NOT_FOUND, DOWN, UNAVAILABLE, Refuse(500, "x", "")):
            self.assertNotIn("TOKEN", self.page(refuse))

    def test_401_leads_to_the_login_and_back(self) -> None:
        text = self.page(NOT_LOGGED_IN, front_request(b"/giestack/", seen=HOST))
        self.assertIn("https://galaxy.example.org/login/start?redirect=/giestack/", text)
        self.assertIn("come back to this page", text)
        # The address of this page itself would be refused once more.
        text = self.page(Refuse(401, "bad-ticket", "Begin again.", again="/lab?x=1"))
        self.assertIn('href="/lab?x=1">Log in</a>', text)
        self.assertIn("What you wanted to see opens afterwards.", text)
        self.assertNotIn("come back to this page", text)

    def test_401_where_galaxy_cannot_lead_back(self) -> None:
        text = self.page(NOT_LOGGED_IN, front_request(b"/a", b"POST", seen=HOST))
        self.assertIn("/login/start?redirect=/giestack/", text)
        self.assertIn("open this address again", text)

    def test_401_without_a_known_galaxy(self) -> None:
        self.pages = RefusalPages(Links(), self.clock)
        text = self.page(NOT_LOGGED_IN)
        self.assertIn("Log in to Galaxy, then load this page again.", text)
        self.assertNotIn("<a ", text)

    def test_401_of_the_demo_leads_to_its_own_page(self) -> None:
        self.pages = RefusalPages(Links(demo=True), self.clock)
        text = self.page(NOT_LOGGED_IN, front_request(b"/a?b"))
        self.assertIn('href="/giestack/demo?next=/a%3Fb"', text)

    def test_403_says_who_one_is(self) -> None:
        text = self.page(NOT_OWNER)
        self.assertIn("This belongs to somebody else.", text)
        self.assertIn("<strong>alice</strong> (alice@example.org)", text)
        self.assertIn('href="https://galaxy.example.org/"', text)
        self.assertNotIn("login/start", text)

    def test_403_to_someone_without_a_public_name(self) -> None:
        nameless = Identity("galaxy", 7, "x", None, "n@example.org", False, 1, "key")
        text = self.page(Refuse(403, "not-owner", "", visitor=nameless))
        self.assertIn("<strong>n@example.org</strong>.", text)

    def test_403_to_a_visitor_without_a_user_leads_to_the_login(self) -> None:
        text = self.page(Refuse(403, "not-owner", "", visitor=GUEST))
        self.assertIn("login/start", text)
        self.assertNotIn("logged in as", text)

    def test_403_in_the_demo_leads_to_another_user(self) -> None:
        self.pages = RefusalPages(Links(demo=True), self.clock)
        self.assertIn('href="/giestack/demo"', self.page(NOT_OWNER))

    def test_404_is_the_same_for_everybody_and_every_address(self) -> None:
        requests = (
            front_request(TOOL, seen=HOST),
            front_request(b"/interactivetool/ep/KEY/other", seen=HOST),
            front_request(b"/elsewhere", seen=seen_as(b"galaxy.example.org", b"https", b"::1")),
        )
        refusals = (NOT_FOUND, Refuse(404, "x", "wrong token", visitor=ALICE, route="KEY"))
        answers = {self.pages(refuse, request) for refuse in refusals for request in requests}
        self.assertEqual(len(answers), 1)

    def test_404_on_a_tools_host_leads_to_the_start_page_elsewhere(self) -> None:
        tool = seen_as(b"key-token.ep.interactivetool.example.org", b"https")
        text = self.page(NOT_FOUND, front_request(seen=tool))
        self.assertIn('href="https://galaxy.example.org/giestack/"', text)

    def test_502_of_a_session_says_how_it_is(self) -> None:
        for state, title in (
            ("queued", "This session waits for its turn"),
            ("pulling", "This session is starting"),
            ("stopping", "This session is being stopped"),
            ("stopped", "This session has stopped"),
            ("failed", "This session has failed"),
        ):
            text = self.page(replace(STARTING, state=state))
            self.assertIn(f"<h1>{title}</h1>", text)
            self.assertIn(f">{state}</span> The image is fetched.", text)
            self.assertIn('href="/giestack/sessions/abc"', text)
            self.assertNotIn("<pre", text)
            self.assertNotIn("may still be starting", text)
        self.assertIn(">See how far it is</a>", self.page(STARTING))

    def test_502_of_a_session_that_has_failed(self) -> None:
        _, body = self.pages(FAILED, front_request(TOOL, seen=HOST))
        text = body.decode()
        self.assertIn("Killed by signal 9.", text)
        self.assertIn("&lt;b&gt;one&lt;/b&gt;\ntwo &amp; three</pre>", text)
        self.assertRegex(text, '<pre class="log" tabindex="0"')
        self.assertRegex(text, 'href="/giestack/sessions/abc">Start again</a>')

    def test_431_says_what_helps(self) -> None:
        self.assertIn("Delete this site’s cookies", self.page(Refuse(431, "bad-request", "x")))


class RetryTests(Refusals):
    def pause(self, refuse: Refuse, request: Request | None = None) -> int | None:
        found = re.search(r'http-equiv="refresh" content="([0-9]+)"', self.page(refuse, request))
        return None if found is None else int(found[1])

    def test_what_may_come_back_is_tried_again(self) -> None:
        self.assertEqual(self.pause(DOWN), 3)
        self.assertEqual(self.pause(UNAVAILABLE), 7)
        self.assertIn("tries again by itself in 7 seconds", self.page(UNAVAILABLE))

    def test_nothing_else_is(self) -> None:
        for status in (400, 401, 403, 404, 408, 413, 431, 500, 504):
            self.assertIsNone(self.pause(Refuse(status, "x", "")))

    def test_a_session_that_has_ended_is_not_waited_for(self) -> None:
        self.assertEqual(self.pause(STARTING), 3)
        for state in ("failed", "stopped"):
            refuse = replace(FAILED, state=state)
            self.assertIsNone(self.pause(refuse))
            text = self.page(refuse)
            self.assertNotIn("tries again", text)
            self.assertNotIn("Try again now", text)

    def test_what_changed_something_is_not_sent_again(self) -> None:
        text = self.page(DOWN, front_request(TOOL, b"POST"))
        self.assertNotIn("http-equiv", text)
        self.assertNotIn("Try again", text)

    def test_it_is_given_up_after_a_long_time(self) -> None:
        tries = 0
        while (pause := self.pause(DOWN)) is not None:
            tries += 1
            self.clock.advance(pause)
        self.assertLess(tries, 150)
        text = self.page(DOWN)
        self.assertIn("no longer tries again", text)
        self.assertIn('href="">Try again now', text)
