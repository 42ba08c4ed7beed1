"""Opening and closing the doors: listeners, and an end without cutting answers short."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.certificates import BadCertificate, Renewable, Secure, read_certificate
from giestack.proxy.front import Front
from giestack.settings.endpoints import parse

DRAIN = 6.0
"""Seconds that answers under way have when giestack stops."""


class CannotListen(Exception):
    """A listener can't be opened; the text says which and why, in one line."""


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A listener that is open; ``renewable`` where it speaks TLS."""

    endpoint: str
    port: IListeningPort
    renewable: Renewable | None = None


Certificates = Mapping[str, Secure]
"""What was read for endpoints with TLS, by endpoint."""


class ListenersChange:
    """Listeners that are to be replaced: the new ones are open, and so are all old ones."""

    def __init__(self, listeners: "Listeners", after: Sequence[_Open], fresh: Certificates) -> None:
        self._listeners = listeners
        self._after = after
        self._fresh = fresh

    def apply(self) -> None:
        """Close what is not wanted any more; connections that are open stay."""
        before = self._listeners.open
        self._listeners.open = list(self._after)
        for one in self._after:
            if one.renewable is not None:
                one.renewable.secure = self._fresh[one.endpoint].factory
        _close([one for one in before if one not in self._after])

    def cancel(self) -> None:
        """Close the new ones."""
        _close([one for one in self._after if one not in self._listeners.open])


class Listeners(Service):
    """Listens for a factory on endpoints given as Twisted's strings (``tcp:8800``).

    :ivar open: what is listened on.
    """

    log = Logger()

    def __init__(self, reactor: Any, endpoints: Sequence[str], factory: IProtocolFactory) -> None:
        self._reactor = reactor
        self._endpoints = endpoints
        self._factory = factory
        self.open: list[_Open] = []

    @property
    def ports(self) -> list[IListeningPort]:
        """The ports that are open, in the order of the endpoints."""
        return [one.port for one in self.open]

    def privilegedStartService(self) -> None:
        """Open the listeners while giestack may still take ports below 1024.

        :raises CannotListen: where one of them can't be opened; then none is.
        """
        if not self.open:
            self.prepare(self._endpoints, self.read_certificates(self._endpoints)).apply()

    def startService(self) -> None:
        super().startService()
        self.privilegedStartService()

    def stopService(self) -> Deferred[Any]:
        super().stopService()
        return self._close()

    def read_certificates(self, endpoints: Sequence[str]) -> Certificates:
        """Read the certificates of all endpoints with TLS; may run in a thread.

        :raises CannotListen: where one can't be used.
        """
        fresh = {}
        for endpoint in endpoints:
            try:
                secure = read_certificate(parse(endpoint), self._factory, self._reactor)
            except BadCertificate as error:
                raise CannotListen(f"cannot listen on {endpoint}: {error}") from None
            if secure is not None:
                fresh[endpoint] = secure
        return fresh

    def prepare(self, endpoints: Sequence[str], fresh: Certificates) -> ListenersChange:
        """Open what is not open yet of these endpoints, and close nothing.

        :param fresh: what `read_certificates` has returned for them.
        :raises CannotListen: where one of them can't be opened; then nothing has changed.
        """
        left = list(self.open)
        after: list[_Open] = []
        new: list[_Open] = []
        for endpoint in endpoints:
            one = next((one for one in left if one.endpoint == endpoint), None)
            if one is not None:
                left.remove(one)
            else:
                try:
                    one = self._open(endpoint, fresh.get(endpoint))
                except CannotListen as error:
                    _close(new)
                    raise _explained(error, endpoint, left) from None
                new.append(one)
            after.append(one)
        return ListenersChange(self, after, fresh)

    def _open(self, endpoint: str, secure: Secure | None) -> _Open:
        try:
            if secure is not None:
                renewable = Renewable(self._factory, secure.factory)
                port = self._reactor.listenTCP(
                    secure.port, renewable, secure.backlog, secure.interface
                )
                return _Open(endpoint, port, renewable)
            ports: list[IListeningPort] = []
            failures: list[Failure] = []
            opening = serverFromString(self._reactor, endpoint).listen(self._factory)
            opening.addCallbacks(ports.append, failures.append)
            if failures:
                failures[0].raiseException()
            return _Open(endpoint, ports[0])
        except LookupError:
            reason = "systemd has handed over no such socket"
            raise CannotListen(f"cannot listen on {endpoint}: {reason}") from None
        except (CannotListenError, OSError, ValueError) as error:
            raise CannotListen(f"cannot listen on {endpoint}: {_reason(error)}") from None

    def _close(self) -> Deferred[Any]:
        before, self.open = self.open, []
        return _close(before)


def _explained(error: CannotListen, endpoint: str, left: Sequence[_Open]) -> CannotListen:
    """Say it where the one in the way is giestack's own, which would be closed afterwards."""
    place = _place(endpoint)
    for one in left:
        if place is not None and _place(one.endpoint) == place:
            return CannotListen(f"{error}, by {one.endpoint}; that change needs a restart")
    return error


def _place(endpoint: str) -> str | None:
    """The port or the path of an endpoint; None for a socket that systemd has made."""
    values = parse(endpoint).values
    return values.get("port") or values.get("address")


def _close(listeners: Sequence[_Open]) -> Deferred[Any]:
    closing = [one.port.stopListening() for one in listeners]
    return gatherResults([d for d in closing if d is not None], consumeErrors=True)


def _reason(error: Exception) -> str:
    if isinstance(error, CannotListenError):
        error = error.socketError
    return getattr(error, "strerror", None) or str(error)


class Door(Listeners):
    """The proxy's listeners; they close first, then what is under way is waited for."""

    def __init__(
        self, reactor: Any, clock: IReactorTime, endpoints: Sequence[str], front: Front
    ) -> None:
        super().__init__(reactor, endpoints, front)
        self._clock = clock
        self._front = front

    def startService(self) -> None:
        super().startService()
        self._front.start()

    async def _stop(self) -> None:
        await self._close()
        self._front.drain()
        end = self._clock.seconds() + DRAIN
        while self._front.connections and self._clock.seconds() < end:
            await deferLater(self._clock, 0.05)
        left = self._front.connections
        if left:
            self.log.info("{left} connections were cut at the end", left=left)
        self._front.stop()
        # One turn of the reactor, for the sockets to say goodbye.
        await deferLater(self._clock, 0)

    def stopService(self) -> Deferred[Any]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())
