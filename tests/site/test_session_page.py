"""A session's own page, its log, and what is done to it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.engine import EngineError, Stats
from giestack.spawner.view import SpawnRefused
from tests.site.conversation import ADMIN, ALICE, GUEST, HOST, NOW, Galaxy, ask, pages_of
from tests.site.fake_spawning import BOB, MOMENTS, FakeSpawning, of_every_state, session

OWN = (b"Origin", b"http://" + HOST)
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
HOSTILE = "<i>\"'&amp;"


class PageCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.spawning = FakeSpawning(*of_every_state(), session())
        self.site = pages_of(Galaxy(), spawning=self.spawning)

    def get(self, path: str, visitor=ALICE):
        return ask(self.site, b"/giestack/sessions/" + path.encode(), visitor)

    def text(self, path: str, visitor=ALICE) -> str:
        said = self.get(path, visitor)
        self.assertEqual(said.status, 200)
        return said.markup

    def post(self, path: str, body: bytes, visitor=ALICE, headers=(OWN, FORM)):
        target = b"/giestack/sessions/" + path.encode()
        return ask(self.site, target, visitor, b"POST", headers, body)


class ProgressTests(PageCase):
    def test_the_present_step_is_marked(self) -> None:
        text = self.text("creating")
        self.assertIn('<li class="current" aria-current="step">Prepare</li>', text)
        self.assertIn('<li class="done">Wait for a place<span class="unseen">: done</span>', text)
        self.assertEqual(text.count("aria-current"), 1)

    def test_how_far_it_is(self) -> None:
        text = self.text("pulling")
        self.assertIn('max="100" value="12"', text)
        self.assertIn("12 %", text)
        self.assertIn("About 30 s left", text)
        self.assertIn('data-elapsed="540">9 min</span> so far', text)
        self.assertIn("Pulling the image: 12 of 48 MB", text)
        self.assertIn('aria-label="How far it is"></progress>', self.text("queued"))

    def test_who_listens_hears_of_steps_and_not_of_every_byte(self) -> None:
        for state, words in (
            ("queued", "Waiting: Wait for a place, 2nd in the queue"),
            ("pulling", "Starting: Fetch the image"),
            ("starting", "Starting: Start"),
            ("stopping", "Stopping"),
            ("ready", "Running"),
            ("stopped", "Stopped. It was idle for an hour."),
        ):
            self.assertIn(f'id="status" role="status">{words}</p>', self.text(state))

    def test_its_place_in_the_queue(self) -> None:
        self.assertIn("(2nd in the queue)", self.text("queued"))

    def test_it_is_told_of_changes_and_looks_again_without_a_script(self) -> None:
        for state in ("queued", "pulling", "creating", "starting", "stopping"):
            text = self.text(state)
            self.assertIn(f'data-events="/giestack/api/v1/sessions/{state}/events"', text)
            self.assertIn(
                '<noscript><meta http-equiv="refresh" content="3; '
                f'url=/giestack/sessions/{state}?open=1"></noscript>',
                text,
            )
        text = self.text("ready")
        self.assertIn('data-events="/giestack/api/v1/sessions/ready/events?until=end"', text)
        self.assertNotIn("data-open", text)
        self.assertNotIn("http-equiv", text)
        for state in ("stopped", "failed"):
            text = self.text(state)
            self.assertNotIn("data-events", text)
            self.assertNotIn("http-equiv", text)

    def test_who_has_waited_goes_on_into_it(self) -> None:
        said = self.get("ready?open=1")
        self.assertEqual(
            (said.status, said.header("location")), (303, "/giestack/session/ready/lab")
        )
        for state in ("starting", "failed"):
            self.assertEqual(self.get(f"{state}?open=1").status, 200)
        # Administrators do not enter others' sessions.
        self.assertEqual(self.get("ready?open=1", ADMIN).status, 200)

    def test_what_is_being_stopped_has_no_steps(self) -> None:
        text = self.text("stopping")
        self.assertNotIn("aria-current", text)
        self.assertNotIn('value="stop"', text)
        self.assertNotIn("as soon as it is ready", text)


class PresentTests(PageCase):
    def test_what_it_is(self) -> None:
        self.spawning.add(session(options={"interface": "tree", "rows": 7}))
        self.spawning.used = {"s1": Stats(2**29, 0.5)}
        text = self.text("s1")
        for words in (
            "<title>Running: JupyterLab",
            "<bdi>alice</bdi>",
            "<bdi>Classic notebook</bdi>",
            "no isolation",
            "512 MB of 2.0 GB",
            "50%",
            "Stops in 55 min unless it is used",
            "5 min ago",
            'href="/giestack/session/s1/lab"',
            'value="stop"',
            'value="restart"',
            'href="/giestack/sessions/s1/logs"',
        ):
            self.assertIn(words, text)

    def test_an_end_that_is_near(self) -> None:
        self.spawning.add(session(end=NOW + timedelta(minutes=5), ending=True))
        self.assertIn('<dd class="caution">Ends in 5 min</dd>', self.text("s1"))

    def test_an_administrator_sees_it_and_has_no_way_in(self) -> None:
        text = self.text("s1", ADMIN)
        self.assertIn('value="stop"', text)
        self.assertNotIn("/giestack/session/s1", text)
        self.assertNotIn('value="restart"', text)
        self.assertNotIn('value="restart"', self.text("failed", ADMIN))

    def test_names_are_text_and_never_markup(self) -> None:
        for state in MOMENTS:
            self.spawning.add(session(state, id="x", name=HOSTILE, note=HOSTILE, engine=HOSTILE))
            for path in ("x", "x/logs"):
                text = self.text(path)
                self.assertNotIn("<i>", text)
                self.assertIn('<bdi class="name">&lt;i&gt;&#34;&#39;&amp;amp;</bdi>', text)


class EndedTests(PageCase):
    def test_a_failure_tells_why(self) -> None:
        text = self.text("failed")
        self.assertIn("<title>Failed: JupyterLab", text)
        self.assertIn('role="status">Failed. exit status 1</p>', text)
        self.assertIn("OSError: no &lt;space&gt; left</pre>", text)
        self.assertIn('tabindex="0"', text)
        self.assertIn("Start again", text)
        self.assertIn("Dismiss", text)
        self.assertNotIn('value="stop"', text)

    def test_one_that_was_stopped_tells_why(self) -> None:
        text = self.text("stopped")
        self.assertIn("It was idle for an hour.", text)
        self.assertNotIn("<pre", text)


class WhoTests(PageCase):
    def test_only_the_owner_and_administrators(self) -> None:
        for path in ("s1", "s1/logs"):
            self.assertEqual(self.get(path, None).status, 401)
            self.assertEqual(self.get(path, GUEST).status, 401)
            said = self.get(path, BOB)
            self.assertEqual(said.status, 403)
            self.assertNotIn("alice", said.markup)

    def test_there_is_no_such_session(self) -> None:
        for path in ("", "none", "none/logs", "s1/other", "s1/logs/more", "%E2%82%AC"):
            self.assertEqual(self.get(path).status, 404, path)
        self.assertEqual(ask(self.site, b"/giestack/sessions", ALICE).status, 404)


class LogTests(PageCase):
    def test_the_last_lines(self) -> None:
        self.spawning.lines["s1"] = [f"line {n}" for n in range(300)] + ["\x1b[31m<i>\x1b[0m"]
        text = self.text("s1/logs")
        self.assertNotIn("line 100\n", text)
        self.assertIn("line 101\n", text)
        self.assertIn("\n&lt;i&gt;\n</pre>", text)
        self.assertIn('data-stream="/giestack/api/v1/sessions/s1/logs?follow=1&amp;tail=200"', text)

    def test_no_lines(self) -> None:
        self.assertIn('id="empty">It has printed nothing so far.', self.text("s1/logs"))

    def test_an_engine_that_is_away(self) -> None:
        away: Deferred[Sequence[str]] = fail(EngineError("Docker does not answer"))
        self.spawning.waiting = away
        said = self.get("s1/logs")
        self.assertEqual(said.status, 503)
        self.assertIn("Docker does not answer.", said.markup)


class ActTests(PageCase):
    def test_stop(self) -> None:
        said = self.post("s1", b"action=stop")
        self.assertEqual((said.status, said.header("location")), (303, "/giestack/"))
        self.assertEqual(self.spawning.calls, [("stop", "s1", ALICE)])

    def test_an_administrator_stops_others_and_goes_back(self) -> None:
        said = self.post("s1", b"action=stop&back=admin", ADMIN)
        self.assertEqual((said.status, said.header("location")), (303, "/giestack/admin"))
        self.assertEqual(self.spawning.calls, [("stop", "s1", ADMIN)])

    def test_nobody_is_sent_elsewhere(self) -> None:
        said = self.post("s1", b"action=stop&back=https://evil.example.org/")
        self.assertEqual(said.header("location"), "/giestack/")

    def test_restart(self) -> None:
        said = self.post("failed", b"action=restart")
        self.assertEqual(said.status, 303)
        self.assertEqual(said.header("location"), "/giestack/sessions/failed?open=1")
        self.assertEqual(self.spawning.calls, [("restart", "failed", ALICE)])

    def test_what_may_not_be_started_again(self) -> None:
        self.spawning.refusal = SpawnRefused(404, "no-such-profile", "No.")
        self.assertEqual(self.post("s1", b"action=restart").status, 404)
        self.assertEqual(self.post("s1", b"action=restart", ADMIN).status, 403)
        self.assertEqual(self.spawning.calls, [])

    def test_dismiss(self) -> None:
        self.assertEqual(self.post("failed", b"action=dismiss").status, 303)
        self.assertEqual(self.spawning.calls, [("stop", "failed", ALICE)])
        self.assertEqual(self.post("failed", b"action=dismiss").status, 404)

    def test_an_old_page_ends_nothing_that_runs_again(self) -> None:
        self.assertEqual(self.post("s1", b"action=dismiss").status, 303)
        self.assertEqual(self.spawning.calls, [])

    def test_only_our_own_pages_of_those_who_may(self) -> None:
        for headers in ((FORM,), (FORM, (b"Origin", b"https://evil.example.org"))):
            self.assertEqual(self.post("s1", b"action=stop", headers=headers).status, 403)
        for visitor, status in ((None, 401), (GUEST, 401), (BOB, 403)):
            self.assertEqual(self.post("s1", b"action=stop", visitor).status, status)
        self.assertEqual(self.post("none", b"action=stop").status, 404)
        self.assertEqual(self.spawning.calls, [])

    def test_a_form_that_says_nothing(self) -> None:
        for body in (b"", b"action=", b"action=explode", b"x=" + b"y" * 70000):
            self.assertEqual(self.post("s1", body).status, 400)
        self.assertEqual(self.post("s1", b"action=stop", headers=(OWN,)).status, 400)
        self.assertEqual(self.spawning.calls, [])

    def test_other_methods(self) -> None:
        said = ask(self.site, b"/giestack/sessions/s1", ALICE, b"DELETE", (OWN,))
        self.assertEqual((said.status, said.header("allow")), (405, "GET, HEAD, POST"))


class OwnerTests(PageCase):
    def test_an_owner_without_a_name_is_called_by_the_address(self) -> None:
        nameless = replace(ALICE, username=None)
        self.spawning.add(session(owner=nameless))
        self.assertIn("<bdi>alice@example.org</bdi>", self.text("s1"))
