"""One connection to a backend: what it tells the exchange it works for, and what becomes of it."""

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.proxy.backend import BackendConnection
from giestack.proxy.response_parser import Fields, ParsedHead
from tests.proxy.memory import BACKEND, Wire, answer


class Notes:
    """An exchange and a pool that note what they are told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    # As an exchange.

    def interim(self, head: ParsedHead) -> None:
        self.told.append(("interim", head.status))

    def response(
        self, head: ParsedHead | None, body: bytes, trailers: Fields, complete: bool
    ) -> None:
        self.told.append((head and head.status, body, list(trailers), complete))

    def switched(self, head: ParsedHead, early: bytes) -> None:
        self.told.append(("switched", early))

    def backend_lost(self, clean: bool) -> None:
        self.told.append(("lost", clean))

    def pause_client(self) -> None:
        self.told.append("pause")

    def resume_client(self) -> None:
        self.told.append("resume")

    # As a tunnel.

    def tunnelled(self, data: bytes) -> None:
        self.told.append(data)

    def backend_half_closed(self) -> None:
        self.told.append("half-closed")

    # As a pool.

    def give_back(self, connection: BackendConnection) -> None:
        self.told.append("kept")

    def forget(self, connection: BackendConnection) -> None:
        self.told.append("forgotten")

    def leaving(self, connection: BackendConnection) -> None:
        self.told.append("leaving")


class BackendTestCase(SynchronousTestCase):
    """A connection with an exchange under way."""

    def setUp(self) -> None:
        self.begin()

    def begin(self, address: Address = BACKEND, head_only: bool = False) -> None:
        self.pool = Notes()
        self.exchange = Notes()
        self.connection = BackendConnection(address, self.pool)
        self.wire = Wire(self.connection)
        self.connection.makeConnection(self.wire)
        self.connection.send_request(self.exchange, b"request", head_only)

    def told(self) -> list[object]:
        told, self.exchange.told = self.exchange.told, []
        return told


class ExchangeTests(BackendTestCase):
    def test_what_is_asked(self) -> None:
        self.assertEqual(self.wire.take(), b"request")

    def test_an_answer(self) -> None:
        self.wire.send(answer(b"hello"))
        self.assertEqual(self.told(), [(200, b"hello", [], True)])

    def test_an_answer_in_pieces(self) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 4\r\n\r\na", b"b", b"cd"):
            self.wire.send(piece)
        self.assertEqual(
            self.told(), [(200, b"a", [], False), (None, b"b", [], False), (None, b"cd", [], True)]
        )

    def test_trailers(self) -> None:
        self.wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        self.wire.send(b"0\r\nX-Sum: 1\r\n\r\n")
        self.assertEqual(
            self.told(), [(200, b"a", [], False), (None, b"", [(b"X-Sum", b"1")], True)]
        )

    def test_interim_heads_and_the_answer_at_once(self) -> None:
        self.wire.send(b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 P\r\n\r\n" + answer())
        self.assertEqual(self.told(), [("interim", 100), ("interim", 102), (200, b"ok", [], True)])

    def test_interim_heads_and_garbage(self) -> None:
        self.wire.send(b"HTTP/1.1 100 C\r\n\r\nnonsense")
        self.assertEqual(self.told(), [("interim", 100), ("lost", False)])

    def test_garbage(self) -> None:
        self.wire.send(b"nonsense\r\n\r\n")
        self.assertEqual(self.told(), [("lost", False)])

    def test_garbage_in_the_middle(self) -> None:
        self.wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n")
        self.assertEqual(self.told(), [(200, b"a", [], False), ("lost", False)])

    def test_switching(self) -> None:
        head = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
        self.wire.send(head + b"early")
        self.assertEqual(self.told(), [("switched", b"early")])
        self.connection.become_tunnel(self.exchange)
        self.wire.send(b"late")
        self.wire.fin()
        self.wire.lose()
        self.assertEqual(self.told(), [b"late", "half-closed", ("lost", True)])

    def test_switching_to_nothing(self) -> None:
        self.wire.send(b"HTTP/1.1 101 S\r\n\r\n")
        self.assertEqual(self.told(), [("lost", False)])

    def test_back_pressure(self) -> None:
        self.wire.producer.pauseProducing()
        self.wire.producer.resumeProducing()
        self.wire.producer.stopProducing()
        self.assertEqual(self.told(), ["pause", "resume"])
        self.connection.pause()
        self.assertTrue(self.wire.paused)
        self.connection.resume()
        self.assertFalse(self.wire.paused)

    def test_nobody_is_slowed_down_between_two_exchanges(self) -> None:
        self.wire.send(answer())
        self.connection.release(True)
        self.told()
        self.wire.producer.pauseProducing()
        self.wire.producer.resumeProducing()
        self.assertEqual(self.told(), [])


class EndTests(BackendTestCase):
    """How the connection ends, and what that means for the answer."""

    def test_before_the_answer(self) -> None:
        for reason, clean in ((ConnectionDone(), True), (ConnectionLost(), False)):
            self.begin()
            self.wire.lose(reason)
            self.assertEqual(self.told(), [("lost", clean)])
            self.assertEqual(self.pool.told, ["forgotten"])

    def test_an_end_that_is_the_answers_end(self) -> None:
        self.wire.send(b"HTTP/1.1 200 OK\r\n\r\nab")
        self.wire.fin()
        self.assertTrue(self.wire.aborted)
        self.assertEqual(self.told(), [(200, b"ab", [], False), (None, b"", [], True)])

    def test_a_reset_is_no_such_end(self) -> None:
        self.wire.send(b"HTTP/1.1 200 OK\r\n\r\nab")
        self.wire.lose(ConnectionLost())
        self.assertEqual(self.told()[1:], [("lost", False)])

    def test_the_end_of_a_tunnel(self) -> None:
        for reason, clean in ((ConnectionDone(), True), (ConnectionLost(), False)):
            self.begin()
            self.connection.become_tunnel(self.exchange)
            self.wire.lose(reason)
            self.assertEqual(self.told(), [("lost", clean)])

    def test_closing(self) -> None:
        self.connection.close()
        self.assertTrue(self.wire.aborted)
        self.assertEqual(self.told(), [])
        self.connection.close()
        self.connection.finish()
        self.assertEqual(self.pool.told, ["forgotten"])

    def test_finishing(self) -> None:
        self.connection.finish()
        self.assertTrue(self.wire.closing)
        self.assertFalse(self.wire.aborted)
        self.assertEqual(self.pool.told, ["leaving"])

    def test_half_closing(self) -> None:
        self.connection.half_close()
        self.assertTrue(self.wire.write_closed)
        self.begin(Address("a.example", 443, tls=True))
        self.connection.half_close()
        self.assertTrue(self.wire.closing)
        self.connection.writeConnectionLost()
        self.assertEqual(self.told(), [])


class ReuseTests(BackendTestCase):
    """Whether the connection serves once more: only if nothing can be left of this answer."""

    def after(self, *pieces: bytes, reusable: bool = True, head_only: bool = False) -> list[object]:
        self.begin(head_only=head_only)
        for piece in pieces:
            self.wire.send(piece)
        self.connection.release(reusable)
        return self.pool.told

    def test_kept(self) -> None:
        for pieces in (
            [answer()],
            [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"ok"],
            [b"HTTP/1.1 204 No\r\n\r\n"],
            [b"HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n"],
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
            [b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"],
        ):
            self.assertEqual(self.after(*pieces), ["kept"], pieces)
            self.assertTrue(self.wire.open)

    def test_not_kept(self) -> None:
        for pieces in (
            [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"],
            [b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
            [answer() + b"x"],
            [answer() + answer()],
            [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"okx"],
            [b"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc"],
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx"],
            [b"HTTP/1.1 200 OK\r\n\r\nab"],
        ):
            self.assertEqual(self.after(*pieces), ["forgotten"], pieces)
            self.assertTrue(self.wire.aborted)

    def test_not_kept_where_the_request_is_not_all_sent(self) -> None:
        self.assertEqual(self.after(answer(), reusable=False), ["forgotten"])

    def test_after_a_head(self) -> None:
        length = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        self.assertEqual(self.after(length, head_only=True), ["kept"])
        again = Notes()
        self.connection.send_request(again, b"again", False)
        self.wire.send(length + b"ok")
        self.assertEqual(again.told, [(200, b"ok", [], True)])
        self.assertEqual(self.after(length + b"ok", head_only=True), ["forgotten"])

    def test_a_kept_one_that_speaks_unasked(self) -> None:
        self.assertEqual(self.after(answer()), ["kept"])
        self.wire.send(b"HTTP/1.1 408 Slow\r\n\r\n")
        self.assertTrue(self.wire.aborted)
        self.assertIn("forgotten", self.pool.told)

    def test_a_kept_one_that_goes(self) -> None:
        self.assertEqual(self.after(answer()), ["kept"])
        self.told()
        self.wire.fin()
        self.assertTrue(self.wire.aborted)
        self.assertEqual((self.told(), self.pool.told), ([], ["kept", "forgotten"]))

    def test_a_paused_one_is_read_again(self) -> None:
        self.begin()
        self.connection.pause()
        self.wire.send(answer())
        self.connection.release(True)
        self.assertFalse(self.wire.paused)

    def test_uses_are_counted(self) -> None:
        self.assertEqual(self.connection.used, 0)
        self.wire.send(answer())
        self.connection.release(True)
        self.assertEqual(self.connection.used, 1)
