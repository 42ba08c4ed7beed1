"""A child process: what it prints goes to a function, its end is a Deferred."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import (
    IDelayedCall,
    IProcessTransport,
    IReactorProcess,
    IReactorTime,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from giestack.spawner.process import reaper

GRACE = 2.5
"""Seconds that a program has to end by itself when nobody says otherwise."""

# Looked for where every system has it, not where somebody's PATH leads.
_NICE = shutil.which("nice", path=os.defpath)
_FORCE_PATIENCE = 4.0
_OUTPUT_PATIENCE = 0.5
_AT_ONCE = 262_144
_PAUSE = 0.1
# Bytes: so much work is a line more than what stands in it.
_LINE = 256


class Program(ProcessProtocol):
    """A program that runs under `giestack.spawner.process.reaper`: its family ends with it.

    It ends with this process, too. One that prints without end is read with pauses, so that
    there is time for others.

    :ivar ended: fires once with the exit status (128 and more: by a signal).
    :ivar running: whether it has not ended yet.
    """

    transport: IProcessTransport

    def __init__(self, clock: IReactorTime, received: Callable[[bytes], None]) -> None:
        """``received`` gets what it prints."""
        self.ended: Deferred[int] = Deferred()
        self.running = True
        self._clock = clock
        self._received = received
        self._late: IDelayedCall | None = None
        self._kill_at = float("inf")
        self._read = 0
        self._pause: IDelayedCall | None = None

    def start(
        self,
        reactor: IReactorProcess,
        command: Sequence[str],
        environment: Mapping[str, str],
        options: Sequence[str] = (),
        niceness: int = 0,
    ) -> None:
        """Start the command; raise OSError where no process can be made.

        ``options`` are the reaper's. ``niceness`` holds from the very first: many reapers that
        start at once would else take the processor from this process. No folder is given to the
        reactor, which can start a process faster then.
        """
        arguments = [sys.executable, "-I", "-S", reaper.__file__, *options, str(GRACE), *command]
        if niceness and _NICE is not None:
            arguments = [_NICE, "-n", str(niceness), *arguments]
        reactor.spawnProcess(
            self,
            os.fsencode(arguments[0]),
            [os.fsencode(argument) for argument in arguments],
            {os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
        )

    @property
    def pid(self) -> int:
        """The reaper's number."""
        return self.transport.pid or 0

    def stop(self, grace: float = GRACE) -> None:
        """Ask for the end, by force after so many seconds; see ``ended``.

        Asked again, the shorter grace holds.
        """
        kill_at = self._clock.seconds() + grace + _FORCE_PATIENCE
        if self.running and kill_at < self._kill_at:
            self._kill_at = kill_at
            self._resume()
            self._expect(grace + _FORCE_PATIENCE, self._kill)
            self.transport.write(b"%.3f\n" % grace)

    def outReceived(self, data: bytes) -> None:
        self._received(data)
        self._read += len(data) + _LINE * data.count(b"\n")
        if self._read > _AT_ONCE and self._pause is None and self.running:
            self._reading(False)
            self._pause = self._clock.callLater(_PAUSE, self._resume)

    errReceived = outReceived

    def processExited(self, reason: Failure) -> None:
        self._resume()
        # Who got away may hold the output open; then processEnded would never be called.
        self._expect(_OUTPUT_PATIENCE, self._end, reason)

    def processEnded(self, reason: Failure) -> None:
        self._end(reason)

    def _reading(self, on: bool) -> None:
        # IProcessTransport has no word for it.
        reader = getattr(self.transport, "pipes", {}).get(1)
        if reader is not None:
            reader.resumeProducing() if on else reader.pauseProducing()

    def _resume(self) -> None:
        pause, self._pause, self._read = self._pause, None, 0
        if pause is not None:
            if pause.active():
                pause.cancel()
            self._reading(True)

    def _expect(self, seconds: float, function: Callable[..., None], *args: Any) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._late = self._clock.callLater(seconds, function, *args)

    def _end(self, reason: Failure) -> None:
        if not self.running:
            return
        self.running = False
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._resume()
        self.transport.loseConnection()
        how: Any = reason.value
        self.ended.callback(128 + (how.signal or 0) if how.exitCode is None else how.exitCode)

    def _kill(self) -> None:
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
