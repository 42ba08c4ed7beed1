"""Work of an engine that takes long, and of which it tells in JSON lines."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.web.iweb import IResponse

from giestack.docker.api import Api
from giestack.docker.errors import DockerError, NotFound
from giestack.docker.lines import JsonLines, Receiver, printable
from giestack.docker.request import Request

QUIET = 600.0
"""Seconds without a word after which a work is given up."""


async def worked(api: Api, request: Request, told: Callable[[dict[str, Any]], None]) -> bool:
    """Ask for a work, and hear of it until its end.

    The answer's status says nothing: the engine gives it before it begins.

    :param told: each message but those of failure.
    :returns: whether it is sure that all was heard.
    :raises DockerError: it failed, in the words of the engine or the registry; the status is
        the one that stands there, else 500.
    """

    async def begin(hear: Callable[[dict[str, Any]], None]) -> tuple[IResponse, Receiver]:
        return await api.open(request, is_told=False), JsonLines(hear)

    def heard(message: dict[str, Any]) -> None:
        failure = _failure(message)
        if failure is not None:
            raise failure
        told(message)

    started = api.clock.seconds()
    stream = api.stream(begin, heard, quiet=QUIET)
    try:
        await stream.ended
    except DockerError as error:
        api.told(request.kind, error.status, started)
        raise
    api.told(request.kind, 200, started)
    return stream.whole


def text_of(message: Mapping[str, Any]) -> str:
    """What a message says to people, in one line."""
    text = message.get("stream") or message.get("status")
    return printable(text) if isinstance(text, str) else ""


def _failure(message: Mapping[str, Any]) -> DockerError | None:
    detail = message.get("errorDetail")
    detail = detail if isinstance(detail, Mapping) else {}
    text = message.get("error") or detail.get("message")
    if not text:
        return None
    words, code = printable(str(text)), detail.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return NotFound(words) if status == 404 else DockerError(status, words)
