"""Chat's WebSockets behind the front door, both in memory."""

import gc

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.outlet import Outlet
from giestack.chat.websocket import ChatSocket
from giestack.chat.wire import SUBPROTOCOL
from giestack.proxy.decision import Decision, HandOver, Request
from giestack.proxy.exchange import Exchange
from giestack.proxy.front import Limits
from giestack.proxy.head import RequestFields
from tests.chat.web_sockets import ALICE, CLOSE, TEXT, Client, Frame, Host, frame, frames
from tests.proxy.memory import House, Wire, get

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Origin: https://galaxy.example.org",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: giechat.v1.json",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    "Cookie: galaxysession=0123",
)


def alive(*kinds: type) -> int:
    """How many things of some kinds there are."""
    gc.collect()
    return sum(isinstance(one, kinds) for one in gc.get_objects())


class EdgeCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.host = Host()
        self.house = House(Limits(connect_timeout=1, head_timeout=1, idle_timeout=1))
        self.front = self.house.front
        self.house.decision = HandOver(ALICE, SUBPROTOCOL.encode(), "chat")
        self.front.take_over = lambda decision, request: self.host.edge.socket(decision.visitor)
        self.front.when_draining.append(self.close_all)

    def close_all(self) -> None:
        for talk in self.host.talks:
            talk.outlet.close(1012, "restart")

    def open(self, early: bytes = b"") -> Wire:
        wire = self.house.connect()
        wire.send(get("/giestack/chat/ws", *UPGRADE) + early)
        head, _, wire.written = wire.take().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "), head)
        return wire

    def pass_time(self, seconds: int) -> None:
        self.host.pass_time(seconds)
        self.house.pass_time(seconds)


class EdgeTests(EdgeCase):
    def test_a_talk(self) -> None:
        wire = self.open(frame(b"early"))
        talk = self.host.talks[0]
        talk.answer = lambda data: talk.outlet.close(4429, "") if data == b"end" else None
        wire.send(frame(b"late"))
        self.assertEqual((self.host.visitors, talk.heard), ([ALICE], [b"early", b"late"]))
        wire.send(frame(b"end"))
        self.assertEqual([one.code for one in frames(wire.take())], [4429])

    def test_silence(self) -> None:
        wire = self.open()
        for _ in range(10):
            self.pass_time(25)
            wire.send(frame(b"", 10))
        self.assertTrue(wire.open)

    def test_one_who_reads_slowly(self) -> None:
        wire = self.open()
        wire.producer.pauseProducing()
        wire.producer.resumeProducing()
        self.assertEqual(self.host.talks[0].told, ["pause", "resume"])

    def test_a_session_that_ends(self) -> None:
        wire = self.open()
        self.host.held[0]("logged out")
        self.assertEqual([one.code for one in frames(wire.take())], [4401])

    def test_a_restart(self) -> None:
        wire, silent = self.open(), self.open()
        self.front.drain()
        self.assertEqual([one.code for one in frames(wire.take())], [1012])
        wire.send(frame(b"", CLOSE))
        self.assertTrue(wire.closing)
        wire.lose()
        self.assertEqual(self.front.connections, 1)
        self.pass_time(1)
        self.assertTrue(silent.aborted)
        self.assertEqual((self.front.connections, self.front.handed_over), (0, 0))

    def test_the_end_of_all(self) -> None:
        wire = self.open()
        self.front.stop()
        self.assertTrue(wire.aborted)
        self.assertEqual(self.host.talks[0].told, ["gone"])

    def test_a_client_that_has_said_all(self) -> None:
        wire = self.open()
        wire.fin()
        self.assertTrue(wire.closing)
        self.assertEqual(self.host.talks[0].told, ["gone"])
        self.pass_time(5)
        self.assertTrue(wire.aborted)

    def test_one_that_is_closed_before_it_was_begun(self) -> None:
        def not_welcome(outlet: Outlet) -> None:
            outlet.close(4403, "banned")

        self.host.welcome = not_welcome
        wire = self.open(frame(b"hello"))
        self.assertEqual([one.code for one in frames(wire.take())], [4403])
        self.assertEqual(self.host.held, [])

    def test_nothing_of_the_request_is_kept(self) -> None:
        before = alive(Request, RequestFields, Exchange)
        self.open()
        self.house.requests.clear()
        self.house.record.exchanges.clear()
        self.assertEqual(alive(Request, RequestFields, Exchange), before)

    def test_a_thousand_leave_nothing(self) -> None:
        before = alive(ChatSocket)
        for number in range(1000):
            wire = self.open()
            self.host.talks.pop()
            if number % 2:
                wire.send(frame(b"", CLOSE))
            wire.lose()
        self.house.record.exchanges.clear()
        self.house.requests.clear()
        del wire
        self.assertEqual(alive(ChatSocket), before)
        self.assertEqual((self.front.connections, self.front.handed_over), (0, 0))
        self.assertEqual((len(self.host.edge.pulse), self.host.held), (0, []))
        self.assertEqual(len(self.host.clock.getDelayedCalls()), 1)

    def test_one_that_is_decided_late(self) -> None:
        later: Deferred[Decision] = Deferred()
        decision, self.house.decision = self.house.decision, later
        wire = self.house.connect()
        wire.send(get("/giestack/chat/ws", *UPGRADE) + frame(b"early"))
        self.assertTrue(wire.paused)
        later.callback(decision)
        self.assertFalse(wire.paused)
        self.assertEqual(self.host.talks[0].heard, [b"early"])


class AloneTests(SynchronousTestCase):
    def test_the_end_of_the_edge(self) -> None:
        host = Host()
        host.edge.stop()
        self.assertEqual(host.clock.getDelayedCalls(), [])

    def test_no_limit(self) -> None:
        host = Host(size=0)
        client: Client = host.connect()
        client.shake_hands()
        client.text(b"x" * 1_000_000)
        self.assertEqual(len(host.talks[0].heard[0]), 1_000_000)

    def test_sockets_of_two_edges(self) -> None:
        small, large = Host(size=10), Host(size=100)
        for host, answer in ((large, []), (small, [1009])):
            client = host.connect()
            client.shake_hands()
            client.text(b"x" * 50)
            self.assertEqual([one.code for one in client.read() if one != Frame(TEXT, b"")], answer)
