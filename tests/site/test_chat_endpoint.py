"""Which pages may ask the chat something, and how it refuses."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import wire
from giestack.chat.storage import Rejected
from giestack.database import DatabaseUnavailable
from giestack.site.chat_endpoint import STATUSES, turned_away
from giestack.site.links import Links
from giestack.site.refusals import RefusalPages
from tests.site.chat_conversation import GALAXY, WRITE, ChatHouse
from tests.site.conversation import ALICE, HOST, Said, ask, seen_as

OWN = b"http://" + HOST


class OriginTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = ChatHouse()

    def read(self, *headers: tuple[bytes, bytes], visitor=ALICE) -> Said:
        return self.house.ask("/whoami", visitor, headers=headers)

    def test_the_host_itself_and_trusted_pages_may_read(self) -> None:
        for origin in (OWN, GALAXY, GALAXY.upper()):
            said = self.read((b"Origin", origin))
            self.assertEqual(said.status, 200)
            self.assertEqual(said.header("access-control-allow-origin"), origin.decode())
            self.assertEqual(said.header("access-control-allow-credentials"), "true")
            self.assertEqual(said.header("vary"), "Origin")

    def test_refusals_can_be_read_too(self) -> None:
        said = self.read((b"Origin", GALAXY), visitor=None)
        self.assertEqual(said.status, 401)
        self.assertEqual(said.header("access-control-allow-origin"), GALAXY.decode())

    def test_no_other_page_may(self) -> None:
        for origins in (
            [b"https://evil.example"],
            [b"null"],
            [b""],
            [b"http://127.0.0.1:9999"],
            [GALAXY + b".evil.example"],
            [GALAXY, b"https://evil.example"],
            [b"ftp://" + HOST],
        ):
            for visitor in (ALICE, None):
                headers = [(b"Origin", origin) for origin in origins]
                said = self.read(*headers, WRITE, visitor=visitor)
                self.assertEqual((said.status, said.json["error"]), (403, "foreign-origin"))
                self.assertIsNone(said.header("access-control-allow-origin"))
                self.assertIsNone(said.header("access-control-allow-credentials"))
                self.assertEqual(said.header("vary"), "Origin")
        self.assertEqual(self.house.chat.calls, [])

    def test_programs_have_no_origin(self) -> None:
        said = self.read()
        self.assertEqual(said.status, 200)
        self.assertIsNone(said.header("access-control-allow-origin"))
        self.assertEqual(said.header("vary"), "Origin")

    def test_a_picture_on_another_page(self) -> None:
        for path in ("/whoami", "/api/stream", "/api/rooms/r1/events"):
            for mode, site, status in (
                (b"no-cors", b"cross-site", 403),
                (b"no-cors", b"same-site", 403),
                (b"no-cors", b"same-origin", 200),
                # Somebody follows a link.
                (b"navigate", b"cross-site", 200),
            ):
                headers = (b"Sec-Fetch-Mode", mode), (b"Sec-Fetch-Site", site)
                said = self.house.ask(path, ALICE, headers=headers)
                self.assertEqual(said.status, status, (path, mode, site))

    def test_a_front_that_does_not_tell_the_port(self) -> None:
        seen = seen_as(b"127.0.0.1")
        said = ask(
            self.house.pages,
            b"/giestack/chat/whoami",
            ALICE,
            headers=[(b"Origin", OWN)],
            seen=seen,
        )
        self.assertEqual(said.header("access-control-allow-origin"), OWN.decode())

    def test_asking_before(self) -> None:
        said = self.house.ask("/api/prefs", None, "OPTIONS", [(b"Origin", GALAXY)])
        self.assertEqual((said.status, said.body), (204, b""))
        self.assertEqual(said.header("access-control-allow-origin"), GALAXY.decode())
        self.assertEqual(said.header("access-control-allow-credentials"), "true")
        self.assertEqual(said.header("access-control-allow-methods"), "POST")
        self.assertIn("X-Giestack", said.header("access-control-allow-headers") or "")
        self.assertIsNone(said.header("content-length"))
        self.assertTrue(said.complete)

    def test_asking_before_from_elsewhere(self) -> None:
        headers = [(b"Origin", b"https://evil.example")]
        said = self.house.ask("/api/prefs", None, "OPTIONS", headers)
        self.assertEqual(said.status, 403)
        self.assertIsNone(said.header("access-control-allow-origin"))
        self.assertEqual(self.house.ask("/api/prefs", None, "OPTIONS").status, 405)

    def test_forms_of_other_sites_change_nothing(self) -> None:
        for path in ("/api/prefs", "/api/requests", "/api/rooms/r1/messages"):
            said = self.house.ask(path, ALICE, "POST", body=b"{}")
            self.assertEqual((said.status, said.json["error"]), (403, "foreign-origin"))
            for header in (WRITE, (b"Origin", GALAXY), (b"Origin", OWN)):
                body = b'{"t":"rooms","id":1}'
                self.assertLess(self.house.ask(path, ALICE, "POST", [header], body).status, 300)


class RefusedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = ChatHouse()

    def refused(self, error: Exception) -> Said:
        self.house.chat.error = error
        return self.house.ask("/whoami")

    def test_codes(self) -> None:
        for code, status in STATUSES.items():
            said = self.refused(Rejected(code, "Because."))
            self.assertEqual(said.status, status)
            self.assertEqual((said.json["error"], said.json["message"]), (code, "Because."))
        self.assertEqual(set(STATUSES), set(wire.Code.__args__))  # type: ignore[attr-defined]

    def test_who_is_to_wait_is_told_how_long(self) -> None:
        said = self.refused(Rejected("rate", "Slowly.", 1200))
        self.assertEqual(said.json, {"error": "rate", "message": "Slowly.", "retry_ms": 1200})
        self.assertEqual(said.header("retry-after"), "2")

    def test_a_store_that_is_away(self) -> None:
        said = self.refused(DatabaseUnavailable("secret words"))
        self.assertEqual((said.status, said.json["error"]), (503, "server"))
        self.assertEqual((said.json["retry_ms"], said.header("retry-after")), (2000, "2"))
        self.assertNotIn("secret", said.text)

    def test_whatever_goes_wrong(self) -> None:
        said = self.refused(ZeroDivisionError("secret words"))
        self.assertEqual((said.status, said.json["error"]), (500, "internal-error"))
        self.assertNotIn("secret", said.text)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_it_is_json_for_everybody(self) -> None:
        self.house.chat.error = Rejected("perm", "No.")
        self.assertEqual(self.house.ask("/whoami", html=True).json["error"], "perm")

    def test_what_close_codes_are(self) -> None:
        refusals = RefusalPages(Links(), self.house.clock)
        for code, status in (
            (4401, 401),
            (4403, 403),
            (4429, 429),
            (1009, 413),
            (1012, 503),
            (1013, 503),
        ):
            self.assertEqual(turned_away(refusals, code, "so").status, status)
