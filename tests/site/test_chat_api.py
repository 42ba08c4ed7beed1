"""The chat over HTTP."""

import json

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import wire
from giestack.chat.storage import Page, Rejected
from tests.site.chat_conversation import WRITE, ChatHouse
from tests.site.conversation import ADMIN, ALICE, GUEST, Said
from tests.site.fake_chat import message

PERSONAL = (
    ("GET", "/whoami"),
    ("POST", "/api/prefs"),
    ("GET", "/api/stream"),
    ("POST", "/api/requests"),
    ("GET", "/api/export"),
    ("GET", "/api/rooms/r1/events"),
    ("POST", "/api/rooms/r1/messages"),
)


class ApiCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = ChatHouse()
        self.chat = self.house.chat

    def get(self, target: str, visitor=ALICE, *headers: tuple[bytes, bytes]) -> Said:
        return self.house.ask(target, visitor, headers=headers)

    def post(self, target: str, body: object, visitor=ALICE) -> Said:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.house.ask(target, visitor, "POST", [WRITE], content)


class StrangerTests(ApiCase):
    def test_users_only(self) -> None:
        """D3: a session without a user is refused like none, everywhere."""
        self.chat.closing = wire.CLOSE_NOT_LOGGED_IN, "not logged in"
        for method, path in PERSONAL:
            for visitor in (None, GUEST):
                body = b"{}" if method == "POST" else b""
                said = self.house.ask(path, visitor, method, [WRITE], body)
                self.assertEqual((said.status, said.json["error"]), (401, "not-logged-in"), path)
                self.assertIsNotNone(said.header("www-authenticate"))
        self.assertEqual({call[0] for call in self.chat.calls}, {"arrive"})

    def test_where_to_log_in(self) -> None:
        said = self.get("/whoami", None).json
        self.assertEqual(said["login"], "https://usegalaxy.example.org/login/start")
        self.assertEqual(said["galaxy_url"], "https://usegalaxy.example.org/")
        self.assertEqual(said["static"], "static/0123456789abcdef")


class WhoamiTests(ApiCase):
    def test_who_one_is(self) -> None:
        self.assertEqual(
            self.get("/whoami").json,
            {
                "id": "f2db41e1fa331b3e",
                "name": "alice",
                "role": "user",
                "opt_in_needed": True,
                "prefs": {"do_not_disturb": False, "online": True, "opt_in": False},
                "impersonated": False,
                "banned_until": 0,
                "galaxy_url": "https://usegalaxy.example.org/",
                "static": "static/0123456789abcdef",
                "languages": ["de"],
            },
        )
        self.assertEqual(self.get("/whoami", ADMIN).json["role"], "admin")

    def test_no_address_leaves(self) -> None:
        """D7: neither an e-mail address nor a hash of it."""
        self.assertNotIn('example.org"', self.get("/whoami").text.replace(".org/", ""))
        self.assertNotIn("@", self.get("/whoami").text)


class PrefsTests(ApiCase):
    def test_choosing(self) -> None:
        said = self.post("/api/prefs", {"opt_in": True, "unknown": 1, "t": "msg", "id": {}})
        self.assertEqual(
            (said.status, said.json),
            (200, {"prefs": {"do_not_disturb": False, "online": False, "opt_in": True}}),
        )
        self.assertEqual(self.chat.calls, [("choose", "alice", wire.Prefs(id=0, opt_in=True))])

    def test_what_can_not_be_chosen(self) -> None:
        for body in (b"", b"[]", {"opt_in": "yes"}, {"online": 1}, b"x" * 70000):
            said = self.post("/api/prefs", body)
            self.assertEqual(said.status, 413 if len(body) > 60000 else 400)
        self.assertEqual(self.chat.calls, [])


class RequestTests(ApiCase):
    def test_one_frame_for_another(self) -> None:
        said = self.post("/api/requests?conn=c1", b'{"t":"rooms","id":7}')
        self.assertEqual((said.status, said.json), (200, {"t": "ok", "id": 0, "seq": 3, "ts": 5}))
        self.assertEqual(self.chat.calls, [("answer", "alice", b'{"t":"rooms","id":7}', "c1")])

    def test_a_refusal_is_a_frame_too(self) -> None:
        self.chat.said = wire.Err(id=7, code="rate", message="Slowly.", retry_ms=900)
        said = self.post("/api/requests", b"anything")
        self.assertEqual(said.status, 200)
        self.assertEqual(
            said.json,
            {"t": "err", "code": "rate", "message": "Slowly.", "id": 7, "retry_ms": 900},
        )
        self.assertIsNone(self.chat.calls[0][-1])

    def test_a_stream_that_is_not_there(self) -> None:
        self.chat.error = LookupError("c2")
        said = self.post("/api/requests?conn=c2", b"{}")
        self.assertEqual((said.status, said.json["error"]), (410, "no-such-connection"))

    def test_too_large(self) -> None:
        said = self.post("/api/requests", b" " * 65537)
        self.assertEqual((said.status, said.json["error"]), (413, "len"))
        self.assertEqual(self.chat.calls, [])


class EventTests(ApiCase):
    def test_a_page(self) -> None:
        said = self.get("/api/rooms/r1/events?after=4&limit=2")
        self.assertEqual(self.chat.calls, [("events", "alice", "r1", 4, None, 2)])
        self.assertEqual([event["seq"] for event in said.json["events"]], [1, 2])
        self.assertIs(said.json["more"], True)
        self.assertEqual(said.json["events"][0]["t"], "msg")

    def test_the_newest(self) -> None:
        self.chat.page = Page(())
        said = self.get("/api/rooms/r%201/events?before=9")
        self.assertEqual(said.json, {"events": [], "more": False})
        self.assertEqual(self.chat.calls, [("events", "alice", "r 1", None, 9, 50)])

    def test_what_is_no_number(self) -> None:
        for query in ("after=x", "before=-1", "limit=1e3"):
            said = self.get(f"/api/rooms/r1/events?{query}")
            self.assertEqual((said.status, said.json["error"]), (400, "bad"))
        self.assertEqual(self.chat.calls, [])

    def test_a_room_of_others(self) -> None:
        """D4: no room can be read by guessing its name."""
        self.chat.error = Rejected("perm", "This is none of your rooms.")
        said = self.get("/api/rooms/r2/events")
        self.assertEqual((said.status, said.json["error"]), (403, "perm"))

    def test_a_stream(self) -> None:
        accept = (b"Accept", b"text/event-stream")
        for headers, since in (((), 4), ([(b"Last-Event-ID", b"17")], 17)):
            said = self.stream("/api/rooms/r1/events?after=4", accept, *headers)
            self.assertEqual(said.status, 200)
            self.assertEqual(said.header("content-type"), "text/event-stream; charset=utf-8")
            self.assertEqual(self.chat.calls.pop(), ("listen", "alice", "r1", since))
            said.hang_up()
        self.stream("/api/rooms/r1/events", accept)
        self.assertEqual(self.chat.calls.pop(), ("listen", "alice", "r1", 0))
        said = self.stream("/api/rooms/r1/events", accept, (b"Last-Event-ID", b"x"))
        self.assertEqual((said.status, said.json["error"]), (400, "bad"))

    def stream(self, target: str, *headers: tuple[bytes, bytes]) -> Said:
        return self.house.ask(target, ALICE, headers=headers)


class SayTests(ApiCase):
    def test_a_message(self) -> None:
        given = {"cid": "c", "text": "hi", "room": "r2", "t": "del", "id": 7}
        said = self.post("/api/rooms/r1/messages", given)
        self.assertEqual((said.status, said.json), (201, {"seq": 3, "ts": 5}))
        ((name, visitor, data, conn),) = self.chat.calls
        self.assertEqual((name, visitor, conn), ("answer", "alice", None))
        self.assertEqual(wire.REQUESTS.read(data), wire.Msg(id=0, cid="c", room="r1", text="hi"))

    def test_refusals_are_statuses(self) -> None:
        self.chat.said = wire.Err(id=0, code="rate", message="Slowly.", retry_ms=2500)
        said = self.post("/api/rooms/r1/messages", {"cid": "c", "text": "hi"})
        self.assertEqual(said.status, 429)
        self.assertEqual(said.json, {"error": "rate", "message": "Slowly.", "retry_ms": 2500})
        self.assertEqual(said.header("retry-after"), "3")

    def test_what_is_no_message(self) -> None:
        said = self.post("/api/rooms/r1/messages", b"[]")
        self.assertEqual((said.status, said.json["error"]), (400, "bad"))


class StreamTests(ApiCase):
    def test_a_conversation(self) -> None:
        said = self.get("/api/stream")
        self.assertEqual(said.status, 200)
        self.assertEqual(said.header("content-type"), "text/event-stream; charset=utf-8")
        self.assertEqual(said.header("x-accel-buffering"), "no")
        self.assertEqual(self.chat.calls, [("arrive", "alice")])
        self.assertEqual(self.house.streams.open, 1)
        said.hang_up()
        self.assertEqual(self.chat.talk.told, ["gone"])
        self.assertEqual(self.house.streams.open, 0)

    def test_who_is_turned_away_at_once(self) -> None:
        for closing, status, error in (
            ((wire.CLOSE_NOT_LOGGED_IN, "x"), 401, "not-logged-in"),
            ((wire.CLOSE_FORBIDDEN, "banned"), 403, "perm"),
            ((wire.CLOSE_FLOOD, "too many connections"), 429, "rate"),
            ((wire.CLOSE_RESTART, "restart"), 503, "server"),
        ):
            self.chat.closing = closing
            said = self.get("/api/stream")
            self.assertEqual((said.status, said.json["error"]), (status, error))
            self.assertEqual(said.header("retry-after"), "2" if status > 403 else None)
        self.assertEqual(self.house.streams.open, 0)

    def test_only_the_head(self) -> None:
        said = self.house.ask("/api/stream", ALICE, "HEAD")
        self.assertEqual(said.status, 200)
        self.assertEqual((self.chat.calls, self.house.streams.open), ([], 0))

    def test_pages_of_others_open_none(self) -> None:
        """D5: no page of another site speaks with the visitor's cookie."""
        said = self.get("/api/stream", ALICE, (b"Origin", b"https://evil.example"))
        self.assertEqual(said.status, 403)
        self.assertEqual(self.chat.calls, [])


class ExportTests(ApiCase):
    def test_a_file(self) -> None:
        self.chat.exports = [Page((message(1),), next=8), Page((message(2),))]
        said = self.get("/api/export?room=r1")
        self.house.clock.advance(0)
        self.assertEqual(said.header("content-type"), "application/jsonl; charset=utf-8")
        self.assertEqual(
            said.header("content-disposition"), 'attachment; filename="chat-messages.jsonl"'
        )
        lines = [json.loads(line) for line in said.body.splitlines()]
        self.assertEqual([line["seq"] for line in lines], [1, 2])
        self.assertTrue(said.complete)
        self.assertEqual(
            self.chat.calls, [("exported", "alice", "r1", None), ("exported", "alice", "r1", 8)]
        )

    def test_as_text(self) -> None:
        self.chat.exports = [Page((message(1, "one\ntwo"), message(2, "three")))]
        said = self.get("/api/export?format=text")
        self.assertEqual(said.header("content-type"), "text/plain; charset=utf-8")
        self.assertEqual(
            said.text,
            "2026-03-04 12:00:00 UTC [r1] one\n    two\n2026-03-04 12:00:00 UTC [r1] three\n",
        )
        self.assertIn("chat-messages.txt", said.header("content-disposition") or "")

    def test_nothing_to_export(self) -> None:
        self.chat.exports = [Page(())]
        said = self.get("/api/export")
        self.assertEqual((said.status, said.body, said.complete), (200, b"", True))

    def test_refusals(self) -> None:
        said = self.get("/api/export?format=xml")
        self.assertEqual((said.status, said.json["error"]), (400, "bad"))
        self.chat.exports = [Rejected("perm", "No.")]
        self.assertEqual(self.get("/api/export").status, 403)

    def test_who_goes_before_it_begins(self) -> None:
        waiting: Deferred[Page] = Deferred()
        self.chat.exports = [waiting]
        self.get("/api/export").hang_up()
        self.assertTrue(waiting.called)
        self.assertEqual(self.house.streams.open, 0)
