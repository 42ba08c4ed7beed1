"""The API over the spawner itself, and an engine in memory: from the request to the end."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.streams import Streams
from giestack.spawner.engine import Ended
from giestack.visitor import Identity
from tests.site.conversation import Galaxy, Said, ask, pages_of
from tests.spawner.fake_engine import SLOW
from tests.spawner.world import ADMIN, ALICE, BOB, World

STEPS = ["queued", "pulling", "creating", "starting", "probing", "ready"]


class SpawnedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.world.engine.plan = SLOW
        self.world.engine.stop_seconds = 1.0
        self.streams = Streams(self.world.clock)
        self.site = pages_of(
            Galaxy(), clock=self.world.clock, spawning=self.world.spawner, streams=self.streams
        )

    def ask(
        self, name: str, visitor: Identity = ALICE, method: str = "GET", body: bytes = b""
    ) -> Said:
        target = f"/giestack/api/v1/{name}".encode()
        return ask(self.site, target, visitor, method.encode(), [(b"X-Giestack", b"1")], body)

    def start(self) -> str:
        said = self.ask("sessions", method="POST", body=b'{"profile": "jupyter"}')
        self.assertEqual(said.status, 201)
        id: str = said.json["id"]
        return id

    def events(self, said: Said) -> list[Any]:
        """All that an event stream has told so far."""
        found = [line for line in said.text.splitlines() if line.startswith("data: ")]
        return [json.loads(line.removeprefix("data: ")) for line in found]

    def test_from_the_request_to_the_end(self) -> None:
        id = self.start()
        watched = self.ask(f"sessions/{id}/events")
        self.world.pass_time(10, 0.1)
        self.assertTrue(watched.complete)
        events = self.events(watched)
        self.assertEqual(events[-1]["state"], "ready")
        self.assertEqual(events[-1]["url"], f"/giestack/session/{id}/lab")
        steps = [event["step"] for event in events]
        self.assertEqual(steps, sorted(steps, key=STEPS.index))
        self.assertLessEqual({"pulling", "creating", "starting"}, set(steps))
        told = self.ask(f"sessions/{id}").json
        self.assertEqual((told["state"], told["owner"]["username"]), ("ready", "alice"))
        self.assertIsInstance(told["memory"], int)
        for name in ("created", "ready_since", "last_used", "idle_end"):
            self.assertRegex(told[name], r"\A2023-11-14T2\d:\d\d:\d\d\+00:00\Z")
        joined = self.ask("sessions", method="POST", body=b'{"profile": "jupyter"}')
        self.assertEqual((joined.status, joined.json["id"]), (200, id))
        for _ in range(2):
            said = self.ask(f"sessions/{id}", method="DELETE")
            self.assertEqual((said.status, said.json["state"]), (202, "stopping"))
        watched = self.ask(f"sessions/{id}/events")
        self.world.pass_time(30)
        self.assertEqual(self.ask(f"sessions/{id}").status, 404)
        self.assertEqual([e["state"] for e in self.events(watched)][-1], "stopped")
        self.assertTrue(watched.complete)
        self.assertEqual(self.world.engine.present, set())

    def test_a_crash_is_told_with_the_last_words(self) -> None:
        id = self.start()
        self.world.pass_time(30)
        followed = self.ask(f"sessions/{id}/logs?follow=1")
        self.world.engine.say(id, "MemoryError")
        self.world.engine.end(id, Ended(137, "killed by signal 9"))
        self.world.pass_time(5)
        self.assertTrue(followed.complete)
        self.assertTrue(followed.text.endswith("MemoryError\n"))
        [event] = self.events(self.ask(f"sessions/{id}/events"))
        self.assertEqual(event["state"], "failed")
        self.assertIn("killed by signal 9", event["reason"])
        self.assertEqual(event["log"][-1], "MemoryError")
        self.assertTrue(self.ask(f"sessions/{id}/logs").text.endswith("MemoryError\n"))
        said = self.ask(f"sessions/{id}/restart", method="POST")
        self.assertEqual(said.status, 202)
        watched = self.ask(f"sessions/{id}/events")
        self.world.pass_time(30)
        self.assertEqual(self.events(watched)[-1]["state"], "ready")

    def test_the_log_from_before_the_start_until_after_the_next(self) -> None:
        id = self.start()
        followed = self.ask(f"sessions/{id}/logs?follow=1")
        self.world.pass_time(30)
        self.world.engine.say(id, "the first")
        self.ask(f"sessions/{id}/restart", method="POST")
        self.world.pass_time(30)
        self.world.engine.say(id, "the second")
        self.world.pass_time(1)
        self.assertEqual(followed.text, "the first\nthe second\n")
        self.assertFalse(followed.complete)
        self.ask(f"sessions/{id}", method="DELETE")
        self.world.pass_time(30)
        self.assertTrue(followed.complete)

    def test_others(self) -> None:
        id = self.start()
        for method, name in (("GET", ""), ("DELETE", ""), ("GET", "/events"), ("GET", "/logs")):
            said = self.ask(f"sessions/{id}{name}", BOB, method)
            self.assertEqual((said.status, said.json["error"]), (403, "not-owner"))
        self.assertEqual(self.ask(f"sessions/{id}", ADMIN, "DELETE").status, 202)
        self.world.pass_time(30)
        self.assertEqual(self.ask("admin/sessions", ADMIN).json, [])

    def test_what_can_not_be_started(self) -> None:
        for body, status, field in (
            (b'{"profile": "secret"}', 404, None),
            (b'{"profile": "jupyter", "options": {"debug": "maybe"}}', 422, "debug"),
            (b'{"profile": "jupyter", "name": "%b"}' % (b"x" * 101), 422, "name"),
        ):
            said = self.ask("sessions", method="POST", body=body)
            self.assertEqual((said.status, said.json.get("field")), (status, field))
        self.assertEqual(self.ask("sessions").json, [])

    def test_nobody_listens_when_all_streams_have_ended(self) -> None:
        id = self.start()
        self.world.pass_time(30)
        followed = self.ask(f"sessions/{id}/logs?follow=1")
        self.ask(f"sessions/{id}/restart", method="POST")
        watched = self.ask(f"sessions/{id}/events")
        self.assertEqual(self.streams.open, 2)
        self.streams.end_all()
        self.world.pass_time(30)
        self.assertEqual((watched.complete, followed.complete), (True, False))
        self.assertNotIn("ready", [event["state"] for event in self.events(watched)])
