"""Waits until a session that was started answers."""

from collections.abc import Awaitable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from giestack.address import Address
from giestack.spawner.words import on_one_line

TRY = 2.0
"""Seconds that one try may take."""

_FIRST = 0.02
_SLOWER = 1.5
_EARLY = 10.0
_LONGEST_EARLY = 0.1
_LONGEST = 0.5
_LONGEST_REASON = 100


class Answer(Protocol):
    """An answer; its status is 0 where there was none, and its reason says what was wrong."""

    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str: ...


class Ask(Protocol):
    """Sends a GET on a new connection; fires with the answer's head, and never fails."""

    def __call__(
        self, address: Address, target: bytes, host: bytes, *, seconds: float
    ) -> Awaitable[Answer]: ...


class NotReady(Exception):
    """A session did not answer in time; the text says what it did instead, after "it"."""


async def wait_until_ready(
    ask: Ask,
    address: Address,
    target: bytes,
    *,
    clock: IReactorTime,
    timeout: float,
    host: bytes = b"localhost",
) -> None:
    """Return as soon as a session answers; raise `NotReady` after ``timeout`` seconds.

    Any status below 500 will do, as with JupyterHub: to ask for a login or to know nothing at
    this path takes a server that is up, while 502 or 503 is what something in front of it says
    that is up before it. May be cancelled at any time.

    :param target: path and query, as the session sees them.
    """
    began = clock.seconds()
    pause = _FIRST
    reason = ""
    while True:
        left = began + timeout - clock.seconds()
        answer = await ask(address, target, host, seconds=max(min(TRY, left), 0.0))
        if 0 < answer.status < 500:
            return
        if answer.status or left >= TRY or not reason:
            # Else the try may only have been too short for what was known before.
            reason = _words(answer)
        now = clock.seconds()
        if now + pause >= began + timeout:
            raise NotReady(reason)
        await deferLater(clock, pause)
        longest = _LONGEST_EARLY if now - began < _EARLY else _LONGEST
        pause = min(pause * _SLOWER, longest)


def _words(answer: Answer) -> str:
    if answer.status:
        # The server's own word, on one line: it goes into pages and logs.
        said = on_one_line(answer.reason[:_LONGEST_REASON])
        return f"answers {answer.status} {said}".rstrip()
    return answer.reason
