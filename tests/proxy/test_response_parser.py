"""A backend's bytes to responses."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.response_parser import ResponseParser

Told = tuple[int | None, bytes, bool]


def told(parser: ResponseParser, *pieces: bytes) -> list[Told]:
    """After each piece: the status and the body that have come, and whether that is all."""
    answers = []
    for piece in pieces:
        parser.feed(piece)
        head = parser.head
        answers.append((head.status if head else None, parser.body, parser.done))
    return answers


class ResponseParserTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.parser = ResponseParser()

    def test_a_whole_response(self) -> None:
        data = b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX: y\r\n\r\nok"
        self.assertEqual(told(self.parser, data), [(200, b"ok", True)])
        head = self.parser.head
        assert head is not None
        self.assertEqual((head.reason, head.version), (b"Fine", "1.1"))
        self.assertEqual(head.fields, [(b"Content-Length", b"2"), (b"X", b"y")])
        self.assertTrue(self.parser.reusable)

    def test_a_counted_body(self) -> None:
        pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab", b"cd", b"ef"]
        self.assertEqual(
            told(self.parser, *pieces),
            [(200, b"ab", False), (None, b"cd", False), (None, b"ef", True)],
        )
        self.assertTrue(self.parser.reusable)

    def test_chunks_and_trailers(self) -> None:
        pieces = [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"2;name=value\r\nde\r\n",
            b"0\r\nX-Sum: 1\r\n\r\n",
        ]
        self.assertEqual(
            told(self.parser, *pieces),
            [(200, b"abc", False), (None, b"de", False), (None, b"", True)],
        )
        self.assertEqual(self.parser.trailers, [(b"X-Sum", b"1")])

    def test_a_body_that_ends_with_the_connection(self) -> None:
        for clean in (True, False):
            parser = ResponseParser()
            answers = told(parser, b"HTTP/1.1 200 OK\r\n\r\nab", b"cd")
            self.assertEqual(answers, [(200, b"ab", False), (None, b"cd", False)])
            self.assertEqual(parser.end(clean), clean)
            self.assertFalse(parser.reusable)

    def test_no_other_body_may_end_with_the_connection(self) -> None:
        for data in (
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Le",
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ):
            parser = ResponseParser()
            told(parser, *([data] if data else []))
            self.assertFalse(parser.end(True), data)

    def test_a_head_request_gets_no_body(self) -> None:
        for line, body in (
            (b"Content-Length: 5\r\n", b""),
            (b"Content-Length: 5\r\n", b"hello"),
            (b"Transfer-Encoding: chunked\r\n", b""),
            (b"", b"hello"),
        ):
            parser = ResponseParser()
            parser.begin(True)
            answers = told(parser, b"HTTP/1.1 200 OK\r\n" + line + b"\r\n" + body)
            self.assertEqual(answers, [(200, b"", True)])
            if body:
                self.assertFalse(parser.reusable, body)

    def test_the_next_response(self) -> None:
        first = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n"
        told(self.parser, first)
        self.parser.begin(False)
        answers = told(self.parser, b"HTTP/1.1 404 Gone\r\nContent-Length: 1\r\n\r\nx")
        self.assertEqual(answers, [(404, b"x", True)])
        self.assertEqual(self.parser.trailers, [])

    def test_after_a_head_request(self) -> None:
        self.parser.begin(True)
        told(self.parser, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        self.parser.begin(False)
        answers = told(self.parser, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        self.assertEqual(answers, [(200, b"x", True)])

    def test_interim_heads(self) -> None:
        data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: <x>\r\n\r\n"
        self.assertEqual(told(self.parser, data), [(None, b"", False)])
        self.assertEqual([head.status for head in self.parser.interim], [100, 103])
        self.assertEqual(self.parser.interim[1].fields, [(b"Link", b"<x>")])
        answers = told(self.parser, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        self.assertEqual(answers, [(200, b"x", True)])

    def test_switching_protocols(self) -> None:
        head = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
        self.parser.feed(head + b"\x81\x00")
        self.assertEqual(self.parser.switched, b"\x81\x00")
        self.assertEqual([one.status for one in self.parser.interim], [101])

    def test_the_end_of_the_connection_after_this_response(self) -> None:
        told(self.parser, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
        self.assertTrue(self.parser.done)
        self.assertFalse(self.parser.reusable)

    def test_junk_after_a_response_is_nobodys(self) -> None:
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        for junk in (b"?", b"HTTP/1.1 2", whole):
            parser = ResponseParser()
            self.assertEqual(told(parser, whole + junk), [(200, b"ok", True)])
            self.assertFalse(parser.reusable, junk)
            self.assertFalse(parser.broken)
        parser = ResponseParser()
        answers = told(parser, whole[:-1], b"k?")
        self.assertEqual(answers[-1], (None, b"k", True))
        self.assertFalse(parser.reusable)

    def test_what_cannot_be_read(self) -> None:
        for data in (b"nonsense\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 200 OK\n\n"):
            parser = ResponseParser()
            parser.feed(data)
            self.assertTrue(parser.broken, data)
            self.assertFalse(parser.started)
            self.assertFalse(parser.reusable)
        parser = ResponseParser()
        parser.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        self.assertTrue(parser.broken and parser.started)

    @given(st.binary(max_size=300), st.lists(st.integers(1, 20), max_size=8))
    def test_any_bytes_in_any_pieces(self, data: bytes, cuts: list[int]) -> None:
        data = b"HTTP/1.1 200 OK\r\n" + data
        parser = ResponseParser()
        for cut in [*cuts, len(data)]:
            piece, data = data[:cut], data[cut:]
            if piece and not parser.done and not parser.broken:
                parser.feed(piece)

    @given(st.binary(max_size=60), st.lists(st.integers(1, 30), min_size=1, max_size=12))
    def test_the_cuts_do_not_matter(self, body: bytes, cuts: list[int]) -> None:
        for data in (
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + (b"%x\r\n%b\r\n" % (len(body), body) if body else b"")
            + b"0\r\n\r\n",
        ):
            parser = ResponseParser()
            found, rest = b"", data
            for cut in [*cuts, len(data)]:
                piece, rest = rest[:cut], rest[cut:]
                if piece:
                    self.assertFalse(parser.done)
                    parser.feed(piece)
                    found += parser.body
            self.assertEqual((found, parser.done, parser.reusable), (body, True, True))
