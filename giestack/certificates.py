"""TLS for listeners, with certificates that can be renewed while connections are open.

A listener's endpoint is taken apart by Twisted itself, on a reactor that only notes what it is
asked for: so every option of ``ssl:`` and ``tls:`` means what it means there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import VerifyError
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from giestack.settings.endpoints import Description

_PRIVATE_KEY = re.compile(
    rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.S
)


class BadCertificate(Exception):
    """Certificate or key can't be used; the text names the file."""


class Renewable(Factory):
    """Lets connections speak TLS with the certificate that is in force when they begin.

    :ivar secure: wraps `factory` with that certificate.
    """

    noisy = False

    def __init__(self, factory: IProtocolFactory, secure: TLSMemoryBIOFactory) -> None:
        self._factory = factory
        self.secure = secure

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        made: Protocol | None = self.secure.buildProtocol(addr)
        return made

    def logPrefix(self) -> str:
        return str(self.secure.logPrefix())

    def startFactory(self) -> None:
        self._factory.doStart()

    def stopFactory(self) -> None:
        self._factory.doStop()


@dataclass(frozen=True, slots=True)
class Secure:
    """An endpoint with TLS, taken apart, its certificate read.

    :ivar factory: wraps the listener's factory with the certificate.
    """

    port: int
    backlog: int
    interface: str
    factory: TLSMemoryBIOFactory


class _Noting:
    """A reactor that listens to nothing, and notes how it was asked to."""

    noted: Secure

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> None:
        self.noted = Secure(port, backlog, interface, factory)

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> None:
        # Made at once, so that what is wrong with the certificate shows now.
        contextFactory.getContext()
        secure = TLSMemoryBIOFactory(contextFactory, False, factory, clock=self._clock)
        self.noted = Secure(port, backlog, interface, secure)


def read_certificate(
    description: Description, factory: IProtocolFactory, clock: object
) -> Secure | None:
    """Read the certificate of an endpoint; None for one without TLS. It may run in a thread.

    ``clock`` is the reactor's. Raise `BadCertificate`.
    """
    values = description.values
    if description.kind == "tls":
        where = f"a file in {values['path']}"
        return _read(
            lambda: _check_folder(Path(values["path"])), description, where, factory, clock
        )
    if description.kind == "ssl":
        key = values["privateKey"]
        certificate = values.get("certKey", key)
        where = key if certificate == key else f"{certificate} or {key}"
        return _read(lambda: None, description, where, factory, clock)
    return None


def _read(
    check: Callable[[], None],
    description: Description,
    where: str,
    factory: IProtocolFactory,
    clock: object,
) -> Secure:
    noting = _Noting(clock)
    failures: list[Failure] = []
    try:
        check()
        asked: Deferred[IListeningPort] = serverFromString(noting, str(description)).listen(factory)
        asked.addErrback(failures.append)
        if failures:
            failures[0].raiseException()
    except OSError as error:
        raise BadCertificate(f"{error.filename}: {error.strerror}") from None
    except VerifyError:
        raise BadCertificate(f"{where}: the key does not belong to the certificate") from None
    except SSL.Error as error:
        # A list of (library, function, reason), as OpenSSL queues them.
        reasons = ", ".join(reason for _, _, reason in error.args[0])
        raise BadCertificate(f"{where}: OpenSSL does not take it: {reasons}") from None
    except AttributeError:
        method = description.values.get("sslmethod")
        raise BadCertificate(f"OpenSSL has no sslmethod {method}") from None
    except (crypto.Error, ValueError, TypeError):
        raise BadCertificate(f"{where} can't be read as PEM") from None
    return noting.noted


def _check_folder(folder: Path) -> None:
    """Make sure that each key in a folder has its certificate; Twisted would leave it out."""
    files = [path for path in sorted(folder.rglob("*.pem")) if path.is_file()]
    texts = {path: path.read_bytes() for path in files}
    certified = {
        certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for text in texts.values()
        if b"-----BEGIN CERTIFICATE-----" in text
        for certificate in load_pem_x509_certificates(text)
    }
    keys = [(path, found[0]) for path in files for found in _PRIVATE_KEY.finditer(texts[path])]
    if not keys:
        raise BadCertificate(f"{folder}: there is no file *.pem with a private key")
    for path, key in keys:
        public = load_pem_private_key(key, None).public_key()
        if public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) not in certified:
            raise BadCertificate(f"{path}: the key does not belong to any certificate there")
