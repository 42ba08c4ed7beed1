"""As much of Docker's API as the doctor asks for, over connections that wait."""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from giestack.docker.location import Location
from giestack.doctor.asking import Answer, NoAnswer, Place, ask
from giestack.doctor.check import CannotTell

VERSION = "v1.24"
"""Spoken by Docker 1.12 and later; nothing newer is asked for."""


class EngineApi:
    """One engine. Everything raises `CannotTell` where it does not answer as it should."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._context: ssl.SSLContext | None = None
        if location.is_socket:
            self._place = Place(path=location.path)
        else:
            self._place = Place(location.host, location.port, tls=location.tls is not None)

    def get(self, path: str) -> Any:
        """Ask for something, as JSON."""
        return self._asked("GET", path, b"").json

    def exists(self, path: str) -> bool:
        """Whether there is something of this name."""
        return self._asked("GET", path, b"", fine=(404,)).status == 200

    def post(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Have something done."""
        return self._asked("POST", path, json.dumps(body or {}).encode()).json

    def delete(self, path: str) -> None:
        """Remove something."""
        self._asked("DELETE", path, b"", fine=(404,))

    def text(self, path: str) -> str:
        """What a container has printed, without the frames around it."""
        data, lines = self._asked("GET", path, b"").body, b""
        while len(data) >= 8:
            size = int.from_bytes(data[4:8], "big")
            lines, data = lines + data[8 : 8 + size], data[8 + size :]
        return lines.decode("utf-8", "replace")

    def _asked(self, method: str, path: str, body: bytes, fine: tuple[int, ...] = ()) -> Answer:
        headers = {"Host": "docker", "Content-Type": "application/json"}
        answer = ask(
            self._place,
            f"/{VERSION}{path}",
            headers,
            method=method,
            body=body,
            context=self._verifying(),
            seconds=6.0,
        )
        if answer.status >= 300 and answer.status not in (304, *fine):
            said = answer.json
            text = said.get("message", "") if isinstance(said, dict) else ""
            raise CannotTell(
                str(text)[:200] or f"it answers {http.client.responses.get(answer.status)}"
            )
        return answer

    def _verifying(self) -> ssl.SSLContext | None:
        tls = self.location.tls
        if tls is None:
            return None
        if self._context is None:
            try:
                self._context = ssl.create_default_context(cafile=str(tls.ca))
                self._context.load_cert_chain(tls.cert, tls.key)
            except OSError:
                raise NoAnswer("the files of tls: can't be used") from None
        return self._context


def segment(name: str) -> str:
    """A name as a part of a path; images may have slashes."""
    return quote(name, safe="/:@")
