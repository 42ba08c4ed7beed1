"""The API with which moderators keep order in the chat."""

import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.site.api import Api
from giestack.site.endpoint import OwnSite
from giestack.site.links import Links
from giestack.site.refusals import RefusalPages
from giestack.site.streams import Streams
from tests.site.chat_conversation import WRITE, ChatHouse
from tests.site.conversation import ADMIN, ALICE, GUEST, Galaxy, Said, ask
from tests.site.fake_chat import FakeChat
from tests.site.fake_spawning import BOB

MALLORY = "cccc41e1fa331b3e"
ADDRESSES = (
    ("GET", "audit"),
    ("GET", "reports"),
    ("POST", "reports/1/close"),
    ("GET", "sanctions"),
    ("POST", "sanctions"),
    ("DELETE", f"sanctions/mute/{MALLORY}"),
)


class ModerationCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = ChatHouse()
        self.chat = self.house.chat

    def ask(self, path: str, visitor=ADMIN, method: str = "GET", body: object = None) -> Said:
        target = f"/giestack/api/v1/admin/chat/{path}".encode()
        content = b"" if body is None else json.dumps(body).encode()
        return ask(self.house.pages, target, visitor, method.encode(), [WRITE], content)


class WhoTests(ModerationCase):
    def test_moderators_and_administrators(self) -> None:
        for method, path in ADDRESSES:
            body = {"act": "ban", "user": MALLORY} if path == "sanctions" else None
            for visitor in (ADMIN, BOB):
                self.assertLess(self.ask(path, visitor, method, body).status, 300, path)
            said = self.ask(path, ALICE, method, body)
            self.assertEqual((said.status, said.json["error"]), (403, "perm"), path)
            for stranger in (None, GUEST):
                said = self.ask(path, stranger, method, body)
                self.assertEqual((said.status, said.json["error"]), (401, "not-logged-in"), path)

    def test_no_page_but_ours_acts(self) -> None:
        for method, path in ADDRESSES:
            if method != "GET":
                target = f"/giestack/api/v1/admin/chat/{path}".encode()
                said = ask(self.house.pages, target, ADMIN, method.encode(), body=b"{}")
                self.assertEqual((said.status, said.json["error"]), (403, "foreign-origin"))
        self.assertEqual(self.chat.calls, [])

    def test_the_operator(self) -> None:
        """On the admin listener, behind its token."""
        clock, chat = Clock(), FakeChat()
        refusals = RefusalPages(Links(), clock)
        api = Api(refusals, Galaxy().tools(), frozenset(), streams=Streams(clock), chat=chat)
        root = OwnSite(_above(api), clock)
        said = ask(root, b"/v1/admin/chat/sanctions", None)
        self.assertEqual(said.json[0]["by"], "admin@example.org")
        body = json.dumps({"act": "mute", "user": MALLORY, "room": "r1", "until": 99}).encode()
        said = ask(root, b"/v1/admin/chat/sanctions", None, b"POST", body=body)
        self.assertEqual(said.status, 201)
        self.assertEqual(
            chat.calls,
            [("sanctions", "operator"), ("sanction", "operator", "mute", MALLORY, "r1", 99, "")],
        )


class ReadTests(ModerationCase):
    def test_reports(self) -> None:
        (told,) = self.ask("reports").json
        self.assertEqual(
            told,
            {
                "number": 1,
                "ts": 1_772_625_540_000,
                "room": "r1",
                "ref": 5,
                "by": {"id": "f2db41e1fa331b3e", "name": "alice"},
                "author": {"id": MALLORY, "name": "mallory"},
                "text": "buy <b>this</b>",
                "reason": "spam",
            },
        )

    def test_sanctions(self) -> None:
        ban, mute = self.ask("sanctions").json
        self.assertEqual(
            ban,
            {
                "act": "ban",
                "user": {"id": MALLORY, "name": "mallory"},
                "room": None,
                "until": None,
                "by": "admin@example.org",
                "reason": "spam",
            },
        )
        self.assertEqual((mute["room"], mute["until"]), ("r1", 1_772_629_200_000))

    def test_the_audit(self) -> None:
        (line,) = self.ask("audit?limit=10&before=20").json
        self.assertEqual(self.chat.calls, [("audited", "admin", 10, 20)])
        self.assertEqual(line["number"], 9)
        self.assertEqual(line["by"], "admin@example.org")
        self.assertEqual(line["detail"]["impersonated_by"], "b@example.org")
        self.ask("audit")
        self.assertEqual(self.chat.calls[-1], ("audited", "admin", 200, None))

    def test_addresses_are_for_administrators(self) -> None:
        (line,) = self.ask("audit", BOB).json
        self.assertEqual(line["by"], "(address hidden)")
        self.assertEqual(line["detail"]["impersonated_by"], "(address hidden)")
        self.assertEqual(line["detail"]["reason"], "wrote to x@example.org")
        self.assertEqual(line["target"], "mallory")
        ban, mute = self.ask("sanctions", BOB).json
        self.assertEqual((ban["by"], mute["by"]), ("(address hidden)", "bob"))

    def test_what_is_no_number(self) -> None:
        for query in ("limit=0", "limit=201", "limit=x", "before=-1"):
            said = self.ask(f"audit?{query}")
            self.assertEqual((said.status, said.json["error"]), (400, "bad"))


class ActTests(ModerationCase):
    def test_a_report_is_closed(self) -> None:
        said = self.ask("reports/12/close", method="POST")
        self.assertEqual((said.status, said.json), (200, {"closed": 12}))
        self.assertEqual(self.chat.calls, [("close_report", "admin", 12)])
        self.assertEqual(self.ask("reports/x/close", method="POST").status, 400)

    def test_a_sanction(self) -> None:
        body = {"act": "ban", "user": MALLORY, "reason": "spam"}
        said = self.ask("sanctions", BOB, "POST", body)
        self.assertEqual(
            (said.status, said.json),
            (201, {"act": "ban", "user": MALLORY, "room": None, "until": None}),
        )
        self.assertEqual(self.chat.calls, [("sanction", "bob", "ban", MALLORY, None, None, "spam")])

    def test_what_is_no_sanction(self) -> None:
        good = {"act": "mute", "user": MALLORY}
        wrongs: tuple[dict[str, object], ...] = (
            {"act": "kick"},
            {"act": None},
            {"user": 7},
            {"user": None},
            {"room": 7},
            {"until": "x"},
            {"until": True},
            {"until": 0},
            {"until": 2**60},
            {"reason": []},
        )
        for wrong in wrongs:
            said = self.ask("sanctions", ADMIN, "POST", {**good, **wrong})
            self.assertEqual((said.status, said.json["error"]), (400, "bad"), wrong)
        self.assertEqual(self.ask("sanctions", ADMIN, "POST", []).status, 400)
        self.assertEqual(self.chat.calls, [])

    def test_lifting(self) -> None:
        said = self.ask(f"sanctions/mute/{MALLORY}?room=r1", method="DELETE")
        self.assertEqual(said.json, {"lifted": "mute", "user": MALLORY, "room": "r1"})
        self.ask(f"sanctions/ban/{MALLORY}", method="DELETE")
        self.assertEqual(
            self.chat.calls,
            [("lift", "admin", "mute", MALLORY, "r1"), ("lift", "admin", "ban", MALLORY, None)],
        )
        self.assertEqual(self.ask(f"sanctions/kick/{MALLORY}", method="DELETE").status, 400)
        for path in ("sanctions/mute", "sanctions/mute/", "reports/1", "reports/", "else"):
            self.assertIn(self.ask(path).status, (404, 405), path)


def _above(api: Api):
    from twisted.web.resource import Resource

    root = Resource()
    root.putChild(b"v1", api.control())
    return root
