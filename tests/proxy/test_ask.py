"""One question to a backend."""

import os
import shutil
import socket
import tempfile
from contextlib import closing
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor as global_reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import (
    ConnectError,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.address import Address
from giestack.proxy.ask import Answer, Ask
from giestack.proxy.endpoints import Endpoints
from tests.proxy.memory import BACKEND, Backends, Wire, answer

reactor: Any = global_reactor

NOT_HTTP = Answer(0, "does not speak HTTP")
LATE = Answer(0, "does not answer in time")


class AskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.backends = Backends()
        self.asker = Ask(self.clock, self.backends)  # type: ignore[arg-type]

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        for wire in self.backends.wires:
            self.assertFalse(wire.open)

    def ask(self, most: int = 0, address: Address = BACKEND) -> Deferred[Answer]:
        return self.asker(address, b"/api?x", b"localhost", seconds=2.0, most=most)

    def asked(self, most: int = 0, address: Address = BACKEND) -> tuple[Deferred[Answer], Wire]:
        return self.ask(most, address), self.backends[-1]

    def test_what_is_sent(self) -> None:
        asked, wire = self.asked()
        self.assertEqual(
            wire.take(),
            b"GET /api?x HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        )
        wire.send(answer())
        self.successResultOf(asked)

    def test_more_than_a_question(self) -> None:
        asked = self.asker(
            BACKEND, b"/x", b"h", seconds=2.0, method=b"DELETE", fields=[(b"Cookie", b"a=b")]
        )
        wire = self.backends[-1]
        head = b"DELETE /x HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nConnection: close\r\n"
        self.assertEqual(wire.take(), head + b"Cookie: a=b\r\n\r\n")
        wire.send(answer())
        self.successResultOf(asked)

    def test_the_head_is_enough(self) -> None:
        asked, wire = self.asked()
        wire.send(b"HTTP/1.1 302 Found\r\nContent-Length: 1000000\r\n")
        self.assertNoResult(asked)
        wire.send(b"\r\n")
        self.assertEqual(self.successResultOf(asked), Answer(302, "Found"))
        self.assertTrue(wire.aborted)

    def test_a_whole_answer_ends_without_a_reset(self) -> None:
        asked, wire = self.asked(most=100)
        wire.send(answer(b"hello"))
        self.assertEqual(self.successResultOf(asked), Answer(200, "OK", b"hello", True))
        self.assertTrue(wire.closing and not wire.aborted)

    def test_over_tls_nobody_waits_for_a_goodbye(self) -> None:
        asked, wire = self.asked(address=Address("127.0.0.1", 1, tls=True))
        wire.send(answer(b""))
        self.assertEqual(self.successResultOf(asked).status, 200)
        self.assertTrue(wire.aborted)

    def test_an_answer_in_pieces(self) -> None:
        asked, wire = self.asked(most=100)
        wire.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        self.assertNoResult(asked)
        wire.send(b"2\r\nde\r\n0\r\n\r\n")
        self.assertEqual(self.successResultOf(asked), Answer(200, "OK", b"abcde", True))

    def test_one_that_ends_with_the_connection(self) -> None:
        asked, wire = self.asked(most=100)
        wire.send(b"HTTP/1.0 200 OK\r\n\r\nabc")
        wire.lose()
        self.assertEqual(self.successResultOf(asked), Answer(200, "OK", b"abc", True))

    def test_one_that_is_cut_short(self) -> None:
        asked, wire = self.asked(most=100)
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        wire.lose(ConnectionLost())
        self.assertEqual(self.successResultOf(asked), Answer(200, "OK", b"abc", False))

    def test_a_body_that_is_too_long(self) -> None:
        for head in (b"Content-Length: 100", b"Transfer-Encoding: chunked", b"X: 1"):
            asked, wire = self.asked(most=4)
            body = b"5\r\nabcde\r\n" if b"chunked" in head else b"abcde"
            wire.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body)
            told = self.successResultOf(asked)
            self.assertEqual((len(told.body), told.whole), (4, False))
            self.assertTrue(wire.aborted)
        asked, wire = self.asked(most=4)
        wire.send(answer(b"abcde"))
        self.assertFalse(self.successResultOf(asked).whole)

    def test_an_endless_head(self) -> None:
        for endless in (b"X: " + b"y" * 1000 + b"\r\n", b"\r\nHTTP/1.1 100 Continue\r\n"):
            asked, wire = self.asked(most=1000)
            wire.send(b"HTTP/1.1 100 Continue\r\n")
            sent = 0
            while wire.open:
                wire.send(endless)
                sent += len(endless)
                self.assertLess(sent, 100_000)
            self.assertEqual(self.successResultOf(asked), NOT_HTTP)

    def test_what_is_not_http(self) -> None:
        for data in (
            b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x01", b"HTTP/1.1 99 X\r\n\r\n", b"<html>",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc",
        ):  # fmt: skip
            asked, wire = self.asked()
            wire.send(data)
            self.assertEqual(self.successResultOf(asked), NOT_HTTP)
        asked, wire = self.asked()
        wire.send(b"HTTP/1.1 20")
        wire.lose()
        self.assertEqual(self.successResultOf(asked), NOT_HTTP)

    def test_a_head_before_nonsense_is_an_answer(self) -> None:
        asked, wire = self.asked()
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        self.assertEqual(self.successResultOf(asked).status, 200)

    def test_no_answer(self) -> None:
        asked, wire = self.asked()
        wire.lose()
        told = self.successResultOf(asked)
        self.assertEqual(told, Answer(0, "closes the connection without an answer"))

    def test_trouble_with_tls(self) -> None:
        asked, wire = self.asked(address=Address("127.0.0.1", 1, tls=True))
        wire.lose(SSL.Error([("SSL routines", "", "certificate verify failed")]))
        self.assertIn("certificate", self.successResultOf(asked).reason)

    def test_no_connection(self) -> None:
        for error, words in (
            (ConnectionRefusedError(), "nothing listens"),
            (ConnectError(osError=2), "nothing listens"),
            (TimeoutError(), "in time"),
            (DNSLookupError(), "name that is not known"),
            (ConnectError(osError=13, string="no"), "can't be reached: An error occurred"),
        ):
            self.backends.connect = lambda factory, error=error: fail(error)  # type: ignore[method-assign, misc]
            told = self.successResultOf(self.ask())
            self.assertEqual(told.status, 0)
            self.assertIn(words, told.reason)

    def test_an_address_that_can_not_be_used(self) -> None:
        def unusable(address: Address) -> Any:
            raise ValueError("x.pem holds no certificate")

        self.asker = Ask(self.clock, unusable)
        told = self.successResultOf(self.ask())
        self.assertEqual(told, Answer(0, "can't be reached: x.pem holds no certificate"))

    def test_it_takes_no_longer(self) -> None:
        asked, wire = self.asked()
        self.clock.advance(1.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(asked), LATE)
        self.assertTrue(wire.aborted)

    def test_a_body_that_does_not_end_in_time(self) -> None:
        asked, wire = self.asked(most=100)
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        self.clock.advance(2)
        self.assertEqual(self.successResultOf(asked), Answer(200, "OK", b"abc", False))

    def test_nor_does_the_way_there(self) -> None:
        self.backends.slow = True
        asked = self.ask()
        self.clock.advance(2)
        self.assertEqual(self.successResultOf(asked), LATE)
        self.backends.finish_connecting()
        self.assertEqual(len(self.backends), 0)

    def test_it_may_be_cancelled(self) -> None:
        asked, wire = self.asked()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertTrue(wire.aborted)
        self.backends.slow = True
        asked = self.ask()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)

    def test_back_pressure_is_nothing_to_it(self) -> None:
        asked, wire = self.asked()
        wire.producer.pauseProducing()
        wire.producer.resumeProducing()
        wire.send(answer())
        self.assertEqual(self.successResultOf(asked).status, 200)


class Says(Protocol):
    """Answers whatever it is asked."""

    def __init__(self, words: bytes) -> None:
        self._words = words

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(self._words)


class RealAskTests(TestCase):
    """Over sockets; trial makes sure that nothing is left of them."""

    def setUp(self) -> None:
        self.ask = Ask(reactor, Endpoints(reactor, 5))

    async def test_a_unix_socket(self) -> None:
        # A path of a socket is short.
        folder = tempfile.mkdtemp(prefix="giestack-")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "s")
        told = await self.ask(Address(path=path), b"/", b"localhost", seconds=5)
        self.assertEqual(told, Answer(0, "is not there: nothing listens at its address"))
        factory = Factory.forProtocol(lambda: Says(answer(b"hello")))
        factory.noisy = False
        port = reactor.listenUNIX(path, factory)
        self.addCleanup(port.stopListening)
        told = await self.ask(Address(path=path), b"/", b"localhost", seconds=5, most=10)
        self.assertEqual(told, Answer(200, "OK", b"hello", True))

    async def test_nobody_listens(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            port = server.getsockname()[1]
        told = await self.ask(Address("127.0.0.1", port), b"/", b"localhost", seconds=5)
        self.assertEqual(told, Answer(0, "is not there: nothing listens at its address"))

    async def test_one_that_never_answers(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            address = Address("127.0.0.1", server.getsockname()[1])
            told = await self.ask(address, b"/", b"localhost", seconds=0.05)
            self.assertEqual(told, LATE)
            asked = self.ask(address, b"/", b"localhost", seconds=5)
            asked.cancel()
            with self.assertRaises(CancelledError):
                await asked
