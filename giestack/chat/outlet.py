"""The way to one client, and what goes that way: the same bytes for everybody who hears it."""

from collections.abc import Sequence
from typing import Any, Protocol

from giestack.chat.frames import written

_SHORT, _MEDIUM = 126, 1 << 16


class Batch:
    """Frames that go out together, made ready once for each kind of outlet.

    :ivar texts: the frames as JSON.
    """

    __slots__ = ("_events", "_frames", "texts")

    def __init__(self, texts: Sequence[bytes], frames: bytes | None = None) -> None:
        """
        :param frames: what `frames` is to be, where it is made already.
        """
        self.texts = texts
        self._frames = frames
        self._events: bytes | None = None

    @property
    def frames(self) -> bytes:
        """As unmasked WebSocket text frames (RFC 6455 section 5.2)."""
        if self._frames is None:
            self._frames = b"".join([framed(one) for one in self.texts])
        return self._frames

    @property
    def events(self) -> bytes:
        """As server-sent events; JSON has no line breaks."""
        if self._events is None:
            self._events = b"".join([b"data: %b\n\n" % one for one in self.texts])
        return self._events


def batch(*frames: Any) -> Batch:
    """Return some of `giestack.chat.wire.Answer` as one batch."""
    return Batch([written(one) for one in frames])


def framed(text: bytes) -> bytes:
    """Return a text as one unmasked WebSocket frame (RFC 6455 section 5.2)."""
    size = len(text)
    if size < _SHORT:
        return b"\x81%c%b" % (size, text)
    if size < _MEDIUM:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), text)


class Outlet(Protocol):
    """One client's end of a connection: a WebSocket, or a stream of server-sent events.

    Whoever has one tells the `Conversation` it belongs to when the client reads too slowly
    (`Conversation.pause`) and when it has caught up (`Conversation.resume`).
    """

    def send(self, batch: Batch) -> None:
        """Write; what the client does not read piles up, so stop when told to pause."""

    def close(self, code: int, reason: str) -> None:
        """End the connection with one of the close codes of `giestack.chat.wire`."""


class Conversation(Protocol):
    """What an outlet tells, and whom: one client of one person."""

    def received(self, data: bytes) -> None:
        """The client has sent one message: UTF-8 that should be a request."""

    def pause(self) -> None:
        """The client reads too slowly: nothing more is sent before `resume`."""

    def resume(self) -> None:
        """The client has read what there was."""

    def gone(self) -> None:
        """The connection has ended; called once, and nothing else after it."""
