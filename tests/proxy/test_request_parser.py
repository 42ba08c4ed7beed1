"""A client's bytes to requests."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.decision import Request
from giestack.proxy.head import GuardedNames, Malformed, RequestFields
from giestack.proxy.request_parser import RequestParser
from tests.proxy.memory import get


def fields_of(request: Request) -> RequestFields:
    return RequestFields(request.raw, request.version, GuardedNames())


def parser(limit: int = 65536) -> RequestParser:
    return RequestParser(limit, fields_of)


Seen = tuple[bytes, bytes, str, list[tuple[bytes, bytes]], bytes, bool]


def taken(incoming: RequestParser) -> list[Seen | int]:
    """What waits in the queue, taken out; of what can't be read the status."""
    found: list[Seen | int] = []
    while incoming.queue:
        one = incoming.queue.popleft()
        if isinstance(one, Malformed):
            found.append(one.status)
        else:
            body = b"".join(one.body)
            found.append((one.method, one.target, one.version, one.raw, body, one.complete))
    return found


HOST = [(b"Host", b"galaxy.example.org")]


class RequestParserTests(SynchronousTestCase):
    def test_requests_in_order(self) -> None:
        incoming = parser()
        post = get("/2", "Content-Length: 3").replace(b"GET", b"POST") + b"abc"
        self.assertIsNone(incoming.feed(get("/1") + post + get("/3")))
        self.assertEqual(
            taken(incoming),
            [
                (b"GET", b"/1", "1.1", HOST, b"", True),
                (b"POST", b"/2", "1.1", [*HOST, (b"Content-Length", b"3")], b"abc", True),
                (b"GET", b"/3", "1.1", HOST, b"", True),
            ],
        )

    def test_a_body_arrives_later(self) -> None:
        incoming = parser()
        incoming.feed(get("/1", "Content-Length: 4").replace(b"GET", b"PUT") + b"ab")
        request = incoming.queue.popleft()
        assert isinstance(request, Request)
        self.assertEqual((request.body, request.complete), ([b"ab"], False))
        self.assertTrue(incoming.unread)
        incoming.feed(b"cd")
        self.assertEqual((request.body, request.complete), ([b"ab", b"cd"], True))
        self.assertFalse(incoming.unread)

    def test_trailers(self) -> None:
        incoming = parser()
        incoming.feed(get("/1", "Transfer-Encoding: chunked").replace(b"GET", b"PUT"))
        incoming.feed(b"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n" + get("/2"))
        first, second = incoming.queue
        assert isinstance(first, Request) and isinstance(second, Request)
        self.assertEqual(first.trailers, [(b"X-Sum", b"1")])
        self.assertEqual((second.raw, second.trailers), (HOST, []))

    def test_what_was_good_comes_before_what_was_not(self) -> None:
        incoming = parser()
        incoming.feed(get("/1") + b"nonsense\r\n\r\n")
        self.assertEqual(taken(incoming), [(b"GET", b"/1", "1.1", HOST, b"", True), 400])
        self.assertFalse(incoming.readable)
        incoming.feed(get("/2"))
        self.assertEqual(taken(incoming), [])

    def test_a_head_that_turns_out_bad_is_not_a_request(self) -> None:
        incoming = parser()
        incoming.feed(get("/1", "Transfer-Encoding: xchunked").replace(b"GET", b"PUT"))
        self.assertEqual(taken(incoming), [400])

    def test_a_bad_chunk_of_a_request_under_way(self) -> None:
        incoming = parser()
        incoming.feed(get("/1", "Transfer-Encoding: chunked").replace(b"GET", b"PUT"))
        incoming.queue.popleft()
        refusal = incoming.feed(b"zz\r\n")
        assert refusal is not None
        self.assertEqual(refusal.status, 400)
        self.assertEqual(taken(incoming), [])

    def test_bytes_after_the_last_request_are_nobodys(self) -> None:
        incoming = parser()
        incoming.feed(get("/1", "Connection: close") + get("/2"))
        [only] = taken(incoming)
        assert not isinstance(only, int)
        self.assertEqual(only[1], b"/1")

    def test_a_head_too_large(self) -> None:
        for pieces in (
            [b"GET /" + b"x" * 300 + b" HTTP/1.1\r\n"],
            [b"GET / HTTP/1.1\r\n"] + [b"X: y\r\n"] * 60,
            [b"\r\n" * 200],
        ):
            incoming = parser(256)
            for piece in pieces:
                incoming.feed(piece)
            self.assertEqual(taken(incoming), [431])

    def test_a_body_may_be_larger_than_a_head(self) -> None:
        incoming = parser(256)
        incoming.feed(get("/1", "Content-Length: 2000").replace(b"GET", b"PUT") + b"x" * 2000)
        self.assertEqual(len(taken(incoming)), 1)
        self.assertTrue(incoming.readable)

    @given(st.lists(st.integers(1, 40), max_size=12))
    def test_the_cuts_do_not_matter(self, cuts: list[int]) -> None:
        data = (
            get("/1")
            + get("/2", "Content-Length: 5").replace(b"GET", b"POST")
            + b"hello"
            + get("/3")
            + get("/3")
            + get("/4", "Transfer-Encoding: chunked").replace(b"GET", b"POST")
            + b"3\r\nabc\r\n0\r\n\r\n"
            + get("/5")
        )
        whole, pieces = parser(), parser()
        whole.feed(data)
        for cut in [*cuts, len(data)]:
            piece, data = data[:cut], data[cut:]
            if piece:
                pieces.feed(piece)
        self.assertEqual(taken(pieces), taken(whole))


class RepeatedFieldsTests(SynchronousTestCase):
    """Requests whose fields are those of the one before are read without the parser."""

    def reads_like_a_new_one(self, *pieces: bytes) -> list[Seen | int]:
        """Feed pieces; everything must be read as by a parser that has no memory."""
        incoming = parser()
        for piece in pieces:
            incoming.feed(piece)
        plain = parser()
        plain._remember = lambda data: None  # type: ignore[method-assign]
        for piece in pieces:
            plain.feed(piece)
        found = taken(incoming)
        self.assertEqual(found, taken(plain))
        return found

    def test_only_the_first_line_is_new(self) -> None:
        found = self.reads_like_a_new_one(get("/1"), get("/2?a=b%20c"), get("/3"))
        self.assertEqual([one[1] for one in found if not isinstance(one, int)][1], b"/2?a=b%20c")

    def test_odd_first_lines(self) -> None:
        for line in (
            b"GET /a b HTTP/1.1",
            b"GET /\x80 HTTP/1.1",
            b"GET  / HTTP/1.1",
            b"GET / HTTP/1.0",
            b"GET / HTTP/2.0",
            b"GET /#f HTTP/1.1",
            b"GET * HTTP/1.1",
            b"GET http://a/ HTTP/1.1",
            b"get / HTTP/1.1",
            b"POST / HTTP/1.1",
            b"CONNECT a:80 HTTP/1.1",
            b"GET / HTTP/1.1\r\nX: y",
            b"GET / HTTP/1.1\r\n\r\nGET /2 HTTP/1.1",
            b"",
            b"\r\nGET / HTTP/1.1",
        ):
            again = get().partition(b"\r\n")
            self.reads_like_a_new_one(get(), line + again[1] + again[2])

    def test_a_body_that_looks_like_a_request_is_a_body(self) -> None:
        smuggled = get("/smuggled")
        head = get("/1", f"Content-Length: {len(smuggled)}").replace(b"GET", b"POST")
        found = self.reads_like_a_new_one(get("/0"), head, smuggled)
        self.assertEqual(len(found), 2)
        chunked = get("/1", "Transfer-Encoding: chunked").replace(b"GET", b"POST")
        size = b"%x\r\n" % len(smuggled)
        found = self.reads_like_a_new_one(get("/0"), chunked, size, smuggled, b"\r\n0\r\n\r\n")
        self.assertEqual(len(found), 2)

    def test_a_field_that_looks_like_a_request_is_a_field(self) -> None:
        for start in (b"GET /1 HTTP/1.1\r\nX: ", b"GET /1?", b"GET /1 HTTP/1.1\r\nHost: a\r\nX: "):
            self.reads_like_a_new_one(get("/0"), start, get("/smuggled"), get("/2"))
            self.reads_like_a_new_one(get("/0") + start, get("/smuggled"), get("/2"))

    def test_other_fields_are_read_anew(self) -> None:
        alice, bob = get("/", "Cookie: a=alice"), get("/", "Cookie: a=bob")
        found = self.reads_like_a_new_one(alice, bob, alice, get("/"), bob, bob)
        self.assertEqual(len(found), 6)

    def test_the_limit_holds(self) -> None:
        incoming = parser(256)
        incoming.feed(get("/1"))
        incoming.feed(get("/" + "x" * 300))
        self.assertEqual(taken(incoming)[1], 431)

    def test_after_an_offer_of_another_protocol(self) -> None:
        offer = get("/1", "Upgrade: h2c", "Connection: Upgrade")
        self.reads_like_a_new_one(get("/0"), offer, get("/2"), get("/3"), offer)

    @given(
        st.lists(
            st.sampled_from(
                [
                    get("/1"),
                    get("/2"),
                    get("/3", "X: y"),
                    get("/4", "Content-Length: 55").replace(b"GET", b"POST"),
                    get("/5", "Transfer-Encoding: chunked").replace(b"GET", b"POST"),
                    b"3\r\nabc\r\n0\r\n\r\n",
                    b"GET /6 HTTP/1.1\r\nX: ",
                    get("/7", "Connection: close"),
                    get("/8").replace(b"1.1", b"1.0"),
                    b"\r\n",
                ]
            ),
            max_size=8,
        )
    )
    def test_any_mix(self, pieces: list[bytes]) -> None:
        self.reads_like_a_new_one(*pieces)


WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")


class UpgradeTests(SynchronousTestCase):
    """The parser stops at each of them, and has then not looked for a body."""

    def test_a_websocket(self) -> None:
        incoming = parser()
        incoming.feed(get("/1") + get("/ws", *WEBSOCKET) + b"\x81\x02hi" + get("/no"))
        first, second = incoming.queue
        assert isinstance(first, Request) and isinstance(second, Request)
        self.assertEqual((first.target, second.target), (b"/1", b"/ws"))
        # What follows is no request, whatever it looks like.
        incoming.feed(get("/no"))
        self.assertEqual(incoming.early, b"\x81\x02hi" + get("/no") * 2)
        self.assertEqual(len(incoming.queue), 2)
        self.assertFalse(incoming.readable)
        self.assertTrue(incoming.unread)

    def test_offers_of_another_protocol_are_ignored(self) -> None:
        incoming = parser()
        offer = get("/1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")
        self.assertIsNone(incoming.feed(offer + get("/2")))
        targets = [one[1] for one in taken(incoming) if not isinstance(one, int)]
        self.assertEqual(targets, [b"/1", b"/2"])
        self.assertTrue(incoming.readable)

    def test_bodies_hidden_behind_an_upgrade(self) -> None:
        for method, fields in (
            (b"GET", (*WEBSOCKET, "Content-Length: 5")),
            (b"GET", (*WEBSOCKET, "Transfer-Encoding: chunked")),
            (b"POST", ("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 5")),
            (b"POST", WEBSOCKET),
        ):
            incoming = parser()
            incoming.feed(get("/1", *fields).replace(b"GET", method) + get("/smuggled"))
            self.assertEqual(taken(incoming), [400])
            self.assertEqual(incoming.early, b"")
            self.assertFalse(incoming.readable)

    def test_connect(self) -> None:
        incoming = parser()
        incoming.feed(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
        self.assertEqual(taken(incoming), [501])

    def test_an_upgrade_with_a_bad_head(self) -> None:
        incoming = parser()
        incoming.feed(get("/1", *WEBSOCKET, "Host: another.example.org"))
        self.assertEqual(taken(incoming), [400])


class EndTests(SynchronousTestCase):
    def test_stop(self) -> None:
        incoming = parser()
        incoming.feed(get("/1") + b"GET /2")
        incoming.stop()
        self.assertEqual((taken(incoming), incoming.partial), ([], 0))
        incoming.feed(get("/3"))
        self.assertEqual((taken(incoming), incoming.early), ([], b""))

    def test_a_refusal_from_outside(self) -> None:
        """It takes the place of what has not arrived yet, and comes after what has."""
        late = Malformed(408, "too late")
        incoming = parser()
        self.assertIsNone(incoming.end(late))
        self.assertEqual(taken(incoming), [408])
        incoming = parser()
        incoming.feed(get("/1") + get("/2", "Content-Length: 5").replace(b"GET", b"PUT"))
        self.assertIsNone(incoming.end(late))
        self.assertEqual([one for one in taken(incoming) if isinstance(one, int)], [408])
        incoming = parser()
        incoming.feed(get("/2", "Content-Length: 5").replace(b"GET", b"PUT"))
        incoming.queue.clear()
        self.assertIs(incoming.end(late), late)
