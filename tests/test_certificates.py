"""Certificates of listeners: how they are read, and what is said of bad ones."""

import shutil
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

from giestack.certificates import (
    BadCertificate,
    Renewable,
    Secure,
    certified_for,
    read_certificate,
)
from giestack.settings.endpoints import parse
from tests.neighbours.certificates import certificate


class CertificateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.certificate, self.key, _ = certificate(self.folder, "one")
        self.factory = Factory.forProtocol(Protocol)

    def read(self, endpoint: str) -> Secure:
        secure = read_certificate(parse(endpoint), self.factory, Clock())
        assert secure is not None
        return secure

    def ssl(self) -> str:
        return f"ssl:8443:privateKey={self.key}:certKey={self.certificate}:interface=127.0.0.1"

    def bad(self, endpoint: str) -> str:
        return str(self.assertRaises(BadCertificate, self.read, endpoint))

    def pems(self) -> Path:
        """A folder for ``tls:``."""
        folder = self.folder / "pems"
        folder.mkdir()
        shutil.copy(self.certificate, folder / "one.pem")
        shutil.copy(self.key, folder / "key.pem")
        return folder

    def test_ssl(self) -> None:
        secure = self.read(self.ssl() + ":backlog=7")
        self.assertEqual((secure.port, secure.backlog, secure.interface), (8443, 7, "127.0.0.1"))
        self.assertIsInstance(secure.factory.buildProtocol(None), TLSMemoryBIOProtocol)

    def test_certificate_and_key_in_one_file(self) -> None:
        both = self.folder / "both.pem"
        both.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        self.assertEqual(self.read(f"ssl:8443:privateKey={both}").port, 8443)

    def test_tls(self) -> None:
        secure = self.read(f"tls:{self.pems()}:8443")
        self.assertEqual((secure.port, secure.interface), (8443, "::"))
        self.assertIsInstance(secure.factory.buildProtocol(None), TLSMemoryBIOProtocol)

    def test_what_is_served(self) -> None:
        [one] = certified_for(parse(self.ssl() + f":extraCertChain={self.certificate}"))
        self.assertEqual((one.file, len(one.chain)), (self.certificate, 1))
        self.assertEqual(len(certified_for(parse(f"tls:{self.pems()}:8443"))), 1)
        self.assertEqual(certified_for(parse("tcp:8800")), ())

    def test_an_endpoint_without_tls(self) -> None:
        self.assertIsNone(read_certificate(parse("tcp:8800"), self.factory, Clock()))

    def test_a_file_that_is_not_there(self) -> None:
        self.certificate.unlink()
        self.assertEqual(self.bad(self.ssl()), f"{self.certificate}: No such file or directory")

    def test_files_that_hold_something_else(self) -> None:
        self.certificate.write_text("nonsense")
        self.assertIn(f"{self.certificate} or {self.key} can't be read", self.bad(self.ssl()))
        self.assertIn(f"{self.key} can't be read", self.bad(f"ssl:8443:privateKey={self.key}"))

    def test_a_key_of_another_certificate(self) -> None:
        _, self.key, _ = certificate(self.folder, "two")
        told = self.bad(self.ssl())
        self.assertIn(str(self.key), told)
        self.assertIn("does not belong", told)

    def test_what_openssl_does_not_take(self) -> None:
        self.certificate, self.key, _ = certificate(
            self.folder, "weak", key=rsa.generate_private_key(65537, 1024)
        )
        told = self.bad(self.ssl())
        self.assertIn(str(self.certificate), told)
        self.assertIn("key too small", told)

    def test_a_method_that_there_is_not(self) -> None:
        self.assertIn("SSLv9_METHOD", self.bad(self.ssl() + ":sslmethod=SSLv9_METHOD"))

    def test_a_method_that_is_not_safe(self) -> None:
        self.assertIn("not safe", self.bad(self.ssl() + ":sslmethod=TLSv1_METHOD"))
        self.read(self.ssl() + ":sslmethod=TLSv1_2_METHOD")

    def test_a_key_in_a_folder_without_its_certificate(self) -> None:
        folder = self.pems()
        _, other, _ = certificate(self.folder, "two")
        shutil.copy(other, folder / "other.pem")
        told = self.bad(f"tls:{folder}:8443")
        self.assertIn(str(folder / "other.pem"), told)
        self.assertIn("does not belong", told)

    def test_a_folder_without_keys(self) -> None:
        folder = self.pems()
        (folder / "key.pem").unlink()
        self.assertIn("no file *.pem with a private key", self.bad(f"tls:{folder}:8443"))
        self.assertIn("no file *.pem", self.bad(f"tls:{self.folder}/nowhere:8443"))

    def test_a_damaged_file_in_a_folder(self) -> None:
        folder = self.pems()
        (folder / "one.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
        self.assertIn(str(folder), self.bad(f"tls:{folder}:8443"))

    def test_the_factory_begins_and_ends_with_its_port(self) -> None:
        done: list[str] = []
        self.factory.startFactory = lambda: done.append("start")  # type: ignore[method-assign]
        self.factory.stopFactory = lambda: done.append("stop")  # type: ignore[method-assign]
        self.factory.noisy = False
        renewable = Renewable(self.factory, self.read(self.ssl()).factory)
        self.assertIn("TLS", renewable.logPrefix())
        renewable.doStart()
        renewable.secure = self.read(self.ssl()).factory
        self.assertIsInstance(renewable.buildProtocol(None), TLSMemoryBIOProtocol)
        renewable.doStop()
        self.assertEqual(done, ["start", "stop"])
