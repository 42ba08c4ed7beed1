"""A child process of the demo: its last words, and its end as a Deferred."""

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
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

from giestack.demo import reaper

GRACE = 2.5
"""Seconds that a program has to end by itself."""

_PATIENCE = 6.5
_OUTPUT_PATIENCE = 0.5
_LINES = 20
_LONGEST_LINE = 500
_LONGEST_REST = 65_536


class Program(ProcessProtocol):
    """A program that runs under `giestack.demo.reaper`: its family ends with it, and with us.

    :ivar ended: fires once with the exit status (128 and more: by a signal).
    :ivar running: whether it has not ended yet.
    """

    transport: IProcessTransport

    def __init__(self, clock: IReactorTime, hide: Callable[[str], str]) -> None:
        """``hide`` takes secrets out of a line."""
        self.ended: Deferred[int] = Deferred()
        self.running = True
        self._clock = clock
        self._hide = hide
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._rest = b""
        self._overlong = False
        self._late: IDelayedCall | None = None

    def start(
        self,
        reactor: IReactorProcess,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        """Start the command; raise OSError where no process can be made."""
        arguments = [sys.executable, "-I", reaper.__file__, str(GRACE), *command]
        reactor.spawnProcess(
            self,
            os.fsencode(sys.executable),
            [os.fsencode(argument) for argument in arguments],
            {os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
            os.fsencode(folder),
        )

    @property
    def last_lines(self) -> list[str]:
        """What it has printed last, without secrets."""
        return list(self._lines)

    def stop(self) -> None:
        """Ask for the end, which comes within seconds; see ``ended``."""
        if self.running and self._late is None:
            self._expect(_PATIENCE, self._kill)
            self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            text = self._hide(line.decode("utf-8", "replace")).strip()
            if text and not self._overlong:
                self._lines.append(text[:_LONGEST_LINE])
            self._overlong = False
        if len(self._rest) > _LONGEST_REST:
            # A piece of a line could be a piece of a secret: all of it is forgotten.
            self._rest, self._overlong = b"", True

    errReceived = outReceived

    def processExited(self, reason: Failure) -> None:
        # Who got away may hold the output open; then processEnded would never be called.
        self._expect(_OUTPUT_PATIENCE, self._end, reason)

    def processEnded(self, reason: Failure) -> None:
        self._end(reason)

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
        self.outReceived(b"\n")
        self.transport.loseConnection()
        how: Any = reason.value
        self.ended.callback(128 + (how.signal or 0) if how.exitCode is None else how.exitCode)

    def _kill(self) -> None:
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
