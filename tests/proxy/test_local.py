"""Own pages, reached like any other backend: a twisted.web Site over a connection in memory."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from giestack.proxy.decision import Local
from giestack.proxy.local import OwnPages
from giestack.visitor import Identity
from tests.proxy.memory import House, Wire, get

ALICE = Identity("galaxy", 1, "f2", "alice", "alice@example.org", False, 7, "k")


class Page(Resource):
    """Answers as its path says; keeps what it was asked."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.ended: list[object] = []
        self.transport: Any = None
        self.client_host = ""

    def render(self, request: Request) -> Any:
        self.requests.append(request)
        self.transport = request.channel.transport
        self.client_host = request.getClientAddress().host
        if request.path == b"/slow":
            request.notifyFinish().addErrback(self.ended.append)
            return NOT_DONE_YET
        if request.path == b"/stream":
            request.write(b"one,")
            return NOT_DONE_YET
        if request.path == b"/close":
            request.setHeader(b"Connection", b"close")
        if request.path == b"/break":
            request.setHeader(b"Content-Length", b"10")
            request.write(b"half")
            self.transport.loseConnection()
            return NOT_DONE_YET
        assert request.content is not None
        request.setHeader(b"Set-Cookie", b"galaxysession=new; Path=/")
        return request.content.read() or b"hello"


class OwnPagesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.page = Page()
        self.clock = Clock()
        site = Site(self.page, reactor=self.clock, timeout=None, parsePOSTFormSubmission=False)
        self.house = House(local=OwnPages(site, self.clock))
        self.house.decision = Local(ALICE)
        self.client = self.house.connect("203.0.113.5")

    def test_a_page(self) -> None:
        self.client.send(get("/giestack/"))
        told = self.client.take()
        self.assertTrue(told.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(told.endswith(b"\r\n\r\nhello"))
        self.assertTrue(self.client.open)
        [exchange] = self.house.record.exchanges
        self.assertEqual((exchange.status, exchange.kind, exchange.visitor), (200, "own", ALICE))

    def test_who_asks_travels_beside_the_request(self) -> None:
        self.client.send(get("/giestack/"))
        self.assertEqual(self.page.transport.visitor, ALICE)
        self.assertEqual(self.page.transport.seen.address, b"203.0.113.5")
        self.assertEqual(self.page.client_host, "203.0.113.5")

    def test_own_pages_may_set_the_session_cookie(self) -> None:
        self.client.send(get("/giestack/demo"))
        self.assertIn(b"Set-Cookie: galaxysession=new; Path=/\r\n", self.client.take())

    def test_a_form(self) -> None:
        self.client.send(get("/x", "Content-Length: 5").replace(b"GET", b"POST") + b"a=")
        self.client.send(b"b&c")
        self.assertTrue(self.client.take().endswith(b"a=b&c"))

    def test_many_on_one_connection(self) -> None:
        self.client.send(get("/1") * 5)
        self.clock.advance(0)
        self.assertEqual(self.client.take().count(b"hello"), 5)

    def test_a_page_that_is_written_bit_by_bit(self) -> None:
        self.client.send(get("/stream"))
        request = self.page.requests[0]
        self.assertTrue(self.client.take().endswith(b"4\r\none,\r\n"))
        request.write(b"two")
        self.assertEqual(self.client.take(), b"3\r\ntwo\r\n")
        request.finish()
        self.assertEqual(self.client.take(), b"0\r\n\r\n")

    def test_a_slow_reader_slows_the_page_down(self) -> None:
        self.client.send(get("/stream"))
        request = self.page.requests[0]
        producer = Wire(None)
        request.registerProducer(producer, True)
        self.client.producer.pauseProducing()
        self.assertTrue(producer.paused)
        self.client.producer.resumeProducing()
        self.assertFalse(producer.paused)

    def test_a_visitor_who_leaves(self) -> None:
        self.client.send(get("/slow"))
        self.client.lose()
        self.clock.advance(0)
        self.assertEqual(len(self.page.ended), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_is_left_behind(self) -> None:
        for _ in range(3):
            self.client.send(get("/1"))
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_page_that_wants_the_connection_closed(self) -> None:
        """Its own connection is in memory and serves one request anyway."""
        self.client.send(get("/close"))
        self.assertTrue(self.client.take().endswith(b"hello"))
        self.clock.advance(0)
        self.assertTrue(self.client.open)

    def test_a_page_that_breaks_off(self) -> None:
        self.client.send(get("/break"))
        self.assertTrue(self.client.take().endswith(b"half"))
        # Nobody takes it for the whole.
        self.assertTrue(self.client.aborted)

    def test_head(self) -> None:
        self.client.send(get("/1").replace(b"GET", b"HEAD") + get("/2"))
        told = self.client.take()
        self.assertEqual(told.count(b"HTTP/1.1 200 OK"), 2)
        self.assertEqual(told.count(b"hello"), 1)

    def test_how_the_visitor_sees_us(self) -> None:
        self.house = House(
            local=self.house.front.local,
            trusted=frozenset((b"203.0.113.5",)),
        )
        self.house.decision = Local(None)
        self.client = self.house.connect("203.0.113.5")
        self.client.send(get("/1", "X-Forwarded-Host: galaxy.example.org:8443"))
        request = self.page.requests[0]
        host: Any = request.getHost()
        self.assertEqual((host.host, host.port), ("galaxy.example.org", 8443))
        self.assertIsNone(self.page.transport.visitor)
