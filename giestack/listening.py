"""Opening and closing the doors: listeners, and an end without cutting answers short."""

from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.proxy.front import Front

DRAIN = 6.0
"""Seconds that answers under way have when giestack stops."""


class CannotListen(Exception):
    """A listener can't be opened; the text says which and why, in one line."""


class Listeners(Service):
    """Listens for a factory on endpoints given as Twisted's strings (``tcp:8800``).

    :ivar ports: what is listened on.
    """

    log = Logger()

    def __init__(
        self, reactor: object, endpoints: Sequence[str], factory: IProtocolFactory
    ) -> None:
        self._reactor = reactor
        self._endpoints = endpoints
        self._factory = factory
        self.ports: list[IListeningPort] = []

    def privilegedStartService(self) -> None:
        """Open the listeners while giestack may still take ports below 1024.

        :raises CannotListen: where one of them can't be opened; then none is.
        """
        if self.ports:
            return
        for endpoint in self._endpoints:
            failures: list[Failure] = []
            opening = serverFromString(self._reactor, endpoint).listen(self._factory)
            opening.addCallbacks(self.ports.append, failures.append)
            if failures:
                self._close()
                raise CannotListen(f"cannot listen on {endpoint}: {_reason(failures[0])}")

    def startService(self) -> None:
        super().startService()
        self.privilegedStartService()

    def stopService(self) -> Deferred[Any]:
        super().stopService()
        return self._close()

    def _close(self) -> Deferred[Any]:
        ports, self.ports = self.ports, []
        closing = [port.stopListening() for port in ports]
        return gatherResults([d for d in closing if d is not None], consumeErrors=True)


def _reason(failure: Failure) -> str:
    error = failure.value
    if isinstance(error, CannotListenError):
        error = error.socketError
    return getattr(error, "strerror", None) or str(error)


class Door(Listeners):
    """The proxy's listeners; they close first, then what is under way is waited for."""

    def __init__(
        self, reactor: object, clock: IReactorTime, endpoints: Sequence[str], front: Front
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
