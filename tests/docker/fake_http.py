"""What the fake Docker engine says and hears in HTTP: calls, answers, streams, and faults."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

VERSION = "1.41"
RAW_STREAM = "application/vnd.docker.raw-stream"


class Refused(Exception):
    """The engine answers with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call comes to.

    :ivar content: bytes as they are, None for no body, anything else as JSON.
    """

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


DONE = Answer(204)
STREAMED = Answer(0)
"""The call answers by itself, through `Call.stream`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with a call.

    ``hang``: nothing is done, and nothing is answered; ``hang after``: it is done all the same;
    ``cut``, ``cut after``: the same, and the connection is cut; ``answer``: an error, nothing
    is done; ``late``: done and answered after ``seconds``; ``done late``: done at once,
    answered after ``seconds``; ``malformed``: done, and answered in broken JSON.
    """

    how: Literal[
        "hang", "hang after", "cut", "cut after", "answer", "late", "done late", "malformed"
    ]
    status: int = 500
    message: str = "driver failed"
    seconds: float = 0.0


HANG = Fault("hang")
HANG_AFTER = Fault("hang after")
CUT = Fault("cut")
CUT_AFTER = Fault("cut after")
MALFORMED = Fault("malformed")


def answers(status: int, message: str = "driver failed") -> Fault:
    """An error instead."""
    return Fault("answer", status, message)


def late(seconds: float) -> Fault:
    """Done and answered later."""
    return Fault("late", seconds=seconds)


def done_late(seconds: float) -> Fault:
    """Done at once, and answered later."""
    return Fault("done late", seconds=seconds)


class Faults:
    """Which calls go wrong, and how; by kinds of `Call`, or a pattern such as ``image *``."""

    def __init__(self) -> None:
        self._planned: list[tuple[str, Fault, int | None]] = []

    def add(self, kind: str, fault: Fault, times: int | None = None) -> None:
        """From now on, for so many calls; None: until `clear`. The first that fits is taken."""
        self._planned.append((kind, fault, times))

    def clear(self, kind: str = "") -> None:
        """No more faults for that kind; "": for all."""
        self._planned = [one for one in self._planned if kind and one[0] != kind]

    def take(self, kind: str) -> Fault | None:
        """What becomes of this call."""
        for number, (pattern, fault, times) in enumerate(self._planned):
            if fnmatchcase(kind, pattern):
                if times is not None:
                    self._planned[number] = (pattern, fault, times - 1)
                    if times == 1:
                        del self._planned[number]
                return fault
        return None


class Stream:
    """An answer that goes on.

    :ivar over: whether it was ended, here or by the client.
    """

    def __init__(self, request: Request, chunk: int, raw: bool) -> None:
        self.over = False
        self._request = request
        self._chunk = chunk
        self._raw = raw
        self._ends: list[Callable[[], None]] = []
        request.notifyFinish().addBoth(lambda _: self._gone())

    def on_end(self, function: Callable[[], None]) -> None:
        """To be called when the client is gone, or it was ended."""
        self._ends.append(function)

    def write(self, data: bytes) -> None:
        """Send; in small pieces where the engine is told to."""
        size = self._chunk or max(len(data), 1)
        for start in range(0, len(data), size):
            if self.over:
                return
            piece = data[start : start + size]
            if self._raw:
                _transport(self._request).write(piece)
            else:
                self._request.write(piece)

    def line(self, message: object) -> None:
        """Send JSON in a line."""
        self.write(json.dumps(message).encode() + b"\r\n")

    def end(self) -> None:
        """No more of it."""
        if not self.over:
            if self._raw:
                channel: Any = self._request.channel
                # Not its transport's: TLS would wait for whoever may still write.
                channel.loseConnection()
            else:
                self._request.finish()
            self._gone()

    def cut(self) -> None:
        """Cut the connection."""
        if not self.over:
            cut(self._request)
            self._gone()

    def _gone(self) -> None:
        if not self.over:
            self.over = True
            for function in self._ends:
                function()


@dataclass(slots=True, eq=False)
class Call:
    """A request to the engine.

    :ivar kind: for example ``container create``.
    :ivar version: API version of its path; "" for none.
    :ivar path: without the version.
    :ivar arguments: what its route has found in the path.
    :ivar query: the last value of each name; ``pairs`` has all.
    :ivar chunk: streams come in pieces of so many bytes; 0: as they are written.
    """

    kind: str
    method: str
    version: str
    path: str
    arguments: Mapping[str, str]
    query: Mapping[str, str]
    pairs: Sequence[tuple[str, str]]
    body: bytes
    headers: Mapping[str, str]
    request: Request = field(repr=False)
    chunk: int = 0

    @property
    def json(self) -> dict[str, Any]:
        """The body; Docker takes none for an empty one."""
        found: dict[str, Any] = json.loads(self.body or b"{}")
        return found

    @property
    def target(self) -> str:
        """The name or id in the path."""
        return self.arguments["name"]

    def several(self, name: str) -> list[str]:
        """All values of a name in the query."""
        return [value for one, value in self.pairs if one == name]

    def flag(self, name: str) -> bool:
        """Docker's idea of truth in queries."""
        return self.query.get(name, "").lower() not in ("", "0", "no", "false", "none")

    def filters(self) -> dict[str, list[str]]:
        """The ``filters``, in either of Docker's forms."""
        try:
            found = json.loads(self.query.get("filters") or "{}")
            return {name: [str(one) for one in values] for name, values in found.items()}
        except (ValueError, AttributeError, TypeError):
            raise Refused(400, "invalid filter") from None

    def stream(self, content_type: str = "application/json", *, raw: bool = False) -> Stream:
        """Begin an answer that goes on.

        :param raw: its end is the connection's end: neither a length nor chunks.
        """
        request = self.request
        if raw:
            _transport(request).write(
                f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
                f"Api-Version: {VERSION}\r\n\r\n".encode()
            )
        else:
            request.setHeader("Content-Type", content_type)
            # An empty piece sends the head.
            request.write(b"")
        return Stream(request, self.chunk, raw)


def send(request: Request, answer: Answer, *, malformed: bool = False) -> None:
    """Answer a request."""
    if request.finished or request._disconnected:
        return
    request.setResponseCode(answer.status)
    for name, value in answer.headers.items():
        request.setHeader(name, value)
    content = b""
    if isinstance(answer.content, bytes):
        content = answer.content
    elif answer.content is not None:
        request.setHeader("Content-Type", "application/json")
        content = json.dumps(answer.content).encode() + b"\n"
    if malformed:
        content = b'{"Id": "cut off in the mid'
    if answer.status not in (204, 304):
        request.setHeader("Content-Length", str(len(content)))
        request.write(content)
    request.finish()


def cut(request: Request) -> None:
    """Cut its connection."""
    if not request._disconnected and request.channel is not None:
        _transport(request).abortConnection()


def _transport(request: Request) -> Any:
    return request.channel.transport


def refusal(error: Refused) -> Answer:
    """An error in Docker's form."""
    return Answer(error.status, {"message": str(error)} if error.status != 304 else None)


def later(clock: IReactorTime, seconds: float, function: Callable[[], None], call: Call) -> None:
    """Call it after so long, unless the client is gone by then."""
    delayed = clock.callLater(seconds, function)

    def gone(_: object) -> None:
        if delayed.active():
            delayed.cancel()

    call.request.notifyFinish().addBoth(gone)
