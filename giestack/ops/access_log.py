"""The access log: a line for every exchange that `Traffic` remembers."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import sleep
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from giestack.ops.access_line import LineFormat
from giestack.ops.line_log import LineLog
from giestack.ops.log_target import Target
from giestack.ops.masking import Masking
from giestack.ops.traffic import Line, Traffic


class AccessLog(LineLog[Line]):
    """Takes what waits in ``traffic`` and writes it to ``target``; see `LineLog`.

    ``mask`` takes the secrets out. ``utcnow`` is the wall clock, naive UTC.
    """

    def __init__(
        self,
        traffic: Traffic,
        target: Target | None,
        mask: Masking,
        clock: IReactorTime,
        utcnow: Callable[[], datetime],
        defer_to_thread: Callable[..., Deferred[Any]],
        pause: Callable[[float], None] = sleep,
    ) -> None:
        super().__init__("Access log", traffic, self._lines, target, clock, defer_to_thread, pause)
        self._format = LineFormat(mask)
        self._utcnow = utcnow

    def configure(self, mask: Masking) -> None:
        """Take other secrets out from now on."""
        self._format = LineFormat(mask)

    def _lines(self) -> Callable[[Sequence[Line]], bytes]:
        form = self._format
        offset = self._utcnow().replace(tzinfo=UTC).timestamp() - self._clock.seconds()
        return lambda lines: "".join([form(line, offset) for line in lines]).encode("ascii")
