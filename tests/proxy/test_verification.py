"""Certificates of backends, over real sockets: which are believed, and what is said of others."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import reactor as global_reactor  # noqa: TID251 - real sockets
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.address import Address
from giestack.proxy.ask import Answer, Ask
from giestack.proxy.endpoints import Endpoints
from giestack.proxy.verification import CertificateRefused, tls_words
from tests.neighbours.certificates import DAY, certificate
from tests.proxy.memory import answer

reactor: Any = global_reactor


class Says(Protocol):
    """Answers whatever it is asked."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(answer(b"hello"))


class CertificateTests(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.ca_file, _, self.signer = certificate(self.folder, "ca")

    async def listen(self, description: str) -> int:
        factory = Factory.forProtocol(Says)
        factory.noisy = False
        port = await serverFromString(reactor, description).listen(factory)
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    async def server(self, **of_certificate: Any) -> int:
        """A server with a certificate of the CA; its port."""
        return await self.server_with(
            *certificate(self.folder, "backend", self.signer, **of_certificate)[:2]
        )

    async def server_with(self, chain: Path, key: Path) -> int:
        return await self.listen(f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={chain}")

    async def ask(self, port: int, ca_file: Path | None = None, host: str = "127.0.0.1") -> Answer:
        address = Address(host, port, tls=True, ca_file=str(ca_file or self.ca_file))
        return await Ask(reactor, Endpoints(reactor, 5))(
            address, b"/", b"localhost", seconds=5, most=10
        )

    async def refused(self, port: int, *words: str, **more: Any) -> None:
        told = await self.ask(port, **more)
        self.assertEqual(told.status, 0)
        for word in words:
            self.assertIn(word, told.reason)

    async def test_one_that_leads_to_the_ca(self) -> None:
        port = await self.server()
        for host in ("127.0.0.1", "localhost"):
            self.assertEqual((await self.ask(port, host=host)).body, b"hello")

    async def test_one_that_is_its_own_ca(self) -> None:
        chain, key, _ = certificate(self.folder, "alone")
        port = await self.server_with(chain, key)
        self.assertEqual((await self.ask(port, chain)).body, b"hello")
        await self.refused(port, "has signed itself", "does not lead to the configured ca_file")

    async def test_one_of_another_ca(self) -> None:
        other, _, _ = certificate(self.folder, "other")
        port = await self.server()
        await self.refused(port, "does not lead to the configured ca_file", ca_file=other)
        told = await Ask(reactor, Endpoints(reactor, 5))(
            Address("127.0.0.1", port, tls=True), b"/", b"localhost", seconds=5
        )
        self.assertIn("does not lead to an authority of this system", told.reason)

    async def test_one_for_another_host(self) -> None:
        port = await self.server(hosts=("192.0.2.1", "galaxy.example.org"))
        for host in ("127.0.0.1", "localhost"):
            await self.refused(port, f"has a certificate that is not for {host}", host=host)

    async def test_one_without_any_name(self) -> None:
        await self.refused(await self.server(hosts=()), "127.0.0.1")

    async def test_a_name_is_no_address(self) -> None:
        port = await self.server(hosts=("localhost",))
        self.assertEqual((await self.ask(port, host="localhost")).body, b"hello")
        await self.refused(port, "is not for 127.0.0.1")

    async def test_one_of_another_time(self) -> None:
        await self.refused(await self.server(begins=-2 * DAY, ends=-DAY), "has expired")
        port = await self.server(begins=timedelta(hours=1))
        await self.refused(port, "is not valid yet")

    async def test_an_authority_whose_time_is_over(self) -> None:
        old, _, signer = certificate(self.folder, "old", begins=-2 * DAY, ends=-DAY)
        port = await self.server_with(*certificate(self.folder, "backend", signer)[:2])
        await self.refused(port, "has expired", ca_file=old)

    async def test_one_for_another_purpose(self) -> None:
        port = await self.server(purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
        await self.refused(port, "has a certificate that is refused (OpenSSL's verification error")

    async def test_one_that_no_authority_may_sign(self) -> None:
        chain, _, signer = certificate(self.folder, "backend", self.signer)
        below, below_key, _ = certificate(self.folder, "below", signer)
        both = self.folder / "both.pem"
        both.write_bytes(below.read_bytes() + chain.read_bytes())
        told = await self.ask(await self.server_with(both, below_key))
        self.assertEqual(told.status, 0)
        self.assertIn("has a certificate", told.reason)

    async def test_what_does_not_speak_tls(self) -> None:
        await self.refused(await self.listen("tcp:0:interface=127.0.0.1"), "does not speak TLS")


class WordTests(SynchronousTestCase):
    def test_in_words(self) -> None:
        for error, words in (
            (CertificateRefused("has no name"), "has no name"),
            (VerificationError(errors=[]), "has a certificate that is not for its address"),
            (SSL.Error([("SSL routines", "", "certificate verify failed")]), "not trusted"),
            (SSL.Error([("SSL routines", "", "wrong version number")]), ": wrong version number"),
            (SSL.Error(), "does not speak TLS with giestack"),
            (SSL.SysCallError(-1, "Unexpected EOF"), "does not speak TLS with giestack"),
        ):
            self.assertIn(words, tls_words(error))
        self.assertEqual(tls_words(OSError("x")), "")
