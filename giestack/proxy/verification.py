"""Checks the certificates of backends, and says what is wrong with one.

Twisted checks them as well and as strictly, but tells only that the check has failed.
"""

from typing import Any
from weakref import ref

from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

_MODE = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
# openssl-verification-options(1) and x509_vfy.h.
_EXPIRED, _NOT_YET, _ALONE = 10, 9, 18
_UNKNOWN = frozenset((2, _ALONE, 19, 20, 21))


class CertificateRefused(SSL.Error):
    """A backend's certificate is not believed; the text is what follows after "it"."""

    def __str__(self) -> str:
        return str(self.args[0])


@implementer(IOpenSSLClientConnectionCreator)
class Verifying:
    """Makes TLS connections to one host, as the creator that it is given does.

    ``has_ca`` is whether that creator trusts a file of the configuration, and not the system's
    authorities.
    """

    def __init__(
        self, options: IOpenSSLClientConnectionCreator, host: str, *, has_ca: bool
    ) -> None:
        self._options = options
        self._host = host
        self._has_ca = has_ca

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Make a connection; `CertificateRefused` is why it ends, where it is not believed."""
        connection: SSL.Connection = self._options.clientConnectionForTLS(tlsProtocol)
        protocol = ref(tlsProtocol)

        def verify(_: Any, certificate: X509, error: int, depth: int, ok: Any) -> bool:
            # Whatever happens here and is not True is a refusal.
            trouble = self._trouble(certificate, error if not ok else 0, depth)
            transport = protocol()
            if trouble and transport is not None:
                transport.failVerification(Failure(CertificateRefused(trouble)))
            return not trouble

        connection.set_verify(_MODE, verify)
        return connection

    def _trouble(self, certificate: X509, error: int, depth: int) -> str:
        if error:
            return self._words(error)
        if depth:
            return ""
        names_an_address = isIPAddress(self._host) or isIPv6Address(self._host)
        check = verify_certificate_ip_address if names_an_address else verify_certificate_hostname
        try:
            check(certificate.to_cryptography(), self._host)
        except VerificationError:
            return f"has a certificate that is not for {self._host}"
        except Exception:
            return f"has a certificate from which it can't be read whether it is for {self._host}"
        return ""

    def _words(self, error: int) -> str:
        if error == _EXPIRED:
            return "has a certificate that has expired, or an authority whose own has"
        if error == _NOT_YET:
            return "has a certificate that is not valid yet"
        if error in _UNKNOWN:
            trusted = "the configured ca_file" if self._has_ca else "an authority of this system"
            own = "that it has signed itself and " if error == _ALONE else ""
            return f"has a certificate {own}that does not lead to {trusted}"
        return f"has a certificate that is refused (OpenSSL's verification error {error})"


def tls_words(error: BaseException | None) -> str:
    """What was wrong with a TLS connection, as what follows after "it"; "" for other errors."""
    if isinstance(error, CertificateRefused):
        return str(error)
    if isinstance(error, VerificationError):
        return "has a certificate that is not for its address"
    if not isinstance(error, SSL.Error):
        return ""
    stack = error.args[0] if error.args else ()
    reasons = [str(one[-1]) for one in stack if one] if isinstance(stack, list | tuple) else []
    if "certificate verify failed" in reasons:
        return "has a certificate that is not trusted"
    said = f": {reasons[-1]}" if reasons else ""
    return f"does not speak TLS with giestack{said}"
