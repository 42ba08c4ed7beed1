"""WebSocket tunnels: opened by the backend's 101, then bytes both ways."""

from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.decision import Forward, Refuse
from giestack.proxy.front import Limits
from tests.proxy.memory import House, Uses, Wire, answer, get, to

UPGRADE = (
    "Upgrade: WebSocket",
    "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org",
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n\r\n"
)


class TunnelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = House()
        self.client = self.house.connect()

    def open(self, early: bytes = b"", answered_early: bytes = b"") -> Wire:
        self.client.send(get("/ws", *UPGRADE) + early)
        backend = self.house.backends[-1]
        self.asked = backend.take()
        backend.send(SWITCHED + answered_early)
        self.told = self.client.take()
        return backend

    def test_the_handshake_passes_through(self) -> None:
        self.open()
        self.assertIn(b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", self.asked)
        for line in UPGRADE[2:]:
            self.assertIn(line.encode() + b"\r\n", self.asked)
        self.assertTrue(self.told.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        self.assertIn(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", self.told)
        self.assertIn(b"Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n", self.told)

    def test_bytes_go_both_ways_untouched(self) -> None:
        backend = self.open()
        self.client.send(b"\x81\x85GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(backend.take(), b"\x81\x85GET / HTTP/1.1\r\n\r\n")
        backend.send(b"\x81\x02ok")
        self.assertEqual(self.client.take(), b"\x81\x02ok")

    def test_bytes_that_come_too_early_are_kept(self) -> None:
        self.client.send(get("/ws", *UPGRADE) + b"one")
        self.assertTrue(self.client.paused)
        self.client.send(b"two")
        backend = self.house.backends[0]
        backend.take()
        backend.send(SWITCHED + b"three")
        self.assertEqual(backend.take(), b"onetwo")
        self.assertTrue(self.client.take().endswith(b"\r\n\r\nthree"))
        self.assertFalse(self.client.paused)

    def test_a_refusal_of_the_backend_passes_through(self) -> None:
        self.client.send(get("/ws", *UPGRADE) + b"frames")
        backend = self.house.backends[0]
        backend.take()
        backend.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        told = self.client.take()
        self.assertTrue(told.startswith(b"HTTP/1.1 403 Forbidden\r\n"))
        self.assertTrue(told.endswith(b"no"))
        self.assertIn(b"Connection: close\r\n", told)
        self.assertEqual(backend.take(), b"")

    def test_a_refusal_of_ours_opens_no_backend(self) -> None:
        self.house.decision = Refuse(403, "foreign-origin", "")
        self.client.send(get("/ws", *UPGRADE))
        self.assertIn(b"403", self.client.take())
        self.assertEqual(len(self.house.backends), 0)

    def test_either_end_may_half_close(self) -> None:
        backend = self.open()
        self.client.fin()
        self.assertTrue(backend.write_closed)
        backend.send(b"last words")
        self.assertEqual(self.client.take(), b"last words")
        backend.fin()
        self.assertTrue(self.client.write_closed)
        self.assertTrue(self.client.closing and backend.closing)
        self.assertEqual(self.house.held, [])

    def test_a_backend_that_does_not_read_its_end_is_cut(self) -> None:
        backend = self.open()
        self.client.fin()
        backend.fin()
        self.house.pass_time(6)
        self.assertTrue(backend.aborted)

    def test_the_end_of_one_side_is_the_end_of_the_other(self) -> None:
        backend = self.open()
        backend.lose()
        self.assertTrue(self.client.closing)
        self.client = self.house.connect()
        backend = self.open()
        self.client.lose()
        self.assertTrue(backend.aborted)
        self.assertEqual(self.house.held, [])

    def test_a_reset_is_passed_on_as_one(self) -> None:
        self.open().lose(ConnectionLost())
        self.assertTrue(self.client.aborted)

    def test_back_pressure_both_ways(self) -> None:
        backend = self.open()
        self.client.producer.pauseProducing()
        self.assertTrue(backend.paused)
        self.client.producer.resumeProducing()
        self.assertFalse(backend.paused)
        backend.producer.pauseProducing()
        self.assertTrue(self.client.paused)
        backend.producer.resumeProducing()
        self.assertFalse(self.client.paused)

    def test_an_ended_session_cuts_it(self) -> None:
        backend = self.open()
        [cut] = self.house.held
        cut("logged out")
        self.assertTrue(self.client.aborted)
        self.assertTrue(backend.aborted)

    def test_silence_does_not_end_it(self) -> None:
        self.house.front.limits = Limits(idle_timeout=5, response_timeout=5, head_timeout=5)
        backend = self.open()
        self.house.pass_time(60)
        self.assertTrue(self.client.open and backend.open)

    def test_draining_ends_it(self) -> None:
        self.open()
        self.house.front.drain()
        self.assertTrue(self.client.aborted)

    def test_its_bytes_are_counted(self) -> None:
        backend = self.open(answered_early=b"abc")
        backend.send(b"defg")
        self.client.send(b"12345")
        self.client.lose()
        [exchange] = self.house.record.exchanges
        self.assertEqual((exchange.status, exchange.sent, exchange.received), (101, 7, 5))

    def test_open_ones_are_counted(self) -> None:
        front = self.house.front
        first = self.open()
        first_client = self.client
        self.client = self.house.connect()
        self.open()
        self.assertEqual(front.tunnels, 2)
        first.lose()
        self.assertEqual(front.tunnels, 1)
        first_client.lose()
        self.client.lose()
        self.assertEqual(front.tunnels, 0)
        self.assertEqual(front.connections, 0)


class UseTests(SynchronousTestCase):
    """Only what somebody says through it is use, not that it is kept open."""

    def setUp(self) -> None:
        self.uses = Uses()
        self.house = House()
        self.house.decision = Forward(to(use=self.uses), b"/ws")
        self.client = self.house.connect()
        self.client.send(get("/ws", *UPGRADE))
        self.backend = self.house.backends[0]

    def test_data_is_use_both_ways(self) -> None:
        self.backend.send(SWITCHED)
        self.assertEqual(self.uses.taken(), 1)
        self.client.send(b"\x81\x82mask")
        self.assertEqual(self.uses.taken(), 1)
        self.client.send(b"ok")
        self.assertEqual(self.uses.taken(), 1)
        self.backend.send(b"\x02\x01x\x80\x01y")
        self.assertEqual(self.uses.taken(), 1)

    def test_ping_pong_and_close_are_none(self) -> None:
        self.backend.send(SWITCHED)
        self.uses.taken()
        self.backend.send(b"\x89\x02hi")
        self.client.send(b"\x8a\x82maskhi")
        self.client.send(b"\x89\x80mask")
        self.backend.send(b"\x8a\x00\x88\x00")
        self.client.lose()
        self.assertEqual(self.uses.taken(), 0)

    def test_data_that_comes_with_the_handshake(self) -> None:
        self.backend.send(SWITCHED + b"\x81\x05he")
        self.assertEqual(self.uses.taken(), 2)
        self.backend.send(b"llo\x89\x00")
        self.assertEqual(self.uses.taken(), 1)
        self.backend.send(b"\x89\x00")
        self.assertEqual(self.uses.taken(), 0)

    def test_a_tunnel_that_is_no_use(self) -> None:
        uses = Uses(counts=False)
        self.house.decision = Forward(to(use=uses), b"/ws")
        client = self.house.connect()
        client.send(get("/ws", *UPGRADE))
        backend = self.house.backends[-1]
        backend.send(SWITCHED)
        client.send(b"\x81\x82maskok")
        self.assertTrue(backend.take().endswith(b"\x81\x82maskok"))
        self.assertEqual((uses.asked, uses.taken()), ([(b"GET", b"/ws")], 0))


class NoTunnelTests(SynchronousTestCase):
    """What looks like an upgrade and is none."""

    def setUp(self) -> None:
        self.house = House()
        self.client = self.house.connect()

    def test_an_offer_of_http_2_is_ignored(self) -> None:
        self.client.send(
            get("/1", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AA")
            + get("/2")
        )
        backend = self.house.backends[0]
        asked = backend.take()
        self.assertNotIn(b"pgrade", asked)
        self.assertNotIn(b"HTTP2", asked)
        backend.send(answer(b"one"))
        self.assertIn(b"GET /2", backend.take())
        backend.send(answer(b"two"))
        self.assertTrue(self.client.take().endswith(b"two"))

    def test_an_upgrade_with_a_body_is_refused(self) -> None:
        for protocol in ("h2c", "websocket"):
            client = self.house.connect()
            client.send(
                get("/", f"Upgrade: {protocol}", "Connection: upgrade", "Content-Length: 40")
                + get("/smuggled")
            )
            told = client.take()
            self.assertTrue(told.startswith(b"HTTP/1.1 400 "))
            self.assertEqual(told.count(b"HTTP/1.1"), 1)
        self.assertEqual(len(self.house.backends), 0)

    def test_connection_upgrade_alone_is_an_ordinary_request(self) -> None:
        self.client.send(get("/", "Connection: upgrade"))
        self.house.backends[0].send(answer())
        self.assertTrue(self.client.take().startswith(b"HTTP/1.1 200"))
        self.assertTrue(self.client.open)

    def test_a_websocket_by_another_method_is_refused(self) -> None:
        self.client.send(get("/", *UPGRADE).replace(b"GET", b"POST"))
        self.assertTrue(self.client.take().startswith(b"HTTP/1.1 400 "))

    def test_connect_is_refused(self) -> None:
        self.client.send(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nxx")
        self.assertTrue(self.client.take().startswith(b"HTTP/1.1 501 "))

    def test_the_answer_before_comes_first(self) -> None:
        self.client.send(get("/1") + get("/ws", *UPGRADE))
        self.house.backends[0].send(answer(b"one"))
        self.assertTrue(self.client.take().endswith(b"one"))
        self.assertIn(b"GET /ws", self.house.backends[-1].take())
