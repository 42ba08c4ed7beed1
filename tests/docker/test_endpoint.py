"""Connections to an engine, and words for what fails there."""

import errno
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet import error, reactor  # noqa: TID251 - real sockets and TLS
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.ssl import Certificate as TwistedCertificate
from twisted.internet.ssl import (
    CertificateOptions,
    PrivateCertificate,
    trustRootFromCertificates,
)
from twisted.internet.task import Clock, deferLater
from twisted.internet.tcp import Client
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.docker import Docker
from giestack.docker.endpoint import EngineAgent, agent_for
from giestack.docker.errors import DockerError, Unreachable
from giestack.docker.location import Location, LocationError, TlsFiles
from tests.docker.scripted_engine import ScriptedCase, Wire, cut, pieces, said, silent
from tests.neighbours.certificates import certificate


class EndpointCase(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.engine.on("GET /info", said(200, {"ID": "this one"}))

    def at(self, location: Location) -> Docker:
        docker = Docker(self.clock, agent_for(reactor, location))
        self.addCleanup(docker.close)
        return docker


class PlainTests(EndpointCase):
    async def test_a_socket(self) -> None:
        self.assertEqual(await self.at(self.engine.location).info(), {"ID": "this one"})

    async def test_tcp(self) -> None:
        location = self.engine.listen()
        self.assertEqual(await self.at(location).info(), {"ID": "this one"})
        name = Location(f"tcp://localhost:{location.port}")
        self.assertEqual(await self.at(name).info(), {"ID": "this one"})

    async def test_each_agent_has_one_engine_whatever_the_url_says(self) -> None:
        # URLs are the same for all engines: connections of one may not serve another.
        other = type(self.engine)()
        self.addCleanup(other.end)
        other.on("GET /info", said(200, {"ID": "the other one"}))
        first, second = self.at(self.engine.location), self.at(other.location)
        for _ in range(2):
            self.assertEqual((await first.info())["ID"], "this one")
            self.assertEqual((await second.info())["ID"], "the other one")

    async def test_a_socket_that_is_missing(self) -> None:
        location = Location("unix:///nonexistent/docker.sock")
        failure = await self.failing(Unreachable, self.at(location).info())
        self.assertEqual(
            str(failure),
            "unix:///nonexistent/docker.sock can't be reached: No such file or directory; "
            "does an engine run there?",
        )

    async def test_nobody_listens(self) -> None:
        location = self.engine.listen()
        await self.engine.down()
        failure = await self.failing(Unreachable, self.at(location).info())
        self.assertIn(
            f"{location.url} can't be reached: Connection refused; does an engine", str(failure)
        )

    async def test_a_name_that_nobody_has(self) -> None:
        docker = self.at(Location("tcp://engine.invalid:2375"))
        failure = await self.failing(Unreachable, docker.info())
        self.assertEqual(
            str(failure), "tcp://engine.invalid:2375: no address is known for engine.invalid"
        )

    async def test_closing_ends_connections_in_every_state(self) -> None:
        docker = self.at(self.engine.location)
        await docker.info()
        self.engine.on("GET /info", silent)
        self.engine.on("GET /events", pieces(b"{}\n", end=False))
        calling = self.start(docker.info())
        stream = docker.events(lambda _: None)
        await self.engine.until(lambda: len(self.engine.asked) == 3)
        await docker.close()
        await self.engine.until(lambda: not self.engine.open)
        self.failureResultOf(calling)
        self.assertIsNone(self.successResultOf(stream.ended))

    async def test_closing_because_a_connection_was_lost(self) -> None:
        docker = self.at(self.engine.location)
        self.engine.on("GET /info", cut)
        closing: list[Deferred[None]] = []

        def close(failure: Failure) -> None:
            closing.append(Deferred.fromCoroutine(docker.close()))

        # The failure is told while the connection is not quite gone yet.
        await self.start(docker.info()).addErrback(close)
        await closing[0]


class IdleTests(EndpointCase):
    async def test_a_connection_is_kept_for_30_seconds(self) -> None:
        clock = Clock()

        class Timed:
            """The reactor's sockets, and a clock of our own."""

            callLater = clock.callLater
            seconds = clock.seconds

            def __getattr__(self, name: str) -> Any:
                return getattr(reactor, name)

        agent = agent_for(Timed(), self.engine.location)
        docker = Docker(clock, agent)
        await docker.info()
        clock.advance(29.9)
        await docker.info()
        self.assertEqual(self.engine.connections, 1)
        clock.advance(30.1)
        await self.engine.until(lambda: not self.engine.open)
        await docker.info()
        self.assertEqual(self.engine.connections, 2)
        agent.forget_idle()
        await self.engine.until(lambda: not self.engine.open)


class TlsTests(EndpointCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.ca, _, self.signer = certificate(self.folder, "ca")
        cert, key, _ = certificate(self.folder, "client", self.signer)
        self.files = TlsFiles(self.ca, cert, key)

    def listen(self, host: str = "127.0.0.1") -> Location:
        """An engine that wants certificates of our authority."""
        cert, key, _ = certificate(self.folder, "server", self.signer)
        own = PrivateCertificate.loadPEM(cert.read_bytes() + key.read_bytes())
        authority = TwistedCertificate.loadPEM(self.ca.read_bytes())
        options = CertificateOptions(
            privateKey=own.privateKey.original,
            certificate=own.original,
            trustRoot=trustRootFromCertificates([authority]),
        )
        return Location(self.engine.listen(host, options).url, self.files)

    def other(self, name: str) -> tuple[Path, Path]:
        """A certificate of an authority that nobody knows, and its key."""
        _, _, signer = certificate(self.folder, "other-ca")
        cert, key, _ = certificate(self.folder, name, signer)
        return cert, key

    async def refused(self, location: Location) -> str:
        return str(await self.failing(DockerError, self.at(location).info()))

    async def test_both_sides_know_each_other(self) -> None:
        docker = self.at(self.listen())
        for _ in range(2):
            self.assertEqual(await docker.info(), {"ID": "this one"})
        self.assertEqual(self.engine.connections, 1)

    async def test_by_name(self) -> None:
        location = Location(f"tcp://localhost:{self.listen().port}", self.files)
        self.assertEqual(await self.at(location).info(), {"ID": "this one"})

    async def test_an_engine_of_another_authority(self) -> None:
        location = self.listen()
        ca, _, _ = certificate(self.folder, "wrong-ca")
        wrong = Location(location.url, TlsFiles(ca, self.files.cert, self.files.key))
        self.assertEqual(
            await self.refused(wrong),
            f"the certificate of {location.url} does not lead to {ca}, or its time is over",
        )
        self.assertEqual(self.engine.asked, [])

    async def test_an_engine_of_another_name(self) -> None:
        location = self.listen("127.0.0.2")
        self.assertIn(
            f"{location.url} shows a certificate for another name", await self.refused(location)
        )
        self.assertEqual(self.engine.asked, [])

    async def test_a_certificate_of_ours_that_the_engine_does_not_take(self) -> None:
        cert, key = self.other("stranger")
        location = Location(self.listen().url, TlsFiles(self.ca, cert, key))
        self.assertIn(
            f"{location.url} does not accept our certificate {cert}", await self.refused(location)
        )
        self.assertEqual(self.engine.asked, [])

    async def test_no_certificate_of_ours(self) -> None:
        # Whoever asks in the clear has none; what is said there is not HTTP.
        location = Location(self.listen().url)
        self.assertEqual(
            await self.refused(location),
            f"{location.url} has closed the connection before its answer was complete; "
            "does it want TLS?",
        )
        self.assertEqual(self.engine.asked, [])

    async def test_an_engine_that_does_not_speak_tls(self) -> None:
        location = Location(self.engine.listen().url, self.files)
        # Some close the connection, others answer in the clear.
        Wire.dataReceived, before = _answer_in_the_clear, Wire.dataReceived  # type: ignore[method-assign]
        self.addCleanup(setattr, Wire, "dataReceived", before)
        self.assertEqual(await self.refused(location), f"{location.url} does not speak TLS")

    async def test_files_are_read_at_once(self) -> None:
        self.files.key.write_text("nothing")
        error = self.assertRaises(
            LocationError, agent_for, reactor, Location("tcp://127.0.0.1:2376", self.files)
        )
        self.assertIn(str(self.files.key), str(error))

    async def test_ending_a_stream_does_not_wait_for_the_other_side(self) -> None:
        self.engine.on("GET /events", pieces(b"{}\n", end=False))
        heard: list[Any] = []
        stream = self.at(self.listen()).events(lambda event: heard.append(event))
        while not heard:
            await deferLater(reactor, 0)
        [wire] = self.engine.wires
        wire.transport.pauseProducing()  # type: ignore[union-attr]
        stream.stop()
        for _ in range(10):
            await deferLater(reactor, 0)
        self.assertEqual([one for one in reactor.getReaders() if isinstance(one, Client)], [])
        wire.transport.resumeProducing()  # type: ignore[union-attr]

    async def test_a_stream_that_is_not_read_ends_too(self) -> None:
        self.engine.on("GET /images/get", pieces(*[b"x" * 65536] * 64, end=False))
        docker = self.at(self.listen())
        stream = docker.images.save(["a"], lambda _: None)
        stream.pause()
        await self.engine.until(lambda: self.engine.asked)
        stream.stop()
        await self.engine.until(lambda: not self.engine.open)


def _answer_in_the_clear(self: Wire, data: bytes) -> None:
    assert self.transport is not None
    self.transport.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")


class WordsTests(SynchronousTestCase):
    """Failures that can't be had from this machine's sockets at will."""

    def said(self, reason: Exception, tls: TlsFiles | None = None) -> str:
        class Endpoint:
            def connect(self, factory: Any) -> Any:
                return fail(reason)

        agent = EngineAgent(Clock(), Location("tcp://far:2376", tls), Endpoint())  # type: ignore[arg-type]
        failure = self.failureResultOf(agent.request(b"GET", b"http://docker/"), Unreachable)
        return str(failure.value)

    def test_a_socket_that_is_not_for_us(self) -> None:
        self.assertEqual(
            self.said(error.getConnectError((errno.EACCES, "Permission denied"))),
            "tcp://far:2376 can't be reached: Permission denied; whoever uses it must be in the "
            "socket's group, which is mostly called docker",
        )

    def test_nothing_answers(self) -> None:
        self.assertEqual(
            self.said(error.TimeoutError()),
            "tcp://far:2376 can't be reached: nothing answers for 10 s",
        )

    def test_other_failures_to_connect(self) -> None:
        self.assertEqual(
            self.said(error.getConnectError((errno.ENETUNREACH, "x"))),
            "tcp://far:2376 can't be reached: Network is unreachable",
        )
        self.assertIn("can't be reached", self.said(error.ConnectError(string="odd")))

    def test_other_failures_of_tls(self) -> None:
        self.assertEqual(
            self.said(SSL.Error([("SSL routines", "", "no shared cipher")])),
            "TLS with tcp://far:2376 fails: no shared cipher",
        )
        self.assertEqual(
            self.said(SSL.Error()), "TLS with tcp://far:2376 fails: the connection was closed"
        )

    def test_what_nobody_has_thought_of(self) -> None:
        self.assertEqual(
            self.said(OSError("odd")),
            "tcp://far:2376 gives no answer that can be read: odd",
        )

    def test_a_connection_that_was_given_up(self) -> None:
        class Endpoint:
            def connect(self, factory: Any) -> Any:
                return fail(error.ConnectingCancelledError(None))

        agent = EngineAgent(Clock(), Location("tcp://far:2376"), Endpoint())  # type: ignore[arg-type]
        self.failureResultOf(agent.request(b"GET", b"http://docker/"), CancelledError)
