"""Answers of the chat that go on: its frames as server-sent events, and exports."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.chat import wire
from giestack.chat.frames import written
from giestack.chat.outlet import Batch, Conversation, Outlet
from giestack.chat.storage import Page, Rejected
from giestack.database import DatabaseUnavailable
from giestack.site.streams import WakeOrCut

EVENTS = b"text/event-stream; charset=utf-8"

ENOUGH = 64 * 1024
"""Bytes that wait for a client before the chat is told to wait."""

Format = Literal["jsonl", "text"]

FORMATS: dict[Format, tuple[bytes, str]] = {
    "jsonl": (b"application/jsonl; charset=utf-8", "chat-messages.jsonl"),
    "text": (b"text/plain; charset=utf-8", "chat-messages.txt"),
}
"""Content type and file name of each form of an export."""

_NUMBERED = ("msg", "edit", "del", "mod")


def _nothing(full: bool = False, cut: bool = False) -> None:
    pass


class FrameEvents:
    """The frames of a conversation, as server-sent events.

    An outlet of the chat, and a `giestack.site.streams.Source`. Where a WebSocket would be
    closed with a code, the last event is called ``close``, with ``code`` and ``reason``.

    With ``numbered`` events have their number as id, so that an EventSource goes on by itself
    where it was.

    :ivar closed: the close code and reason, once there is one.
    """

    idle = b":\n\n"
    resumed = True

    def __init__(self, *, numbered: bool = False) -> None:
        self.closed: tuple[int, str] | None = None
        self._numbered = numbered
        self._conversation: Conversation | None = None
        self._wake: WakeOrCut = _nothing
        self._waiting: list[bytes] = []
        self._size = 0
        self._paused = False

    def open(self, begin: Callable[[Outlet], Conversation | None]) -> bool:
        """Begin the conversation; return whether there is one."""
        self._conversation = begin(self)
        return self._conversation is not None

    # What the chat says.

    def send(self, batch: Batch) -> None:
        data = self._with_numbers(batch) if self._numbered else batch.events
        self._waiting.append(data)
        self._size += len(data)
        if self._size > ENOUGH and not self._paused and self._conversation is not None:
            self._paused = True
            self._conversation.pause()
        self._wake()

    def close(self, code: int, reason: str) -> None:
        if self.closed is not None:
            return
        self.closed = code, reason
        told = json.dumps({"code": code, "reason": reason})
        self._waiting.append(f"event: close\ndata: {told}\n\n".encode())
        self._wake(True)
        if self._waiting:
            # Who reads too slowly to be told learns it by asking again.
            self._wake(cut=True)

    # What the stream asks.

    def start(self, wake: WakeOrCut) -> None:
        self._wake = wake

    def take(self) -> bytes | None:
        if not self._waiting:
            return None if self.closed else b""
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        if self._paused and self._conversation is not None:
            self._paused = False
            self._conversation.resume()
        return data

    def stop(self) -> None:
        self._wake = _nothing
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.gone()

    @staticmethod
    def _with_numbers(batch: Batch) -> bytes:
        events = []
        for text in batch.texts:
            frame = json.loads(text)
            if frame["t"] in _NUMBERED:
                events.append(b"id: %d\n" % frame["seq"])
            events.append(b"data: %b\n\n" % text)
        return b"".join(events)


class ExportedMessages:
    """Somebody's own messages, page by page: a `giestack.site.streams.Source`.

    A page is asked for when the one before was sent. ``first`` is the first one, ``more`` asks
    for that after a number. Should one of them not come, the download breaks off, so that nobody
    takes it for the whole.
    """

    _log = Logger()
    idle = b""
    resumed = False

    def __init__(self, first: Page, more: Callable[[int], Deferred[Page]], form: Format) -> None:
        self._page: Page | None = first
        self._more = more
        self._line = _as_text if form == "text" else _as_json
        self._wake: WakeOrCut = _nothing
        self._asking: Deferred[None] | None = None
        self._over = False
        self._failed = False
        self._stopped = False

    def start(self, wake: WakeOrCut) -> None:
        self._wake = wake

    def take(self) -> bytes | None:
        if self._failed:
            self._wake(cut=True)
            return b""
        page, self._page = self._page, None
        if page is not None:
            if page.next is None:
                self._over = True
            else:
                self._asking = self._more(page.next).addCallbacks(self._came, self._missing)
            lines = [self._line(one) for one in page.events if isinstance(one, wire.Message)]
            if lines:
                return b"".join(lines)
        return None if self._over else b""

    def stop(self) -> None:
        self._stopped = True
        if self._asking is not None:
            self._asking.cancel()

    def _came(self, page: Page) -> None:
        self._page = page
        self._wake()

    def _missing(self, failure: Failure) -> None:
        if self._stopped:
            return
        if failure.check(DatabaseUnavailable, Rejected):
            self._log.warn("an export broke off: {reason}", reason=str(failure.value))
        else:
            self._log.failure("an export broke off", failure)
        self._failed = True
        self._wake()


def _as_json(message: wire.Message) -> bytes:
    return written(message) + b"\n"


def _as_text(message: wire.Message) -> bytes:
    """A line for people, which says when and where; further lines of it are set in."""
    when = datetime.fromtimestamp(message.ts / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    text = "\n    ".join(message.text.splitlines())
    return f"{when} [{message.room}] {text}\n".encode()
