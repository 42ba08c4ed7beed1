"""What attacks on the front door have found: each of these was a hole once."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.decision import Destination, Forward, Refuse
from giestack.proxy.front import Limits
from giestack.proxy.response_parser import LONGEST_HEAD, MOST_INTERIM, ResponseParser
from tests.proxy.memory import BACKEND, House, StrictBackends, answer, get, read_answers, to

EVIL = b"HTTP/1.1 200 OK\r\nSet-Cookie: galaxysession=evil\r\nContent-Length: 0\r\n\r\n"


class BackendAttackTests(SynchronousTestCase):
    """-> tests/proxy/test_backend.py"""

    def setUp(self) -> None:
        self.house = House()
        self.client = self.house.connect()
        self.client.send(get())
        self.backend = self.house.backends[0]

    def test_a_status_below_100_is_no_answer(self) -> None:
        for status in (b"099", b"001", b"000"):
            for pieces in (
                [b"HTTP/1.1 %b X\r\n\r\n%b" % (status, EVIL)],
                [b"HTTP/1.1 %b X\r\n\r\n" % status, EVIL],
                [b"HTTP/1.1 %b X\r\nContent-Length: %d\r\n\r\n" % (status, len(EVIL)), EVIL],
            ):
                house = House()
                client = house.connect()
                client.send(get())
                for piece in pieces:
                    if house.backends[0].open:
                        house.backends[0].send(piece)
                house.backends[0].lose()
                told = client.take()
                self.assertTrue(told.startswith(b"HTTP/1.1 502 "), told)
                self.assertNotIn(b"evil", told)

    def test_blanks_after_a_length_do_not_make_the_body_endless(self) -> None:
        for blanks in (b" ", b"\t", b" \t "):
            house = House()
            client = house.connect()
            client.send(get())
            backend = house.backends[0]
            backend.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5" + blanks + b"\r\n\r\nab")
            backend.send(b"cde" + EVIL)
            self.assertTrue(client.take().endswith(b"\r\n\r\nabcde"))
            self.assertTrue(backend.aborted)

    def test_a_head_without_end_is_no_answer(self) -> None:
        for begin, more in (
            (b"HTTP/1.1 200 OK\r\n", b"X-More: %b\r\n" % (b"x" * 1000)),
            (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
            (b"HTTP/1.1 200 ", b"x" * 1000),
        ):
            house = House()
            client = house.connect()
            client.send(get())
            backend = house.backends[0]
            backend.send(begin)
            for _ in range(LONGEST_HEAD // 1000 + 1):
                if backend.open:
                    backend.send(more)
            self.assertTrue(backend.aborted)
            self.assertTrue(client.take().startswith(b"HTTP/1.1 502 "))

    def test_interim_heads_without_end_are_no_answer(self) -> None:
        """A client of HTTP/1.0 gets none of them, and so would slow nobody down."""
        for version in (b"1.0", b"1.1"):
            house = House()
            client = house.connect()
            client.send(b"GET / HTTP/%b\r\nHost: h\r\n\r\n" % version)
            backend = house.backends[0]
            for _ in range(MOST_INTERIM // 100 + 1):
                if backend.open:
                    backend.send(b"HTTP/1.1 103 Early\r\n\r\n" * 100)
            self.assertTrue(backend.aborted)
            self.assertIn(b"HTTP/1.1 502 ", client.take())

    def test_trailers_without_end_cut_the_answer(self) -> None:
        for more in (b"X-More: %b\r\n" % (b"x" * 1000), b"x" * 1000):
            house = House()
            client = house.connect()
            client.send(get())
            backend = house.backends[0]
            backend.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
            for _ in range(LONGEST_HEAD // 1000 + 1):
                if backend.open:
                    backend.send(more)
            self.assertTrue(backend.aborted)
            self.assertTrue(client.aborted)

    def test_interim_heads_are_checked_like_others(self) -> None:
        self.backend.send(
            b"HTTP/1.1 103 Early\r\nLink: </s>\r\nSet-Cookie: galaxysession=evil\r\n"
            b"Content-Length: 5\r\nConnection: x-a\r\nX-A: 1\r\nX-Accel-Redirect: /etc\r\n"
            b"Access-Control-Allow-Origin: *\r\nClear-Site-Data: *\r\n\r\n"
        )
        self.assertEqual(self.client.take(), b"HTTP/1.1 103 Early\r\nLink: </s>\r\n\r\n")
        self.backend.send(answer())
        self.assertTrue(self.client.take().endswith(b"ok"))

    def test_an_interim_head_with_a_control_character(self) -> None:
        self.backend.send(b"HTTP/1.1 103 a\0b\r\nLink: </s>\r\n\r\n")
        self.assertTrue(self.client.take().startswith(b"HTTP/1.1 502 "))

    def test_fields_of_what_nobody_asked_for_are_no_trailers(self) -> None:
        self.backend.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nX-Foreign: 1\r\n\r\n"
        )
        self.assertTrue(self.client.take().endswith(b"0\r\nX-Sum: 1\r\n\r\n"))
        self.assertTrue(self.backend.aborted)

    def test_the_same_without_a_connection(self) -> None:
        parser = ResponseParser()
        parser.feed(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nX-Foreign: 1\r\n\r\n"
        )
        self.assertEqual(parser.trailers, [(b"X-Sum", b"1")])


class ClientAttackTests(SynchronousTestCase):
    """-> tests/proxy/test_client.py"""

    def test_very_many_requests_that_are_answered_at_once(self) -> None:
        house = House()
        house.decision = Refuse(401, "not-logged-in", "")
        client = house.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2300)
        self.assertEqual(client.take().count(b"HTTP/1.1 401 "), 2300)
        self.assertTrue(client.open)

    def test_very_many_offers_of_another_protocol(self) -> None:
        house = House()
        house.decision = Refuse(401, "not-logged-in", "")
        client = house.connect()
        one = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
        client.send(one * 1000)
        self.assertEqual(client.take().count(b"HTTP/1.1 401 "), 1000)

    def test_what_follows_something_unreadable_is_not_kept(self) -> None:
        house = House()
        client = house.connect()
        client.send(get("/slow") + b"nonsense\r\n\r\n")
        for _ in range(100):
            if not client.paused:
                client.send(b"x" * 65536)
        self.assertTrue(client.paused or len(client.protocol._incoming.early) < 65536)
        house.backends[0].send(answer(b"slow"))
        told = read_answers(client.take())
        self.assertEqual([status for status, _ in told], [200, 400])

    def test_what_follows_a_websocket_that_has_to_wait_is_bounded(self) -> None:
        house = House()
        client = house.connect()
        client.send(get("/slow") + get("/ws", "Upgrade: websocket", "Connection: upgrade"))
        kept = 0
        for _ in range(100):
            if not client.paused:
                client.send(b"x" * 65536)
                kept += 65536
        self.assertLess(kept, 2 * 65536)
        house.backends[0].send(answer(b"slow"))
        house.backends[-1].take()
        house.backends[-1].send(
            b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
        )
        self.assertEqual(len(house.backends[-1].take()), kept)
        self.assertFalse(client.paused)

    def test_a_trailer_that_ends_the_connection(self) -> None:
        house = House()
        backends = StrictBackends(house)
        client = house.connect()
        client.send(
            b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\nConnection: close\r\n\r\n"
        )
        backends.answer()
        told = client.take()
        if b"Connection: close" not in told:
            client.send(get("/2"))
            backends.answer()
            self.assertEqual(read_answers(client.take())[0][0], 200)
        else:
            self.assertTrue(client.closing or client.write_closed)

    def test_the_limit_of_a_head_holds_however_it_arrives(self) -> None:
        for step in (1, 100, 65536):
            house = House(Limits(head=1000))
            client = house.connect()
            data = get("/x", "X: " + "a" * 1200)
            for at in range(0, len(data), step):
                client.send(data[at : at + step])
            told = client.take()
            self.assertTrue(told.startswith(b"HTTP/1.1 431 "), step)
            self.assertEqual(len(house.backends), 0)

    def test_that_limit_is_not_for_several_requests_together(self) -> None:
        house = House(Limits(head=1000))
        backends = StrictBackends(house)
        client = house.connect()
        client.send(get("/1", "X: " + "a" * 600) + get("/2", "X: " + "a" * 600))
        backends.answer()
        self.assertEqual([status for status, _ in read_answers(client.take())], [200, 200])

    def test_a_slow_head_behind_a_whole_request(self) -> None:
        house = House(Limits(head_timeout=10, idle_timeout=75))
        client = house.connect()
        client.send(get("/1") + get("/2")[:20])
        house.backends[0].send(answer(b"one"))
        client.take()
        house.pass_time(12)
        self.assertTrue(client.take().startswith(b"HTTP/1.1 408 "))

    def test_a_header_of_the_tool_comes_in_by_no_trailer(self) -> None:
        house = House()
        house.decision = Forward(to(headers=((b"X-My-Path", b"/p"),)), b"/x")
        client = house.connect()
        client.send(get("/x", "Transfer-Encoding: chunked").replace(b"GET", b"POST"))
        client.send(b"0\r\nx_my_path: /evil\r\nX-Sum: 1\r\n\r\n")
        asked = house.backends[0].take()
        self.assertNotIn(b"evil", asked)
        self.assertTrue(asked.endswith(b"0\r\nX-Sum: 1\r\n\r\n"))


class TimeAttackTests(SynchronousTestCase):
    """-> tests/proxy/test_front.py, tests/proxy/test_decision.py"""

    def test_one_connection_in_trouble_does_not_stop_the_clock(self) -> None:
        house = House(Limits(head_timeout=5))
        slow, other = house.connect(), house.connect()
        slow.send(b"GET / HT")
        page = house.front.refusal_page

        def broken(refuse, request):
            raise ZeroDivisionError

        house.front.refusal_page = broken
        house.pass_time(7)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        house.front.refusal_page = page
        third = house.connect()
        third.send(b"GET / HT")
        house.pass_time(7)
        self.assertTrue(other.closing or other.aborted)
        self.assertTrue(third.take().startswith(b"HTTP/1.1 408 "))

    def test_a_destination_does_not_show_its_token(self) -> None:
        destination = Destination(
            BACKEND,
            "entry_point",
            "key1",
            None,
            b"/interactivetool/ep/key1/token1",
            ((b"X-My-Path", b"/interactivetool/ep/key1/token1"),),
        )
        self.assertNotIn("token1", repr(destination))


class UploadAttackTests(SynchronousTestCase):
    """-> tests/proxy/test_client.py"""

    def test_a_chunk_whose_size_came_alone(self) -> None:
        for limit in (65536, 1000):
            house = House(Limits(head=limit))
            client = house.connect()
            client.send(get("/x", "Transfer-Encoding: chunked").replace(b"GET", b"POST"))
            for _ in range(3):
                client.send(b"10000\r\n")
                client.send(b"~" * 65536)
                client.send(b"\r\n")
            client.send(b"0\r\n\r\n")
            self.assertEqual(client.take(), b"")
            self.assertEqual(house.backends[0].take().count(b"~"), 3 * 65536)

    def test_a_large_head_behind_a_small_one(self) -> None:
        house = House(Limits(head=1000))
        backends = StrictBackends(house)
        client = house.connect()
        client.send(get("/1") + get("/2", "X: " + "b" * 1200))
        backends.answer()
        self.assertEqual([status for status, _ in read_answers(client.take())], [200, 431])
