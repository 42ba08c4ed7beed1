"""What an engine answers: read into bounded memory, as JSON, or as an error in its words."""

import json
import re
from dataclasses import dataclass
from typing import Any

from twisted.web.iweb import IResponse

from giestack.docker.errors import Conflict, DockerError, NotFound, Unreachable
from giestack.docker.lines import printable
from giestack.docker.streams import Body

LARGEST = 64 * 1024 * 1024
"""Bytes of an answer that is kept in memory."""
_LARGEST_ERROR = 64 * 1024
_TITLE = re.compile(r"<title>([^<]*)</title>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine has answered, all of it."""

    status: int
    body: bytes

    def object(self) -> dict[str, Any]:
        """The JSON object in it.

        :raises DockerError: there is none.
        """
        found = self._json()
        if not isinstance(found, dict):
            raise self._unexpected()
        return found

    def objects(self) -> list[dict[str, Any]]:
        """The list of JSON objects in it; none for ``null``.

        :raises DockerError: there is none.
        """
        found = self._json()
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._unexpected()
        return found

    def text(self, key: str) -> str:
        """A text in the JSON object in it.

        :raises DockerError: there is none.
        """
        found = self.object().get(key)
        if not isinstance(found, str):
            raise self._unexpected()
        return found

    def number(self, key: str) -> int:
        """A whole number in the JSON object in it.

        :raises DockerError: there is none.
        """
        found = self.object().get(key)
        if not isinstance(found, int):
            raise self._unexpected()
        return found

    def _unexpected(self) -> DockerError:
        return DockerError(self.status, "the engine's answer is not the JSON that was asked for")

    def _json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise DockerError(self.status, "the engine's answer is not JSON") from None


async def read(response: IResponse, most: int) -> bytes:
    kept = bytearray()

    def received(data: bytes) -> None:
        if len(kept) + len(data) > most:
            raise DockerError(response.code, f"the engine's answer is larger than {most} bytes")
        kept.extend(data)

    body = Body(received)
    response.deliverBody(body)
    await body.done
    return bytes(kept)


async def read_some(response: IResponse) -> bytes:
    """The beginning of an answer, for its text alone; as much of it as there is."""
    kept = bytearray()

    def received(data: bytes) -> None:
        kept.extend(data)
        if len(kept) > _LARGEST_ERROR:
            raise Unreachable("enough")

    body = Body(received)
    response.deliverBody(body)
    try:
        await body.done
    except Unreachable:
        pass  # what has come is all that can be told
    return bytes(kept)


def refusal(status: int, body: bytes) -> DockerError:
    text = words_of(body) or f"the engine answers with status {status}, and without a word"
    if status == 404:
        return NotFound(text)
    if status == 409:
        return Conflict(text)
    return DockerError(status, text)


def words_of(body: bytes) -> str:
    """What an engine says in the body of an error: one line."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and isinstance(found.get("message"), str):
        return printable(found["message"])
    text = body.decode(errors="replace")
    title = _TITLE.search(text)
    return printable(title[1] if title else text)
