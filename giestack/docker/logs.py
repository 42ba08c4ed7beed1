"""What a container has printed, and what it prints."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.web.iweb import IResponse

from giestack.docker.api import Api
from giestack.docker.lines import FramedLines, Lines, Receiver
from giestack.docker.request import Request, segment
from giestack.docker.streams import Stream

MOST = 16 * 1024 * 1024
"""Characters of the last lines that are kept, however many lines were asked for."""
_QUIET = 30.0


async def last_lines(api: Api, container: str, tail: int) -> list[str]:
    """The last lines of both streams, in the order in which they came."""
    if tail <= 0:
        return []
    kept = _Last(tail)
    await api.stream(_output(api, container, tail, "0"), kept.add, quiet=_QUIET).ended
    return list(kept.lines)


def followed(api: Api, container: str, tail: int, line: Callable[[str], None]) -> Stream:
    """Call ``line`` with the last lines and each further one."""
    return api.stream(_output(api, container, max(0, tail), "1"), line)


def _output(
    api: Api, container: str, tail: int, follow: str
) -> Callable[[Callable[[Any], None]], Awaitable[tuple[IResponse, Receiver]]]:
    async def begin(hear: Callable[[str], None]) -> tuple[IResponse, Receiver]:
        path = f"/containers/{segment(container)}"
        inspect = Request(kind="container inspect", method="GET", path=f"{path}/json")
        # Nothing in the answer itself says so before version 1.42 of the API.
        has_terminal = (await api.call(inspect)).object()["Config"].get("Tty")
        query = {"stdout": "1", "stderr": "1", "tail": str(tail), "follow": follow}
        request = Request(kind="container logs", method="GET", path=f"{path}/logs", query=query)
        response = await api.open(request)
        return response, Lines(hear) if has_terminal else FramedLines(hear)

    return begin


class _Last:
    """The last lines of many, in bounded memory."""

    def __init__(self, most: int) -> None:
        self.lines: deque[str] = deque()
        self._most = most
        self._size = 0

    def add(self, line: str) -> None:
        self.lines.append(line)
        self._size += len(line)
        while len(self.lines) > self._most or self._size > MOST:
            self._size -= len(self.lines.popleft())
