"""Certificates and keys of listeners, read from PEM files; no TLS here yet."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import (
    Certificate,
    DNSName,
    ExtensionNotFound,
    SubjectAlternativeName,
    load_pem_x509_certificate,
)

T = TypeVar("T")

_PRIVATE_KEY = re.compile(
    rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.S
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?(?:-----END CERTIFICATE-----|\Z)", re.S)


class BadCertificate(Exception):
    """Certificate or key can't be used; the text names the file."""


@dataclass(frozen=True, slots=True, eq=False)
class Certified:
    """A certificate with its key.

    :ivar file: where the certificate stands.
    :ivar chain: the authorities between it and those that clients know, the nearest first.
    :ivar names: the host names that it is for, in lower case; ``*.`` may stand for one label.
    """

    file: Path
    certificate: Certificate
    key: PrivateKeyTypes
    chain: tuple[Certificate, ...]
    names: tuple[str, ...]

    @property
    def begins(self) -> datetime:
        """From when on it is valid; with its time zone."""
        return self.certificate.not_valid_before_utc

    @property
    def ends(self) -> datetime:
        """Until when it is valid; with its time zone."""
        return self.certificate.not_valid_after_utc


def read_pair(certificate: Path, key: Path, chain: Path | None = None) -> Certified:
    """Read a certificate and its key; one file may hold both.

    What follows the certificate in its file, and what is in ``chain``, is sent along.

    :raises BadCertificate: where they can't be read or don't belong together.
    :raises OSError: where a file can't be opened.
    """
    where = str(key) if certificate == key else f"{certificate} or {key}"
    first, *more = _parsed(where, _certificates, certificate.read_bytes())
    private = _parsed(where, _keys, key.read_bytes())[0]
    if chain is not None:
        more += _parsed(str(chain), _certificates, chain.read_bytes())
    if _identity(private.public_key()) != _identity(first.public_key()):
        raise BadCertificate(f"{where}: the key does not belong to the certificate")
    return Certified(certificate, first, private, tuple(more), _names(first))


def read_folder(folder: Path) -> Sequence[Certified]:
    """Read every certificate whose key is there too, from the files ``*.pem`` in and below a
    folder, in the order of their paths: as certbot leaves them, or each with its key in one file.

    Certificates without a key are authorities, and become parts of chains.

    :raises BadCertificate: where a file can't be read, or a key has no certificate there.
    :raises OSError: where a file can't be opened.
    """
    keys: dict[bytes, tuple[Path, PrivateKeyTypes]] = {}
    found: dict[Certificate, Path] = {}
    for path in sorted(path for path in folder.rglob("*.pem") if path.is_file()):
        text = path.read_bytes()
        if _PRIVATE_KEY.search(text):
            for key in _parsed(str(path), _keys, text):
                keys[_identity(key.public_key())] = path, key
        if _CERTIFICATE.search(text):
            for one in _parsed(str(path), _certificates, text):
                found.setdefault(one, path)
    if not keys:
        raise BadCertificate(f"{folder}: there is no file *.pem with a private key")
    own = {one: identity for one in found if (identity := _identity(one.public_key())) in keys}
    for identity, (path, _) in keys.items():
        if identity not in own.values():
            raise BadCertificate(f"{path}: the key does not belong to any certificate there")
    authorities = [one for one in found if one not in own]
    return [
        Certified(found[one], one, keys[identity][1], tuple(_chain(one, authorities)), _names(one))
        for one, identity in own.items()
    ]


def _parsed(where: str, parse: Callable[[bytes], T], text: bytes) -> T:
    try:
        return parse(text)
    except TypeError:
        raise BadCertificate(f"{where}: the key is encrypted, and nobody is asked for it") from None
    except ValueError:
        raise BadCertificate(f"{where} can't be read as PEM") from None


def _certificates(text: bytes) -> list[Certificate]:
    """All that are in a file; ValueError where there is none or one is damaged."""
    found = [load_pem_x509_certificate(match[0]) for match in _CERTIFICATE.finditer(text)]
    if not found:
        raise ValueError("no certificate")
    return found


def _keys(text: bytes) -> list[PrivateKeyTypes]:
    """All that are in a file; ValueError where there is none, TypeError for an encrypted one."""
    found = [load_pem_private_key(match[0], None) for match in _PRIVATE_KEY.finditer(text)]
    if not found:
        raise ValueError("no private key")
    return found


def _identity(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _chain(certificate: Certificate, authorities: Iterable[Certificate]) -> Iterator[Certificate]:
    """Who has signed it, and so on; a root is known to clients or of no use, and left out."""
    left = [one for one in authorities if one.issuer != one.subject]
    while signer := next((one for one in left if _signed(certificate, one)), None):
        left.remove(signer)
        yield signer
        certificate = signer


def _signed(certificate: Certificate, signer: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names(certificate: Certificate) -> tuple[str, ...]:
    # The subject's common name is no host name any more (RFC 9525 section 2).
    try:
        extension = certificate.extensions.get_extension_for_class(SubjectAlternativeName)
    except ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in extension.value.get_values_for_type(DNSName))
