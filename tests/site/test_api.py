"""The JSON API."""

import json
from dataclasses import replace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import fail
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import DatabaseUnavailable
from giestack.ops.admin import AdminSite
from giestack.ops.health import Readiness
from giestack.site.api import Api
from giestack.site.links import Links
from giestack.site.refusals import RefusalPages
from giestack.site.streams import Streams
from giestack.visitor import Operator
from tests.site.conversation import (
    ADMIN,
    ALICE,
    GUEST,
    OPENBIS,
    Entry,
    Galaxy,
    Said,
    ask,
    pages_of,
)
from tests.site.fake_spawning import BOB, FakeSpawning, session
from tests.site.fake_stopping import FakeGalaxyApi
from tests.site.test_admin_api import Proxy

API = b"/giestack/api/v1/"


class ApiTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.galaxy = Galaxy()
        self.site = pages_of(self.galaxy)

    def get(self, name: bytes, visitor=None, method: bytes = b"GET", headers=()) -> Said:
        return ask(self.site, API + name, visitor, method, headers)

    def test_whoami(self) -> None:
        said = self.get(b"whoami", ALICE)
        self.assertEqual(said.status, 200)
        self.assertEqual(
            said.json,
            {
                "id": "f2db41e1fa331b3e",
                "username": "alice",
                "email": "alice@example.org",
                "is_admin": False,
                "host": "galaxy",
                "impersonated": False,
            },
        )
        self.assertTrue(self.get(b"whoami", ADMIN).json["is_admin"])

    def test_whoami_of_a_user_without_a_public_name_from_openbis(self) -> None:
        said = self.get(b"whoami", OPENBIS)
        self.assertEqual((said.json["username"], said.json["host"]), (None, "openbis"))

    def test_whoami_tells_of_an_impersonation_and_not_by_whom(self) -> None:
        said = self.get(b"whoami", replace(ALICE, impersonated_by="admin@example.org"))
        self.assertIs(said.json["impersonated"], True)
        self.assertNotIn("admin", said.text.replace("is_admin", ""))

    def test_whoami_without_a_user(self) -> None:
        for visitor in (None, GUEST):
            said = self.get(b"whoami", visitor)
            self.assertEqual((said.status, said.json["error"]), (401, "not-logged-in"))
            self.assertIsNotNone(said.header("www-authenticate"))

    def test_entry_points(self) -> None:
        self.galaxy.entries = [Entry(), Entry(id=2, label=None, token="secret2")]
        self.galaxy.routed.add((b"key2", b"secret2"))
        said = self.get(b"entry_points", ALICE)
        self.assertEqual(said.status, 200)
        self.assertEqual(
            said.json,
            [
                {
                    "id": "key2",
                    "name": "Jupyter Interactive Tool",
                    "label": None,
                    "state": "running",
                    "url": "/interactivetool/ep/key2/secret2/ipython/lab",
                    "created": "2026-03-04T09:30:00+00:00",
                },
                {
                    "id": "key1",
                    "name": "Jupyter Interactive Tool",
                    "label": "jupytool",
                    "state": "starting",
                    "url": "/interactivetool/ep/key1/secret1/ipython/lab",
                    "created": "2026-03-04T09:30:00+00:00",
                },
            ],
        )

    def test_entry_points_of_an_anonymous_session(self) -> None:
        self.galaxy.entries = [Entry(created_time=None)]
        said = self.get(b"entry_points", GUEST)
        self.assertIsNone(said.json[0]["created"])
        self.assertEqual(self.galaxy.asked_for, [GUEST])

    def test_entry_points_without_a_session(self) -> None:
        said = self.get(b"entry_points")
        self.assertEqual((said.status, said.json["error"]), (401, "not-logged-in"))
        self.assertEqual(self.galaxy.asked_for, [])

    def test_entry_points_without_a_database(self) -> None:
        self.galaxy.answer = fail(DatabaseUnavailable("away"))
        said = self.get(b"entry_points", ALICE)
        self.assertEqual((said.status, said.json["error"]), (503, "identity-unavailable"))
        self.assertIsNotNone(said.header("retry-after"))

    def test_a_tool_is_stopped(self) -> None:
        galaxy = FakeGalaxyApi({"key1": ALICE})
        self.site = pages_of(self.galaxy, stopping=galaxy.stopping())
        ours = [(b"X-Giestack", b"1")]
        said = self.get(b"entry_points/key1", ALICE, b"DELETE", ours)
        self.assertEqual((said.status, said.json), (202, {"id": "key1", "state": "stopping"}))
        self.assertEqual(galaxy.stopped, [("key1", ALICE)])
        for visitor, headers, refusal in (
            (ALICE, [], (403, "foreign-origin")),
            (ALICE, [(b"Origin", b"https://elsewhere.example.org")], (403, "foreign-origin")),
            (ADMIN, ours, (403, "not-owner")),
            (None, ours, (401, "not-logged-in")),
        ):
            said = self.get(b"entry_points/key1", visitor, b"DELETE", headers)
            self.assertEqual((said.status, said.json["error"]), refusal)
        said = self.get(b"entry_points/key2", ALICE, b"DELETE", ours)
        self.assertEqual((said.status, said.json["error"]), (404, "no-such-route"))
        galaxy.outcome = "unavailable"
        said = self.get(b"entry_points/key1", ALICE, b"DELETE", ours)
        self.assertEqual((said.status, said.json["error"]), (503, "galaxy-unavailable"))
        self.assertEqual(said.header("retry-after"), "10")
        self.assertEqual(self.get(b"entry_points/key1", ALICE).status, 405)
        self.assertEqual(self.get(b"entry_points/key1/x", ALICE).status, 404)

    def test_unknown_addresses(self) -> None:
        for name in (b"", b"nothing", b"whoami/", b"entry_points/", b"../v2", b"sessions/1"):
            said = self.get(name, ALICE)
            self.assertEqual((said.status, said.json["error"]), (404, "no-such-route"), name)
        for target in (b"/giestack/api", b"/giestack/api/v2/whoami"):
            self.assertEqual(ask(self.site, target, ALICE).json["error"], "no-such-route")

    def test_methods_that_do_nothing(self) -> None:
        said = self.get(b"whoami", ALICE, b"POST", [(b"X-Giestack", b"1")])
        self.assertEqual((said.status, said.json["error"]), (405, "method-not-allowed"))
        self.assertEqual(said.header("allow"), "GET, HEAD")
        said = self.get(b"entry_points/key1", ALICE, b"DELETE", [(b"X-Giestack", b"1")])
        self.assertEqual((said.status, said.json["error"]), (405, "method-not-allowed"))

    def test_never_kept_and_never_framed_by_others(self) -> None:
        said = self.get(b"whoami", ALICE)
        self.assertEqual(said.header("cache-control"), "no-store")
        policy = said.header("content-security-policy") or ""
        self.assertIn("default-src 'none'", policy)
        self.assertIn("frame-ancestors 'self' http://127.0.0.1:8080", policy)

    def test_below_another_prefix(self) -> None:
        site = pages_of(self.galaxy, Links(prefix="/galaxy/own"))
        self.assertEqual(ask(site, b"/galaxy/own/api/v1/whoami", ALICE).status, 200)
        self.assertEqual(ask(site, API + b"whoami", ALICE).status, 404)
        self.assertEqual(ask(site, b"/galaxy", ALICE).status, 404)


class ControlTests(SynchronousTestCase):
    """The same on the admin listener, for whoever has the token."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.spawning = FakeSpawning(session("queued"), session("ready", BOB, "s2"))
        self.streams = Streams(self.clock)
        self.proxy = Proxy()
        galaxy = Galaxy()
        galaxy.entries = [Entry()]
        api = Api(
            RefusalPages(Links(), self.clock),
            galaxy.tools(),
            frozenset(),
            streams=self.streams,
            spawning=self.spawning,
            operations=self.proxy,
        )
        readiness = Readiness(self.clock, draining=lambda: False, maps={})
        self.site = AdminSite(
            self.clock,
            readiness=readiness,
            metrics=lambda: b"",
            token="t0ken",
            control=api.control(),
        )
        self.site.doStart()
        self.addCleanup(self.site.doStop)

    def send(
        self, name: str, method: str = "GET", body: bytes = b"", token: str = "t0ken"
    ) -> StringTransport:
        self.channel = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        transport = StringTransport()
        self.channel.makeConnection(transport)
        self.channel.dataReceived(
            f"{method} /api/v1/{name} HTTP/1.1\r\nHost: localhost:8801\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        return transport

    def ask(self, name: str, method: str = "GET", body: bytes = b"") -> tuple[int, Any]:
        """The status of an answer, and its JSON."""
        head, _, answer = self.send(name, method, body).value().partition(b"\r\n\r\n")
        self.assertIn(b"Content-Type: application/json", head)
        return int(head.split(b" ")[1]), json.loads(answer)

    def error(self, name: str, method: str = "GET", body: bytes = b"") -> tuple[int, str]:
        status, told = self.ask(name, method, body)
        self.assertEqual(set(told), {"error", "message"})
        return status, told["error"]

    def test_all_sessions(self) -> None:
        for name in ("sessions", "admin/sessions"):
            status, told = self.ask(name)
            self.assertEqual(status, 200)
            self.assertEqual({one["id"] for one in told}, {"s1", "s2"})
            self.assertIn("bob@example.org", [one["owner"]["email"] for one in told])

    def test_one_session(self) -> None:
        status, told = self.ask("sessions/s1")
        self.assertEqual((status, told["id"]), (200, "s1"))
        self.assertEqual(told["owner"]["email"], "alice@example.org")
        self.assertEqual(told["events"], "/api/v1/sessions/s1/events")
        self.assertEqual(self.error("sessions/s9"), (404, "no-such-route"))

    def test_stop_without_an_origin(self) -> None:
        status, told = self.ask("sessions/s1", "DELETE")
        self.assertEqual((status, told["state"]), (202, "stopping"))
        self.assertEqual(self.spawning.calls, [("stop", "s1", Operator())])

    def test_the_token_is_no_user(self) -> None:
        self.assertEqual(self.error("whoami"), (401, "not-logged-in"))
        self.assertEqual(self.error("entry_points"), (401, "not-logged-in"))
        body = b'{"profile": "jupyter"}'
        for method, name in (
            ("GET", "profiles"),
            ("POST", "sessions"),
            ("POST", "sessions/s1/restart"),
        ):
            self.assertEqual(self.error(name, method, body), (403, "needs-user"))
        self.assertEqual(self.spawning.calls, [])

    def test_the_proxy(self) -> None:
        self.assertEqual(self.ask("admin/routes")[1][0]["name"], "key1")
        self.assertEqual(self.ask("admin/connections")[1]["tunnels"], 2)
        self.assertEqual(self.ask("admin/drain", "POST"), (202, {"draining": True}))
        self.assertEqual(self.proxy.drained, 1)

    def test_nothing_else(self) -> None:
        for name in ("", "nothing", "sessions/", "admin", "admin/x", "whoami/x"):
            self.assertEqual(self.error(name), (404, "no-such-route"), name)
        self.assertEqual(self.error("sessions", "DELETE"), (405, "method-not-allowed"))

    def test_without_the_token(self) -> None:
        for method, name in (("DELETE", "sessions/s1"), ("POST", "admin/drain")):
            told = self.send(name, method, token="wrong").value()
            self.assertTrue(told.startswith(b"HTTP/1.1 401 "))
        self.assertEqual((self.spawning.calls, self.proxy.drained), ([], 0))

    def test_events(self) -> None:
        transport = self.send("sessions/s1/events")
        self.assertIn(b'data: {"state": "queued"', transport.value())
        transport.clear()
        self.spawning.become("s1", "pulling")
        self.clock.advance(0)
        self.assertIn(b'data: {"state": "pulling"', transport.value())
        transport.clear()
        producer = transport.producer
        assert producer is not None
        producer.pauseProducing()
        self.spawning.become("s1", "starting")
        self.clock.advance(0)
        self.assertEqual(transport.value(), b"")
        producer.resumeProducing()
        self.clock.advance(0)
        self.assertIn(b'data: {"state": "starting"', transport.value())
        # Longer than such a connection may be idle.
        self.clock.advance(61)
        self.assertFalse(transport.disconnecting)
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.streams.open, self.spawning.listeners), (0, 0))

    def test_logs(self) -> None:
        self.spawning.lines["s2"] = ["one", "two"]
        self.assertTrue(self.send("sessions/s2/logs?tail=1").value().endswith(b"\r\n\r\ntwo\n"))
        transport = self.send("sessions/s2/logs?tail=1&follow=1")
        self.assertTrue(transport.value().endswith(b"4\r\ntwo\n\r\n"))
        self.spawning.fall_silent("s2")
        self.clock.advance(0)
        self.assertTrue(transport.value().endswith(b"0\r\n\r\n"))
        transport = self.send("sessions/s2/logs?tail=1&follow=1")
        self.streams.end_all()
        self.assertFalse(transport.value().endswith(b"0\r\n\r\n"))
        self.assertTrue(transport.disconnecting)
