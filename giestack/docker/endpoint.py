"""Connections to an engine, by UNIX socket, TCP or mutual TLS, and words for what fails there."""

import errno
import os
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from giestack.docker.errors import Unreachable
from giestack.docker.location import Location
from giestack.docker.tls import TlsEndpoint, options_of

CONNECT_TIMEOUT = 10.0
IDLE_TIMEOUT = 30
"""Seconds for which an idle connection is kept: less than engines and what is in front keep it."""
IDLE_CONNECTIONS = 8

_CANCELLED = (CancelledError, ConnectingCancelledError)
_REMEDIES = {
    errno.ENOENT: "does an engine run there?",
    errno.ECONNREFUSED: "does an engine run there?",
    errno.EACCES: "whoever uses it must be in the socket's group, which is mostly called docker",
}


class Stale(Unreachable):
    """A connection that was kept from an earlier request was closed before any answer.

    Most probably the request was not seen; one more goes over a new connection.
    """


def agent_for(reactor: Any, location: Location) -> "EngineAgent":
    """What sends requests to one engine, whatever host their URLs name.

    Connections are kept for the next request for `IDLE_TIMEOUT` seconds. Files are read now;
    an agent of its own is needed once they were renewed.

    :raises LocationError: a file of TLS can't be used; the text names it.
    """
    endpoint: IStreamClientEndpoint
    if location.is_socket:
        endpoint = UNIXClientEndpoint(reactor, location.path, timeout=CONNECT_TIMEOUT)
    else:
        endpoint = HostnameEndpoint(
            reactor, location.host.encode("idna"), location.port, timeout=CONNECT_TIMEOUT
        )
        if location.tls is not None:
            endpoint = TlsEndpoint(options_of(location.host, location.tls), endpoint)
    return EngineAgent(reactor, location, endpoint)


@implementer(IAgent)
class EngineAgent:
    """Sends requests to one engine.

    Failures are `Unreachable`, in words that name the place or the file that is wrong; `Stale`
    where a kept connection was at fault.
    """

    def __init__(self, reactor: Any, location: Location, endpoint: IStreamClientEndpoint) -> None:
        self._reactor = reactor
        self._location = location
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.cachedConnectionTimeout = IDLE_TIMEOUT
        self._pool.maxPersistentPerHost = IDLE_CONNECTIONS
        # Twisted would repeat some requests by their method; who asks knows better which.
        self._pool.retryAutomatically = False
        self._lines = _Lines(endpoint)
        self._agent = Agent.usingEndpointFactory(reactor, self._lines, self._pool)

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """As `IAgent`; cancelling it ends the connection."""
        line = self._lines.next()
        asked: Deferred[IResponse] = self._agent.request(method, uri, headers, bodyProducer)
        return asked.addErrback(self._failed, line)

    def forget_idle(self) -> None:
        """Close connections that nobody uses: the next request goes over a new one."""
        self._pool.closeCachedConnections()

    async def close(self) -> None:
        """End all connections; returns when they are gone."""
        # A connection that is just being lost, which may be why this is called, can't be aborted.
        await deferLater(self._reactor, 0)
        await self._pool.closeCachedConnections()
        open_ = [one for one in self._lines.laid if one.state != "CONNECTION_LOST"]
        gone = [one.abort() for one in open_]
        for one in open_:
            one.transport.abortConnection()  # else it may wait until all is sent
        await gatherResults(gone)

    def _failed(self, failure: Failure, line: "_Line") -> Failure:
        if any(isinstance(cause, _CANCELLED) for cause in _causes(failure)):
            raise CancelledError
        if isinstance(failure.value, RequestGenerationFailed):
            reason: Failure = failure.value.reasons[0]  # what produces the body has failed
            return reason
        if not line.is_new and failure.check(ResponseNeverReceived, RequestTransmissionFailed):
            # Others that were kept as long have most probably gone the same way.
            self.forget_idle()
            raise Stale(f"{self._location.url} has closed a connection that was kept open")
        raise Unreachable(_words(failure, self._location))


class _Line:
    """The way of one request: a new connection, or none where one that was kept is used."""

    def __init__(self, endpoint: IStreamClientEndpoint, laid: WeakSet[Any]) -> None:
        self._endpoint = endpoint
        self._laid = laid
        self.is_new = False

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        self.is_new = True
        return self._endpoint.connect(factory).addCallback(self._connected)

    def _connected(self, connection: Any) -> IProtocol:
        self._laid.add(connection)
        if ITCPTransport.providedBy(connection.transport):
            connection.transport.setTcpKeepAlive(True)
        protocol: IProtocol = connection
        return protocol


@implementer(IAgentEndpointFactory)
class _Lines:
    """Ways to one engine, whatever URL is asked for.

    :ivar laid: connections; those that nobody uses any more go by themselves.
    """

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint
        self._next: _Line | None = None
        self.laid: WeakSet[Any] = WeakSet()

    def next(self) -> _Line:
        self._next = _Line(self._endpoint, self.laid)
        return self._next

    def endpointForURI(self, uri: URI) -> _Line | None:
        return self._next


def _words(failure: Failure, location: Location) -> str:
    for cause in _causes(failure):
        if isinstance(cause, VerificationError):
            return (
                f"{location.url} shows a certificate for another name; reach it by the name that "
                "stands there, or give it one for this name"
            )
        if isinstance(cause, SSL.Error):
            return _tls_words(cause, location)
        if isinstance(cause, DNSLookupError):
            return f"{location.url}: no address is known for {location.host}"
        if isinstance(cause, TimeoutError):
            return f"{location.url} can't be reached: nothing answers for {CONNECT_TIMEOUT:g} s"
        if isinstance(cause, ConnectError):
            return _connect_words(cause, location)
        if isinstance(cause, ConnectionClosed) and failure.check(RequestTransmissionFailed):
            return (
                f"{location.url} has closed the connection before it had taken all that was to be "
                "sent: it refuses it, or has no room for it"
            )
        if isinstance(cause, ConnectionClosed):
            hint = "" if location.is_socket or location.tls else "; does it want TLS?"
            return f"{location.url} has closed the connection before its answer was complete{hint}"
    return f"{location.url} gives no answer that can be read: {failure.getErrorMessage()[:200]}"


def _causes(failure: Failure) -> Iterator[BaseException | None]:
    for inner in getattr(failure.value, "reasons", ()):
        yield from _causes(inner)
    yield failure.value


def _connect_words(error: ConnectError, location: Location) -> str:
    number = error.osError if isinstance(error.osError, int) else 0
    reason = os.strerror(number) if number else str(error).rstrip(".")
    remedy = _REMEDIES.get(number)
    return f"{location.url} can't be reached: {reason}" + (f"; {remedy}" if remedy else "")


def _tls_words(error: SSL.Error, location: Location) -> str:
    url, tls = location.url, location.tls
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    text = ", ".join(str(reason[-1]) for reason in reasons) or "the connection was closed"
    if tls is not None and "certificate verify failed" in text:
        return f"the certificate of {url} does not lead to {tls.ca}, or its time is over"
    if tls is not None and "alert" in text:
        return f"{url} does not accept our certificate {tls.cert} ({text})"
    if any(sign in text for sign in ("wrong version number", "record layer", "packet length")):
        return f"{url} does not speak TLS"
    return f"TLS with {url} fails: {text}"
