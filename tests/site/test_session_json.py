"""Sessions and profiles as JSON."""

import json
from dataclasses import replace
from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.session_json import described_moment, described_profile, described_session
from giestack.spawner.engine import Stats
from giestack.spawner.view import ENDED
from tests.site.conversation import ALICE, NOW, OPENBIS
from tests.site.fake_spawning import JUPYTER, MOMENTS, PLAIN, of_every_state, session

ALL = "/giestack/api/v1/sessions"


class SessionTests(SynchronousTestCase):
    def test_everything_of_a_session(self) -> None:
        view = session(options={"rows": 5}, ending=True, name="my own")
        self.assertEqual(
            described_session(view, ALL, Stats(123456, 0.12345)),
            {
                "id": "s1",
                "profile": "jupyter",
                "title": "JupyterLab",
                "name": "my own",
                "state": "ready",
                "step": "ready",
                "percent": 100.0,
                "message": "Ready",
                "eta": None,
                "place": None,
                "options": {"rows": 5},
                "url": "/giestack/session/s1/lab",
                "events": "/giestack/api/v1/sessions/s1/events",
                "owner": {"id": "f2db41e1fa331b3e", "username": "alice"},
                "engine": "local",
                "note": "no isolation",
                "created": "2026-03-04T11:50:00+00:00",
                "ready_since": "2026-03-04T11:52:00+00:00",
                "last_used": "2026-03-04T11:55:00+00:00",
                "idle_end": "2026-03-04T12:55:00+00:00",
                "end": "2026-03-04T20:00:00+00:00",
                "ending": True,
                "memory": 123456,
                "cpu": 0.123,
            },
        )

    def test_what_is_not_known(self) -> None:
        told = described_session(session("queued"), ALL)
        for name in ("ready_since", "last_used", "idle_end", "end", "memory", "cpu"):
            self.assertIsNone(told[name])
        self.assertIs(told["ending"], False)
        self.assertIsNone(described_session(session(), ALL, Stats(1, None))["cpu"])

    def test_the_address_only_where_it_may_be_seen(self) -> None:
        self.assertNotIn("@", json.dumps(described_session(session(), ALL)))
        told = described_session(session(owner=OPENBIS), ALL, email=True)
        self.assertEqual(
            told["owner"], {"id": "observer", "username": None, "email": "o@example.org"}
        )

    def test_a_log_only_of_what_failed(self) -> None:
        for view in of_every_state():
            moment = replace(view.moment, log=("a line",))
            told = described_session(replace(view, moment=moment), ALL)
            self.assertEqual("log" in told, view.moment.state == "failed")
            self.assertEqual("reason" in told, view.moment.state in ENDED)
            self.assertEqual(json.loads(json.dumps(told)), told)

    def test_nothing_of_the_profile_that_is_the_sites_own(self) -> None:
        profile = replace(
            JUPYTER, env={"TOKEN": "s3cret"}, secrets={"k": "s3cret"}, command=("run", "s3cret")
        )
        self.assertNotIn("s3cret", json.dumps(described_session(session(profile=profile), ALL)))
        self.assertNotIn("s3cret", json.dumps(described_profile(profile, "")))

    def test_times_keep_their_zone(self) -> None:
        told = described_session(session(created=NOW + timedelta(microseconds=5)), ALL)
        self.assertEqual(told["created"], "2026-03-04T12:00:00+00:00")


class MomentTests(SynchronousTestCase):
    def test_the_way_in_only_when_it_is_open(self) -> None:
        for state, moment in MOMENTS.items():
            self.assertEqual("url" in described_moment(moment, "/x"), state == "ready")

    def test_figures_are_rounded(self) -> None:
        moment = replace(MOMENTS["pulling"], percent=100 / 3, eta=2.0 / 3)
        told = described_moment(moment, "/x")
        self.assertEqual((told["percent"], told["eta"]), (33.3, 0.7))


class ProfileTests(SynchronousTestCase):
    def test_a_form(self) -> None:
        told = described_profile(JUPYTER, "no isolation")
        options = told.pop("options")
        self.assertEqual(
            told,
            {
                "name": "jupyter",
                "title": "JupyterLab",
                "description": "Notebooks for Python, R and Julia",
                "note": "no isolation",
                "closed": "",
            },
        )
        self.assertEqual(
            options,
            [
                {
                    "name": "interface",
                    "title": "Interface",
                    "description": "What opens first",
                    "type": "choice",
                    "default": "lab",
                    "choices": [
                        {"value": "lab", "title": "JupyterLab"},
                        {"value": "tree", "title": "Classic notebook"},
                    ],
                },
                {
                    "name": "rows",
                    "title": "Rows",
                    "description": "",
                    "type": "integer",
                    "default": 100,
                    "low": 1,
                    "high": 10000,
                },
                {
                    "name": "debug",
                    "title": "debug",
                    "description": "",
                    "type": "boolean",
                    "default": False,
                },
                {
                    "name": "greeting",
                    "title": "Greeting",
                    "description": "",
                    "type": "text",
                    "default": "hello",
                },
            ],
        )

    def test_a_name_is_the_title_of_what_has_none(self) -> None:
        told = described_profile(PLAIN, "")
        self.assertEqual((told["title"], told["options"]), ("rstudio", []))
        view = session(profile=PLAIN, owner=ALICE)
        self.assertEqual(described_session(view, ALL)["title"], "rstudio")
