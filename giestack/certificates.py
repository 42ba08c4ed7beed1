"""TLS for listeners, with certificates that can be renewed while connections are open.

``ssl:`` has one certificate, ``tls:`` a folder of them for any number of names; their arguments
are those of Twisted's own endpoints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

from giestack.certificate_files import BadCertificate, Certified, read_folder, read_pair
from giestack.server_names import ServerNames
from giestack.settings.endpoints import Description

__all__ = [
    "BadCertificate",
    "Renewable",
    "Secure",
    "certified_for",
    "read_certificate",
    "server_names_for",
]

_METHODS = ("TLS_METHOD", "TLS_SERVER_METHOD", "SSLv23_METHOD", "TLSv1_2_METHOD")
"""Those of OpenSSL that can speak TLS 1.2 or later."""


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
    """An endpoint with TLS, taken apart, its certificates read.

    :ivar factory: wraps the listener's factory with the certificates.
    """

    port: int
    backlog: int
    interface: str
    factory: TLSMemoryBIOFactory


def certified_for(description: Description) -> Sequence[Certified]:
    """Read the certificates of an endpoint, none for one without TLS. It may run in a thread.

    :raises BadCertificate: where they can't be used.
    """
    values = description.values
    try:
        if description.kind == "tls":
            return read_folder(Path(values["path"]))
        if description.kind == "ssl":
            key, chain = Path(values["privateKey"]), values.get("extraCertChain")
            certificate = Path(values.get("certKey", key))
            return [read_pair(certificate, key, Path(chain) if chain else None)]
    except OSError as error:
        raise BadCertificate(f"{error.filename}: {error.strerror}") from None
    return ()


def server_names_for(description: Description, certified: Sequence[Certified]) -> ServerNames:
    """What the endpoint makes of its certificates, at least one; raise `BadCertificate`."""
    values = description.values
    dh_parameters = values.get("dhParameters")
    try:
        return ServerNames(
            certified,
            _method(values.get("sslmethod")),
            Path(dh_parameters) if dh_parameters else None,
        )
    except SSL.Error as error:
        files = ", ".join(sorted({str(one.file) for one in certified}))
        # A list of (library, function, reason), as OpenSSL queues them.
        reasons = ", ".join(reason for _, _, reason in error.args[0])
        raise BadCertificate(f"{files}: OpenSSL does not take it: {reasons}") from None


def read_certificate(
    description: Description, factory: IProtocolFactory, clock: Any
) -> Secure | None:
    """Read the certificates of an endpoint; None for one without TLS. It may run in a thread.

    ``clock`` is the reactor's. Raise `BadCertificate`.
    """
    certified = certified_for(description)
    if not certified:
        return None
    values = description.values
    names = server_names_for(description, certified)
    return Secure(
        int(values.get("port", "443")),
        int(values.get("backlog", "50")),
        values.get("interface", "::" if description.kind == "tls" else ""),
        TLSMemoryBIOFactory(names, False, factory, clock=clock),
    )


def _method(name: str | None) -> int:
    if name is None:
        return SSL.TLS_SERVER_METHOD
    method: int | None = getattr(SSL, name, None)
    if method is None:
        raise BadCertificate(f"OpenSSL has no sslmethod {name}")
    if name not in _METHODS:
        raise BadCertificate(f"sslmethod {name} is not safe any more; leave it out")
    return method
