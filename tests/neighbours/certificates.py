"""Certificates and keys, made for one test."""

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = datetime.timedelta(days=1)
HERE = ("127.0.0.1", "localhost")


def certificate(
    folder: Path,
    name: str,
    signer: Any = None,
    key: Any = None,
    *,
    hosts: Sequence[str] = HERE,
    begins: datetime.timedelta = -DAY,
    ends: datetime.timedelta = DAY,
    purpose: x509.ObjectIdentifier | None = None,
    authority: bool | None = None,
) -> tuple[Path, Path, Any]:
    """A certificate and its key, as files; signed by itself or by ``signer``.

    It is for this machine unless ``hosts`` says otherwise; ``begins`` and ``ends`` count from
    now; with a ``purpose`` it serves no other; it is an ``authority`` where it signs itself.
    """
    authority = signer is None if authority is None else authority
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    issuer_name, issuer_key = signer or (subject, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_name_of(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    made = builder.sign(issuer_key, hashes.SHA256())
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file, (subject, key)


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
