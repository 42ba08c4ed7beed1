"""One request on its way, from the client's bytes to the backend's and back."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.decision import Decision, Forward, Redirect, Refuse
from giestack.proxy.front import Limits
from tests.proxy.memory import House, Uses, answer, get, to


class PlainTests(SynchronousTestCase):
    """Requests and responses that are whole."""

    def setUp(self) -> None:
        self.house = House()
        self.client = self.house.connect()

    def test_there_and_back(self) -> None:
        self.client.send(get("/a%2Fb?c=%20d"))
        asked = self.house.backends[0].take()
        self.assertEqual(asked.split(b"\r\n")[0], b"GET /a%2Fb?c=%20d HTTP/1.1")
        self.assertIn(b"\r\nHost: galaxy.example.org\r\n", asked)
        self.assertIn(b"\r\nX-Forwarded-For: 203.0.113.9\r\n", asked)
        self.house.backends[0].send(answer(b"hello"))
        told = self.client.take()
        self.assertEqual(told, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        self.assertTrue(self.client.open)
        [exchange] = self.house.record.exchanges
        self.assertEqual((exchange.status, exchange.sent), (200, 5))

    def test_connections_are_used_again(self) -> None:
        for _ in range(3):
            self.client.send(get())
            self.house.backends[0].send(answer())
        self.assertEqual(len(self.house.backends), 1)
        self.assertEqual(self.house.pool.reused, 2)

    def test_answers_keep_the_order_of_pipelined_requests(self) -> None:
        self.client.send(get("/1") + get("/2") + get("/3"))
        backend = self.house.backends[0]
        for number in (b"1", b"2", b"3"):
            self.assertIn(b"GET /%b " % number, backend.take())
            backend.send(answer(number * 3))
        told = self.client.take()
        self.assertLess(told.index(b"111"), told.index(b"222"))
        self.assertLess(told.index(b"222"), told.index(b"333"))

    def test_a_long_queue_is_no_longer_read(self) -> None:
        self.client.send(b"".join(get(f"/{n}") for n in range(40)))
        self.assertTrue(self.client.paused)
        backend = self.house.backends[0]
        for _ in range(40):
            backend.send(answer())
        self.assertFalse(self.client.paused)
        self.assertEqual(self.client.take().count(b"200 OK"), 40)

    def test_head_has_no_body_whatever_its_length_says(self) -> None:
        self.client.send(get().replace(b"GET", b"HEAD"))
        self.house.backends[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
        self.assertIn(b"Content-Length: 99", self.client.take())
        self.client.send(get("/next"))
        backend = self.house.backends[0]
        self.assertIn(b"GET /next", backend.take())
        backend.send(answer(b"body"))
        self.assertTrue(self.client.take().endswith(b"body"))

    def test_redirects_to_localhost(self) -> None:
        here = b"Location: http://galaxy.example.org/p/lab\r\n"
        there = b"Location: http://localhost/lab\r\n"
        for switched_on, status, got in (
            (False, 302, there),
            (True, 302, here),
            (True, 303, here),
            (True, 308, here),
            (True, 201, there),
        ):
            way = Forward(to(prefix=b"/p", localhost_is_here=switched_on), b"/x")
            self.house.decision = way
            self.client.send(get())
            head = b"HTTP/1.1 %d X\r\n%bContent-Length: 0\r\n\r\n" % (status, there)
            self.house.backends[0].send(head)
            self.assertIn(got, self.client.take())

    def test_redirects_to_localhost_for_a_client_without_a_host(self) -> None:
        self.house.decision = Forward(to(localhost_is_here=True), b"/x")
        self.client.send(b"GET / HTTP/1.0\r\n\r\n")
        told = b"Location: http://localhost/\r\n"
        self.house.backends[0].send(b"HTTP/1.1 302 X\r\n%bContent-Length: 0\r\n\r\n" % told)
        self.assertIn(told, self.client.take())

    def test_204_and_304_have_no_body(self) -> None:
        for status, line in ((204, b""), (304, b"Content-Length: 7\r\n")):
            self.client.send(get())
            self.house.backends[0].send(b"HTTP/1.1 %d X\r\n%b\r\n" % (status, line))
            told = self.client.take()
            self.assertTrue(told.startswith(b"HTTP/1.1 %d X\r\n" % status))
            self.assertTrue(told.endswith(b"\r\n\r\n"))
            self.assertNotIn(b"Transfer-Encoding", told)
        self.assertEqual(len(self.house.backends), 1)

    def test_http_1_0_gets_no_chunks_and_a_close(self) -> None:
        self.client.send(b"GET / HTTP/1.0\r\nHost: galaxy.example.org\r\n\r\n")
        self.house.backends[0].send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        told = self.client.take()
        self.assertTrue(told.endswith(b"\r\n\r\nabc"))
        self.assertNotIn(b"chunked", told)
        self.assertTrue(self.client.closing)

    def test_http_1_0_keep_alive(self) -> None:
        self.client.send(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        self.house.backends[0].send(answer())
        self.assertIn(b"Connection: keep-alive\r\n", self.client.take())
        self.assertTrue(self.client.open)

    def test_close_is_honoured(self) -> None:
        self.client.send(get("/x", "Connection: close"))
        self.assertNotIn(b"onnection", self.house.backends[0].take())
        self.house.backends[0].send(answer())
        self.assertIn(b"Connection: close\r\n", self.client.take())
        self.assertTrue(self.client.closing)

    def test_interim_answers_reach_http_1_1_only(self) -> None:
        self.client.send(get("/x", "Expect: 100-continue", "Content-Length: 3"))
        backend = self.house.backends[0]
        self.assertIn(b"Expect: 100-continue\r\n", backend.take())
        backend.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(self.client.take(), b"HTTP/1.1 100 Continue\r\n\r\n")
        self.client.send(b"abc")
        self.assertEqual(backend.take(), b"abc")
        backend.send(b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n" + answer())
        told = self.client.take()
        self.assertTrue(told.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1"))
        old = self.house.connect()
        old.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        self.house.backends[0].send(b"HTTP/1.1 100 Continue\r\n\r\n" + answer())
        self.assertTrue(old.take().startswith(b"HTTP/1.1 200"))

    def test_redirects(self) -> None:
        self.house.decision = Redirect(b"/giestack/")
        self.client.send(get())
        self.assertIn(b"302 Found\r\nLocation: /giestack/\r\n", self.client.take())


class BodyTests(SynchronousTestCase):
    """Bodies of any kind, both ways."""

    def setUp(self) -> None:
        self.house = House()
        self.client = self.house.connect()

    def test_an_upload_is_passed_on_as_it_comes(self) -> None:
        self.client.send(get("/x", "Content-Length: 6").replace(b"GET", b"PUT") + b"ab")
        backend = self.house.backends[0]
        self.assertTrue(backend.take().endswith(b"Content-Length: 6\r\n\r\nab"))
        self.client.send(b"cd")
        self.assertEqual(backend.take(), b"cd")
        self.client.send(b"ef" + get("/next"))
        self.assertEqual(backend.take(), b"ef")
        backend.send(answer())
        self.assertIn(
            b"GET /next",
            self.house.backends[1].take() if len(self.house.backends) > 1 else backend.take(),
        )

    def test_chunks_are_written_anew_with_their_trailers(self) -> None:
        self.client.send(
            get("/x", "Transfer-Encoding: chunked").replace(b"GET", b"POST") + b"3;ext=1\r\nabc\r\n"
        )
        backend = self.house.backends[0]
        self.assertTrue(backend.take().endswith(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"))
        self.client.send(b"2\r\nde\r\n0\r\nX-Sum: 5\r\nRemote_User: eve\r\n\r\n")
        self.assertEqual(backend.take(), b"2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n")
        backend.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        self.assertTrue(self.client.take().endswith(b"chunked\r\n\r\n5\r\nhello\r\n"))
        backend.send(b"1\r\n!\r\n0\r\nX-End: 1\r\n\r\n")
        self.assertEqual(self.client.take(), b"1\r\n!\r\n0\r\nX-End: 1\r\n\r\n")
        self.assertTrue(self.client.open)

    def test_a_response_ended_by_close_becomes_chunked(self) -> None:
        self.client.send(get())
        backend = self.house.backends[0]
        backend.send(b"HTTP/1.1 200 OK\r\n\r\nab")
        self.assertTrue(self.client.take().endswith(b"chunked\r\n\r\n2\r\nab\r\n"))
        backend.send(b"cd")
        self.assertEqual(self.client.take(), b"2\r\ncd\r\n")
        backend.fin()
        self.assertEqual(self.client.take(), b"0\r\n\r\n")
        self.assertTrue(self.client.open)

    def test_a_long_body_is_counted_and_the_connection_used_again(self) -> None:
        self.client.send(get())
        backend = self.house.backends[0]
        backend.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab")
        backend.send(b"cdef")
        backend.send(b"ghij")
        self.assertTrue(self.client.take().endswith(b"abcdefghij"))
        self.client.send(get("/2"))
        self.assertEqual(len(self.house.backends), 1)
        backend.send(answer(b"two"))
        self.assertTrue(self.client.take().endswith(b"two"))

    def test_bytes_after_the_body_spoil_the_connection_only(self) -> None:
        for extra in (b"XX", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"):
            client = self.house.connect()
            client.send(get())
            backend = self.house.backends.wires[-1]
            backend.send(answer(b"ok") + extra)
            self.assertTrue(client.take().endswith(b"\r\n\r\nok"))
            self.assertTrue(backend.aborted)
            self.assertTrue(client.open)
        client = self.house.connect()
        client.send(get())
        backend = self.house.backends.wires[-1]
        backend.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        backend.send(b"cdXX")
        self.assertTrue(client.take().endswith(b"abcd"))
        self.assertTrue(backend.aborted)

    def test_an_answer_cut_short_is_never_complete(self) -> None:
        for head in (b"Content-Length: 10", b"Transfer-Encoding: chunked"):
            client = self.house.connect()
            client.send(get())
            backend = self.house.backends.wires[-1]
            backend.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n3\r\nabc\r\n")
            backend.lose()
            self.assertTrue(client.aborted)
            self.assertFalse(client.take().endswith(b"0\r\n\r\n"))

    def test_a_reset_does_not_end_a_body_that_ends_by_close(self) -> None:
        self.client.send(get())
        self.house.backends[0].send(b"HTTP/1.1 200 OK\r\n\r\nab")
        self.house.backends[0].lose(ConnectionLost())
        self.assertTrue(self.client.aborted)

    def test_a_bad_chunk_of_the_backend_aborts(self) -> None:
        self.client.send(get())
        self.house.backends[0].send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"
        )
        self.assertTrue(self.client.aborted)

    def test_an_early_answer_ends_the_upload(self) -> None:
        self.client.send(get("/x", "Content-Length: 600").replace(b"GET", b"PUT") + b"ab")
        backend = self.house.backends[0]
        backend.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        told = self.client.take()
        self.assertIn(b"413 Too Large", told)
        self.assertIn(b"Connection: close\r\n", told)
        self.assertTrue(backend.aborted)
        self.assertTrue(self.client.write_closed)
        self.client.send(b"still sending")
        self.house.pass_time(3)
        self.assertTrue(self.client.aborted)

    def test_back_pressure_towards_the_client(self) -> None:
        self.client.send(get())
        backend = self.house.backends[0]
        backend.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab")
        self.client.producer.pauseProducing()
        self.assertTrue(backend.paused)
        self.client.producer.resumeProducing()
        self.assertFalse(backend.paused)

    def test_back_pressure_towards_the_backend(self) -> None:
        self.client.send(get("/x", "Content-Length: 100").replace(b"GET", b"PUT") + b"ab")
        backend = self.house.backends[0]
        backend.producer.pauseProducing()
        self.assertTrue(self.client.paused)
        backend.producer.resumeProducing()
        self.assertFalse(self.client.paused)

    def test_nothing_more_is_read_while_there_is_no_backend_yet(self) -> None:
        self.house.backends.slow = True
        self.client.send(get("/x", "Content-Length: 4").replace(b"GET", b"PUT") + b"ab")
        self.assertTrue(self.client.paused)
        self.house.backends.finish_connecting()
        self.assertTrue(self.house.backends[0].take().endswith(b"ab"))
        self.assertFalse(self.client.paused)

    def test_a_connection_given_back_is_read_again(self) -> None:
        self.client.send(get())
        backend = self.house.backends[0]
        backend.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        self.client.producer.pauseProducing()
        backend.send(b"cd")
        self.assertFalse(backend.paused)

    def test_a_slow_reader_gets_no_second_answer(self) -> None:
        self.client.send(get("/1"))
        self.client.producer.pauseProducing()
        self.house.backends[0].send(answer(b"x" * 10))
        self.client.send(get("/2"))
        self.assertEqual(len(self.house.requests), 1)
        self.client.producer.resumeProducing()
        self.assertEqual(len(self.house.requests), 2)


class UseTests(SynchronousTestCase):
    """Somebody wants to know when a destination is used."""

    def setUp(self) -> None:
        self.uses = Uses()
        self.house = House()
        self.house.decision = lambda request: Forward(to(use=self.uses), b"/its" + request.target)
        self.client = self.house.connect()

    def test_a_request_and_its_answer(self) -> None:
        self.client.send(get("/x?y"))
        self.assertEqual(self.uses.asked, [(b"GET", b"/its/x?y")])
        self.assertEqual(self.uses.taken(), 1)
        self.house.backends[0].send(answer())
        self.assertEqual(self.uses.taken(), 1)

    def test_each_piece_of_an_upload(self) -> None:
        self.client.send(get("/x", "Content-Length: 6").replace(b"GET", b"PUT"))
        self.uses.taken()
        for piece in (b"ab", b"cd", b"ef"):
            self.client.send(piece)
            self.assertEqual(self.uses.taken(), 1)

    def test_each_piece_of_an_answer(self) -> None:
        self.client.send(get())
        backend = self.house.backends[0]
        backend.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.uses.taken()
        for _ in range(3):
            backend.send(b"1\r\nx\r\n")
            self.assertEqual(self.uses.taken(), 1)

    def test_what_never_reaches_it_is_no_use(self) -> None:
        self.house.backends.down = True
        self.client.send(get())
        self.assertIn(b"502", self.client.take())
        self.house.front.limits = Limits(body=3)
        self.client.send(get("/x", "Content-Length: 6").replace(b"GET", b"PUT") + b"abcdef")
        self.assertIn(b"413", self.client.take())
        self.assertEqual(self.uses.taken(), 0)

    def test_a_request_that_is_no_use(self) -> None:
        self.uses = Uses(counts=False)
        self.client.send(get("/x", "Content-Length: 2").replace(b"GET", b"PUT") + b"a")
        self.client.send(b"b")
        self.house.backends[0].send(answer())
        self.assertIn(b"200", self.client.take())
        self.assertEqual((len(self.uses.asked), self.uses.taken()), (1, 0))


class TroubleTests(SynchronousTestCase):
    """Backends and clients that go away."""

    def setUp(self) -> None:
        self.house = House()
        self.client = self.house.connect()

    def test_no_backend(self) -> None:
        self.house.backends.down = True
        self.client.send(get())
        told = self.client.take()
        self.assertIn(b"HTTP/1.1 502 ", told)
        self.assertTrue(told.endswith(b"backend-down"))
        self.assertTrue(self.client.open)

    def test_an_outage_is_said_once(self) -> None:
        events = EventLoggingObserver()
        globalLogPublisher.addObserver(events)
        self.addCleanup(globalLogPublisher.removeObserver, events)

        def said() -> int:
            texts = [formatEvent(event) or "" for event in events]
            return len([text for text in texts if text.startswith("no connection to ")])

        self.house.backends.down = True
        for _ in range(3):
            self.client.send(get())
        self.assertEqual((said(), self.client.take().count(b" 502 ")), (1, 3))
        self.house.backends.down = False
        self.client.send(get())
        self.house.backends[0].lose()
        self.house.backends.down = True
        self.client.send(get())
        self.assertEqual(said(), 2)
        self.assertEqual(self.house.record.exchanges[-1].code, "backend-down")

    def test_a_stale_connection_is_replaced_once(self) -> None:
        self.client.send(get("/1"))
        self.house.backends[0].send(answer())
        self.client.take()
        self.client.send(get("/2"))
        self.house.backends[0].lose()
        self.assertIn(b"GET /2", self.house.backends[1].take())
        self.house.backends[1].lose()
        self.assertIn(b"502", self.client.take())
        self.assertEqual(len(self.house.backends), 2)

    def test_what_may_not_be_repeated_gets_a_connection_of_its_own(self) -> None:
        self.client.send(get("/1"))
        self.house.backends[0].send(answer())
        self.client.send(get("/2", "Content-Length: 2").replace(b"GET", b"POST") + b"ab")
        self.assertIn(b"POST /2", self.house.backends[1].take())
        self.house.backends[1].lose()
        self.assertEqual(len(self.house.backends), 2)
        self.assertIn(b"502", self.client.take())

    def test_a_fresh_connection_is_not_tried_again(self) -> None:
        self.client.send(get())
        self.house.backends[0].lose()
        self.assertIn(b"502", self.client.take())
        self.assertEqual(len(self.house.backends), 1)

    def test_an_idle_connection_that_speaks_is_closed(self) -> None:
        self.client.send(get())
        backend = self.house.backends[0]
        backend.send(answer())
        backend.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        self.assertTrue(backend.aborted)
        self.client.take()
        self.client.send(get("/2"))
        self.house.backends[1].send(answer(b"good"))
        self.assertTrue(self.client.take().endswith(b"good"))

    def test_idle_connections_do_not_last(self) -> None:
        self.client.send(get())
        self.house.backends[0].send(answer())
        self.house.pass_time(61)
        self.assertTrue(self.house.backends[0].aborted)

    def test_garbage_from_a_backend(self) -> None:
        for garbage in (
            b"\x00\x01\x02",
            b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
            b"HTTP/1.0 200 OK\nContent-Length: 3\n\nabc",
            b"SSH-2.0-OpenSSH_9.2\r\n",
        ):
            client = self.house.connect()
            client.send(get())
            self.house.backends.wires[-1].send(garbage)
            self.house.backends.wires[-1].lose()
            told = client.take()
            self.assertTrue(told.startswith(b"HTTP/1.1 502 "), garbage)

    def test_a_client_that_leaves_takes_its_backend_along(self) -> None:
        self.client.send(get())
        self.client.lose()
        self.assertTrue(self.house.backends[0].aborted)
        [exchange] = self.house.record.exchanges
        self.assertEqual(exchange.status, 499)

    def test_a_client_that_half_closes_while_it_waits_has_left(self) -> None:
        self.client.send(get())
        self.client.fin()
        self.assertTrue(self.client.aborted)
        self.assertTrue(self.house.backends[0].aborted)

    def test_a_client_that_leaves_before_the_decision(self) -> None:
        cancelled: list[object] = []
        waiting: Deferred[Decision] = Deferred(cancelled.append)
        self.house.decision = lambda request: waiting
        self.client.send(get())
        self.client.lose()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(len(self.house.backends), 0)

    def test_a_client_that_leaves_while_the_backend_is_being_connected(self) -> None:
        self.house.backends.slow = True
        self.client.send(get())
        self.client.lose()
        self.house.backends.finish_connecting()
        self.assertEqual(len(self.house.backends), 0)

    def test_a_late_decision(self) -> None:
        waiting: Deferred[Decision] = Deferred()
        self.house.decision = lambda request: waiting
        self.client.send(get())
        self.assertEqual(len(self.house.backends), 0)
        waiting.callback(Forward(to(), b"/late"))
        self.assertIn(b"GET /late", self.house.backends[0].take())

    def test_a_decision_that_fails_is_an_internal_error(self) -> None:
        waiting: Deferred[Decision] = Deferred()
        self.house.decision = lambda request: waiting
        self.client.send(get())
        waiting.errback(ZeroDivisionError("secret"))
        told = self.client.take()
        self.assertIn(b"HTTP/1.1 500 ", told)
        self.assertNotIn(b"secret", told)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_decision_that_raises_is_an_internal_error(self) -> None:
        def broken(request: object) -> Decision:
            raise ZeroDivisionError

        self.house.decision = broken
        self.client.send(get())
        self.assertIn(b"HTTP/1.1 500 ", self.client.take())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_an_ended_session_cuts_a_long_answer(self) -> None:
        self.client.send(get())
        backend = self.house.backends[0]
        backend.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        backend.send(b"1\r\nb\r\n")
        [cut] = self.house.held
        cut("logged out")
        self.assertTrue(self.client.aborted)
        self.assertTrue(backend.aborted)
        self.assertEqual(self.house.held, [])


class LimitTests(SynchronousTestCase):
    """Sizes and times."""

    def house(self, **limits: float) -> House:
        return House(Limits(**limits))  # type: ignore[arg-type]

    def test_a_body_too_large_by_its_length(self) -> None:
        house = self.house(body=10)
        client = house.connect()
        client.send(get("/x", "Content-Length: 11").replace(b"GET", b"PUT"))
        self.assertIn(b"413", client.take())
        self.assertEqual(len(house.backends), 0)

    def test_a_body_too_large_in_chunks(self) -> None:
        house = self.house(body=10)
        client = house.connect()
        client.send(get("/x", "Transfer-Encoding: chunked").replace(b"GET", b"PUT"))
        client.send(b"6\r\nabcdef\r\n")
        client.send(b"6\r\nabcdef\r\n")
        self.assertIn(b"413", client.take())
        self.assertTrue(house.backends[0].aborted)

    def test_a_slow_backend(self) -> None:
        house = self.house(response_timeout=20)
        client = house.connect()
        client.send(get())
        house.pass_time(19)
        self.assertEqual(client.take(), b"")
        house.pass_time(3)
        self.assertIn(b"504", client.take())
        self.assertTrue(house.backends[0].aborted)

    def test_a_slow_body(self) -> None:
        house = self.house(idle_timeout=20)
        client = house.connect()
        client.send(get("/x", "Content-Length: 9").replace(b"GET", b"PUT") + b"a")
        house.pass_time(15)
        client.send(b"b")
        house.pass_time(15)
        self.assertEqual(client.take(), b"")
        house.pass_time(10)
        self.assertIn(b"408", client.take())

    def test_a_slow_reader(self) -> None:
        house = self.house(idle_timeout=20)
        client = house.connect()
        client.send(get())
        house.backends[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na")
        client.producer.pauseProducing()
        house.pass_time(25)
        self.assertTrue(client.aborted)
        self.assertTrue(house.backends[0].aborted)

    def test_a_backend_that_stops_in_the_middle(self) -> None:
        house = self.house(response_timeout=20)
        client = house.connect()
        client.send(get())
        house.backends[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na")
        house.pass_time(25)
        self.assertTrue(client.aborted)


class RefusalTests(SynchronousTestCase):
    """Answers of giestack's own."""

    def test_a_refusal_leaves_the_connection_open(self) -> None:
        house = House()
        house.decision = Refuse(401, "not-logged-in", "")
        client = house.connect()
        client.send(get() + get().replace(b"GET", b"HEAD"))
        first, _, second = client.take().partition(b"not-logged-in")
        self.assertIn(b"HTTP/1.1 401 Unauthorized\r\n", first)
        self.assertIn(b"Content-Length: 13\r\n", second)
        self.assertTrue(second.endswith(b"\r\n\r\n"))
        self.assertTrue(client.open)

    def test_a_refused_upload_is_not_read_on(self) -> None:
        house = House()
        house.decision = Refuse(401, "not-logged-in", "")
        client = house.connect()
        client.send(get("/x", "Content-Length: 99").replace(b"GET", b"PUT") + b"abc")
        self.assertIn(b"Connection: close\r\n", client.take())
        self.assertTrue(client.write_closed)
        client.fin()
        self.assertTrue(client.closing)
