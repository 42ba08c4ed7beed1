"""The front door: connections counted, deadlines kept, an orderly end."""

from datetime import datetime, timedelta
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.decision import Refuse
from giestack.proxy.front import Front, Limits
from giestack.proxy.head import GuardedNames
from tests.proxy.memory import House, Wire, answer, get
from tests.proxy.test_tunnel import SWITCHED, UPGRADE


class DateTests(SynchronousTestCase):
    """A proxy with a clock says when an answer without a date came (RFC 9110 section 6.6.1)."""

    def setUp(self) -> None:
        self.now = datetime(2026, 11, 21, 21, 17, 12)
        self.house = House(utcnow=lambda: self.now)
        self.client = self.house.connect()

    def told(self, fields: bytes = b"") -> bytes:
        """The head of the answer to a backend that sends these fields."""
        self.client.send(get())
        head = b"HTTP/1.1 200 OK\r\n%bContent-Length: 0\r\n\r\n" % fields
        self.house.backends[0].send(head)
        return self.client.take()

    def test_a_backend_without_a_clock(self) -> None:
        self.assertIn(b"\r\nDate: Sat, 21 Nov 2026 21:17:12 GMT\r\n", self.told())

    def test_a_backend_with_one(self) -> None:
        for name in (b"Date", b"date", b"DATE"):
            told = self.told(b"%b: Sat, 21 Nov 2026 20:00:00 GMT\r\n" % name)
            self.assertIn(b"\r\n%b: Sat, 21 Nov 2026 20:00:00 GMT\r\n" % name, told)
            self.assertEqual(told.lower().count(b"\ndate:"), 1)

    def test_time_goes_on(self) -> None:
        self.told()
        self.now += timedelta(seconds=3)
        self.house.clock.advance(1)
        self.assertIn(b"\r\nDate: Sat, 21 Nov 2026 21:17:15 GMT\r\n", self.told())

    def test_own_words(self) -> None:
        self.house.decision = Refuse(404, "no-such-route", "Nothing.")
        self.client.send(get())
        self.assertIn(b"\r\nDate: Sat, 21 Nov 2026 21:17:12 GMT\r\n", self.client.take())


class CountTests(SynchronousTestCase):
    def test_connections_are_counted_while_they_are_there(self) -> None:
        house = House()
        first, second = house.connect(), house.connect()
        self.assertEqual((house.front.connections, house.front.accepted), (2, 2))
        first.lose()
        second.lose()
        self.assertEqual((house.front.connections, house.front.accepted), (0, 2))

    def test_one_too_many(self) -> None:
        house = House(Limits(connections=2))
        wires = [house.connect() for _ in range(3)]
        self.assertEqual(house.front.refused, 1)
        told = wires[2].take()
        self.assertTrue(told.startswith(b"HTTP/1.1 503 Service Unavailable\r\n"))
        self.assertIn(b"Connection: close\r\n", told)
        self.assertTrue(wires[2].write_closed)
        wires[2].send(get())
        self.assertEqual((wires[2].take(), len(house.backends)), (b"", 0))
        house.pass_time(3)
        self.assertTrue(wires[2].aborted)
        wires[0].lose()
        again = house.connect()
        again.send(get())
        self.assertEqual(len(house.backends), 1)

    def test_no_limit(self) -> None:
        house = House(Limits(connections=0))
        wires = [house.connect() for _ in range(50)]
        self.assertEqual([wire.take() for wire in wires], [b""] * 50)
        self.assertEqual(house.front.refused, 0)

    def test_reasons(self) -> None:
        self.assertEqual(Front.reason(404), b"Not Found")
        self.assertEqual(Front.reason(431), b"Request Header Fields Too Large")


class OtherRulesTests(SynchronousTestCase):
    """The front door is told other rules while connections are open."""

    def setUp(self) -> None:
        self.house = House()
        self.client = self.house.connect()
        self.ask()

    def ask(self) -> Wire:
        """Send a request that the backend then answers; returns the backend's end."""
        self.client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-User: root\r\n\r\n")
        wire: Wire = self.house.backends[-1]
        return wire

    def configure(self, **other: Any) -> None:
        front = self.house.front
        rules: dict[str, Any] = {
            "decide": front.decide,
            "local": front.local,
            "refusal_page": front.refusal_page,
            "guarded": front.guarded,
            "limits": front.limits,
            "trusted": front.trusted,
        }
        front.configure(**{**rules, **other})

    def answer(self) -> None:
        self.house.backends[-1].send(answer(b"ok"))

    def test_names_that_are_guarded_from_now_on(self) -> None:
        self.assertIn(b"X-User: root\r\n", self.house.backends[-1].take())
        self.answer()
        self.configure(guarded=GuardedNames(identity_headers=frozenset((b"x-user",))))
        self.assertNotIn(b"X-User", self.ask().take())

    def test_fronts_that_are_trusted_from_now_on(self) -> None:
        self.answer()
        told = b"GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 198.51.100.7\r\n\r\n"
        self.client.send(told)
        self.assertEqual(self.house.requests[-1].seen.address, b"203.0.113.9")
        self.answer()
        self.configure(trusted=frozenset((b"203.0.113.9",)), scheme=b"https")
        self.client.send(told)
        seen = self.house.requests[-1].seen
        self.assertEqual((seen.address, seen.scheme), (b"198.51.100.7", b"https"))

    def test_what_is_under_way_goes_on(self) -> None:
        self.configure(limits=Limits(idle_timeout=1))
        self.answer()
        self.assertTrue(self.client.take().endswith(b"ok"))
        self.house.pass_time(2)
        self.assertTrue(self.client.closing)

    def test_decisions(self) -> None:
        self.answer()
        self.client.take()
        self.configure(decide=lambda request: Refuse(403, "not-owner", "No."))
        self.client.send(get())
        self.assertTrue(self.client.take().startswith(b"HTTP/1.1 403 "))

    def test_a_tunnel_stays(self) -> None:
        self.answer()
        tunnel = self.house.connect()
        tunnel.send(get("/ws", *UPGRADE))
        self.house.backends[-1].send(SWITCHED)
        tunnel.take()
        self.configure(guarded=GuardedNames())
        tunnel.send(b"on and on")
        self.assertTrue(self.house.backends[-1].take().endswith(b"on and on"))


class DeadlineTests(SynchronousTestCase):
    """Slow clients (slowloris) get an answer where they have asked for something."""

    def setUp(self) -> None:
        self.house = House(Limits(head_timeout=10, idle_timeout=30, response_timeout=100))
        self.client = self.house.connect()

    def test_silence_is_not_answered(self) -> None:
        self.house.pass_time(9)
        self.assertTrue(self.client.open)
        self.house.pass_time(3)
        self.assertTrue(self.client.closing)
        self.assertEqual(self.client.take(), b"")

    def test_a_slow_head_is(self) -> None:
        for byte in get()[:12]:
            self.client.send(bytes([byte]))
            self.house.pass_time(0.5)
        told = self.client.take()
        self.assertTrue(told.startswith(b"HTTP/1.1 408 Request Timeout\r\n"))
        self.assertIn(b"Connection: close\r\n", told)
        self.assertTrue(self.client.write_closed)
        self.assertEqual(len(self.house.backends), 0)

    def test_a_head_has_its_time_from_its_first_byte(self) -> None:
        self.house.pass_time(8)
        self.client.send(get()[:5])
        self.house.pass_time(8)
        self.client.send(get()[5:])
        self.assertEqual(len(self.house.backends), 1)

    def test_between_requests(self) -> None:
        self.client.send(get())
        self.house.backends[0].send(answer())
        self.client.take()
        self.house.pass_time(29)
        self.assertTrue(self.client.open)
        self.client.send(get()[:5])
        self.house.pass_time(9)
        self.assertEqual(self.client.take(), b"")
        self.house.pass_time(3)
        self.assertTrue(self.client.take().startswith(b"HTTP/1.1 408 "))

    def test_idle_connections_end(self) -> None:
        self.client.send(get())
        self.house.backends[0].send(answer())
        self.client.take()
        self.house.pass_time(32)
        self.assertEqual((self.client.take(), self.client.closing), (b"", True))

    def test_a_client_that_never_goes(self) -> None:
        self.client.send(b"nonsense\r\n\r\n")
        self.client.take()
        for _ in range(8):
            if not self.client.gone:
                self.client.send(b"x" * 1000)
                self.house.pass_time(0.5)
        self.assertTrue(self.client.aborted)
        self.assertEqual(self.house.front.connections, 0)

    def test_one_that_goes_by_itself(self) -> None:
        self.client.send(b"nonsense\r\n\r\n")
        self.client.fin()
        self.assertTrue(self.client.closing)
        self.client.lose()
        self.assertEqual(self.house.front.connections, 0)

    def test_one_that_says_goodbye_without_a_word(self) -> None:
        self.client.fin()
        self.assertTrue(self.client.closing)
        self.assertEqual(self.client.take(), b"")


class EndTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = House()

    def busy(self) -> Wire:
        client = self.house.connect()
        client.send(get("/busy") + get("/next"))
        return client

    def test_draining(self) -> None:
        idle, busy = self.house.connect(), self.busy()
        self.house.front.drain()
        self.assertTrue(idle.closing)
        self.assertTrue(busy.open)
        self.house.backends[0].send(answer(b"busy"))
        told = busy.take()
        self.assertIn(b"Connection: close\r\n", told)
        self.assertTrue(told.endswith(b"busy"))
        self.assertTrue(busy.closing or busy.write_closed)
        self.assertEqual(len(self.house.requests), 1)

    def test_what_comes_while_draining(self) -> None:
        self.house.front.drain()
        self.house.decision = Refuse(404, "no-such-route", "")
        late = self.house.connect()
        late.send(get())
        self.assertIn(b"Connection: close\r\n", late.take())
        self.assertTrue(late.closing)

    def test_what_never_ends_by_itself_is_told_of_the_end(self) -> None:
        told: list[str] = []
        idle = self.house.connect()
        hooks = self.house.front.when_draining
        hooks += [lambda: 1 / 0, lambda: told.append("draining")]
        self.assertEqual(told, [])
        self.house.front.drain()
        self.assertEqual((told, idle.closing), (["draining"], True))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_draining_twice(self) -> None:
        client = self.house.connect()
        self.house.front.drain()
        self.house.front.drain()
        self.assertTrue(client.closing)

    def test_stopping_cuts_what_is_left(self) -> None:
        kept = self.house.connect()
        kept.send(get())
        self.house.backends[0].send(answer())
        busy, idle = self.busy(), self.house.connect()
        self.house.front.stop()
        self.assertTrue(kept.aborted and busy.aborted and idle.aborted)
        self.assertTrue(all(backend.aborted for backend in self.house.backends.wires))
        self.assertEqual(self.house.front.connections, 0)
        self.assertEqual(self.house.clock.getDelayedCalls(), [])
        self.house.front.stop()

    def test_idle_backends_are_swept(self) -> None:
        client = self.house.connect()
        client.send(get())
        self.house.backends[0].send(answer())
        self.house.pass_time(59)
        self.assertTrue(self.house.backends[0].open)
        self.house.pass_time(3)
        self.assertTrue(self.house.backends[0].aborted)
