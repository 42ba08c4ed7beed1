"""Splits answers that go on, cut anywhere: JSON lines, lines of text, and Docker's frames."""

import json
import struct
from collections.abc import Callable
from typing import Any, Protocol

from giestack.docker.errors import DockerError

LONGEST_JSON = 4 * 1024 * 1024
"""Bytes of one JSON line; longer ones break the stream."""
LONGEST_LINE = 64 * 1024
"""Bytes of one line of output; longer ones come as several."""

_FRAME = struct.Struct(">B3sL")
_ENGINE_ERROR = 3


class Receiver(Protocol):
    """Takes the bytes of an answer, cut anywhere."""

    def received(self, data: bytes) -> None: ...

    def finished(self) -> None:
        """No more will come. Neither is called again."""


class Bytes:
    """Passes bytes on as they come."""

    def __init__(self, heard: Callable[[bytes], None]) -> None:
        self.received = heard

    def finished(self) -> None:
        """Nothing is held back."""


class JsonLines:
    """Lines that hold a JSON object each; anything else between them is skipped."""

    def __init__(self, heard: Callable[[dict[str, Any]], None]) -> None:
        self._heard = heard
        self._tail = b""

    def received(self, data: bytes) -> None:
        *lines, self._tail = (self._tail + data).split(b"\n")
        if len(self._tail) > LONGEST_JSON:
            raise DockerError(200, "the engine sends a JSON line that does not end")
        for line in lines:
            self._parse(line)

    def finished(self) -> None:
        self._parse(self._tail)

    def _parse(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(message, dict):
            self._heard(message)


class Lines:
    """Lines of text, as a terminal or one of a container's streams gives them."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._heard = heard
        self._tail = b""

    def received(self, data: bytes) -> None:
        *lines, self._tail = (self._tail + data).split(b"\n")
        for line in lines:
            self._cut(line)
        while len(self._tail) > LONGEST_LINE:
            end = _end_of_character(self._tail, LONGEST_LINE)
            self._tell(self._tail[:end])
            self._tail = self._tail[end:]

    def finished(self) -> None:
        if self._tail:
            self._cut(self._tail)

    def _cut(self, line: bytes) -> None:
        while len(line) > LONGEST_LINE:
            end = _end_of_character(line, LONGEST_LINE)
            self._tell(line[:end])
            line = line[end:]
        self._tell(line)

    def _tell(self, line: bytes) -> None:
        self._heard(line.removesuffix(b"\r").decode(errors="replace"))


def _end_of_character(data: bytes, end: int) -> int:
    """The last place up to ``end`` where no UTF-8 character is cut."""
    for place in range(end, end - 4, -1):
        if data[place] & 0xC0 != 0x80:
            return place
    return end


class Frames:
    """Output of a container without a terminal: frames of 8 bytes of head and their payload.

    :param heard: called with 1 for standard output, 2 for standard error, and a piece of it.
    """

    def __init__(self, heard: Callable[[int, bytes], None]) -> None:
        self._heard = heard
        self._head = b""
        self._kind = 0
        self._left = 0
        self._error = b""

    def received(self, data: bytes) -> None:
        place = 0
        while place < len(data):
            if self._left:
                piece = data[place : place + self._left]
                self._left -= len(piece)
                self._payload(piece)
            else:
                piece = data[place : place + _FRAME.size - len(self._head)]
                self._head += piece
                if len(self._head) == _FRAME.size:
                    self._open(self._head)
                    self._head = b""
            place += len(piece)

    def finished(self) -> None:
        """:raises DockerError: the engine could not go on, in its words."""
        if self._error:
            raise DockerError(200, printable(self._error.decode(errors="replace")))

    def _open(self, head: bytes) -> None:
        self._kind, zeros, self._left = _FRAME.unpack(head)
        if self._kind > _ENGINE_ERROR or zeros != b"\0\0\0":
            raise DockerError(200, "the engine's output is not framed as it should be")

    def _payload(self, piece: bytes) -> None:
        if self._kind == _ENGINE_ERROR:
            self._error = (self._error + piece)[:LONGEST_LINE]
        else:
            self._heard(2 if self._kind == 2 else 1, piece)


class FramedLines:
    """Lines out of frames; those of the two streams are not mixed up within a line."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self._lines = {1: Lines(heard), 2: Lines(heard)}
        self._frames = Frames(lambda kind, piece: self._lines[kind].received(piece))
        self.received = self._frames.received

    def finished(self) -> None:
        """What has no end of line comes last.

        :raises DockerError: the engine could not go on, in its words.
        """
        for lines in self._lines.values():
            lines.finished()
        self._frames.finished()


def printable(text: str, most: int = 500) -> str:
    """The first line of a text that has anything in it, without control characters."""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line), "")
    shown = "".join(c if c.isprintable() else " " for c in first[:most])
    return " ".join(shown.split()) if shown != first else shown
