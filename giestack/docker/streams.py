"""Answers that go on, while they come."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol as Connection
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse

from giestack.docker.errors import DockerError, Unreachable
from giestack.docker.lines import Receiver


class Body(Connection):
    """Reads the body of an answer.

    :ivar done: fires when it is over, with whether it is sure that nothing is missing; fails
        with `Unreachable` where it was cut, or with what ``received`` raised. Cancelling it
        ends the connection.
    """

    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received
        self.done: Deferred[bool] = Deferred(lambda _: self._abort())

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        try:
            self._received(data)
        except Exception:
            self._abort()
            if not self.done.called:
                self.done.errback(Failure())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone):
            self.done.callback(True)
        elif reason.check(PotentialDataLoss):
            self.done.callback(False)
        else:
            self.done.errback(Unreachable("the engine closed the connection within its answer"))

    def pause(self) -> None:
        if self.transport is not None:
            self.transport.pauseProducing()  # type: ignore[attr-defined]

    def resume(self) -> None:
        if self.transport is not None:
            self.transport.resumeProducing()  # type: ignore[attr-defined]

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


class Stream:
    """An answer that goes on.

    :ivar ended: fires with None when it is over or was stopped; fails with `DockerError` when it
        broke. Cancelling it ends the connection.
    """

    def __init__(
        self,
        clock: IReactorTime,
        begin: Callable[[Callable[[Any], None]], Awaitable[tuple[IResponse, Receiver]]],
        heard: Callable[[Any], None],
        *,
        quiet: float | None = None,
    ) -> None:
        """:param begin: asks for the answer; is given what its receiver is to call.
        :param quiet: after so many seconds without a byte it has broken.
        """
        self.ended: Deferred[None] = Deferred(lambda _: self._give_up())
        self.whole = False
        """Whether nothing can be missing at the end."""
        self._begin = begin
        self._heard = heard
        self._over = False
        self._paused = False
        self._body: Body | None = None
        self._quiet = quiet
        self._watch: IDelayedCall | None = None
        if quiet is not None:
            self._watch = clock.callLater(quiet, self._too_quiet)
        self._running: Deferred[None] | None = None
        running = Deferred.fromCoroutine(self._run())
        self._running = running
        running.addCallbacks(lambda _: self._finish(), self._failed)

    def stop(self) -> None:
        """End it; nothing is heard after that."""
        if not self._over:
            self._give_up()
            self.ended.callback(None)

    def pause(self) -> None:
        """Read no more for now; what has been read already may still come."""
        self._paused = True
        if self._body is not None:
            self._body.pause()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        if self._body is not None:
            self._body.resume()

    async def _run(self) -> None:
        response, receiver = await self._begin(self._hear)
        body = self._body = Body(lambda data: self._receive(receiver, data))
        response.deliverBody(body)
        if self._paused:
            body.pause()
        if self._over:
            body.done.cancel()
        self.whole = await body.done
        receiver.finished()

    def _receive(self, receiver: Receiver, data: bytes) -> None:
        if self._watch is not None and self._quiet is not None:
            self._watch.reset(self._quiet)
        receiver.received(data)

    def _hear(self, something: Any) -> None:
        if not self._over:
            self._heard(something)

    def _too_quiet(self) -> None:
        self._watch = None
        self._give_up()
        self.ended.errback(Unreachable(f"the engine has sent nothing for {self._quiet:g} seconds"))

    def _give_up(self) -> None:
        self._over = True
        self._unwatch()
        if self._running is not None:
            self._running.cancel()

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _finish(self) -> None:
        if not self._over:
            self._over = True
            self._unwatch()
            self.ended.callback(None)

    def _failed(self, failure: Failure) -> None:
        if self._over:
            failure.trap(CancelledError, DockerError)
            return
        self._over = True
        self._unwatch()
        self.ended.errback(failure)
