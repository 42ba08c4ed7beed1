"""Opening and closing the doors."""

import socket
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor as global_reactor  # noqa: TID251 - real ports
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.listening import CannotListen, Door, Listeners
from tests.neighbours.certificates import certificate
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

    async def test_sockets_that_systemd_has_not_made(self) -> None:
        for endpoint in ("systemd:INET:name=proxy", "systemd:INET:index=7"):
            listeners = Listeners(reactor, [endpoint], factory())
            error = self.assertRaises(CannotListen, listeners.privilegedStartService)
            self.assertEqual(
                str(error), f"cannot listen on {endpoint}: systemd has handed over no such socket"
            )

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


class CertificateTests(TestCase):
    """Listeners with TLS: certificates are renewed without closing anything."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.write("one")
        key, pem = self.folder / "key.pem", self.folder / "cert.pem"
        self.endpoint = f"ssl:0:privateKey={key}:certKey={pem}:interface=127.0.0.1"
        self.listeners = Listeners(reactor, [self.endpoint], Factory.forProtocol(Echo))
        self.listeners.privilegedStartService()
        self.addCleanup(self.listeners.stopService)

    def write(self, name: str) -> None:
        """Put another certificate, for this name, in the place of the old one."""
        made, key, _ = certificate(self.folder, name)
        made.rename(self.folder / "cert.pem")
        key.rename(self.folder / "key.pem")

    def renew(self) -> None:
        endpoints = [self.endpoint]
        self.listeners.prepare(endpoints, self.listeners.read_certificates(endpoints)).apply()

    async def connect(self) -> "Caller":
        [port] = numbers(self.listeners)
        plain = HostnameEndpoint(reactor, "127.0.0.1", port)
        return await call(self, wrapClientTLS(CertificateOptions(), plain))

    async def test_a_new_certificate_and_connections_that_stay(self) -> None:
        [port] = self.listeners.ports
        first = await self.connect()
        self.write("two")
        self.renew()
        second = await self.connect()
        self.assertEqual((first.name(), second.name()), ("one", "two"))
        # Also what was begun with the old one goes on, on the same listening socket.
        await first.say(b"still here")
        self.assertEqual(self.listeners.ports, [port])

    async def test_a_certificate_that_can_not_be_used_changes_nothing(self) -> None:
        certificate(self.folder, "two")[1].rename(self.folder / "key.pem")
        error = self.assertRaises(CannotListen, self.renew)
        self.assertIn(str(self.folder / "key.pem"), str(error))
        self.assertEqual((await self.connect()).name(), "one")

    async def test_a_taken_port(self) -> None:
        [port] = numbers(self.listeners)
        endpoint = self.endpoint.replace("ssl:0:", f"ssl:{port}:")
        other = Listeners(reactor, [endpoint], factory())
        error = self.assertRaises(CannotListen, other.privilegedStartService)
        self.assertIn("Address already in use", str(error))


class ChangeTests(TestCase):
    """Other endpoints while there are connections."""

    def setUp(self) -> None:
        self.listeners = Listeners(
            reactor, ["tcp:0:interface=127.0.0.1"], Factory.forProtocol(Echo)
        )
        self.listeners.privilegedStartService()
        self.addCleanup(self.listeners.stopService)
        [self.number] = numbers(self.listeners)

    async def connect(self, port: int) -> "Caller":
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", port)
        return await call(self, endpoint)

    async def test_one_more_and_one_less(self) -> None:
        caller = await self.connect(self.number)
        self.listeners.prepare(
            ["tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.3"], {}
        ).apply()
        # The first one is the old one.
        self.assertEqual(numbers(self.listeners)[0], self.number)
        self.listeners.prepare(["tcp:0:interface=127.0.0.3"], {}).apply()
        self.assertEqual(len(self.listeners.ports), 1)
        await caller.say(b"still here")
        await deferLater(reactor, 0)
        self.assertRaises(OSError, socket.create_connection, ("127.0.0.1", self.number))

    async def test_a_change_that_is_not_made(self) -> None:
        change = self.listeners.prepare(
            ["tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.2"], {}
        )
        change.cancel()
        self.assertEqual(numbers(self.listeners), [self.number])
        await self.connect(self.number)

    async def test_the_same_port_in_another_way(self) -> None:
        # Opened before the old one is closed, so that a failure changes nothing.
        one = [f"tcp:{self.number}:interface=127.0.0.1"]
        other = Listeners(reactor, one, factory())
        await self.listeners.stopService()
        other.privilegedStartService()
        self.addCleanup(other.stopService)
        both = [f"tcp:{self.number}:interface=127.0.0.1:backlog=7"]
        error = self.assertRaises(CannotListen, other.prepare, both, {})
        self.assertIn(f"in use, by {one[0]}; that change needs a restart", str(error))

    async def test_a_change_that_can_not_be_made(self) -> None:
        endpoints = ["tcp:0:interface=127.0.0.2", f"tcp:{self.number}:interface=127.0.0.1"]
        self.assertRaises(CannotListen, self.listeners.prepare, endpoints, {})
        self.assertEqual(numbers(self.listeners), [self.number])
        await self.connect(self.number)


class Echo(Protocol):
    """Says what it hears."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class Caller(Protocol):
    """Talks to an `Echo`."""

    heard: Deferred[bytes]

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()

    def say(self, text: bytes) -> Deferred[bytes]:
        """Fires when the same has come back."""
        self.heard = Deferred()
        self.transport.write(text)  # type: ignore[union-attr]
        return self.heard

    def dataReceived(self, data: bytes) -> None:
        self.heard.callback(data)

    def name(self) -> str:
        """The name in the certificate of the other side."""
        subject = cast(Any, self.transport).getPeerCertificate().get_subject()
        return str(subject.CN)

    def end(self) -> Deferred[None]:
        self.transport.loseConnection()  # type: ignore[union-attr]
        return self.ended

    def connectionLost(self, reason: object = None) -> None:
        self.ended.callback(None)


async def call(test: TestCase, endpoint: IStreamClientEndpoint) -> Caller:
    """Connect, and make sure that somebody answers."""
    caller = await endpoint.connect(Factory.forProtocol(Caller))
    assert isinstance(caller, Caller)
    test.addCleanup(caller.end)
    await caller.say(b"hello")
    return caller
