"""A log of lines: written twice a second, in a thread, from what waits somewhere in memory."""

from collections.abc import Callable, Sequence
from functools import partial
from time import sleep
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from giestack.ops.log_target import Target, Unwritten, reason_of

INTERVAL = 0.5
"""Seconds between two looks at what waits to be written."""

# Two threads that both want the interpreter hold each other up for milliseconds. So the writing
# one sleeps after a fraction of a millisecond's work: with 15,000 lines at once that brought the
# reactor's longest wait from 150 ms down to 4.
_LINES_PER_WRITE = 64
_PAUSE = 0.0002

T = TypeVar("T")


class Waiting(Protocol[T]):
    """Where lines wait to be written, a bounded number of them.

    :ivar dropped: lines that found no room so far.
    """

    dropped: int

    def keep(self, wanted: bool) -> None:
        """Say whether lines are wanted from now on: while they are not, none wait."""

    def take(self) -> list[T]:
        """Return what waits, the oldest first; nothing waits afterwards."""


class _Written(NamedTuple):
    """What became of a batch: lines that are lost, and troubles in words, "" for none."""

    lost: int = 0
    trouble: str = ""
    reopen_trouble: str = ""


class Retargeting:
    """Another target for a log: open already, and used once this is applied."""

    def __init__(self, log: "LineLog[Any]", target: Target | None) -> None:
        self._log = log
        self._target = target

    def apply(self) -> None:
        """Write there from now on."""
        self._log.retarget(self._target)

    def cancel(self) -> None:
        """Close it unused."""
        if self._target is not None:
            self._target.close()


class LineLog(Generic[T]):
    """Takes what waits in ``waiting`` and writes it to ``target``; to None, nowhere.

    ``name`` begins what is said about it. ``rendering`` is called before a batch, in the
    reactor's thread; what it returns makes whole lines of pieces of the batch in the writing
    thread. ``defer_to_thread(f)`` runs ``f`` in a bounded pool, as `twisted.internet.threads`
    does; ``pause`` lets that thread sleep for so many seconds.

    Trouble never reaches visitors: while the target cannot be written, or is too slow, lines
    are dropped and counted. That is said once, and once more when it is over.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        waiting: Waiting[T],
        rendering: Callable[[], Callable[[Sequence[T]], bytes]],
        target: Target | None,
        clock: IReactorTime,
        defer_to_thread: Callable[..., Deferred[Any]],
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._name = name
        self._waiting = waiting
        self._rendering = rendering
        self._target = target
        self._clock = clock
        self._defer_to_thread = defer_to_thread
        self._pause = pause
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock
        self._flushed: Deferred[None] = succeed(None)
        self._next: list[Target | None] = []
        self._busy = False
        self._stopping = False
        self._reopen = False
        self._lost = 0
        self._trouble = ""
        self._reopen_trouble = ""
        self._dropped = 0
        self._dropped_before = 0
        waiting.keep(target is not None)

    @property
    def dropped(self) -> int:
        """How many lines were never written so far."""
        return self._waiting.dropped + self._lost

    def start(self) -> None:
        """Open the target, and write from now on."""
        self._reopen = True
        self._dropped = self._dropped_before = self._waiting.dropped
        self._loop.start(INTERVAL).addErrback(
            lambda failure: self._log.failure("A log is no longer written", failure)
        )

    def reopen(self) -> None:
        """Open the target anew before the next write, as logrotate wants after a rename.

        Where that fails it is tried again, and what was open before is written meanwhile.
        """
        self._reopen = True

    def retarget(self, target: Target | None) -> None:
        """Write to another target, which is open; what waits still goes to the old one."""
        self._next.append(target)
        self._waiting.keep(target is not None)
        if self._loop.running:
            self._tick()

    def stop(self, patience: float = 2.0) -> Deferred[None]:
        """Write what still waits, then close the target.

        Stop what feeds this first. Fires when all is done, after ``patience`` seconds at the
        latest; it never fails.
        """
        if self._loop.running:
            self._loop.stop()
        stopped: Deferred[None] = Deferred()

        def late() -> None:
            self._stopping = True
            self._log.warn(
                "{name} {target} was not written to its end", name=self._name, target=self._target
            )
            stopped.callback(None)

        timer = self._clock.callLater(patience, late)

        def ended(_: object) -> None:
            if timer.active():
                timer.cancel()
                stopped.callback(None)

        finishing = Deferred.fromCoroutine(self._finish())
        finishing.addErrback(lambda f: self._log.failure("Closing a log failed", f))
        finishing.addBoth(ended)
        return stopped

    async def _finish(self) -> None:
        await self._flushed
        if not self._stopping:
            await self._flush()
        if not self._stopping and self._target is not None:
            await self._defer_to_thread(self._target.close)

    def _tick(self) -> None:
        self._tell_dropped()
        if not self._busy:
            self._flushed = Deferred.fromCoroutine(self._flush())

    async def _flush(self) -> None:
        while self._target is None and self._next:
            self._target = self._next.pop(0)
        lines = self._waiting.take()
        following, self._next = self._next, []
        if not (lines or following or self._reopen) or self._target is None:
            return
        self._busy = True
        write = partial(
            self._write,
            self._target,
            self._rendering(),
            lines,
            # A target that is about to be closed need not be opened anew.
            self._reopen and not following,
            [self._target, *following[:-1]] if following else [],
        )
        self._reopen = False
        try:
            written: _Written = await self._defer_to_thread(write)
        except Exception as error:
            # The pool may have ended before us, and nothing here may end the loop.
            if not self._trouble:
                self._log.failure("Writing a log failed")
            written = _Written(len(lines), type(error).__name__)
        self._busy = False
        self._tell(written)
        if following:
            self._target = following[-1]
            self._trouble = self._reopen_trouble = ""

    def _write(
        self,
        target: Target,
        render: Callable[[Sequence[T]], bytes],
        lines: list[T],
        reopen: bool,
        leaving: Sequence[Target | None],
    ) -> _Written:
        """Write lines, in a thread; touches nothing that the reactor's thread changes."""
        reopen_trouble = ""
        if reopen:
            try:
                target.reopen()
            except OSError as error:
                reopen_trouble = reason_of(error)
        lost, trouble = 0, ""
        for start in range(0, len(lines), _LINES_PER_WRITE):
            try:
                target.write(render(lines[start : start + _LINES_PER_WRITE]))
            except Unwritten as error:
                lost, trouble = len(lines) - start - error.lines, str(error)
                break
            self._pause(_PAUSE)
        for one in leaving:
            if one is not None:
                one.close()
        return _Written(lost, trouble, reopen_trouble)

    def _tell(self, written: _Written) -> None:
        self._lost += written.lost
        if written.reopen_trouble:
            self._reopen = True
            if not self._reopen_trouble:
                self._log.error(
                    "{name} {target} cannot be opened: {reason}; trying again",
                    name=self._name,
                    target=self._target,
                    reason=written.reopen_trouble,
                )
        self._reopen_trouble = written.reopen_trouble
        if written.trouble and not self._trouble:
            self._log.error(
                "{name} {target} cannot be written: {reason}; lines are dropped",
                name=self._name,
                target=self._target,
                reason=written.trouble,
            )
        elif self._trouble and not written.trouble:
            self._log.info(
                "{name} {target} is written again; {lost} lines were lost so far",
                name=self._name,
                target=self._target,
                lost=self.dropped,
            )
        self._trouble = written.trouble

    def _tell_dropped(self) -> None:
        """Say when lines begin to find no room, and when all have found some for a while."""
        dropped, before = self._waiting.dropped, self._dropped_before
        self._dropped_before = dropped
        if dropped > before:
            if before == self._dropped:
                self._log.error(
                    "{name} {target} is written too slowly: lines are dropped",
                    name=self._name,
                    target=self._target,
                )
        elif dropped > self._dropped and not self._busy:
            self._log.info(
                "{name} {target} keeps up again; {count} lines were dropped",
                name=self._name,
                target=self._target,
                count=dropped - self._dropped,
            )
            self._dropped = dropped
