"""Requests that wait, and words for all that can go wrong with them."""

import json
import socket
import ssl
from pathlib import Path
from threading import Event

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor import asking
from giestack.doctor.asking import (
    NoAnswer,
    Place,
    announced,
    ask,
    connect,
    event_gap,
    open_socket,
)
from tests.doctor.servers import Server, read_head, reply, says
from tests.neighbours.certificates import certificate
from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import free_port

HOST = {"Host": "h"}


class AskingCase(SynchronousTestCase):
    def place(self, data: bytes) -> Place:
        return Place("127.0.0.1", Server(self, says(data)).port)

    def silent(self) -> Place:
        """Somebody who takes connections and says nothing."""
        never = Event()
        self.addCleanup(never.set)
        return Place("127.0.0.1", Server(self, lambda made: (never.wait(60), None)[1]).port)

    def text_of(self, function: object, *args: object, **more: object) -> str:
        assert callable(function)
        return str(self.assertRaises(NoAnswer, function, *args, **more))


class ConnectTests(AskingCase):
    def test_nobody_listens(self) -> None:
        port = free_port()
        error = self.assertRaises(NoAnswer, connect, Place("127.0.0.1", port))
        self.assertTrue(error.refused)
        self.assertEqual(str(error), f"nobody listens at 127.0.0.1:{port}")

    def test_no_socket_there(self) -> None:
        error = self.assertRaises(NoAnswer, connect, Place(path="/nowhere/s"))
        self.assertTrue(error.refused)

    def test_no_such_name(self) -> None:
        def unknown(*args: object, **more: object) -> None:
            raise socket.gaierror(-2, "Name or service not known")

        self.patch(socket, "create_connection", unknown)
        self.assertEqual(
            self.text_of(connect, Place("n.invalid", 1)), "the name n.invalid has no address"
        )

    def test_names_below_localhost_are_this_machine(self) -> None:
        port = Server(self, says(reply(200, b"x"))).port
        self.assertEqual(ask(Place("galaxy.localhost", port), "/", HOST).body, b"x")

    def test_other_trouble(self) -> None:
        for error, text in (
            (TimeoutError(), "does not answer within 4 s"),
            (PermissionError(13, "Permission denied"), "Permission denied"),
            (OSError(), "OSError"),
        ):

            def fails(*args: object, error: OSError = error, **more: object) -> None:
                raise error

            self.patch(socket, "create_connection", fails)
            self.assertIn(text, self.text_of(connect, Place("::1", 1)))

    def test_a_unix_socket(self) -> None:
        path = new_folder(self) / "s"
        Server(self, says(reply(200, b"x")), path=path)
        self.assertEqual(ask(Place(path=str(path)), "/", HOST).body, b"x")

    def test_no_tls_there(self) -> None:
        server = Server(self, lambda made: made.sendall(reply(400)))
        text = self.text_of(connect, Place("127.0.0.1", server.port, tls=True))
        self.assertIn("does not speak TLS", text)

    def test_silence_in_the_handshake(self) -> None:
        place = self.silent()
        text = self.text_of(connect, Place(place.host, place.port, tls=True), seconds=0.1)
        self.assertIn("does not end the TLS handshake", text)


class TlsTests(AskingCase):
    def setUp(self) -> None:
        folder = new_folder(self)
        cert, key, _ = certificate(folder, "galaxy", hosts=["localhost"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.ca = Path(cert)
        server = Server(self, says(reply(200, b"x")), tls=context)
        self.at = Place("127.0.0.1", server.port, tls=True, name="localhost")

    def test_whoever_it_is(self) -> None:
        self.assertEqual(ask(self.at, "/", HOST).body, b"x")

    def test_who_it_must_be(self) -> None:
        trusting = ssl.create_default_context(cafile=str(self.ca))
        self.assertEqual(ask(self.at, "/", HOST, context=trusting).body, b"x")
        other = Place(self.at.host, self.at.port, tls=True, name="other.example.org")
        self.assertIn("the certificate at", self.text_of(connect, other, trusting))
        self.assertIn(
            "the certificate at", self.text_of(connect, self.at, ssl.create_default_context())
        )


class AskTests(AskingCase):
    def test_what_is_sent(self) -> None:
        heads: list[bytes] = []

        def serve(made: socket.socket) -> None:
            heads.append(read_head(made))
            made.sendall(reply(200, b'{"a": 1}', b"Server: x"))

        place = Place("127.0.0.1", Server(self, serve).port)
        answer = ask(place, "/a%2Fb?c", HOST, method="POST", body=b"{}")
        self.assertTrue(heads[0].startswith(b"POST /a%2Fb?c HTTP/1.1\r\nHost: h\r\n"))
        self.assertIn(b"Content-Length: 2\r\n", heads[0])
        self.assertEqual((answer.status, answer.json), (200, {"a": 1}))
        self.assertEqual(answer.headers["server"], "x")
        self.assertEqual(str(answer), "HTTP 200 (Server: x)")

    def test_no_json(self) -> None:
        self.assertIsNone(ask(self.place(reply(200, b"x")), "/", HOST).json)

    def test_of_a_large_answer_the_beginning(self) -> None:
        body = b"x" * (asking.LARGEST + 1000)
        self.assertEqual(len(ask(self.place(reply(200, body)), "/", HOST).body), asking.LARGEST)

    def test_no_http(self) -> None:
        for data in (b"SSH-2.0-x\r\n", b""):
            self.assertIn("does not answer in HTTP", self.text_of(ask, self.place(data), "/", HOST))

    def test_silence(self) -> None:
        text = self.text_of(ask, self.silent(), "/", HOST, seconds=0.1)
        self.assertIn("does not answer", text)

    def test_an_answer_that_ends_too_early(self) -> None:
        place = self.place(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        self.assertIn("does not finish", self.text_of(ask, place, "/", HOST))


class SocketTests(AskingCase):
    def test_the_first_message(self) -> None:
        text = json.dumps({"a": "x" * 200}).encode()
        frames = b"\x81\x7e" + len(text).to_bytes(2, "big") + text
        answer = open_socket(self.place(b"HTTP/1.1 101 S\r\nA: b\r\n\r\n" + frames), "/", HOST)
        self.assertEqual((answer.status, answer.body), (101, text))
        self.assertEqual(answer.headers["a"], "b")

    def test_a_short_message_in_pieces(self) -> None:
        def serve(made: socket.socket) -> None:
            read_head(made)
            for piece in (b"HTTP/1.1 101 S\r\n", b"\r\n", b"\x81", b"\x02h", b"i"):
                made.sendall(piece)

        place = Place("127.0.0.1", Server(self, serve).port)
        self.assertEqual(open_socket(place, "/", HOST).body, b"hi")

    def test_refused(self) -> None:
        answer = open_socket(self.place(reply(404, b"no")), "/", HOST)
        self.assertEqual((answer.status, answer.body), (404, b"no"))

    def test_nothing_after_the_handshake(self) -> None:
        never = Event()
        self.addCleanup(never.set)

        def serve(made: socket.socket) -> None:
            read_head(made)
            made.sendall(b"HTTP/1.1 101 S\r\n\r\n")
            never.wait(60)

        place = Place("127.0.0.1", Server(self, serve).port)
        self.assertIn("nothing comes", self.text_of(open_socket, place, "/", HOST, seconds=0.2))

    def test_no_http(self) -> None:
        for data in (b"", b"x\r\n\r\n"):
            text = self.text_of(open_socket, self.place(data), "/", HOST)
            self.assertIn("does not answer a WebSocket's handshake", text)


class EventTests(AskingCase):
    def test_the_time_between_first_and_last(self) -> None:
        read, moments = Event(), iter((10.0, 13.5, 13.5))

        class Clock:
            @staticmethod
            def monotonic() -> float:
                read.set()
                return next(moments)

        def serve(made: socket.socket) -> None:
            read_head(made)
            made.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfirst")
            read.wait(30)
            made.sendall(b"last")

        self.patch(asking, "time", Clock)
        place = Place("127.0.0.1", Server(self, serve).port)
        answer, gap = event_gap(place, "/", HOST)
        self.assertEqual((answer.body, gap), (b"firstlast", 3.5))

    def test_a_stream_that_is_cut(self) -> None:
        place = self.place(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        self.assertIn("does not finish", self.text_of(event_gap, place, "/", HOST))

    def test_a_stream_without_end(self) -> None:
        place = self.place(reply(200, b"x" * (asking.LARGEST * 2)))
        answer, _ = event_gap(place, "/", HOST)
        self.assertGreater(len(answer.body), asking.LARGEST)


class AnnouncedTests(AskingCase):
    def test_what_is_said_to_it(self) -> None:
        said = announced(self.place(reply(413)), "/", HOST, 2**30)
        assert said is not None
        self.assertEqual(said.status, 413)

    def test_nothing_is_said(self) -> None:
        self.assertIsNone(announced(self.silent(), "/", HOST, 9, seconds=0.1))

    def test_the_connection_is_closed(self) -> None:
        self.assertIn("closes", self.text_of(announced, self.place(b""), "/", HOST, 9))


class PlaceTests(SynchronousTestCase):
    def test_words(self) -> None:
        self.assertEqual(str(Place("::1", 1)), "[::1]:1")
        self.assertEqual(str(Place("h", 1)), "h:1")
        self.assertEqual(str(Place(path="/s")), "/s")
