"""The access log: written twice a second, in a thread, from what `Traffic` remembers."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import sleep
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from giestack.ops.access_line import LineFormat
from giestack.ops.log_target import Target, Unwritten, reason_of
from giestack.ops.masking import Masking
from giestack.ops.traffic import Line, Traffic

INTERVAL = 0.5
"""Seconds between two looks at what waits to be written."""

# Two threads that both want the interpreter hold each other up for milliseconds. So the writing
# one sleeps after a fraction of a millisecond's work: with 15,000 lines at once that brought the
# reactor's longest wait from 150 ms down to 4.
_LINES_PER_WRITE = 64
_PAUSE = 0.0002


class _Written(NamedTuple):
    """What became of a batch: lines that are lost, and troubles in words, "" for none."""

    lost: int = 0
    trouble: str = ""
    reopen_trouble: str = ""


class AccessLog:
    """Takes what waits in ``traffic`` and writes it to ``target``.

    ``mask`` takes the secrets out. ``utcnow`` is the wall clock, naive UTC.
    ``defer_to_thread(f)`` runs ``f`` in a bounded pool, as `twisted.internet.threads` does;
    ``pause`` lets that thread sleep for so many seconds.

    Trouble never reaches visitors: while the target cannot be written, or is too slow, lines
    are dropped and counted. That is said once, and once more when it is over.
    """

    _log = Logger()

    def __init__(
        self,
        traffic: Traffic,
        target: Target,
        mask: Masking,
        clock: IReactorTime,
        utcnow: Callable[[], datetime],
        defer_to_thread: Callable[..., Deferred[Any]],
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._traffic = traffic
        self._target = target
        self._format = LineFormat(mask)
        self._clock = clock
        self._utcnow = utcnow
        self._defer_to_thread = defer_to_thread
        self._pause = pause
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock
        self._flushed: Deferred[None] = succeed(None)
        self._busy = False
        self._stopping = False
        self._reopen = False
        self._lost = 0
        self._trouble = ""
        self._reopen_trouble = ""
        self._dropped = 0
        self._dropped_before = 0

    @property
    def dropped(self) -> int:
        """How many lines were never written so far."""
        return self._traffic.dropped + self._lost

    def start(self) -> None:
        """Open the target, and write from now on."""
        self._reopen = True
        self._dropped = self._dropped_before = self._traffic.dropped
        self._loop.start(INTERVAL).addErrback(
            lambda failure: self._log.failure("the access log is no longer written", failure)
        )

    def reopen(self) -> None:
        """Open the target anew before the next write, as logrotate wants after a rename.

        Where that fails it is tried again, and what was open before is written meanwhile.
        """
        self._reopen = True

    def configure(self, mask: Masking) -> None:
        """Take other secrets out from now on."""
        self._format = LineFormat(mask)

    def stop(self, patience: float = 2.0) -> Deferred[None]:
        """Write what still waits, then close the target.

        Stop what feeds ``traffic`` first. Fires when all is done, after ``patience`` seconds at
        the latest; it never fails.
        """
        if self._loop.running:
            self._loop.stop()
        stopped: Deferred[None] = Deferred()

        def late() -> None:
            self._stopping = True
            self._log.warn("Access log {target} was not written to its end", target=self._target)
            stopped.callback(None)

        timer = self._clock.callLater(patience, late)

        def ended(_: object) -> None:
            if timer.active():
                timer.cancel()
                stopped.callback(None)

        finishing = Deferred.fromCoroutine(self._finish())
        finishing.addErrback(lambda f: self._log.failure("Closing the access log failed", f))
        finishing.addBoth(ended)
        return stopped

    async def _finish(self) -> None:
        await self._flushed
        if not self._stopping:
            await self._flush()
        if not self._stopping:
            await self._defer_to_thread(self._target.close)

    def _tick(self) -> None:
        self._tell_dropped()
        if not self._busy:
            self._flushed = Deferred.fromCoroutine(self._flush())

    async def _flush(self) -> None:
        lines = self._traffic.take()
        if not lines and not self._reopen:
            return
        self._busy = True
        offset = self._utcnow().replace(tzinfo=UTC).timestamp() - self._clock.seconds()
        write = partial(self._write, self._format, lines, offset, self._reopen)
        self._reopen = False
        try:
            written: _Written = await self._defer_to_thread(write)
        except Exception as error:
            # The pool may have ended before us, and nothing here may end the loop.
            if not self._trouble:
                self._log.failure("Writing the access log failed")
            written = _Written(len(lines), type(error).__name__)
        self._busy = False
        self._tell(written)

    def _write(self, form: LineFormat, lines: list[Line], offset: float, reopen: bool) -> _Written:
        """Write lines, in a thread; touches nothing that the reactor's thread changes."""
        reopen_trouble = ""
        if reopen:
            try:
                self._target.reopen()
            except OSError as error:
                reopen_trouble = reason_of(error)
        for start in range(0, len(lines), _LINES_PER_WRITE):
            some = lines[start : start + _LINES_PER_WRITE]
            data = "".join([form(line, offset) for line in some]).encode("ascii")
            try:
                self._target.write(data)
            except Unwritten as error:
                lost = len(lines) - start - error.lines
                return _Written(lost, str(error), reopen_trouble)
            self._pause(_PAUSE)
        return _Written(0, "", reopen_trouble)

    def _tell(self, written: _Written) -> None:
        self._lost += written.lost
        if written.reopen_trouble:
            self._reopen = True
            if not self._reopen_trouble:
                self._log.error(
                    "Access log {target} cannot be opened: {reason}; trying again",
                    target=self._target,
                    reason=written.reopen_trouble,
                )
        self._reopen_trouble = written.reopen_trouble
        if written.trouble and not self._trouble:
            self._log.error(
                "Access log {target} cannot be written: {reason}; lines are dropped",
                target=self._target,
                reason=written.trouble,
            )
        elif self._trouble and not written.trouble:
            self._log.info(
                "Access log {target} is written again; {lost} lines were lost so far",
                target=self._target,
                lost=self.dropped,
            )
        self._trouble = written.trouble

    def _tell_dropped(self) -> None:
        """Say when lines begin to find no room, and when all have found some for a while."""
        dropped, before = self._traffic.dropped, self._dropped_before
        self._dropped_before = dropped
        if dropped > before:
            if before == self._dropped:
                self._log.error(
                    "Access log {target} is written too slowly: lines are dropped",
                    target=self._target,
                )
        elif dropped > self._dropped and not self._busy:
            self._log.info(
                "Access log {target} keeps up again; {count} lines were dropped",
                target=self._target,
                count=dropped - self._dropped,
            )
            self._dropped = dropped
