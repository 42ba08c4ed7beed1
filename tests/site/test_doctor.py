"""What giestack tells its doctor, and nobody else."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from giestack import probe
from giestack.proxy.decision import Local, Refuse, Request
from giestack.proxy.local import OwnPages
from giestack.proxy.response_parser import ParsedHead
from giestack.proxy.seen import Seen
from giestack.site.doctor import PAUSE, DoctorPages, arrival
from giestack.site.endpoint import OwnSite
from giestack.site.links import Links
from giestack.site.refusals import RefusalPages
from tests.site.conversation import ALICE, Said, ask, front_request, seen_as

NOW = 1_700_000_000.0
KEY = probe.key_of("a secret of sixteen or more")
PASS = (probe.HEADER, probe.signed(KEY, NOW, "w" * 16).encode())
STALE = (probe.HEADER, probe.signed(KEY, NOW - 3600, "w" * 16).encode())
NOT_HERE = Refuse(404, "no-such-route", "There is nothing at this address.")


class Upgraded(Said):
    """A conversation in which the other end may switch protocols."""

    def __init__(self) -> None:
        super().__init__()
        self.head: ParsedHead | None = None
        self.early = b""

    def switched(self, head: ParsedHead, early: bytes) -> None:
        self.head, self.early = head, early


class DoctorCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        refusals = RefusalPages(Links(), self.clock)
        self.pages = DoctorPages(refusals, KEY, lambda: NOW, self.clock)
        root = Resource()
        root.putChild(b"doctor", self.pages.resource())
        self.site = OwnSite(root, self.clock)


class SeenTests(DoctorCase):
    def test_how_a_request_arrives(self) -> None:
        seen = Seen(b"192.0.2.7", b"https", b"g.example.org", b"192.0.2.7, 127.0.0.1", True)
        fields = [
            PASS,
            (b"Cookie", b"a=1; b=2"),
            (b"X-Forwarded-Proto", b"https"),
            (b"X-Real-IP", b"192.0.2.7"),
            (b"X-Forwarded-For", b"192.0.2.1, 192.0.2.7"),
        ]
        said = ask(self.site, b"/doctor/seen/a%2Fb?x=%2F", headers=fields, seen=seen)
        self.assertEqual(said.status, 200)
        self.assertEqual(
            said.json,
            {
                "giestack": "seen",
                "method": "GET",
                "target": "/doctor/seen/a%2Fb?x=%2F",
                "scheme": "https",
                "host": "g.example.org",
                "port": 443,
                "address": "192.0.2.7",
                "peer": "127.0.0.1",
                "by_front": True,
                "told": ["for", "proto", "real_ip"],
                "hops": 2,
                "cookies": 2,
                "upgrade": False,
            },
        )

    def test_also_with_a_body(self) -> None:
        said = ask(self.site, b"/doctor/seen", method=b"POST", headers=[PASS], body=b"x" * 200_000)
        self.assertEqual((said.status, said.json["method"]), (200, "POST"))

    def test_strangers_find_nothing(self) -> None:
        for fields in ([], [STALE], [PASS, PASS], [(probe.HEADER, b"x")]):
            for path in (b"seen", b"events", b"socket", b"", b"other", b"seen/more"):
                for visitor in (None, ALICE):
                    said = ask(self.site, b"/doctor/" + path, visitor, headers=fields)
                    self.assertEqual(said.status, 404, (fields, path))

    @given(st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=30)), max_size=5))
    def test_no_value_of_a_field_is_told(self, fields: list[tuple[bytes, bytes]]) -> None:
        marked = [(name, b"marked" + value) for name, value in fields]
        told = json.dumps(arrival(seen_as(), b"GET", b"/", marked))
        self.assertNotIn("marked", told)


class RefusalTests(DoctorCase):
    def refusal(self, *fields: tuple[bytes, bytes]) -> Any:
        request = front_request(b"/other?x=1")
        request.raw = [*request.raw, *fields]
        lines, body = self.pages.refusal(NOT_HERE, request)
        return lines, body

    def test_says_how_it_arrived_at_any_path(self) -> None:
        lines, body = self.refusal(PASS, (b"Upgrade", b"WebSocket"))
        self.assertIn(b"Content-Type: application/json\r\n", lines)
        told = json.loads(body)
        self.assertEqual((told["target"], told["upgrade"]), ("/other?x=1", True))

    def test_strangers_get_the_refusal(self) -> None:
        for fields in ((), (STALE,)):
            lines, body = self.refusal(*fields)
            self.assertIn(b"Content-Type: text/html", lines)
            self.assertIn(b"There is nothing at this address", body)


class EventsTests(DoctorCase):
    def test_one_and_later_another(self) -> None:
        said = ask(self.site, b"/doctor/events", headers=[PASS])
        self.assertEqual(said.header("content-type"), "text/event-stream")
        self.assertEqual(said.body, b"data: first\n\n")
        self.clock.advance(PAUSE)
        self.assertEqual(said.body, b"data: first\n\ndata: last\n\n")
        self.assertTrue(said.complete)

    def test_who_leaves_is_not_waited_for(self) -> None:
        said = ask(self.site, b"/doctor/events", headers=[PASS])
        said.hang_up()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class SocketTests(DoctorCase):
    def open(self, *fields: tuple[bytes, bytes], query: bytes = b"") -> Upgraded:
        request = Request(b"GET", b"/doctor/socket", "1.1", [])
        request.seen = seen_as()
        said = Upgraded()
        said.backend = OwnPages(self.site, said.clock)(Local(None), request)
        lines = b"".join([b"%b: %b\r\n" % field for field in fields])
        head = b"GET /doctor/socket%b HTTP/1.1\r\nHost: h\r\n%b\r\n" % (query, lines)
        said.backend.send_request(said, head, False)
        said.clock.advance(0)
        return said

    def test_a_message_after_the_handshake(self) -> None:
        # The example of RFC 6455, section 1.3.
        key = (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==")
        asks = ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
        said = self.open(PASS, key, *asks)
        assert said.head is not None
        self.assertIn((b"Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), said.head.fields)
        self.assertEqual(said.early[:2], b"\x81\x7e")
        length = int.from_bytes(said.early[2:4], "big")
        self.assertEqual(json.loads(said.early[4 : 4 + length])["upgrade"], True)
        self.assertEqual(said.early[4 + length :], b"\x88\x00")

    def test_a_very_long_address(self) -> None:
        key = (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==")
        asks = ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
        said = self.open(PASS, key, *asks, query=b"?" + b"a" * 70_000)
        self.assertEqual(said.early[:2], b"\x81\x7f")
        length = int.from_bytes(said.early[2:10], "big")
        self.assertEqual(len(json.loads(said.early[10 : 10 + length])["target"]), 70_015)

    def test_not_without_a_handshake(self) -> None:
        self.assertEqual(self.open(PASS).status, 404)
