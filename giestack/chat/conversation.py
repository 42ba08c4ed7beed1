"""One client's requests: taken in order, within limits, each answered once."""

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from giestack.chat import wire
from giestack.chat.client import Asker, Client
from giestack.chat.frames import WireError
from giestack.chat.hearing import Hearing
from giestack.chat.outlet import batch
from giestack.chat.requests import IN_ORDER, Requests

MOST_WAITING = 200
"""Messages of a client that may wait; one that sends more while it does not read is cut off."""

MOST_AT_ONCE = 64
"""Requests of a client that may be under way."""

RATE, BURST, DEBT = 50.0, 1000, 2000
"""Messages a second that a client may send, of whatever kind, after a burst of them; who goes on
and on is cut off after so many refusals."""


class Budget:
    """How many messages a client may send (pure: seconds come in)."""

    __slots__ = ("_at", "_left")

    def __init__(self, now: float) -> None:
        self._at = now
        self._left = float(BURST)

    def spend(self, now: float) -> float:
        """Return what is left after one more message; below 0 it is one too many."""
        self._left = min(self._left + (now - self._at) * RATE, BURST) - 1
        self._at = now
        return self._left


class ChatConversation:
    """A client's side of the chat: a `giestack.chat.outlet.Conversation`.

    Requests that come before it is known who asks wait.
    """

    __slots__ = (
        "_budget",
        "_ending",
        "_hearing",
        "_held",
        "_left",
        "_requests",
        "_seconds",
        "_under_way",
        "_waiting",
        "_working",
        "asker",
        "client",
    )

    _log = Logger()

    def __init__(
        self,
        client: Client,
        requests: Requests,
        hearing: Hearing,
        seconds: Callable[[], float],
        left: Callable[["ChatConversation"], None],
        *,
        unlimited: bool = False,
    ) -> None:
        """
        :param seconds: a clock that is never set.
        :param left: called when the connection has ended.
        :param unlimited: whether a client may send as much as it likes.
        """
        self.client = client
        self.asker: Asker | None = None
        self._requests = requests
        self._hearing = hearing
        self._seconds = seconds
        self._left = left
        self._budget = None if unlimited else Budget(seconds())
        self._waiting: deque[bytes] = deque()
        self._under_way = 0
        self._held = True
        self._working = False
        self._ending: tuple[int, str] | None = None

    def begin(self) -> None:
        """`asker` is known and was greeted: from now on requests are carried out."""
        self._held = False
        self._work()

    def received(self, data: bytes) -> None:
        """Take one message."""
        if self.client.gone or self._ending is not None:
            return
        if self._budget is not None:
            left = self._budget.spend(self._seconds())
            if left < -DEBT:
                self.client.close(wire.CLOSE_FLOOD, "far too many requests")
                return
            if left < 0:
                self._answer(self._requests.err(_id_of(data), "rate", "too many requests", 1000))
                return
        if len(self._waiting) >= MOST_WAITING:
            self.client.close(wire.CLOSE_FLOOD, "too many requests that wait")
            return
        self._waiting.append(data)
        self._work()

    def end(self, code: int, reason: str) -> None:
        """Take nothing more, and close when what is under way was answered."""
        self._ending = code, reason
        self._waiting.clear()
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._ending is not None and not self._under_way:
            self.client.close(*self._ending)

    def pause(self) -> None:
        """The client reads too slowly."""
        self._hearing.pause(self.client)

    def resume(self) -> None:
        """The client reads again."""
        self._hearing.resume(self.client)
        self._work()

    def gone(self) -> None:
        """The connection has ended."""
        self.client.gone = True
        self._waiting.clear()
        self._hearing.gone(self.client)
        self._left(self)

    def _work(self) -> None:
        if self._working:
            # A request was answered at once: the loop below goes on by itself.
            return
        self._working = True
        try:
            while self._waiting and self._may_take():
                self._take(self._waiting.popleft())
        finally:
            self._working = False

    def _may_take(self) -> bool:
        client = self.client
        idle = not self._held and self._under_way < MOST_AT_ONCE
        return idle and not client.paused and not client.gone

    def _take(self, data: bytes) -> None:
        assert self.asker is not None
        try:
            request: wire.Request = wire.REQUESTS.read(data)
        except WireError as error:
            self._answer(self._requests.err(error.id, "bad", error.message))
            return
        self._under_way += 1
        self._held = isinstance(request, IN_ORDER)
        answering = Deferred.fromCoroutine(self._requests.answer(self.asker, request))
        answering.addErrback(self._failed, request)
        answering.addCallback(self._done, request)

    def _failed(self, failure: object, request: wire.Request) -> wire.Err:
        self._log.failure("a request of the chat failed", failure)  # type: ignore[arg-type]
        return self._requests.err(request.id, "server", "Something went wrong here.")

    def _done(self, answer: wire.Ok | wire.Err, request: wire.Request) -> None:
        self._under_way -= 1
        if isinstance(request, IN_ORDER):
            self._held = False
        if not isinstance(request, wire.Typing) or request.id is not None:
            self._answer(answer)
        self._close_if_done()
        self._work()

    def _answer(self, answer: wire.Ok | wire.Err) -> None:
        if not self.client.gone:
            self.client.send(batch(answer))


def _id_of(data: bytes) -> wire.Id | None:
    try:
        request: wire.Request = wire.REQUESTS.read(data)
    except WireError as error:
        return error.id
    return request.id
