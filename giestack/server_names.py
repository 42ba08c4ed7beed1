"""One TLS listener for several host names: each client gets the certificate of the name it wants.

The name is that of the Server Name Indication (RFC 6066 section 3). Certificates are all read
before, and nothing is looked up in files when a client comes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from giestack.certificate_files import Certified

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2 (RFC 9325 section 4.2); TLS 1.3 has none but good ones."""

_PROTOCOL = b"http/1.1"
_OPTIONS = (
    SSL.OP_NO_COMPRESSION
    | SSL.OP_NO_RENEGOTIATION
    | SSL.OP_NO_TICKET
    | SSL.OP_CIPHER_SERVER_PREFERENCE
)


@implementer(IOpenSSLServerConnectionCreator)
class ServerNames:
    """Makes TLS connections with the certificates of a listener.

    Who names no host, or one that no certificate is for, gets the default: the first that has a
    name without ``*``, else the first. Of several for one name it is the one that lasts longest,
    so that a renewed certificate may lie beside the old one.
    """

    def __init__(
        self,
        certified: Sequence[Certified],
        method: int = SSL.TLS_SERVER_METHOD,
        dh_parameters: Path | None = None,
    ) -> None:
        """
        :param certified: at least one.
        :param method: one of OpenSSL's, for what is spoken.
        :param dh_parameters: a file that allows older clients Diffie-Hellman without curves.
        :raises SSL.Error: where OpenSSL takes none of it.
        """
        best = _best(certified)
        default = _default(list(best.values()) or list(certified))
        made: dict[Certified, SSL.Context] = {}
        for one in (default, *best.values()):
            if one not in made:
                made[one] = context = _context(one, method, dh_parameters)
                context.set_tlsext_servername_callback(self._choose)
        self._default = made[default]
        self._by_name = {name: made[one] for name, one in best.items()}

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """A new connection; which certificate it has turns out when the client has spoken."""
        return SSL.Connection(self._default)

    def _choose(self, connection: SSL.Connection) -> None:
        # Nothing may be raised here: OpenSSL would not hear of it.
        asked = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        context = self._by_name.get(asked) or self._by_name.get(f"*.{asked.partition('.')[2]}")
        if context is not None:
            connection.set_context(context)


def _best(certified: Sequence[Certified]) -> Mapping[str, Certified]:
    best: dict[str, Certified] = {}
    for one in certified:
        for name in one.names:
            other = best.get(name)
            if other is None or one.ends > other.ends:
                best[name] = one
    return best


def _default(certified: Sequence[Certified]) -> Certified:
    plain = (one for one in certified if any(not name.startswith("*") for name in one.names))
    return next(plain, certified[0])


def _context(one: Certified, method: int, dh_parameters: Path | None) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(CIPHERS + (b":DHE+AESGCM" if dh_parameters else b""))
    if dh_parameters is not None:
        context.load_tmp_dh(str(dh_parameters))
    context.use_certificate(crypto.X509.from_cryptography(one.certificate))
    for authority in one.chain:
        context.add_extra_chain_cert(crypto.X509.from_cryptography(authority))
    context.use_privatekey(crypto.PKey.from_cryptography_key(one.key))  # type: ignore[arg-type]
    context.set_alpn_select_callback(_select)
    return context


def _select(
    connection: SSL.Connection, offered: Sequence[bytes]
) -> bytes | SSL._NoOverlappingProtocols:
    """HTTP/1.1 it is, whatever is offered besides (RFC 7301 section 3.2)."""
    return _PROTOCOL if _PROTOCOL in offered else SSL.NO_OVERLAPPING_PROTOCOLS
