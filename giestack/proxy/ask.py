"""One question to a backend, on a connection of its own, bounded in size and time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from errno import ENOENT
from typing import Any, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import (
    ConnectError,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
    UnknownHostError,
)
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure

from giestack.address import Address
from giestack.proxy.backend import BackendConnection
from giestack.proxy.response_parser import Fields, ParsedHead
from giestack.proxy.verification import tls_words

_HEAD = 65536
_NOT_HTTP = "does not speak HTTP"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a backend has answered.

    :ivar status: 0 where there was no answer.
    :ivar reason: the reason phrase; without an answer what was wrong, for people, as what
        follows after "it": ``does not speak HTTP``.
    :ivar body: as much of it as was asked for.
    :ivar whole: whether that is all of it.
    """

    status: int
    reason: str
    body: bytes = field(default=b"", repr=False)
    whole: bool = False


class Ask:
    """Asks backends."""

    def __init__(
        self, clock: IReactorTime, endpoint_for: Callable[[Address], IStreamClientEndpoint]
    ) -> None:
        self._clock = clock
        self._endpoint_for = endpoint_for

    def __call__(
        self,
        address: Address,
        target: bytes,
        host: bytes,
        *,
        seconds: float,
        most: int = 0,
        method: bytes = b"GET",
        fields: Sequence[tuple[bytes, bytes]] = (),
    ) -> Deferred[Answer]:
        """Ask for a path and query; the Deferred never fails, but may be cancelled.

        A redirection is an answer like others: nobody is asked but this backend.

        :param host: the value of Host.
        :param seconds: for all of it; then it counts as no answer.
        :param most: bytes of the body that are waited for; 0: the head is enough.
        :param method: one that has no need of a body.
        :param fields: further fields of the request's head.
        """
        question = _Question(self._clock, seconds, most)
        factory = Factory.forProtocol(lambda: _Connection(address, most + _HEAD))
        factory.noisy = False
        try:
            connecting = self._endpoint_for(address).connect(factory)
        except (OSError, ValueError) as error:
            connecting = fail(error)
        head = b"%b %b HTTP/1.1\r\nHost: %b\r\nAccept: */*\r\nConnection: close\r\n" % (
            method,
            target,
            host,
        )
        head += b"".join([b"%b: %b\r\n" % field for field in fields])
        return question.begin(cast("Deferred[_Connection]", connecting), head + b"\r\n")


class _Question:
    """One question; what its connection takes for an exchange."""

    def __init__(self, clock: IReactorTime, seconds: float, most: int) -> None:
        self._most = most
        self._status = 0
        self._reason = ""
        self._body = b""
        self._connecting: Deferred[Any] | None = None
        self._connection: _Connection | None = None
        self._answer: Deferred[Answer] = Deferred(lambda _: self._leave())
        self._late = clock.callLater(seconds, self._too_late)

    def begin(self, connecting: "Deferred[_Connection]", request: bytes) -> Deferred[Answer]:
        answer = self._answer
        self._connecting = connecting
        connecting.addCallbacks(self._connected, self._unconnected, callbackArgs=(request,))
        return answer

    def _connected(self, connection: "_Connection", request: bytes) -> None:
        self._connecting = None
        self._connection = connection
        connection.send_request(self, request, False)

    def _unconnected(self, failure: Failure) -> None:
        # Who leaves is told so too, by one error or another.
        if self._connecting is not None:
            self._connecting = None
            self._end(Answer(0, _words(failure)))

    def _too_late(self) -> None:
        if self._status:
            self._end(self._so_far(False))
        else:
            self._end(Answer(0, "does not answer in time"))

    def _so_far(self, whole: bool) -> Answer:
        whole = whole and len(self._body) <= self._most
        return Answer(self._status, self._reason, self._body[: self._most], whole)

    def _leave(self) -> None:
        """End all that is under way."""
        if self._late.active():
            self._late.cancel()
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _end(self, answer: Answer) -> None:
        self._leave()
        self._answer.callback(answer)

    # What the connection tells.

    def interim(self, head: ParsedHead) -> None:
        pass

    def response(
        self, head: ParsedHead | None, body: bytes, trailers: Fields, complete: bool
    ) -> None:
        if head is not None:
            self._status = head.status
            self._reason = head.reason.decode("latin-1")
        self._body += body
        if complete:
            connection, self._connection = self._connection, None
            assert connection is not None
            if connection.address.tls:
                # Who does not answer the goodbye of TLS would keep the connection open.
                connection.close()
            else:
                # A reset would be noise in the logs of those that wait for the next request.
                connection.finish()
            self._end(self._so_far(True))
        elif len(self._body) >= self._most:
            self._end(self._so_far(False))

    def switched(self, head: ParsedHead, early: bytes) -> None:
        self._end(Answer(0, _NOT_HTTP))

    def backend_lost(self, clean: bool) -> None:
        connection = self._connection
        if connection is None:
            return
        if self._status:
            self._end(self._so_far(False))
        elif connection.heard:
            self._end(Answer(0, _NOT_HTTP))
        else:
            tls = tls_words(connection.reason.value)
            self._end(Answer(0, tls or "closes the connection without an answer"))

    # The request is small: nothing ever waits for it to go out.

    def pause_client(self) -> None:
        pass

    def resume_client(self) -> None:
        pass


class _Connection(BackendConnection):
    """Counts what it hears, so that an endless head does not fill the memory.

    :ivar heard: bytes so far.
    :ivar reason: why it was lost.
    """

    def __init__(self, address: Address, most: int) -> None:
        super().__init__(address, _NOT_KEPT)
        self._most = most
        self.heard = 0
        self.reason = connectionDone

    def dataReceived(self, data: bytes) -> None:
        self.heard += len(data)
        super().dataReceived(data)
        if self.heard > self._most and self._exchange is not None:
            self._exchange.backend_lost(False)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason
        super().connectionLost(reason)


class _NotKept:
    """Stands where a pool would: no connection is used again."""

    def give_back(self, connection: BackendConnection) -> None: ...

    def forget(self, connection: BackendConnection) -> None: ...

    def leaving(self, connection: BackendConnection) -> None: ...


_NOT_KEPT = _NotKept()


def _words(failure: Failure) -> str:
    error = failure.value
    if isinstance(error, ConnectionRefusedError) or (
        isinstance(error, ConnectError) and error.osError == ENOENT
    ):
        return "is not there: nothing listens at its address"
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    if isinstance(error, (DNSLookupError, UnknownHostError)):
        return "has a host name that is not known"
    return f"can't be reached: {failure.getErrorMessage()}"
