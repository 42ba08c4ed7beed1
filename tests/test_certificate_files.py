"""Reading certificates and their keys."""

import datetime
import shutil
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from giestack.certificate_files import BadCertificate, Certified, read_folder, read_pair
from tests.neighbours.certificates import DAY, certificate

GALAXY = "galaxy.example.org"
TOOLS = "*.ep.interactivetool.galaxy.example.org"


class FilesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.made = Path(self.mktemp()).absolute()
        self.folder = Path(self.mktemp()).absolute()
        self.made.mkdir()
        self.folder.mkdir()

    def make(self, name: str, *hosts: str, signer: Any = None, **more: Any) -> Any:
        """A certificate and its key in ``made``; see `certificate`."""
        return certificate(self.made, name, signer, hosts=hosts or (GALAXY,), **more)

    def put(self, name: str, *parts: Path) -> Path:
        """Write these files into one of the folder that is read."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        return path


class PairTests(FilesCase):
    def test_what_is_known_of_it(self) -> None:
        one, key, _ = self.make("one", GALAXY, TOOLS.upper(), ends=DAY * 30)
        read = read_pair(one, key)
        self.assertEqual((read.file, read.names, read.chain), (one, (GALAXY, TOOLS), ()))
        now = datetime.datetime.now(datetime.UTC)
        self.assertLess(read.begins, now)
        self.assertGreater(read.ends, now + DAY * 29)

    def test_what_follows_it_is_its_chain(self) -> None:
        root, _, signer = self.make("root")
        one, key, _ = self.make("one", signer=signer)
        full = self.put("fullchain.pem", one, root)
        self.assertEqual(len(read_pair(full, key).chain), 1)
        self.assertEqual(len(read_pair(one, key, root).chain), 1)

    def test_names_are_not_needed(self) -> None:
        for hosts in (["127.0.0.1"], []):
            one, key, _ = certificate(self.made, "one", hosts=hosts)
            self.assertEqual(read_pair(one, key).names, ())

    def test_what_is_missing(self) -> None:
        one, key, _ = self.make("one")
        for wrong in ((one, one), (key, key)):
            told = str(self.assertRaises(BadCertificate, read_pair, *wrong))
            self.assertEqual(told, f"{wrong[0]} can't be read as PEM")

    def test_an_encrypted_key(self) -> None:
        one, key, (_, private) = self.make("one")
        key.write_bytes(
            private.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
            )
        )
        told = str(self.assertRaises(BadCertificate, read_pair, one, key))
        self.assertIn(str(key), told)
        self.assertIn("encrypted", told)

    def test_a_chain_that_is_none(self) -> None:
        one, key, _ = self.make("one")
        told = str(self.assertRaises(BadCertificate, read_pair, one, key, key))
        self.assertIn(f"{key} can't be read", told)


class FolderTests(FilesCase):
    def read(self) -> dict[tuple[str, ...], Certified]:
        return {one.names: one for one in read_folder(self.folder)}

    def certbot(self, name: str, one: Path, key: Path, *chain: Path) -> None:
        """Leave a certificate as certbot does."""
        self.put(f"{name}/cert.pem", one)
        self.put(f"{name}/chain.pem", *chain)
        self.put(f"{name}/fullchain.pem", one, *chain)
        self.put(f"{name}/privkey.pem", key)

    def test_as_certbot_leaves_them(self) -> None:
        root, _, root_signer = self.make("root")
        between, _, signer = self.make("between", signer=root_signer)
        for name, host in (("galaxy", GALAXY), ("tools", TOOLS)):
            one, key, _ = self.make(name, host, signer=signer)
            self.certbot(name, one, key, between, root)
        (self.folder / "README").write_text("nothing of ours")
        (self.folder / "folder.pem").mkdir()
        read = self.read()
        self.assertEqual(list(read), [(GALAXY,), (TOOLS,)])
        for one in read.values():
            [sent] = one.chain
            self.assertEqual(sent.subject, signer[0])

    def test_a_certificate_and_its_key_in_one_file(self) -> None:
        one, key, _ = self.make("one")
        path = self.put("one.pem", key, one)
        self.assertEqual(self.read()[GALAXY,].file, path)

    def test_an_authority_that_has_signed_itself_ends_the_chain(self) -> None:
        root, _, signer = self.make("root")
        one, key, _ = self.make("one", signer=signer)
        self.put("all.pem", key, one, root)
        self.assertEqual(self.read()[GALAXY,].chain, ())

    def test_an_authority_of_the_same_name_is_another_one(self) -> None:
        _, _, root = self.make("root")
        right, _, signer = self.make("between", signer=root)
        one, key, _ = self.make("one", signer=signer)
        self.put("one.pem", key, one)
        self.put("right.pem", right)
        wrong, _, _ = self.make("between", signer=root)
        self.put("a-wrong.pem", wrong)
        [sent] = self.read()[GALAXY,].chain
        self.assertEqual(sent.public_key(), signer[1].public_key())

    def test_a_renewed_certificate_with_the_same_key(self) -> None:
        one, key, (_, private) = self.make("one")
        self.put("one.pem", key, one)
        two, _, _ = self.make("two", key=private, ends=DAY * 9)
        self.put("two.pem", two)
        self.assertEqual(len(read_folder(self.folder)), 2)

    def test_which_file_is_wrong(self) -> None:
        one, key, _ = self.make("one")
        self.put("one.pem", key, one)
        bad = self.folder / "bad.pem"
        for text in (
            "-----BEGIN CERTIFICATE-----\nnonsense\n",
            "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n",
        ):
            bad.write_text(text)
            told = str(self.assertRaises(BadCertificate, self.read))
            self.assertEqual(told, f"{bad} can't be read as PEM")
        bad.write_text("a note")
        self.read()

    def test_a_key_without_its_certificate(self) -> None:
        one, key, _ = self.make("one")
        self.put("one.pem", key, one)
        _, other, _ = self.make("two")
        path = self.folder / "two.pem"
        shutil.copy(other, path)
        told = str(self.assertRaises(BadCertificate, self.read))
        self.assertEqual(told, f"{path}: the key does not belong to any certificate there")
