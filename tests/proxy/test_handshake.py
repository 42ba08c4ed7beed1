"""The opening handshake of a WebSocket that giestack itself answers."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.decision import Request
from giestack.proxy.handshake import handshake
from giestack.proxy.head import Malformed, RequestFields
from tests.proxy.memory import GUARDED

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    (b"Host", b"galaxy.example.org:8080"),
    (b"Connection", b"keep-alive, Upgrade"),
    (b"Upgrade", b"WebSocket"),
    (b"Sec-WebSocket-Key", KEY),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Sec-WebSocket-Protocol", b"other, giechat.v1.json"),
)


def made(*fields: tuple[bytes, bytes], without: bytes = b"") -> Request:
    raw = [one for one in (*HANDSHAKE, *fields) if one[0] != without]
    request = Request(b"GET", b"/giestack/chat/ws?token=secret", "1.1", raw)
    request.fields = RequestFields(raw, "1.1", GUARDED)
    return request


class HandshakeTests(SynchronousTestCase):
    def refused(self, request: Request, subprotocol: bytes = b"giechat.v1.json") -> int:
        return self.assertRaises(Malformed, handshake, request, subprotocol).status

    def test_nothing_but_the_handshake_is_left(self) -> None:
        head = handshake(
            made(
                (b"Cookie", b"galaxysession=secret"),
                (b"Origin", b"https://galaxy.example.org"),
                (b"Sec-WebSocket-Extensions", b"permessage-deflate"),
                (b"X-Forwarded-For", b"192.0.2.1"),
            ),
            b"giechat.v1.json",
        )
        self.assertEqual(
            head.split(b"\r\n"),
            [
                b"GET / HTTP/1.1",
                b"Host: galaxy.example.org:8080",
                b"Connection: Upgrade",
                b"Upgrade: websocket",
                b"Sec-WebSocket-Version: 13",
                b"Sec-WebSocket-Key: " + KEY,
                b"Sec-WebSocket-Protocol: giechat.v1.json",
                b"",
                b"",
            ],
        )

    def test_subprotocols_may_stand_in_several_fields(self) -> None:
        request = made((b"sec-websocket-protocol", b"third"), (b"SEC-WEBSOCKET-PROTOCOL", b"4"))
        self.assertIn(b"Protocol: third\r\n", handshake(request, b"third"))

    def test_the_subprotocol_was_not_offered(self) -> None:
        self.assertEqual(self.refused(made(), b"giechat"), 400)
        self.assertEqual(self.refused(made(without=b"Sec-WebSocket-Protocol")), 400)

    def test_another_version(self) -> None:
        for version in ((), ((b"Sec-WebSocket-Version", b"8"),)):
            request = made(*version, without=b"Sec-WebSocket-Version")
            self.assertEqual(self.refused(request), 426)
        self.assertEqual(self.refused(made((b"Sec-WebSocket-Version", b"13"))), 426)

    def test_a_bad_key(self) -> None:
        for key in (b"", b"c2hvcnQ=", b"x" * 24, KEY[:-3] + b"-=="):
            request = made((b"Sec-WebSocket-Key", key), without=b"Sec-WebSocket-Key")
            self.assertEqual(self.refused(request), 400, key)
        self.assertEqual(self.refused(made(without=b"Sec-WebSocket-Key")), 400)
        self.assertEqual(self.refused(made((b"Sec-WebSocket-Key", KEY))), 400)

    def test_no_websocket(self) -> None:
        self.assertEqual(self.refused(made(without=b"Upgrade")), 426)
