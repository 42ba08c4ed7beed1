"""Connections to backends, kept between requests."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.proxy.backend import BackendConnection
from giestack.proxy.pool import IDLE_LIMIT, IDLE_PER_ADDRESS, LEAVE_LIMIT, UNREACHABLE, Pool
from tests.proxy.memory import BACKEND, Backends, Wire

OTHER = Address("127.0.0.1", 9001)


class PoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.backends = Backends()
        self.pool = Pool(self.clock, self.backends)  # type: ignore[arg-type]

    def made(self, address: Address = BACKEND) -> BackendConnection:
        return self.successResultOf(self.pool.connect(address))

    def wire(self, connection: BackendConnection) -> Wire:
        [wire] = [wire for wire in self.backends.wires if wire.protocol is connection]
        return wire

    def test_nothing_is_kept_at_first(self) -> None:
        self.assertIsNone(self.pool.idle(BACKEND))
        self.assertEqual((self.pool.opened, self.pool.reused), (0, 0))

    def test_the_last_used_is_taken_first(self) -> None:
        first, second = self.made(), self.made()
        self.pool.give_back(first)
        self.pool.give_back(second)
        self.assertEqual(self.pool.kept, 2)
        self.assertIs(self.pool.idle(BACKEND), second)
        self.assertIs(self.pool.idle(BACKEND), first)
        self.assertEqual(self.pool.kept, 0)
        self.assertIsNone(self.pool.idle(BACKEND))
        self.assertEqual((self.pool.opened, self.pool.reused), (2, 2))

    def test_addresses_do_not_share(self) -> None:
        self.pool.give_back(self.made())
        self.assertIsNone(self.pool.idle(OTHER))
        self.assertIsNotNone(self.pool.idle(Address("127.0.0.1", 9000)))

    def test_who_gets_the_port_of_another_does_not_get_the_connections(self) -> None:
        """Also those that are given back only when the port has changed hands."""
        alices = Address("127.0.0.1", 9001, session="a")
        bobs = Address("127.0.0.1", 9001, session="b")
        kept, busy = self.made(alices), self.made(alices)
        self.pool.give_back(kept)
        self.assertIsNone(self.pool.idle(bobs))
        self.pool.give_back(busy)
        self.assertIsNone(self.pool.idle(bobs))
        self.assertEqual(self.pool.kept, 2)

    def test_a_lost_one_is_forgotten(self) -> None:
        first, second = self.made(), self.made()
        self.pool.give_back(first)
        self.pool.give_back(second)
        self.wire(second).lose()
        self.assertIs(self.pool.idle(BACKEND), first)
        self.pool.give_back(first)
        self.wire(first).lose()
        self.assertIsNone(self.pool.idle(BACKEND))

    def test_one_that_was_never_kept_may_be_forgotten(self) -> None:
        connection = self.made()
        self.pool.forget(connection)
        self.pool.give_back(self.made())
        self.wire(connection).lose()
        self.assertIsNotNone(self.pool.idle(BACKEND))

    def test_no_more_than_some_are_kept(self) -> None:
        connections = [self.made() for _ in range(IDLE_PER_ADDRESS + 2)]
        for connection in connections:
            self.pool.give_back(connection)
        aborted = [self.wire(connection).aborted for connection in connections]
        self.assertEqual(aborted, [False] * IDLE_PER_ADDRESS + [True, True])

    def test_nor_for_long(self) -> None:
        early, late = self.made(), self.made(OTHER)
        self.pool.give_back(early)
        self.clock.advance(IDLE_LIMIT / 2)
        self.pool.sweep()
        self.pool.give_back(late)
        self.clock.advance(IDLE_LIMIT / 2 + 1)
        self.pool.sweep()
        self.assertTrue(self.wire(early).aborted)
        self.assertFalse(self.wire(late).aborted)
        self.assertIsNone(self.pool.idle(BACKEND))
        self.clock.advance(IDLE_LIMIT)
        self.pool.sweep()
        self.assertTrue(self.wire(late).aborted)

    def test_leaving_ones_are_cut_after_a_while(self) -> None:
        stays, goes = self.made(), self.made()
        stays.finish()
        goes.finish()
        self.assertTrue(self.wire(stays).closing)
        self.wire(goes).lose()
        self.clock.advance(LEAVE_LIMIT + 1)
        self.pool.sweep()
        self.assertTrue(self.wire(stays).aborted)
        self.assertFalse(self.wire(goes).aborted)

    def test_closing(self) -> None:
        idle, leaving = self.made(), self.made()
        self.pool.give_back(idle)
        leaving.finish()
        self.pool.close()
        self.assertTrue(self.wire(idle).aborted and self.wire(leaving).aborted)
        self.assertIsNone(self.pool.idle(BACKEND))

    def test_no_connection(self) -> None:
        self.backends.down = True
        failure = self.failureResultOf(self.pool.connect(BACKEND))
        self.assertIn("Connection was refused", failure.getErrorMessage())

    def test_an_attempt_can_be_given_up(self) -> None:
        self.backends.slow = True
        attempt = self.pool.connect(BACKEND)
        attempt.cancel()
        self.failureResultOf(attempt, CancelledError)

    def test_an_address_without_an_endpoint(self) -> None:
        for error in (FileNotFoundError("no such file"), ValueError("no certificate")):

            def endpoint_for(address: Address, error: Exception = error) -> Any:
                raise error

            attempt: Deferred[Any] = Pool(self.clock, endpoint_for).connect(BACKEND)
            self.failureResultOf(attempt, type(error))

    def test_what_does_not_answer_is_news_once(self) -> None:
        self.assertTrue(self.pool.unreachable(BACKEND))
        self.assertFalse(self.pool.unreachable(BACKEND))
        self.assertTrue(self.pool.unreachable(OTHER))
        self.made()
        # It answers again: the next time is news again.
        self.assertTrue(self.pool.unreachable(BACKEND))
        self.assertFalse(self.pool.unreachable(OTHER))

    def test_only_so_many_are_remembered(self) -> None:
        for port in range(UNREACHABLE + 1):
            self.assertTrue(self.pool.unreachable(Address("127.0.0.1", port)))
        self.assertTrue(self.pool.unreachable(Address("127.0.0.1", 0)))
