"""What streams tell of a session: its moments as server-sent events, and what it prints."""

import json
from collections import deque
from collections.abc import Callable, Sequence

from giestack.site.session_json import described_moment
from giestack.site.spawning import Spawning
from giestack.site.streams import Wake
from giestack.spawner.view import ENDED, Moment, SessionView

EVENTS = b"text/event-stream; charset=utf-8"
LINES = b"text/plain; charset=utf-8"

LONGEST = 256 * 1024
"""Bytes of lines that wait for a client that does not read them."""

MOST_LINES = 1000
"""Lines of a log that one may ask for."""

_ENOUGH = 64 * 1024

_RETRY = b"retry: 2000\n"
_GONE = Moment(state="stopped", step="stopped", message="It is gone.")


def _nothing(full: bool = False) -> None:
    pass


class MomentEvents:
    """A session's present moment, then each change: a `giestack.site.streams.Source`.

    Each event is a line of JSON, see `giestack.site.session_json.described_moment`. The last one
    has the state ``ready``, ``failed`` or ``stopped``: a page closes its EventSource then. With
    ``to_end`` it goes on behind ``ready``, to the session's end. A stream that ends after any
    other was cut short, and an EventSource asks again. A client that does not read only misses
    what has passed.
    """

    idle = b":\n\n"
    resumed = True

    def __init__(self, spawning: Spawning, view: SessionView, *, to_end: bool = False) -> None:
        self._spawning = spawning
        self._view = view
        self._last = ENDED if to_end else (*ENDED, "ready")
        self._wake: Wake = _nothing
        self._leave: Callable[[], None] = _nothing
        self._newest: Moment | None = None
        self._first = True
        self._over = False

    def start(self, wake: Wake) -> None:
        self._wake = wake
        self._leave = self._spawning.subscribe(self._view.id, self._changed, self._ended)

    def take(self) -> bytes | None:
        moment, self._newest = self._newest, None
        if moment is None:
            return None if self._over else b""
        if moment.state in self._last:
            self._over = True
        told = json.dumps(described_moment(moment, self._view.path)).encode()
        begin, self._first = _RETRY if self._first else b"", False
        return b"%bdata: %b\n\n" % (begin, told)

    def stop(self) -> None:
        self._leave()

    def _changed(self, moment: Moment) -> None:
        if not self._over:
            self._newest = moment
            self._wake()

    def _ended(self) -> None:
        if not self._over:
            self._over = True
            last = self._newest
            if self._spawning.view(self._view.id) is None and (
                last is None or last.state not in ENDED
            ):
                self._newest = _GONE
            self._wake()


class FollowedLines:
    """The last lines that a session has printed, and each further one.

    A `giestack.site.streams.Source`. It goes on while the session is started, and started again.
    For a client that does not read, the last `LONGEST` bytes are kept, and it is told how many
    lines were left out.
    """

    idle = b""
    resumed = False

    def __init__(self, spawning: Spawning, session_id: str, tail: int) -> None:
        self._spawning = spawning
        self._session_id = session_id
        self._tail = tail
        self._wake: Wake = _nothing
        self._leave: Callable[[], None] = _nothing
        self._leave_moments: Callable[[], None] = _nothing
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._left_out = 0
        self._following = False
        self._over = False
        self._stopped = False

    def start(self, wake: Wake) -> None:
        self._wake = wake
        self._follow(self._tail)
        if not self._over and not self._stopped:
            leave = self._spawning.subscribe(self._session_id, self._changed, self._ended)
            self._leave_moments = leave

    def take(self) -> bytes | None:
        if not self._lines:
            return None if self._over else b""
        lines = b"".join(self._lines)
        if self._left_out:
            lines = f"… {self._left_out} lines left out …\n".encode() + lines
        self._lines.clear()
        self._size = self._left_out = 0
        return lines

    def stop(self) -> None:
        self._stopped = True
        self._leave()
        self._leave_moments()

    def _follow(self, tail: int) -> None:
        self._following = True
        leave = self._spawning.follow(self._session_id, tail, self._line, self._fell_silent)
        if self._stopped:
            leave()
        else:
            self._leave = leave

    def _fell_silent(self) -> None:
        self._following = False
        view = self._spawning.view(self._session_id)
        if view is None or view.moment.state == "ready" or view.moment.state in ENDED:
            self._ended()

    def _changed(self, moment: Moment) -> None:
        if self._following or self._over:
            return
        if moment.state in ENDED:
            self._ended()
        elif moment.state in ("starting", "ready"):
            self._follow(MOST_LINES)

    def _line(self, line: str) -> None:
        encoded = as_lines([line])
        self._lines.append(encoded)
        self._size += len(encoded)
        self._wake(self._size > _ENOUGH)
        while self._size > LONGEST and len(self._lines) > 1:
            self._size -= len(self._lines.popleft())
            self._left_out += 1

    def _ended(self) -> None:
        self._over = True
        self._wake()


def as_lines(lines: Sequence[str]) -> bytes:
    """Lines as text/plain has them."""
    return "".join([f"{line}\n" for line in lines]).encode("utf-8", "replace")
