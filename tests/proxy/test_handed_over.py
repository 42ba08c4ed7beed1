"""A connection that is handed over to another protocol: who has it, who knows of it, its end."""

import gc
import weakref
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from giestack.proxy.decision import Decision, HandOver, Request
from giestack.proxy.front import Limits
from tests.proxy.memory import House, Wire, answer, get

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: echo",
    "Cookie: galaxysession=secret",
)
DECISION = HandOver(None, b"echo", "chat")


@implementer(IPushProducer)
class Inner(Protocol):
    """The protocol that a connection is handed over to."""

    transport: Wire  # type: ignore[assignment]

    def __init__(self) -> None:
        self.received = b""
        self.lost = 0

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost += 1

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...


class HandedOverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = House(Limits(head_timeout=5, idle_timeout=5, response_timeout=5))
        self.house.decision = DECISION
        self.inners: list[Inner] = []
        self.make: Callable[[], Inner] = Inner
        self.house.front.take_over = self.take_over
        self.client = self.house.connect()

    def take_over(self, decision: HandOver, request: Request) -> Inner:
        self.assertEqual(decision, DECISION)
        self.inners.append(self.make())
        return self.inners[-1]

    def open(self, early: bytes = b"") -> Inner:
        self.client.send(get("/chat/ws", *UPGRADE) + early)
        return self.inners[-1]

    def test_it_begins_with_a_clean_head(self) -> None:
        inner = self.open()
        self.assertTrue(inner.received.startswith(b"GET / HTTP/1.1\r\n"))
        self.assertTrue(inner.received.endswith(b"\r\n\r\n"))
        self.assertNotIn(b"Cookie", inner.received)

    def test_it_has_the_transport_itself(self) -> None:
        inner = self.open()
        self.assertIs(inner.transport, self.client)
        self.assertIs(self.client.producer, inner)
        inner.transport.write(b"hello")
        self.assertEqual(self.client.take(), b"hello")

    def test_what_the_client_sends_is_passed_on(self) -> None:
        inner = self.open(b"early")
        self.client.send(b"late")
        self.assertTrue(inner.received.endswith(b"\r\n\r\nearlylate"))

    def test_what_comes_while_it_is_decided(self) -> None:
        later: Deferred[Decision] = Deferred()
        self.house.decision = later
        self.client.send(get("/chat/ws", *UPGRADE) + b"one")
        self.assertTrue(self.client.paused)
        self.client.send(b"two")
        later.callback(DECISION)
        self.assertTrue(self.inners[0].received.endswith(b"\r\n\r\nonetwo"))
        self.assertFalse(self.client.paused)

    def test_a_client_that_leaves_while_it_is_decided(self) -> None:
        later: Deferred[Decision] = Deferred()
        self.house.decision = later
        self.client.send(get("/chat/ws", *UPGRADE))
        self.client.lose()
        self.assertEqual((self.inners, self.house.front.handed_over), ([], 0))

    def test_the_answer_before_comes_first(self) -> None:
        self.house.decision = None
        self.client.send(get("/1"))
        self.house.decision = DECISION
        self.client.send(get("/chat/ws", *UPGRADE))
        self.assertEqual(self.inners, [])
        self.house.backends[0].send(answer(b"one"))
        self.assertTrue(self.client.take().endswith(b"one"))
        self.assertEqual(len(self.inners), 1)

    def test_its_record_ends_at_once(self) -> None:
        self.open()
        [exchange] = self.house.record.exchanges
        self.assertEqual((exchange.status, exchange.kind, exchange.route), (101, "chat", "chat"))
        self.client.lose()
        self.assertEqual(len(self.house.record.exchanges), 1)

    def test_nothing_of_the_request_is_kept(self) -> None:
        self.open()
        exchange = weakref.ref(self.house.record.exchanges.pop())
        request = self.house.requests.pop()
        gc.collect()
        self.assertIsNone(exchange())
        self.assertEqual([o for o in gc.get_referrers(request) if isinstance(o, dict)], [])

    def test_silence_does_not_end_it(self) -> None:
        self.open()
        self.house.pass_time(60)
        self.assertTrue(self.client.open)

    def test_open_ones_are_counted(self) -> None:
        self.open()
        front = self.house.front
        self.assertEqual((front.connections, front.handed_over, front.tunnels), (1, 1, 0))
        self.client.lose()
        self.assertEqual((front.connections, front.handed_over, front.tunnels), (0, 0, 0))

    def test_it_is_told_of_the_end_once(self) -> None:
        inner = self.open()
        self.client.lose()
        self.assertEqual(inner.lost, 1)

    def test_it_may_close_the_transport_itself(self) -> None:
        inner = self.open()
        self.client.unregisterProducer()
        self.client.abortConnection()
        self.assertEqual((inner.lost, self.house.front.connections), (1, 0))

    def test_a_client_that_sends_no_more_is_gone(self) -> None:
        inner = self.open()
        self.client.fin()
        self.assertEqual((inner.lost, self.house.front.handed_over), (1, 0))
        self.assertTrue(self.client.closing)
        self.client.send(b"ghost")
        self.assertNotIn(b"ghost", inner.received)
        self.house.pass_time(5)
        self.assertTrue(self.client.aborted)
        self.assertEqual((inner.lost, self.house.front.connections), (1, 0))

    def test_draining_leaves_it_to_whoever_has_it(self) -> None:
        self.open()
        self.house.front.drain()
        self.assertTrue(self.client.open)

    def test_nobody_new_while_draining(self) -> None:
        later: Deferred[Decision] = Deferred()
        self.house.decision = later
        self.client.send(get("/chat/ws", *UPGRADE))
        self.house.front.drain()
        later.callback(DECISION)
        self.assertTrue(self.client.take().startswith(b"HTTP/1.1 503 "))
        self.assertEqual(self.inners, [])

    def test_stopping_cuts_it(self) -> None:
        inner = self.open()
        self.house.front.stop()
        self.assertTrue(self.client.aborted)
        self.assertEqual(inner.lost, 1)

    def test_what_is_no_handshake_is_refused(self) -> None:
        for missing, status in ((2, 400), (3, 426), (4, 400)):
            client = self.house.connect()
            client.send(get("/chat/ws", *(UPGRADE[:missing] + UPGRADE[missing + 1 :])))
            told = client.take()
            self.assertTrue(told.startswith(b"HTTP/1.1 %d " % status), told)
        self.assertEqual(self.inners, [])
        self.assertEqual([e.status for e in self.house.record.exchanges], [400, 426, 400])

    def test_upgrade_required(self) -> None:
        self.client.send(get("/chat/ws"))
        told = self.client.take()
        self.assertTrue(told.startswith(b"HTTP/1.1 426 Upgrade Required\r\n"))
        self.assertIn(b"\r\nUpgrade: websocket\r\n", told)
        self.assertIn(b"\r\nSec-WebSocket-Version: 13\r\n", told)
        self.assertTrue(self.client.open)

    def test_nobody_is_there_to_take_it(self) -> None:
        house = House()
        house.decision = DECISION
        client: Wire = house.connect()
        client.send(get("/chat/ws", *UPGRADE))
        self.assertTrue(client.take().startswith(b"HTTP/1.1 500 "))
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_a_protocol_that_fails_at_once(self) -> None:
        class Failing(Inner):
            def dataReceived(self, data: bytes) -> None:
                raise ZeroDivisionError

        self.make = Failing
        inner = self.open()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.client.aborted)
        self.assertEqual((inner.lost, self.house.front.handed_over), (1, 0))
