"""Answers that go on: event streams, and logs that are followed.

What a client does not read is not kept for it: a `Source` has room for little, and is asked for
more only when the client has taken what there was.
"""

from collections.abc import Callable, Hashable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.web.server import Request
from zope.interface import implementer

from giestack.proxy.decision import Refuse
from giestack.site.asked import Stream
from giestack.site.endpoint import RefusalError

HEARTBEAT = 15.0
"""Seconds without a byte after which a stream says that it is still there."""

PER_USER = 32
"""Streams that one user may have open."""

_DRAINING = Refuse(503, "draining", "This server is about to stop.", retry_after=2)
_TOO_MANY = Refuse(503, "too-many-streams", "You follow too many sessions at once.", retry_after=5)


class Wake(Protocol):
    """Is told that there is something to take; ``full``: and no room for more."""

    def __call__(self, full: bool = False) -> None: ...


class WakeOrCut(Wake, Protocol):
    """The same; ``cut``: the stream is to end at once, though it is not whole."""

    def __call__(self, full: bool = False, cut: bool = False) -> None: ...


class Source(Protocol):
    """Where the bytes of one stream come from."""

    @property
    def idle(self) -> bytes:
        """What to send after `HEARTBEAT` seconds of nothing; ``b""`` for nothing."""

    @property
    def resumed(self) -> bool:
        """Whether readers come back by themselves when it ends too early.

        Others are cut off then, so that they don't take what they have got for the whole.
        """

    def start(self, wake: WakeOrCut) -> None:
        """Begin; ``wake`` is to be called whenever there is something to take.

        Told that there is no room it takes at once, and may even stop.
        """

    def take(self) -> bytes | None:
        """All that there is to send now, often nothing; None when there will be no more."""

    def stop(self) -> None:
        """Nobody takes anything any more."""


class Streams:
    """All open streams.

    ``clock`` is for the heartbeat; ``per_user`` is how many one user may have open.
    """

    def __init__(self, clock: IReactorTime, per_user: int = PER_USER) -> None:
        self._clock = clock
        self._per_user = per_user
        self._flows: set[_Flow] = set()
        self._over = False

    @property
    def open(self) -> int:
        """How many there are."""
        return len(self._flows)

    def answer(self, source: Source, content_type: bytes, whose: Hashable) -> Stream:
        """Answer with what a source gives, on behalf of ``whose``.

        The source is started when the answer is. Raises `RefusalError` (503) for one stream too
        many, and once `end_all` was called.
        """
        if self._over:
            raise RefusalError(_DRAINING)
        if sum(flow.whose == whose for flow in self._flows) >= self._per_user:
            raise RefusalError(_TOO_MANY)
        # nginx would keep back what comes in small pieces.
        headers = (*text_fields(content_type), (b"X-Accel-Buffering", b"no"))
        return Stream(200, headers, lambda request: self._begin(source, request, whose))

    def end_all(self) -> None:
        """End every stream now, and begin none any more: giestack is about to stop."""
        self._over = True
        for flow in list(self._flows):
            flow.end_early()

    def _begin(self, source: Source, request: Request, whose: Hashable) -> None:
        flow = _Flow(source, request, self._clock, whose, self._flows.discard)
        self._flows.add(flow)
        flow.begin()


@implementer(IPushProducer)
class _Flow:
    """Writes what a source has to one request, as fast as the client reads."""

    _log = Logger()

    def __init__(
        self,
        source: Source,
        request: Request,
        clock: IReactorTime,
        whose: Hashable,
        over: Callable[["_Flow"], None],
    ) -> None:
        self.whose = whose
        self._source = source
        self._request = request
        self._clock = clock
        self._when_over = over
        self._over = False
        self._paused = False
        self._next: IDelayedCall | None = None
        self._beat: IDelayedCall | None = None

    def begin(self) -> None:
        self._request.notifyFinish().addErrback(lambda _: self._close())
        self._request.registerProducer(self, True)
        self._beat = self._clock.callLater(HEARTBEAT, self._idle)
        # The head goes out at once, whenever the first word comes.
        self._request.write(b"")
        with self._log.failuresHandled("a stream could not begin") as beginning:
            self._source.start(self._wake)
        if beginning.failed:
            self._cut()
        self._pump()

    def end(self) -> None:
        """Say that this was all."""
        if not self._over:
            self._close()
            self._request.unregisterProducer()
            self._request.finish()

    def end_early(self) -> None:
        """End though there is more to come."""
        if self._source.resumed:
            self.end()
        else:
            self._cut()

    def _wake(self, full: bool = False, cut: bool = False) -> None:
        if cut:
            self._cut()
        elif full:
            self._pump()
        elif not self._over and not self._paused and self._next is None:
            # In the next turn, so that what comes together is sent together.
            self._next = self._clock.callLater(0, self._pump_later)

    def _pump_later(self) -> None:
        self._next = None
        self._pump()

    def _pump(self) -> None:
        with self._log.failuresHandled("a stream failed") as pumping:
            while not self._over and not self._paused and self._pass_on():
                pass
        if pumping.failed:
            self._cut()

    def _pass_on(self) -> bool:
        """Write what there is; return whether there was anything."""
        data = self._source.take()
        if data is None:
            self.end()
        elif data:
            assert self._beat is not None
            self._beat.reset(HEARTBEAT)
            self._request.write(data)
        return bool(data)

    def _cut(self) -> None:
        """End it so that nobody takes it for the whole."""
        if not self._over:
            self._close()
            self._request.channel.loseConnection()

    def _idle(self) -> None:
        self._beat = self._clock.callLater(HEARTBEAT, self._idle)
        if not self._paused and self._source.idle:
            self._request.write(self._source.idle)

    def _close(self) -> None:
        if not self._over:
            self._over = True
            for call in (self._next, self._beat):
                if call is not None and call.active():
                    call.cancel()
            self._next = self._beat = None
            self._when_over(self)
            self._source.stop()

    # The client's connection is full, or empty again.

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._wake()

    def stopProducing(self) -> None:
        """The connection is gone, which `Request.notifyFinish` tells as well."""
        self._close()


def text_fields(content_type: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The header fields of what is neither page nor JSON, and is to be taken for neither."""
    return (
        (b"Content-Type", content_type),
        (b"Cache-Control", b"no-store"),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"Referrer-Policy", b"same-origin"),
    )
