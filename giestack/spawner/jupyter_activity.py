"""Asks a session's Jupyter server whether work goes on in it.

What counts is what its kernels and terminals do. That the server was asked something
(``last_activity`` of ``api/status``) does not: an open page asks it every few seconds.
"""

import json
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from giestack.address import Address

MOST = 65536
"""Bytes of an answer that are read; a longer one is not understood."""

SECONDS = 5.0
"""For all questions together."""

# For Jupyter's own reckoning of when it was last active (since notebook 6.0).
_UNTRACKED = b"?no_track_activity=1"


class Answer(Protocol):
    """An answer; its status is 0 where there was none."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def whole(self) -> bool: ...


class Ask(Protocol):
    """Sends a GET on a new connection; fires with the answer, and never fails."""

    def __call__(
        self, address: Address, target: bytes, host: bytes, *, seconds: float, most: int
    ) -> Awaitable[Answer]: ...


@dataclass(frozen=True, slots=True)
class Activity:
    """What goes on in a session.

    :ivar is_jupyter: whether a Jupyter server answered all questions; without that nothing is
        known, and the rest says nothing.
    :ivar busy: whether a kernel is at work.
    :ivar last: when a kernel or terminal last did something, in seconds since the epoch; None:
        there is none. It is the session's own word: it may lie in the future.
    """

    is_jupyter: bool
    busy: bool = False
    last: float | None = None


_UNKNOWN = Activity(False)


async def jupyter_activity(
    ask: Ask, address: Address, base: bytes, *, host: bytes = b"localhost"
) -> Activity:
    """Ask; takes `SECONDS` at most, may be cancelled, and raises nothing.

    :param base: the server's base URL as it sees it, a path with a slash at the end.
    """

    def asked(path: bytes) -> Awaitable[Answer]:
        target = base + b"api/" + path + _UNTRACKED
        return ask(address, target, host, seconds=SECONDS / 3, most=MOST)

    status = _json(await asked(b"status"))
    if not isinstance(status, dict) or not {"started", "kernels"} <= status.keys():
        return _UNKNOWN
    kernels = _models(await asked(b"kernels"))
    answer = await asked(b"terminals")
    # Terminals may be switched off.
    terminals = () if answer.status == 404 else _models(answer)
    if kernels is None or terminals is None:
        return _UNKNOWN
    return Activity(
        True,
        any(kernel.get("execution_state") == "busy" for kernel in kernels),
        _last((*kernels, *terminals)),
    )


def _json(answer: Answer) -> object:
    if answer.status != 200 or not answer.whole:
        return None
    try:
        read: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return read


def _models(answer: Answer) -> Sequence[dict[str, object]] | None:
    read = _json(answer)
    if not isinstance(read, list) or not all(isinstance(model, dict) for model in read):
        return None
    return read


def _last(models: Iterable[dict[str, object]]) -> float | None:
    times = [_seconds(model.get("last_activity")) for model in models]
    return max((one for one in times if one is not None), default=None)


def _seconds(text: object) -> float | None:
    """Seconds since the epoch; Jupyter writes UTC with a Z, old versions without."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
