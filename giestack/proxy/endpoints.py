"""How to connect to a backend: TCP, UNIX socket, TLS with the system's or an own CA."""

import re
from collections.abc import Callable
from typing import Any

from OpenSSL.crypto import Error
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import ClientFactory
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath
from zope.interface import implementer

from giestack.address import Address
from giestack.proxy.backend import BackendConnection
from giestack.proxy.verification import Verifying

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

_REMEMBERED = 10_000


class Endpoints:
    """Makes the Twisted endpoint for an address.

    :ivar timeout: seconds a connection attempt may take.
    """

    def __init__(self, reactor: Any, timeout: float) -> None:
        self._reactor = reactor
        self._made: dict[Address, IStreamClientEndpoint] = {}
        self.timeout = timeout

    def configure(self, timeout: float) -> None:
        """Take another timeout from now on, and read ``ca_file``s anew."""
        self.timeout = timeout
        self._made.clear()

    def __call__(self, address: Address) -> IStreamClientEndpoint:
        """The endpoint; raises OSError where ``ca_file`` can't be read, ValueError where it holds
        no certificate."""
        endpoint = self._made.get(address)
        if endpoint is None:
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            endpoint = self._made[address] = self._make(address)
        return endpoint

    def _make(self, address: Address) -> IStreamClientEndpoint:
        reactor, timeout = self._reactor, self.timeout
        if address.path:
            return DirectEndpoint(lambda f: reactor.connectUNIX(address.path, f, timeout))
        host, port = address.host, address.port
        if not address.tls:
            if isIPAddress(host) or isIPv6Address(host):
                return DirectEndpoint(lambda f: reactor.connectTCP(host, port, f, timeout))
            return HostnameEndpoint(reactor, host, port, timeout)
        roots = None
        if address.ca_file is not None:
            roots = trustRootFromCertificates(certificates_in(address.ca_file))
        plain = HostnameEndpoint(reactor, host, port, timeout)
        options = optionsForClientTLS(host, trustRoot=roots)
        return wrapClientTLS(Verifying(options, host, has_ca=roots is not None), plain)


def certificates_in(path: str) -> list[Certificate]:
    """All certificates of a PEM file; raises OSError or ValueError."""
    found = _CERTIFICATE.findall(FilePath(path).getContent())
    if not found:
        raise ValueError(f"{path} holds no certificate")
    try:
        return [Certificate.loadPEM(one) for one in found]
    except Error:
        raise ValueError(f"a certificate in {path} can't be read") from None


@implementer(IStreamClientEndpoint)
class DirectEndpoint:
    """Connects a `BackendConnection` to an address that needs no look-up.

    Twisted's own endpoints leave a protocol between the transport and ours that every byte then
    goes through.
    """

    def __init__(self, connect: Callable[[ClientFactory], IConnector]) -> None:
        self._connect = connect

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        attempt = _Attempt(protocolFactory)
        attempt.connector = self._connect(attempt)
        return attempt.made


class _Attempt(ClientFactory):
    noisy = False
    connector: IConnector

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory = factory
        self.made: Deferred[BackendConnection] = Deferred(lambda _: self.connector.disconnect())

    def buildProtocol(self, addr: IAddress | None) -> BackendConnection:
        assert addr is not None
        connection = self._factory.buildProtocol(addr)
        assert isinstance(connection, BackendConnection)
        made, self.made = self.made, Deferred()
        connection.when_made = made.callback
        return connection

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        # Transport, connector and factory know each other: nobody else would part them.
        vars(connector).pop("transport", None)
        vars(self).pop("connector", None)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        if not self.made.called:
            self.made.errback(reason)
