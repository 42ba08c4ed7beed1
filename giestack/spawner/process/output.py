"""What a program prints: its last lines, without secrets, for whoever asks or listens."""

import re
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from twisted.logger import Logger

LINES = 1000
SIZE = 1024 * 1024
LONGEST_LINE = 4000
"""Characters of a line that are kept."""

_LONGEST_REST = 65_536
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def hiding(secrets: Sequence[str]) -> Callable[[str], str]:
    """Return what takes these secrets out of a line; each line of a secret is one."""
    parts = {part for secret in secrets for part in secret.splitlines() if part.strip()}
    if not parts:
        return str
    # The longest first: one may be the beginning of another.
    longest_first = sorted(parts, key=len, reverse=True)
    return partial(re.compile("|".join(map(re.escape, longest_first))).sub, "…")


def cleaned(line: str, hide: Callable[[str], str] = str) -> str:
    """A line as people may see it: short, without secrets, and without a terminal's codes.

    ``hide`` takes secrets out of it.
    """
    text = hide(_ESCAPE.sub("", line))
    # A progress bar goes back to the beginning of its line again and again.
    text = _CONTROL.sub("\ufffd", text.rstrip("\r").rpartition("\r")[2])
    return text[:LONGEST_LINE] + " …" if len(text) > LONGEST_LINE else text


class Output:
    """Keeps the last lines that were printed, bounded, and tells each to who follows.

    Colours and other control sequences of terminals are taken out.
    """

    _log = Logger()

    def __init__(
        self, hide: Callable[[str], str] = str, lines: int = LINES, size: int = SIZE
    ) -> None:
        """``hide`` takes secrets out of a line; ``size`` is bytes, in UTF-8."""
        self._hide = hide
        self._lines: deque[tuple[str, int]] = deque()
        self._most = lines
        self._room = size
        self._rest = b""
        self._overlong = False
        self._closed = False
        self._followers: list[tuple[Callable[[str], None], Callable[[], None]]] = []

    def received(self, data: bytes) -> None:
        """Take what was printed.

        Of more lines at a time than are kept, those that are not are told to nobody.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(lines) > self._most:
            self._add(b"%d lines left out" % (len(lines) - self._most))
            del lines[: -self._most]
            self._overlong = False
        for line in lines:
            if not self._overlong:
                self._add(line)
            self._overlong = False
        if len(self._rest) > _LONGEST_REST:
            if not self._overlong:
                self._add(self._rest)
            self._rest, self._overlong = b"", True

    def close(self) -> None:
        """There is no more to come: what is left of a line is one, and followers are told."""
        if self._rest and not self._overlong:
            self._add(self._rest)
        self._rest, self._closed = b"", True
        followers, self._followers = self._followers, []
        for _, end in followers:
            end()

    def tail(self, count: int) -> list[str]:
        """The last so many lines."""
        return [line for line, _ in self._lines][-count:] if count > 0 else []

    def follow(
        self, count: int, line: Callable[[str], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """As `giestack.spawner.engine.Engine.follow`."""
        follower = (line, end)
        self._followers.append(follower)
        for text in self.tail(count):
            if follower in self._followers:
                line(text)
        if self._closed and follower in self._followers:
            self._followers.remove(follower)
            end()
        return partial(self._forget, follower)

    def _forget(self, follower: tuple[Callable[[str], None], Callable[[], None]]) -> None:
        if follower in self._followers:
            self._followers.remove(follower)

    def _add(self, line: bytes) -> None:
        text = cleaned(line.decode("utf-8", "replace"), self._hide)
        size = len(text.encode("utf-8", "replace"))
        self._lines.append((text, size))
        self._room -= size
        while len(self._lines) > self._most or self._room < 0:
            self._room += self._lines.popleft()[1]
        for follower in list(self._followers):
            # One may stop another by what it does.
            if follower in self._followers:
                try:
                    follower[0](text)
                except Exception:
                    self._log.failure("A line could not be told")
                    self._forget(follower)
