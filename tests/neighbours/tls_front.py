"""Mutual TLS in front of an engine's UNIX socket: ``tls_front.py SOCKET PORT CA CERT KEY``.

Whoever has no certificate of that authority gets no further than the handshake.
"""

import sys

from OpenSSL import SSL
from twisted.internet import endpoints, reactor, ssl  # noqa: TID251 - a program of its own
from twisted.internet.interfaces import IReactorCore
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure


class Front(Protocol):
    """A client; what it sends goes to the socket."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._back: Back | None = None
        self._over = False

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.pauseProducing()  # type: ignore[attr-defined]
        endpoint = endpoints.UNIXClientEndpoint(reactor, self._path)
        endpoint.connect(Factory.forProtocol(lambda: Back(self))).addErrback(self._refused)

    def connected_to(self, back: "Back") -> None:
        """The socket has taken it."""
        self._back = back
        transport, other = self.transport, back.transport
        assert transport is not None and other is not None
        if self._over:
            other.loseConnection()
            return
        # Who is slow to read slows down who writes.
        transport.registerProducer(other, True)  # type: ignore[attr-defined]
        other.registerProducer(transport, True)  # type: ignore[attr-defined]
        transport.resumeProducing()  # type: ignore[attr-defined]

    def dataReceived(self, data: bytes) -> None:
        if self._back is not None and self._back.transport is not None:
            self._back.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._over = True
        if self._back is not None and self._back.transport is not None:
            self._back.transport.unregisterProducer()  # type: ignore[attr-defined]
            self._back.transport.loseConnection()

    def _refused(self, failure: Failure) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


class Back(Protocol):
    """The other half."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def connectionMade(self) -> None:
        self._front.connected_to(self)

    def dataReceived(self, data: bytes) -> None:
        if self._front.transport is not None:
            self._front.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._front.transport is not None:
            self._front.transport.unregisterProducer()  # type: ignore[attr-defined]
            self._front.transport.loseConnection()


def main(path: str, port: str, ca: str, certificate: str, key: str) -> None:
    """Listen on 127.0.0.1 until the process is ended."""
    with open(certificate, "rb") as one, open(key, "rb") as other, open(ca, "rb") as third:
        own = ssl.PrivateCertificate.loadPEM(one.read() + other.read())
        authority = ssl.Certificate.loadPEM(third.read())
    options = own.options(authority)
    assert options.getContext().get_verify_mode() & SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    core = IReactorCore(reactor)
    factory = Factory.forProtocol(lambda: Front(path))
    endpoints.SSL4ServerEndpoint(reactor, int(port), options, interface="127.0.0.1").listen(factory)
    core.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
