"""Who reads along what sessions print."""

from collections.abc import Callable
from typing import Any, Protocol

from giestack.docker.streams import Stream
from giestack.spawner.process.output import cleaned


class Containers(Protocol):
    """What is asked of `giestack.docker.containers.Containers`."""

    def follow(self, container: str, tail: int, line: Callable[[str], None]) -> Stream: ...


class Follower:
    """One who follows: hears lines once there is a container, and of its end, once.

    :ivar is_over: nothing is heard any more.
    """

    def __init__(
        self,
        tail: int,
        line: Callable[[str], None],
        end: Callable[[], None],
        hide: Callable[[str], str],
    ) -> None:
        """``hide`` takes secrets out of a line."""
        self._hide = hide
        self._tail = tail
        self._line = line
        self._end = end
        self._stream: Stream | None = None
        self.is_over = False

    def attach(self, containers: Containers, container: str) -> None:
        """Its session has this container now, which has been started."""
        if self._stream is None and not self.is_over:
            stream = self._stream = containers.follow(container, self._tail, self._heard)
            stream.ended.addBoth(self._ended)

    def end(self) -> None:
        """There is nothing more to come."""
        if not self.is_over:
            self.leave()
            self._end()

    def leave(self) -> None:
        """Hear no more."""
        self.is_over = True
        if self._stream is not None:
            self._stream.stop()

    def _heard(self, line: str) -> None:
        if not self.is_over:
            self._line(cleaned(line, self._hide))

    def _ended(self, _: Any) -> None:
        self.end()
