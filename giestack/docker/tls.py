"""Mutual TLS with an engine: its files, read and checked, and connections that can be dropped."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate as Read
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from giestack.docker.location import LocationError, TlsFiles


def options_of(host: str, files: TlsFiles) -> IOpenSSLClientConnectionCreator:
    """How to connect to ``host``: its certificate must lead to ``files.ca`` and name the host.

    :raises LocationError: names the file that can't be used.
    """
    authorities = _certificates(files.ca)
    ours, *chain = _certificates(files.cert)
    try:
        key = load_pem_private_key(_read(files.key), None)
    except TypeError:
        raise LocationError(
            f"{files.key} is protected by a passphrase; openssl pkey -in OLD -out NEW removes it"
        ) from None
    except ValueError:
        raise LocationError(f"{files.key} holds no private key in PEM") from None
    if key.public_key() != ours.public_key():
        raise LocationError(f"{files.key} is not the key of the certificate {files.cert}")
    own: dict[str, Any] = {
        "privateKey": PKey.from_cryptography_key(key),  # type: ignore[arg-type]
        "certificate": X509.from_cryptography(ours),
        "extraCertChain": [X509.from_cryptography(read) for read in chain],
    }
    try:
        CertificateOptions(**own).getContext()  # else it is looked at when a connection is made
    except SSL.Error as error:
        raise LocationError(f"{files.cert} can't be used: {_words(error)}") from None
    trust = trustRootFromCertificates([_twisted(read) for read in authorities])
    options: IOpenSSLClientConnectionCreator = optionsForClientTLS(
        host, trust, extraCertificateOptions=own
    )
    return options


def _words(error: SSL.Error) -> str:
    reasons = error.args[0] if error.args else ()
    return ", ".join(str(reason[-1]) for reason in reasons)


def _certificates(file: Path) -> list[Read]:
    try:
        return load_pem_x509_certificates(_read(file))
    except ValueError:
        raise LocationError(f"{file} holds no certificate in PEM") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise LocationError(f"{file} can't be read: {error.strerror}") from None


def _twisted(read: Read) -> Certificate:
    return Certificate(X509.from_cryptography(read))


class _Droppable(TLSMemoryBIOProtocol):
    """Closes at once: nobody waits for an engine that hangs to say good-bye."""

    def loseConnection(self) -> None:
        self.abortConnection()


class _Factory(TLSMemoryBIOFactory):
    protocol = _Droppable


@implementer(IStreamClientEndpoint)
class TlsEndpoint:
    """TLS over another endpoint."""

    def __init__(
        self, options: IOpenSSLClientConnectionCreator, inner: IStreamClientEndpoint
    ) -> None:
        self._options = options
        self._inner = inner

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """The protocol that speaks inside of TLS; the handshake may go on yet."""
        connecting = self._inner.connect(_Factory(self._options, True, factory))
        return connecting.addCallback(_within)


def _within(outer: Any) -> IProtocol:
    inner: IProtocol = outer.wrappedProtocol
    return inner
