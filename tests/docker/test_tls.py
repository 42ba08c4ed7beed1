"""The files of mutual TLS: what is wrong with one is said, and of which."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.location import LocationError, TlsFiles
from giestack.docker.tls import options_of
from tests.neighbours.certificates import certificate


class TlsFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        ca, _, signer = certificate(self.folder, "ca")
        cert, key, _ = certificate(self.folder, "client", signer)
        self.files = TlsFiles(ca, cert, key)

    def refused(self) -> str:
        return str(self.assertRaises(LocationError, options_of, "localhost", self.files))

    def test_files_that_belong_together(self) -> None:
        options = options_of("localhost", self.files)
        self.assertTrue(IOpenSSLClientConnectionCreator.providedBy(options))

    def test_an_address_and_a_foreign_name_are_hosts_too(self) -> None:
        for host in ("127.0.0.1", "::1", "bücher.example"):
            options_of(host, self.files)

    def test_certificates_with_what_leads_to_the_authority(self) -> None:
        both = self.files.cert.read_bytes() + self.files.ca.read_bytes()
        self.files.cert.write_bytes(both)
        self.files.ca.write_bytes(both)
        options_of("localhost", self.files)

    def test_a_file_that_is_missing(self) -> None:
        for file in (self.files.ca, self.files.cert, self.files.key):
            content = file.read_bytes()
            file.unlink()
            self.assertEqual(self.refused(), f"{file} can't be read: No such file or directory")
            file.mkdir()
            self.assertEqual(self.refused(), f"{file} can't be read: Is a directory")
            file.rmdir()
            file.write_bytes(content)

    def test_a_file_of_another_kind(self) -> None:
        for file, what in (
            (self.files.ca, "certificate"),
            (self.files.cert, "certificate"),
            (self.files.key, "private key"),
        ):
            content = file.read_bytes()
            for wrong in (
                b"",
                b"\xff\xfe",
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            ):
                file.write_bytes(wrong)
                self.assertEqual(self.refused(), f"{file} holds no {what} in PEM")
            file.write_bytes(content)

    def test_the_key_of_another_certificate(self) -> None:
        _, other, _ = certificate(self.folder, "other")
        self.files.key.write_bytes(other.read_bytes())
        self.assertEqual(
            self.refused(), f"{self.files.key} is not the key of the certificate {self.files.cert}"
        )

    def test_a_key_behind_a_passphrase_asks_nobody(self) -> None:
        self.files.key.write_bytes(
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        self.assertIn(f"{self.files.key} is protected by a passphrase", self.refused())

    def test_a_certificate_that_openssl_does_not_take(self) -> None:
        weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        cert, key, _ = certificate(self.folder, "weak", key=weak)
        self.files = TlsFiles(self.files.ca, cert, key)
        self.assertEqual(self.refused(), f"{cert} can't be used: ee key too small")
