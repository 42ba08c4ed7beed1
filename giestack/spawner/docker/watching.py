"""Hears of an engine's containers, and compares with what is known when it could not."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.docker.errors import DockerError
from giestack.docker.streams import Stream
from giestack.spawner.docker.times import seconds_of

PING_EVERY = 10.0
COMPARE_EVERY = 60.0
STEADY = 10.0
"""Seconds after which a stream that breaks is no reason to wait before the next one."""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class Engine(Protocol):
    """What is asked of `giestack.docker.docker.Docker`."""

    async def ping(self) -> None: ...
    async def info(self) -> dict[str, Any]: ...
    def events(
        self,
        heard: Callable[[dict[str, Any]], None],
        *,
        filters: Mapping[str, Sequence[str]],
        since: str = "",
    ) -> Stream: ...


class Watched(Protocol):
    """Who wants to know."""

    def connected(self, info: Mapping[str, Any]) -> None:
        """The engine answers, and this is what it says of itself."""

    def heard(self, event: Mapping[str, Any]) -> None:
        """Something has happened, perhaps told for the second time."""

    async def compare(self) -> None:
        """Look at all there is: something may have happened that was not heard.

        :raises DockerError: it can't be seen.
        """

    def lost(self, error: DockerError) -> None:
        """The engine does not answer, again and again with each attempt."""


class Watching:
    """Listens to one engine from `open` to `close`, however often it goes away.

    Events are subscribed to before each comparison, so that nothing falls between the two; a
    connection that is dead without having ended is found by asking.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        engine: Engine,
        filters: Mapping[str, Sequence[str]],
        watched: Watched,
    ) -> None:
        """``filters`` are those of Docker's events."""
        self._clock = clock
        self._engine = engine
        self._filters = filters
        self._watched = watched
        self._since = ""
        self._stream: Stream | None = None
        self._broken: Deferred[None] = Deferred()
        self._asking = False
        self._loops = [self._loop(self._engine.ping), self._loop(watched.compare)]
        self._keeping: Deferred[None] | None = None

    async def open(self) -> None:
        """Connect, compare, and go on listening.

        :raises DockerError: the engine is not there; nothing goes on then.
        """
        await self._connect()
        for loop, seconds in zip(self._loops, (PING_EVERY, COMPARE_EVERY), strict=True):
            loop.start(seconds, now=False)
        self._keeping = Deferred.fromCoroutine(self._keep())
        self._keeping.addErrback(self._over)

    def close(self) -> None:
        """Hear no more; may be called at any time."""
        for loop in self._loops:
            if loop.running:
                loop.stop()
        if self._keeping is not None:
            self._keeping.cancel()
        self._drop()

    async def _connect(self) -> None:
        info = await self._engine.info()
        self._watched.connected(info)
        self._broken = Deferred()
        since = self._since or _since(seconds_of(info.get("SystemTime")))
        self._stream = self._engine.events(self._heard, filters=self._filters, since=since)
        self._stream.ended.addBoth(self._ended, self._broken)
        try:
            await self._watched.compare()
        except BaseException:
            self._drop()
            raise

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            began = self._clock.seconds()
            await self._broken
            if self._clock.seconds() - began > STEADY:
                pause = _FIRST_PAUSE
            while True:
                await deferLater(self._clock, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                try:
                    await self._connect()
                    break
                except CancelledError:
                    raise
                except DockerError as error:
                    self._watched.lost(error)
                except Exception as error:
                    self.log.failure("An engine could not be looked at")
                    self._watched.lost(DockerError(0, f"something unexpected happened: {error!r}"))

    def _heard(self, event: dict[str, Any]) -> None:
        nanoseconds = event.get("timeNano")
        if isinstance(nanoseconds, int):
            self._since = f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
        self._watched.heard(event)

    def _ended(self, _: object, broken: Deferred[None]) -> None:
        if not broken.called:
            broken.callback(None)

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.stop()
            self._stream = None

    def _loop(self, ask: Callable[[], Awaitable[None]]) -> LoopingCall:
        async def asked() -> None:
            if self._stream is None or self._broken.called:
                return
            try:
                await ask()
            except DockerError as error:
                self.log.warn("A Docker engine does not answer: {error}", error=error)
                self._drop()
            except Exception:
                self.log.failure("An engine could not be looked at")

        loop = LoopingCall(lambda: Deferred.fromCoroutine(asked()))
        loop.clock = self._clock
        return loop

    def _over(self, failure: Failure) -> None:
        failure.trap(CancelledError)


def _since(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.6f}"
