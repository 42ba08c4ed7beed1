"""Waiting for a session that was started to answer."""

import socket
from contextlib import closing
from itertools import pairwise
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.address import Address
from giestack.proxy.ask import Answer, Ask
from giestack.proxy.endpoints import Endpoints
from giestack.spawner.readiness import TRY, NotReady, wait_until_ready

reactor: Any = global_reactor
ADDRESS = Address("127.0.0.1", 9000)
NOBODY = Answer(0, "is not there: nothing listens at its address")


class Asked:
    """Answers as it is told to, at once, and notes when it was asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.answer: Answer | Deferred[Answer] = NOBODY
        self.times: list[float] = []
        self.with_what: list[tuple[Address, bytes, bytes]] = []
        self.seconds: list[float] = []

    def __call__(
        self, address: Address, target: bytes, host: bytes, *, seconds: float
    ) -> Deferred[Answer]:
        self.times.append(round(self._clock.seconds(), 6))
        self.with_what.append((address, target, host))
        self.seconds.append(seconds)
        return self.answer if isinstance(self.answer, Deferred) else succeed(self.answer)


class WaitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.asked = Asked(self.clock)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def wait(self, timeout: float = 60, **options: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(
            wait_until_ready(
                self.asked, ADDRESS, b"/base/api", clock=self.clock, timeout=timeout, **options
            )
        )

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 1000)):
            self.clock.advance(0.001)

    def test_ready_at_once(self) -> None:
        self.asked.answer = Answer(200, "OK")
        self.successResultOf(self.wait())
        self.assertEqual(self.asked.with_what, [(ADDRESS, b"/base/api", b"localhost")])
        self.assertEqual(self.asked.seconds, [TRY])

    def test_any_answer_below_500_will_do(self) -> None:
        for status in (200, 204, 302, 401, 403, 404, 499):
            self.asked.answer = Answer(status, "x")
            self.successResultOf(self.wait())

    def test_another_host(self) -> None:
        self.asked.answer = Answer(200, "OK")
        self.successResultOf(self.wait(host=b"galaxy.example.org"))
        self.assertEqual(self.asked.with_what[0][2], b"galaxy.example.org")

    def test_how_often(self) -> None:
        waiting = self.wait()
        self.pass_time(30)
        self.assertNoResult(waiting)
        times = self.asked.times
        pauses = [b - a for a, b in pairwise(times)]
        for pause, expected in zip(pauses, (0.02, 0.03, 0.045, 0.0675, 0.1, 0.1), strict=False):
            self.assertApproximates(pause, expected, 0.002)
        early = [pause for pause, at in zip(pauses, times, strict=False) if at < 9.9]
        self.assertLess(max(early), 0.102)
        self.assertApproximates(pauses[-1], 0.5, 0.002)
        self.asked.answer = Answer(200, "OK")
        self.pass_time(0.6)
        self.successResultOf(waiting)

    def test_why_it_never_was_ready(self) -> None:
        for answer, words in (
            (NOBODY, "is not there: nothing listens at its address"),
            (Answer(500, "Internal Server Error"), "answers 500 Internal Server Error"),
            (Answer(503, ""), "answers 503"),
            (Answer(500, "a\x1b[1m\x85b" + "x" * 60_000), f"answers 500 a [1m b{'x' * 93}"),
            (Answer(0, "does not speak HTTP"), "does not speak HTTP"),
        ):
            self.asked.answer = answer
            waiting = self.wait(timeout=1)
            self.pass_time(1)
            failed = self.failureResultOf(waiting, NotReady)
            self.assertEqual(str(failed.value), words)

    def test_a_try_is_bounded_and_the_last_one_by_the_rest(self) -> None:
        waiting = self.wait(timeout=3)
        self.asked.answer = Deferred()
        self.pass_time(0.03)
        self.clock.advance(1.97)
        last, self.asked.answer = self.asked.answer, Deferred()
        last.callback(Answer(503, "x"))
        self.pass_time(0.05)
        self.assertApproximates(self.asked.seconds[-1], 3 - self.asked.times[-1], 0.001)
        self.assertLess(self.asked.seconds[-1], 1)
        self.clock.advance(1)
        self.asked.answer.callback(Answer(0, "does not answer in time"))
        failed = self.failureResultOf(waiting, NotReady)
        # Not that the last try, which was a short one, came to nothing.
        self.assertEqual(str(failed.value), "answers 503 x")

    def test_without_patience_it_is_asked_once(self) -> None:
        self.failureResultOf(self.wait(timeout=0), NotReady)
        self.assertEqual(self.asked.seconds, [0.0])

    def test_it_may_be_cancelled_between_two_tries(self) -> None:
        waiting = self.wait()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)

    def test_it_may_be_cancelled_in_a_try(self) -> None:
        cancelled: list[object] = []
        self.asked.answer = Deferred(cancelled.append)
        waiting = self.wait()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(len(cancelled), 1)


class RealWaitTests(TestCase):
    """Over sockets; trial makes sure that no timer and no connection is left."""

    def wait(self, port: int, timeout: float) -> Deferred[None]:
        ask = Ask(reactor, Endpoints(reactor, 5))
        address = Address("127.0.0.1", port)
        waiting = wait_until_ready(ask, address, b"/", clock=reactor, timeout=timeout)
        return Deferred.fromCoroutine(waiting)

    async def test_one_that_comes_up_late(self) -> None:
        with closing(socket.socket()) as server:
            server.bind(("127.0.0.1", 0))
            waiting = self.wait(server.getsockname()[1], 20)
            reactor.callLater(0.1, server.listen)
            reactor.callLater(0.15, _answer_one, server)
            await waiting

    async def test_one_that_never_comes_up(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            port = server.getsockname()[1]
        with self.assertRaisesRegex(NotReady, "nothing listens"):
            await self.wait(port, 1)

    async def test_cancelled(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            waiting = self.wait(server.getsockname()[1], 20)
            reactor.callLater(0.05, waiting.cancel)
            with self.assertRaises(CancelledError):
                await waiting


def _answer_one(server: socket.socket) -> None:
    """Take the connections that wait, and answer each of them with 404."""
    server.setblocking(False)
    taken = []
    try:
        while True:
            taken.append(server.accept()[0])
    except BlockingIOError:
        pass
    for connection in taken:
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        connection.close()
    if not taken:
        reactor.callLater(0.01, _answer_one, server)
