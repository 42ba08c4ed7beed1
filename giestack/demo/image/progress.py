"""Says how far a long piece of work has come, to a person who waits for it."""

import time
from collections.abc import Callable
from typing import TextIO

_WIDTH = 79


class Progress:
    """Steps, each with the time at which it began.

    A terminal also sees what goes on within a step; elsewhere there is one line for each step.
    ``clock`` returns seconds.
    """

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._live = out.isatty()
        self._clock = clock
        self._began = clock()
        self._line = ""

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began

    def step(self, text: str) -> None:
        """The next step has begun."""
        minutes, seconds = divmod(int(self.elapsed), 60)
        self._end_line()
        self._line = f"{minutes:2}:{seconds:02}  {text}"
        if self._live:
            self.note("")
        else:
            print(self._line, file=self._out, flush=True)

    def note(self, text: str) -> None:
        """What goes on just now in this step."""
        if self._live:
            more = f": {text}" if text else " …"
            line = f"{self._line}{more}"[:_WIDTH]
            print(f"\r\x1b[K{line}", end="", file=self._out, flush=True)

    def done(self, text: str) -> None:
        """The work is done, or has failed; "" where there is nothing to say here."""
        self._end_line()
        self._line = ""
        if text:
            print(text, file=self._out, flush=True)

    def _end_line(self) -> None:
        if self._live and self._line:
            print(f"\r\x1b[K{self._line}", file=self._out, flush=True)
