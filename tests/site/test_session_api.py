"""The API of sessions."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.decision import Local
from giestack.proxy.local import OwnPages
from giestack.site.streams import Streams
from giestack.spawner.engine import Circumstances, EngineError, Stats
from giestack.spawner.view import SpawnRefused
from giestack.visitor import Anonymous, Identity
from tests.proxy.memory import House, get
from tests.site.conversation import ADMIN, ALICE, GUEST, HOST, NOW, Galaxy, Said, ask, pages_of
from tests.site.fake_spawning import BOB, JUPYTER, FakeSpawning, of_every_state, session

API = "/giestack/api/v1/"
OURS = (b"X-Giestack", b"1")
Visitor = Identity | Anonymous | None


class SessionApiTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.spawning = FakeSpawning(session(), session("starting", BOB, "s2"))
        self.streams = Streams(self.clock)
        self.site = pages_of(
            Galaxy(),
            clock=self.clock,
            spawning=self.spawning,
            streams=self.streams,
            origins=frozenset((b"https://galaxy.example.org",)),
        )

    def ask(
        self,
        name: str,
        visitor: Visitor = ALICE,
        method: str = "GET",
        body: object = b"",
        headers: Sequence[tuple[bytes, bytes]] = (OURS,),
    ) -> Said:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return ask(self.site, (API + name).encode(), visitor, method.encode(), headers, sent)

    def post(self, body: object, visitor: Visitor = ALICE) -> Said:
        return self.ask("sessions", visitor, "POST", body)

    def error(self, said: Said, *more: str) -> tuple[int, str]:
        """The status and code of an error; ``more`` are the keys it has beside the usual ones."""
        self.assertEqual(set(said.json), {"error", "message", *more})
        self.assertIsInstance(said.json["message"], str)
        return said.status, said.json["error"]


class ProfileTests(SessionApiTestCase):
    def test_what_one_may_start(self) -> None:
        told = self.ask("profiles").json
        self.assertEqual([one["name"] for one in told], ["jupyter", "rstudio"])
        self.assertEqual([one["note"] for one in told], ["no isolation", ""])
        self.assertEqual([o["name"] for o in told[0]["options"]][:2], ["interface", "rows"])
        self.assertEqual([one["closed"] for one in told], ["", ""])
        self.spawning.closed_for["rstudio"] = "All engines are draining."
        told = self.ask("profiles").json
        self.assertEqual([one["closed"] for one in told], ["", "All engines are draining."])
        names = [one["name"] for one in self.ask("profiles", ADMIN).json]
        self.assertEqual(names, ["jupyter", "rstudio", "lab"])

    def test_nobody_else_may_know(self) -> None:
        for visitor in (None, GUEST):
            said = self.ask("profiles", visitor)
            self.assertEqual(self.error(said), (401, "not-logged-in"))


class ListTests(SessionApiTestCase):
    def test_ones_own(self) -> None:
        self.spawning.used["s1"] = Stats(1000, 0.5)
        [told] = self.ask("sessions").json
        self.assertEqual((told["id"], told["memory"], told["cpu"]), ("s1", 1000, 0.5))
        self.assertNotIn("email", told["owner"])

    def test_an_administrators_own(self) -> None:
        self.assertEqual(self.ask("sessions", ADMIN).json, [])

    def test_every_state(self) -> None:
        self.spawning = FakeSpawning(*of_every_state())
        self.site = pages_of(Galaxy(), spawning=self.spawning)
        states = {one["id"]: one["state"] for one in self.ask("sessions").json}
        self.assertEqual(len(states), 8)
        self.assertTrue(all(id == state for id, state in states.items()))

    def test_all_for_administrators(self) -> None:
        told = self.ask("admin/sessions", ADMIN).json
        self.assertEqual({one["id"] for one in told}, {"s1", "s2"})
        self.assertEqual(
            {one["owner"]["email"] for one in told}, {"alice@example.org", "bob@example.org"}
        )

    def test_all_for_nobody_else(self) -> None:
        self.assertEqual(self.error(self.ask("admin/sessions", ALICE)), (403, "not-admin"))
        for visitor in (None, GUEST):
            said = self.ask("admin/sessions", visitor)
            self.assertEqual(self.error(said), (401, "not-logged-in"))
            said = self.ask("sessions", visitor)
            self.assertEqual(self.error(said), (401, "not-logged-in"))


class RequestTests(SessionApiTestCase):
    def test_a_new_one(self) -> None:
        said = self.post({"profile": "jupyter", "name": "second", "options": {"rows": 5}})
        self.assertEqual(said.status, 201)
        self.assertEqual(said.header("location"), "/giestack/api/v1/sessions/new3")
        told = said.json
        self.assertEqual(
            [told[name] for name in ("id", "profile", "name", "state", "url", "events", "engine")],
            [
                "new3",
                "jupyter",
                "second",
                "queued",
                "/giestack/session/new3/lab",
                "/giestack/api/v1/sessions/new3/events",
                "local",
            ],
        )
        self.assertEqual(told["owner"], {"id": ALICE.encoded_id, "username": "alice"})
        self.assertEqual(told["created"], NOW.isoformat())
        options = {"interface": "lab", "rows": 5, "debug": False, "greeting": "hello"}
        self.assertEqual(self.spawning.calls, [("request", ALICE, "jupyter", "second", options)])

    def test_what_it_may_know_of_where_it_was_asked_for(self) -> None:
        self.post({"profile": "jupyter", "name": "a", "history_id": "f2db41e1fa331b3e"})
        self.post({"profile": "jupyter", "name": "b"})
        origin = f"http://{HOST.decode()}"
        self.assertEqual(
            self.spawning.circumstances,
            [
                Circumstances(history_id=known, remote_host="192.0.2.7", origin=origin)
                for known in ("f2db41e1fa331b3e", "")
            ],
        )

    def test_an_image_is_an_option(self) -> None:
        lab = replace(
            JUPYTER,
            image="quay.io/site/lab:{options.version}",
            options={"version": {"choices": ["17.09", "24.07"]}},
        )
        self.spawning.offered = [lab]
        body = {"profile": "jupyter", "name": "old", "image": "quay.io/site/lab:24.07"}
        self.assertEqual(self.post(body).status, 201)
        self.assertEqual(self.spawning.calls[-1][-1], {"version": "24.07"})
        said = self.post({**body, "image": "evil"})
        self.assertEqual(self.error(said, "field"), (422, "bad-options"))
        self.assertEqual(said.json["field"], "image")
        self.assertIn("quay.io/site/lab:17.09", said.json["message"])
        # Whoever may not start it is not told what it is made of.
        said = self.post({"profile": "lab", "image": "evil"})
        self.assertEqual(self.error(said), (404, "no-such-profile"))

    def test_what_cannot_be_of_a_galaxy(self) -> None:
        for key, value in (("history_id", "../x"), ("history_id", "x" * 65), ("dataset_id", "a")):
            said = self.post({"profile": "jupyter", key: value})
            self.assertEqual(self.error(said, "field"), (422, "bad-options"))
            self.assertEqual(said.json["field"], key)
        self.assertEqual(self.spawning.calls, [])

    def test_the_same_again_joins(self) -> None:
        for _ in range(2):
            said = self.post({"profile": "jupyter"})
            self.assertEqual((said.status, said.json["id"]), (200, "s1"))
            self.assertIsNone(said.header("location"))

    def test_an_unknown_profile_and_one_for_others(self) -> None:
        for profile in ("nothing", "lab", "", "../jupyter", "x" * 5000):
            said = self.post({"profile": profile})
            self.assertEqual(self.error(said), (404, "no-such-profile"))
        self.assertEqual(self.post({"profile": "lab"}, ADMIN).status, 201)

    def test_bad_options_are_named(self) -> None:
        for option, value in (
            ("rows", 0),
            ("rows", "many"),
            ("rows", 1.5),
            ("interface", "emacs"),
            ("debug", 3),
            ("greeting", "a\nb"),
            ("greeting", ["a"]),
            ("image", "evil/image"),
        ):
            said = self.post({"profile": "jupyter", "options": {option: value}})
            self.assertEqual(self.error(said, "field"), (422, "bad-options"))
            self.assertEqual(said.json["field"], option)
        self.assertEqual(self.spawning.calls, [])

    def test_a_bad_name(self) -> None:
        for name in ("x" * 101, "a\nb", "\x1b[1m", "\ud800"):
            said = self.post({"profile": "jupyter", "name": name})
            self.assertEqual(self.error(said, "field"), (422, "bad-options"))
            self.assertEqual(said.json["field"], "name")
        self.assertEqual(self.post({"profile": "jupyter", "name": "ü" * 100}).status, 201)

    def test_a_body_that_is_wrong(self) -> None:
        for body in (b"", b"{", b"[]", b'{"profile": 1}', b'{"profile": "jupyter", "name": 1}'):
            self.assertEqual(self.error(self.post(body)), (400, "bad-request"))
        said = self.post(b'{"profile": "' + b"x" * 70_000 + b'"}')
        self.assertEqual(self.error(said), (413, "too-large"))
        self.assertEqual(self.spawning.calls, [])

    def test_what_the_spawner_refuses(self) -> None:
        self.spawning.refusal = SpawnRefused(503, "no-engine", "No engine answers.")
        said = self.post({"profile": "jupyter"})
        self.assertEqual(self.error(said), (503, "no-engine"))
        self.assertIsNotNone(said.header("retry-after"))

    def test_without_a_user(self) -> None:
        for visitor in (None, GUEST):
            said = self.post({"profile": "jupyter"}, visitor)
            self.assertEqual(self.error(said), (401, "not-logged-in"))
        self.assertEqual(self.spawning.calls, [])


class OneTests(SessionApiTestCase):
    def test_show(self) -> None:
        self.spawning.used["s1"] = Stats(1000, None)
        told = self.ask("sessions/s1").json
        self.assertEqual((told["id"], told["state"], told["memory"]), ("s1", "ready", 1000))
        self.assertNotIn("email", told["owner"])
        told = self.ask("sessions/s1", ADMIN).json
        self.assertEqual(told["owner"]["email"], "alice@example.org")

    def test_a_failed_one_says_why(self) -> None:
        self.spawning.become("s1", "failed")
        told = self.ask("sessions/s1").json
        self.assertEqual(told["reason"], "exit status 1")
        self.assertEqual(told["log"][-1], "OSError: no <space> left")

    def test_as_it_is_when_the_answer_is_sent(self) -> None:
        self.spawning.waiting = Deferred()
        said = self.ask("sessions/s1")
        self.assertFalse(said.complete)
        self.spawning.become("s1", "stopping")
        self.spawning.waiting.callback({})
        self.assertEqual(said.json["state"], "stopping")
        self.spawning.waiting = Deferred()
        said = self.ask("sessions/s1")
        self.spawning.forget("s1")
        self.spawning.waiting.callback({})
        self.assertEqual((said.status, said.json["state"]), (200, "stopping"))

    def test_stop(self) -> None:
        for _ in range(2):
            said = self.ask("sessions/s1", method="DELETE")
            self.assertEqual((said.status, said.json["state"]), (202, "stopping"))
        self.assertEqual(self.spawning.calls, [("stop", "s1", ALICE)] * 2)
        self.spawning.forget("s1")
        for method in ("DELETE", "GET"):
            said = self.ask("sessions/s1", method=method)
            self.assertEqual(self.error(said), (404, "no-such-route"))

    def test_stop_what_has_ended(self) -> None:
        self.spawning.become("s1", "failed")
        said = self.ask("sessions/s1", method="DELETE")
        self.assertEqual((said.status, said.json["state"]), (202, "stopping"))
        self.assertNotIn("log", said.json)
        self.assertEqual(self.ask("sessions/s1").status, 404)

    def test_administrators_stop_those_of_others(self) -> None:
        said = self.ask("sessions/s2", ADMIN, "DELETE")
        self.assertEqual((said.status, said.json["state"]), (202, "stopping"))
        self.assertEqual(self.spawning.calls, [("stop", "s2", ADMIN)])

    def test_restart(self) -> None:
        said = self.ask("sessions/s1/restart", method="POST")
        self.assertEqual((said.status, said.json["state"]), (202, "starting"))
        self.assertEqual(said.json["url"], "/giestack/session/s1/lab")
        self.assertEqual(self.spawning.calls, [("restart", "s1", ALICE)])

    def test_only_owners_restart(self) -> None:
        for visitor in (BOB, ADMIN):
            said = self.ask("sessions/s1/restart", visitor, "POST")
            self.assertEqual(self.error(said), (403, "not-owner"))
        self.assertEqual(self.spawning.calls, [])

    def test_a_restart_that_is_refused(self) -> None:
        self.spawning.refusal = SpawnRefused(409, "no-such-profile", "It is not offered any more.")
        said = self.ask("sessions/s1/restart", method="POST")
        self.assertEqual(self.error(said), (409, "no-such-profile"))

    def test_one_of_an_odd_id(self) -> None:
        for id in ("s3", "S1", "s1%00", "%2e%2e", "s1%2Frestart", "%FF", "x" * 5000):
            for visitor in (ALICE, ADMIN):
                said = self.ask(f"sessions/{id}", visitor)
                self.assertEqual(self.error(said), (404, "no-such-route"), id)


class AccessTests(SessionApiTestCase):
    addresses = (
        ("GET", "sessions/{}"),
        ("DELETE", "sessions/{}"),
        ("POST", "sessions/{}/restart"),
        ("GET", "sessions/{}/logs"),
        ("GET", "sessions/{}/logs?follow=1"),
        ("GET", "sessions/{}/events"),
    )

    def assert_all(self, visitor: Visitor, id: str, status: int, code: str) -> None:
        for method, name in self.addresses:
            said = self.ask(name.format(id), visitor, method)
            self.assertEqual(self.error(said), (status, code), name)
        self.assertEqual((self.spawning.calls, self.spawning.listeners), ([], 0))

    def test_others_sessions(self) -> None:
        self.assert_all(BOB, "s1", 403, "not-owner")

    def test_unknown_sessions(self) -> None:
        self.assert_all(BOB, "s9", 404, "no-such-route")
        self.assert_all(ADMIN, "s9", 404, "no-such-route")

    def test_nobody(self) -> None:
        for visitor in (None, GUEST):
            for id in ("s1", "s9"):
                self.assert_all(visitor, id, 401, "not-logged-in")

    def test_administrators_read(self) -> None:
        for name in ("sessions/s1", "sessions/s1/logs", "sessions/s1/events"):
            self.assertEqual(self.ask(name, ADMIN).status, 200)

    def test_writes_that_any_page_could_send(self) -> None:
        body = {"profile": "jupyter"}
        for headers in (
            (),
            ((b"X-Giestack", b"0"),),
            ((b"Origin", b"https://evil.example.org"),),
            ((b"Origin", b"null"), (b"Content-Type", b"text/plain")),
        ):
            for method, name in (
                ("POST", "sessions"),
                ("DELETE", "sessions/s1"),
                ("POST", "sessions/s1/restart"),
            ):
                said = self.ask(name, ALICE, method, body, headers)
                self.assertEqual(self.error(said), (403, "foreign-origin"), name)
        self.assertEqual(self.spawning.calls, [])
        for origin in (b"http://127.0.0.1:8800", b"https://galaxy.example.org"):
            headers = ((b"Origin", origin),)
            self.assertEqual(self.ask("sessions", ALICE, "POST", body, headers).status, 200)

    def test_methods_that_do_nothing(self) -> None:
        for name, method, allow in (
            ("profiles", "POST", "GET, HEAD"),
            ("sessions", "DELETE", "GET, HEAD, POST"),
            ("sessions/s1", "POST", "DELETE, GET, HEAD"),
            ("sessions/s1/restart", "GET", "POST"),
            ("sessions/s1/logs", "DELETE", "GET, HEAD"),
            ("sessions/s1/events", "POST", "GET, HEAD"),
            ("admin/sessions", "POST", "GET, HEAD"),
        ):
            said = self.ask(name, ADMIN, method)
            self.assertEqual(self.error(said), (405, "method-not-allowed"), name)
            self.assertEqual(said.header("allow"), allow)
        self.assertEqual(self.spawning.calls, [])

    def test_addresses_that_there_are_not(self) -> None:
        for name in (
            "profiles/jupyter",
            "sessions/",
            "sessions/s1/",
            "sessions/s1/image",
            "sessions/s1/logs/x",
            "sessions//logs",
            "admin",
            "admin/",
            "admin/nothing",
        ):
            self.assertEqual(self.error(self.ask(name, ADMIN)), (404, "no-such-route"), name)

    def test_without_a_spawner(self) -> None:
        self.site = pages_of(Galaxy())
        for name in ("profiles", "sessions", "sessions/s1", "sessions/s1/events", "admin/sessions"):
            self.assertEqual(self.error(self.ask(name, ADMIN)), (404, "no-such-route"), name)


class LogTests(SessionApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.spawning.lines["s1"] = [f"line {n}" for n in range(2000)]

    def lines(self, query: str) -> list[str]:
        said = self.ask(f"sessions/s1/logs{query}")
        self.assertEqual(said.status, 200)
        self.assertTrue(said.complete)
        return said.text.splitlines()

    def test_the_last_lines(self) -> None:
        self.assertEqual(self.lines("?tail=2"), ["line 1998", "line 1999"])
        self.assertEqual(len(self.lines("")), 100)
        self.assertEqual(len(self.lines("?tail=1000&follow=0")), 1000)
        self.assertEqual(self.lines("?tail=0"), [])

    def test_as_text_and_nothing_else(self) -> None:
        self.spawning.lines["s1"] = ["<script>alert(1)</script> ü"]
        said = self.ask("sessions/s1/logs")
        self.assertEqual(said.header("content-type"), "text/plain; charset=utf-8")
        self.assertEqual(said.header("x-content-type-options"), "nosniff")
        self.assertEqual(said.header("cache-control"), "no-store")
        self.assertEqual(said.text, "<script>alert(1)</script> ü\n")

    def test_bad_numbers(self) -> None:
        for query, field in (
            ("tail=-1", "tail"),
            ("tail=1001", "tail"),
            ("tail=", "tail"),
            ("tail=all", "tail"),
            ("tail=1e2", "tail"),
            ("tail=%D9%A1", "tail"),
            ("tail=99999999999999", "tail"),
            ("follow=yes", "follow"),
            ("follow=", "follow"),
        ):
            said = self.ask(f"sessions/s1/logs?{query}")
            self.assertEqual(self.error(said, "field"), (422, "bad-options"), query)
            self.assertEqual(said.json["field"], field)

    def test_an_engine_that_does_not_answer(self) -> None:
        self.spawning.waiting = fail(EngineError("The engine does not answer."))
        said = self.ask("sessions/s1/logs")
        self.assertEqual(self.error(said), (503, "engine-unavailable"))
        self.assertEqual(said.json["message"], "The engine does not answer.")

    def test_follow(self) -> None:
        said = self.ask("sessions/s1/logs?tail=1&follow=1")
        self.assertEqual((said.status, said.text), (200, "line 1999\n"))
        self.assertEqual(said.header("content-type"), "text/plain; charset=utf-8")
        self.assertFalse(said.complete)
        self.spawning.say("s1", "more")
        self.clock.advance(0)
        self.assertEqual(said.text, "line 1999\nmore\n")
        self.spawning.fall_silent("s1")
        self.clock.advance(0)
        self.assertTrue(said.complete)

    def test_a_burst_reaches_who_reads(self) -> None:
        self.spawning.lines["s1"] = ["x" * 999] * 1000
        said = self.ask("sessions/s1/logs?follow=1&tail=1000")
        self.assertEqual(len(said.body), 1_000_000)

    def test_a_follower_does_not_take_the_end_of_giestack_for_that_of_the_log(self) -> None:
        said = self.ask("sessions/s1/logs?follow=1")
        self.streams.end_all()
        self.assertEqual((said.complete, said.lost), (False, True))
        self.assertEqual(self.spawning.listeners, 0)

    def test_a_follower_who_goes(self) -> None:
        said = self.ask("sessions/s1/logs?follow=true")
        self.assertEqual((self.spawning.listeners, self.streams.open), (2, 1))
        said.hang_up()
        self.assertEqual((self.spawning.listeners, self.streams.open), (0, 0))


class EventTests(SessionApiTestCase):
    """Through the front door, as a browser has it."""

    def setUp(self) -> None:
        super().setUp()
        self.spawning.become("s1", "queued")
        self.house = House(local=OwnPages(self.site, self.clock))
        self.house.decision = Local(ALICE)
        self.client = self.house.connect()

    def listen(self, *fields: str, until: str = "ready") -> tuple[bytes, bytes]:
        self.client.send(get(f"{API}sessions/s1/events?until={until}", *fields))
        head, _, body = self.client.take().partition(b"\r\n\r\n")
        return head, body

    def event(self) -> Any:
        """The event in the one chunk that comes with the next turn."""
        self.clock.advance(0)
        size, _, chunk = self.client.take().partition(b"\r\n")
        event, _, rest = chunk.partition(b"\n\n\r\n")
        self.assertEqual(len(event) + 2, int(size, 16))
        self.rest = rest
        return json.loads(event.removeprefix(b"data: "))

    def test_the_present_moment_comes_at_once(self) -> None:
        head, body = self.listen("Last-Event-ID: 7")
        self.assertIn(b"\r\nContent-Type: text/event-stream; charset=utf-8\r\n", head)
        self.assertIn(b"\r\nCache-Control: no-store\r\n", head)
        self.assertIn(b"\r\nX-Accel-Buffering: no\r\n", head)
        self.assertIn(b'retry: 2000\ndata: {"state": "queued", ', body)

    def test_to_the_end(self) -> None:
        self.listen(until="end")
        for state in ("starting", "ready", "failed"):
            self.spawning.become("s1", state)
            self.assertEqual(self.event()["state"], state)
        self.assertEqual(self.rest, b"0\r\n\r\n")

    def test_no_other_end(self) -> None:
        self.client.send(get(API + "sessions/s1/events?until=later"))
        text = self.client.take()
        self.assertIn(b" 422 ", text.partition(b"\r\n")[0])
        self.assertIn(b'"field": "until"', text)

    def test_each_change_until_it_is_ready(self) -> None:
        self.listen()
        for state in ("pulling", "creating", "starting"):
            self.spawning.become("s1", state)
            self.assertEqual(self.event()["state"], state)
        self.spawning.become("s1", "ready")
        event = self.event()
        self.assertEqual((event["state"], event["url"]), ("ready", "/giestack/session/s1/lab"))
        self.assertEqual(self.rest, b"0\r\n\r\n")
        self.assertEqual((self.spawning.listeners, self.streams.open), (0, 0))

    def test_a_failure(self) -> None:
        self.listen()
        self.spawning.become("s1", "failed")
        event = self.event()
        self.assertEqual(event["log"][0], "Traceback (most recent call last):")
        self.assertEqual(self.rest, b"0\r\n\r\n")

    def test_a_client_that_does_not_read_gets_the_newest(self) -> None:
        self.listen()
        self.client.producer.pauseProducing()
        for percent in range(100):
            moment = replace(self.spawning.sessions["s1"].moment, percent=float(percent))
            self.spawning.become("s1", moment)
            self.clock.advance(0)
        self.assertEqual(self.client.take(), b"")
        self.client.producer.resumeProducing()
        self.assertEqual(self.event()["percent"], 99.0)

    def test_who_logs_out_hears_no_more(self) -> None:
        self.listen()
        [cut] = self.house.held
        cut("logged out")
        self.clock.advance(0)
        self.assertEqual((self.spawning.listeners, self.streams.open), (0, 0))

    def test_giestack_stops(self) -> None:
        self.listen()
        self.house.front.drain()
        self.streams.end_all()
        self.assertEqual(self.client.take(), b"0\r\n\r\n")
        self.assertTrue(self.client.closing)
        self.assertEqual(self.spawning.listeners, 0)

    def test_a_quiet_stream_stays(self) -> None:
        self.listen()
        self.clock.advance(15)
        self.assertEqual(self.client.take(), b"3\r\n:\n\n\r\n")

    def test_only_so_many_of_one_user(self) -> None:
        said = [self.ask("sessions/s1/events") for _ in range(33)]
        self.assertEqual([one.status for one in said], [200] * 32 + [503])
        self.assertEqual(said[-1].json["error"], "too-many-streams")
        self.assertEqual(self.ask("sessions/s1/events", ADMIN).status, 200)
        self.assertEqual(self.ask("sessions/s1/logs?follow=1").status, 503)

    def test_only_the_head(self) -> None:
        said = self.ask("sessions/s1/events", method="HEAD")
        self.assertEqual((said.status, said.body, said.complete), (200, b"", True))
        self.assertEqual(self.spawning.listeners, 0)
