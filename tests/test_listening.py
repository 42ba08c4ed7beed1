"""Opening and closing the doors."""

import socket
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - real ports
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.listening import CannotListen, Door, Listeners
from tests.proxy.memory import House, answer, get

reactor: Any = global_reactor


def factory() -> Any:
    made = Factory.forProtocol(Protocol)
    made.noisy = False
    return made


def numbers(listeners: Listeners) -> list[int]:
    """The port numbers that are listened on."""
    hosts: list[Any] = [port.getHost() for port in listeners.ports]
    return [host.port for host in hosts]


class ListenersTests(TestCase):
    async def test_they_open_and_close(self) -> None:
        listeners = Listeners(reactor, ["tcp:0:interface=127.0.0.1"] * 2, factory())
        listeners.privilegedStartService()
        ports = numbers(listeners)
        self.assertEqual(len(set(ports)), 2)
        listeners.startService()
        self.assertEqual(numbers(listeners), ports)
        for port in ports:
            socket.create_connection(("127.0.0.1", port)).close()
        await listeners.stopService()
        for port in ports:
            self.assertRaises(OSError, socket.create_connection, ("127.0.0.1", port))

    async def test_a_port_that_is_taken_opens_none(self) -> None:
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        number = taken.getsockname()[1]
        endpoints = ["tcp:0:interface=127.0.0.1", f"tcp:{number}:interface=127.0.0.1"]
        listeners = Listeners(reactor, endpoints, factory())
        error = self.assertRaises(CannotListen, listeners.privilegedStartService)
        self.assertIn(f"tcp:{number}", str(error))
        self.assertIn("Address already in use", str(error))
        self.assertNotIn("\n", str(error))
        self.assertEqual(listeners.ports, [])

    async def test_a_certificate_that_is_not_there(self) -> None:
        endpoint = "ssl:0:privateKey=/nowhere/key.pem:certKey=/nowhere/cert.pem"
        listeners = Listeners(reactor, [endpoint], factory())
        self.assertRaises((CannotListen, OSError), listeners.privilegedStartService)


class DoorTests(SynchronousTestCase):
    """Stopping, with the front door in memory."""

    def setUp(self) -> None:
        self.house = House()
        self.door = Door(reactor, self.house.clock, [], self.house.front)
        self.door.startService = lambda: None  # type: ignore[method-assign]

    def stop(self) -> Deferred[Any]:
        self.door.running = 1
        stopped = self.door.stopService()
        self.house.clock.advance(0)
        return stopped

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds / 0.05) + 1):
            self.house.clock.advance(0.05)

    def test_an_idle_house_closes_at_once(self) -> None:
        client = self.house.connect()
        stopped = self.stop()
        self.assertTrue(client.closing)
        client.lose()
        self.wait(0.1)
        self.successResultOf(stopped)

    def test_an_answer_under_way_is_finished(self) -> None:
        client = self.house.connect()
        client.send(get())
        stopped = self.stop()
        self.wait(1)
        self.assertNoResult(stopped)
        self.house.backends[0].send(answer(b"in time"))
        told = client.take()
        self.assertTrue(told.endswith(b"in time"))
        self.assertIn(b"Connection: close\r\n", told)
        client.lose()
        self.wait(0.1)
        self.successResultOf(stopped)

    def test_an_answer_that_had_promised_to_go_on(self) -> None:
        client = self.house.connect()
        client.send(get())
        self.house.backends[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        stopped = self.stop()
        self.assertTrue(client.open)
        self.house.backends[0].send(b"cd")
        self.assertTrue(client.closing)
        client.lose()
        self.wait(0.1)
        self.successResultOf(stopped)

    def test_but_not_for_ever(self) -> None:
        client = self.house.connect()
        client.send(get())
        stopped = self.stop()
        self.wait(7)
        self.assertTrue(client.aborted)
        self.successResultOf(stopped)
