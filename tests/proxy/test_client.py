"""A client's connection: who it is, what it is told, and that damaged bytes do it no harm."""

import random
import re
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import ISSLTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides

from bench.mutated import conversation
from bench.strict_reader import Found, passed, read
from giestack.proxy.client import QUEUE
from giestack.proxy.decision import Forward, Redirect, Refuse
from giestack.proxy.front import Limits
from tests.proxy.memory import House, StrictBackends, Wire, answer, get, read_answers, to


class PeerWire(Wire):
    """A transport to any sort of peer."""

    address: Any = IPv4Address("TCP", "203.0.113.9", 1)

    def getPeer(self) -> Any:
        return self.address


class SecureWire(PeerWire):
    """A TLS transport; TLS can't be half-closed, so nobody may try."""

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)
        alsoProvides(self, ISSLTransport)

    def loseWriteConnection(self) -> None:
        raise NotImplementedError


def connect(house: House, wire_class: type[PeerWire], address: Any = None) -> PeerWire:
    connection = house.front.buildProtocol(None)
    wire = wire_class(connection)
    if address is not None:
        wire.address = address
    connection.makeConnection(wire)
    return wire


class PeerTests(SynchronousTestCase):
    """Who is at the other end."""

    def told(self, house: House, wire: Wire, *fields: str) -> bytes:
        wire.send(get("/x", *fields))
        return house.backends[-1].take()

    def test_addresses(self) -> None:
        for address, peer in (
            (IPv4Address("TCP", "192.0.2.7", 1), b"192.0.2.7"),
            (IPv6Address("TCP", "2001:db8::7", 1), b"2001:db8::7"),
            (IPv6Address("TCP", "::ffff:192.0.2.7", 1), b"192.0.2.7"),
        ):
            house = House()
            told = self.told(house, connect(house, PeerWire, address))
            self.assertIn(b"\r\nX-Forwarded-For: %b\r\n" % peer, told)
            self.assertIn(b"\r\nX-Forwarded-Proto: http\r\n", told)

    def test_a_trusted_front(self) -> None:
        house = House(trusted=frozenset((b"192.0.2.7",)))
        claims = ("X-Forwarded-For: 198.51.100.1", "X-Forwarded-Proto: https")
        mapped = IPv6Address("TCP", "::ffff:192.0.2.7", 1)
        told = self.told(house, connect(house, PeerWire, mapped), *claims)
        self.assertIn(b"\r\nX-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n", told)
        self.assertIn(b"\r\nX-Forwarded-Proto: https\r\n", told)
        told = self.told(house, connect(house, PeerWire), *claims)
        self.assertIn(b"\r\nX-Forwarded-For: 203.0.113.9\r\n", told)

    def test_a_unix_socket(self) -> None:
        house = House()
        wire = connect(house, PeerWire, UNIXAddress(b"/run/giestack.sock"))
        told = self.told(house, wire, "X-Forwarded-For: 198.51.100.1")
        self.assertIn(b"\r\nX-Forwarded-For: 198.51.100.1\r\n", told)

    def test_tls(self) -> None:
        house = House()
        told = self.told(house, connect(house, SecureWire))
        self.assertIn(b"\r\nX-Forwarded-Proto: https\r\n", told)
        self.assertIn(b"\r\nX-Forwarded-Port: 443\r\n", told)

    def test_an_end_under_tls(self) -> None:
        house = House()
        wire = connect(house, SecureWire)
        wire.send(b"nonsense\r\n\r\n")
        self.assertTrue(wire.take().startswith(b"HTTP/1.1 400 "))
        self.assertTrue(wire.closing)

    def test_who_does_not_answer_the_goodbye_of_tls_is_cut_off(self) -> None:
        for said in (b"", b"GET /x HTTP/1.1\r\nHo", get("/x", "Connection: keep-alive")):
            house = House(Limits(head_timeout=10, idle_timeout=10))
            house.decision = Redirect(b"/y")
            wire = connect(house, SecureWire)
            if said:
                wire.send(said)
            house.clock.pump([1.0] * 12)
            self.assertEqual((wire.closing, wire.aborted), (True, False))
            house.clock.pump([1.0] * 4)
            self.assertTrue(wire.aborted)
            self.assertEqual(house.front.connections, 0)

    def test_one_too_many_under_tls_does_not_stay_for_long(self) -> None:
        house = House(Limits(connections=1))
        connect(house, SecureWire)
        second = connect(house, SecureWire)
        self.assertTrue(second.take().startswith(b"HTTP/1.1 503 "))
        self.assertTrue(second.closing)
        house.clock.pump([1.0] * 4)
        self.assertTrue(second.aborted)
        self.assertEqual(house.front.connections, 1)

    def test_an_answer_under_tls_has_its_time_to_go_out(self) -> None:
        house = House(Limits(head_timeout=10, idle_timeout=20))
        house.decision = Redirect(b"/y")
        wire = connect(house, SecureWire)
        house.clock.pump([1.0] * 9)
        wire.send(get("/x", "Connection: close"))
        self.assertTrue(wire.closing)
        house.clock.pump([1.0] * 18)
        self.assertFalse(wire.aborted)
        house.clock.pump([1.0] * 4)
        self.assertTrue(wire.aborted)

    def test_a_tunnel_under_tls_has_one_end(self) -> None:
        house = House(Limits(idle_timeout=3))
        wire = connect(house, SecureWire)
        wire.send(get("/ws", "Upgrade: websocket", "Connection: upgrade"))
        backend = house.backends[0]
        backend.send(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        self.assertTrue(wire.take().startswith(b"HTTP/1.1 101 "))
        backend.fin()
        self.assertEqual((wire.closing, wire.aborted), (True, False))
        # Nor is it kept open by who does not answer the goodbye.
        house.clock.pump([1.0] * 5)
        self.assertTrue(wire.aborted)
        self.assertEqual(house.front.tunnels, 0)
        self.assertFalse(backend.open)


class QueueTests(SynchronousTestCase):
    """More requests than are answered yet."""

    def test_the_queue_is_read_on_as_it_gets_shorter(self) -> None:
        house = House()
        client = house.connect()
        client.send(get("/0") * (QUEUE + 1))
        self.assertTrue(client.paused)
        house.backends[0].send(answer())
        self.assertFalse(client.paused)

    def test_a_refused_one_ends_the_queue(self) -> None:
        house = House()
        client = house.connect()
        client.send(get("/1") + get("/2", "Host: twice") + get("/3"))
        house.backends[0].send(answer(b"one"))
        told = client.take()
        self.assertEqual([status for status, _ in read_answers(told)], [200, 400])
        self.assertEqual((len(house.requests), len(house.backends)), (1, 1))
        self.assertTrue(client.write_closed)

    def test_nothing_is_begun_while_the_client_does_not_read(self) -> None:
        house = House()
        house.decision = Redirect(b"/there")
        client = house.connect()
        client.producer.pauseProducing()
        client.send(get("/1") + get("/2"))
        self.assertEqual((client.take(), house.requests), (b"", []))
        client.producer.resumeProducing()
        self.assertEqual(client.take().count(b"302 Found"), 2)

    def test_what_waits_is_dropped_with_the_client(self) -> None:
        house = House()
        client = house.connect()
        client.send(get("/1") + get("/2"))
        client.lose()
        self.assertEqual(len(house.requests), 1)


class EqualHeadsTests(SynchronousTestCase):
    """What was made of a head serves the next one only where that is equal."""

    def asked(self, *requests: bytes) -> list[bytes]:
        house = House()
        backends = StrictBackends(house)
        client = house.connect()
        for request in requests:
            client.send(request)
            backends.answer()
        return backends.requests

    def test_equal_ones(self) -> None:
        first, second = self.asked(get("/1", "X: 1"), get("/2", "X: 1"))
        self.assertEqual(first.replace(b" /1 ", b" /2 "), second)

    def test_other_fields(self) -> None:
        for fields, others in (
            (("X: 1",), ("X: 2",)),
            (("X: 1",), ("x: 1",)),
            (("X: 1", "Y: 1"), ("X: 1",)),
            (("Cookie: a=1",), ("Cookie: a=2",)),
        ):
            first, second = self.asked(get("/1", *fields), get("/2", *others))
            self.assertNotEqual(first.partition(b"\r\n")[2], second.partition(b"\r\n")[2])

    def test_bodies_are_their_own(self) -> None:
        post = get("/p", "Content-Length: 3").replace(b"GET", b"POST")
        self.assertEqual(
            [request[-3:] for request in self.asked(post + b"abc", post + b"def")],
            [b"abc", b"def"],
        )

    def test_another_destination(self) -> None:
        house = House()
        backends = StrictBackends(house)
        client = house.connect()
        for prefix in (b"/a", b"/b"):
            house.decision = Forward(to(prefix=prefix), b"/x")
            client.send(get())
            backends.answer()
        prefixes = [re.findall(rb"Prefix: (.*)\r", request) for request in backends.requests]
        self.assertEqual(prefixes, [[b"/a"], [b"/b"]])


class OriginTests(SynchronousTestCase):
    """Who may read an answer across origins."""

    def told(self, origin: str, host: str = "galaxy.example.org") -> bytes:
        house = House()
        allowed = frozenset((b"https://trusted.example",))
        house.decision = Forward(to(allowed_origins=allowed), b"/x")
        client = house.connect()
        client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n".encode())
        house.backends[0].send(answer(b"ok", "Access-Control-Allow-Origin: *"))
        return client.take()

    def test_allowed(self) -> None:
        for origin, host in (
            ("https://trusted.example", "galaxy.example.org"),
            ("https://TRUSTED.example", "galaxy.example.org"),
            ("http://galaxy.example.org", "galaxy.example.org"),
            ("http://galaxy.example.org:8080", "galaxy.example.org:8080"),
        ):
            told = self.told(origin, host)
            line = f"\r\nAccess-Control-Allow-Origin: {origin}\r\n".encode()
            self.assertIn(line, told)
            self.assertEqual(told.count(b"Access-Control-Allow-Origin"), 1)
            self.assertIn(b"\r\nVary: Origin\r\n", told)

    def test_not_allowed(self) -> None:
        for origin in (
            "null",
            "",
            "https://evil.example",
            "https://galaxy.example.org",
            "http://galaxy.example.org:81",
            "http://trusted.example",
        ):
            self.assertNotIn(b"Access-Control", self.told(origin), origin)


class AnswerTests(SynchronousTestCase):
    """Answers of giestack's own."""

    def setUp(self) -> None:
        self.house = House()
        self.house.decision = Refuse(404, "no-such-route", "")
        self.client = self.house.connect()

    def test_http_1_0(self) -> None:
        self.client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        self.assertIn(b"\r\nConnection: keep-alive\r\n", self.client.take())
        self.assertTrue(self.client.open)
        self.client.send(b"GET / HTTP/1.0\r\n\r\n")
        self.assertIn(b"\r\nConnection: close\r\n", self.client.take())
        self.assertTrue(self.client.closing)

    def test_while_the_body_is_still_coming(self) -> None:
        self.client.send(get("/x", "Content-Length: 10").replace(b"GET", b"POST") + b"abc")
        self.assertIn(b"\r\nConnection: close\r\n", self.client.take())
        self.assertTrue(self.client.write_closed)

    def test_a_body_that_turns_out_bad_before_there_is_a_backend(self) -> None:
        house = House()
        house.backends.slow = True
        client = house.connect()
        client.send(get("/x", "Transfer-Encoding: chunked").replace(b"GET", b"POST"))
        client.send(b"zz\r\n")
        self.assertTrue(client.take().startswith(b"HTTP/1.1 400 "))
        house.backends.finish_connecting()
        self.assertEqual(len(house.backends), 0)

    def test_a_body_that_turns_out_bad_during_the_answer(self) -> None:
        house = House()
        client = house.connect()
        client.send(get("/x", "Transfer-Encoding: chunked").replace(b"GET", b"POST"))
        house.backends[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        client.send(b"zz\r\n")
        self.assertTrue(client.aborted and house.backends[0].aborted)


class DamagedTests(SynchronousTestCase):
    """Requests damaged by dice that always fall the same way; bench/fuzz.py does many more."""

    def test_backends_get_what_a_strict_reader_finds(self) -> None:
        pick = random.Random(4711)
        arrived = 0
        for _ in range(500):
            arrived += self.run_one(conversation(pick))
        self.assertGreater(arrived, 500)

    def run_one(self, parts: list[bytes]) -> int:
        data = b"".join(parts)
        house = House(Limits())
        backends = StrictBackends(house)
        client = house.connect()
        for part in parts:
            if not client.gone:
                client.send(part)
                backends.answer()
        arrived = [_found(request) for request in backends.requests]
        self.assertEqual(arrived, read(data)[: len(arrived)], data)
        house.pass_time(160)
        self.assertTrue(client.closing or client.aborted, data)
        return len(arrived)


def _found(request: bytes) -> Found:
    found = passed(request)
    assert found is not None and found[1] == b""
    return found[0].request
