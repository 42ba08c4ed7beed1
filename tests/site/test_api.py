"""The JSON API."""

from dataclasses import replace

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import DatabaseUnavailable
from giestack.site.links import Links
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
