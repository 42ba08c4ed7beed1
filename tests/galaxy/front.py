"""giestack in front of a Galaxy that runs: told where its configuration is, and little else."""

import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.galaxy.client import Visitor
from tests.galaxy.server import Server
from tests.neighbours.backend import WEBSOCKET, Conversation, conversation
from tests.neighbours.giestack import Answer, Giestack
from tests.neighbours.program import CleanUp, eventually

API = "/giestack/api/v1/"
OURS = {"X-Giestack": "1"}
GIESTACK = str(Path(sys.executable).with_name("giestack"))


class Front(Giestack):
    """A running giestack that has read Galaxy's own configuration.

    ``settings`` are sections of giestack.yml that are laid over what it needs anyway.
    """

    def __init__(
        self,
        test: CleanUp,
        server: Server,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._test = test
        super().__init__(test, server, settings)  # type: ignore[arg-type]

    def _settings(
        self, galaxy: Any, more: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        settings: dict[str, dict[str, Any]] = {
            "galaxy": {"config_file": str(galaxy.config), "url": galaxy.url},
            "proxy": {
                "listen": [f"tcp:{self.port}:interface=127.0.0.1"],
                "session_cache": 1.0,
            },
            "admin": {"listen": [f"tcp:{self.admin_port}:interface=127.0.0.1"]},
            "log": {},
        }
        for section, values in more.items():
            settings.setdefault(section, {}).update(values)
        return settings

    def get(self, path: str, visitor: Visitor | None, host: str | None = None) -> Answer:
        """What a program of this visitor gets at a path of giestack, or of a tool's host."""
        headers = {} if host is None else {"Host": host}
        return self.send("GET", path, visitor, headers)

    def send(
        self, method: str, path: str, visitor: Visitor | None, headers: Mapping[str, str]
    ) -> Answer:
        """Send a request as a visitor, through the front that names them where there is one."""
        if visitor is None:
            return self.ask(path, method=method, headers=headers)
        named = {**visitor.named, **headers}
        return self.ask(path, method=method, cookie=visitor.cookie, headers=named)

    def told(self, path: str, visitor: Visitor | None, host: str | None = None) -> tuple[int, str]:
        """The status and the code of a refusal."""
        answer = self.get(path, visitor, host)
        return answer.status, answer.json["error"]

    def explained(self, visitor: Visitor) -> str:
        """What ``giestack whoami`` says of a visitor's cookie."""
        command = [GIESTACK, "whoami", visitor.cookie, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def tools(self, visitor: Visitor) -> dict[str, dict[str, Any]]:
        """The interactive tools that giestack tells a visitor of, by label."""
        answer = self.get(f"{API}entry_points", visitor)
        assert answer.status == 200, (answer.status, answer.body)
        return {one["label"]: one for one in answer.json}

    def until_routed(self, visitor: Visitor, label: str) -> dict[str, Any]:
        """Wait until a tool runs, as giestack sees it; what it says of it."""

        def look() -> dict[str, Any] | None:
            tool = self.tools(visitor).get(label)
            return tool if tool is not None and tool["state"] == "running" else None

        found = self.program.until(look, f"a route to {label}")
        assert found is not None
        return found

    def stop(self, id: str, visitor: Visitor | None) -> Answer:
        """Ask giestack to stop a tool."""
        return self.send("DELETE", f"{API}entry_points/{id}", visitor, OURS)

    def tunnel(self, path: str, fields: Mapping[str, str]) -> "Tunnel":
        """Open a WebSocket with these fields in its head."""
        lines = [f"{name}: {value}" for name, value in fields.items()]
        tunnel = conversation(self._test, self.port)
        tunnel.send("\r\n".join([f"GET {path} HTTP/1.1", *lines, *WEBSOCKET, "", ""]).encode())
        head = tunnel.head()
        assert head.startswith(b"HTTP/1.1 101 "), head
        return Tunnel(tunnel)


class Tunnel:
    """A WebSocket whose other end sends back what it gets."""

    def __init__(self, tunnel: Conversation) -> None:
        self._tunnel = tunnel

    def echoes(self, text: bytes) -> bool:
        """Whether a text of less than 126 bytes comes back (RFC 6455 section 5.2)."""
        # Masked with zeros, it is sent back as it is.
        frame = b"\x81" + bytes([0x80 | len(text)]) + b"\0\0\0\0" + text
        self._tunnel.send(frame)
        return self._tunnel.exactly(len(frame)) == frame

    def until_cut(self) -> None:
        """Wait until it has ended."""

        def ended() -> bool:
            with suppress(ConnectionError):
                return self._tunnel.socket.recv(65536) == b""
            return True

        eventually(ended, "the end of a tunnel")


def wait_for_answer(front: Front, path: str, visitor: Visitor, host: str | None = None) -> Answer:
    """What a tool answers, once its program listens.

    Galaxy knows of the port as soon as Docker does; the program comes a moment later.
    """
    found: list[Answer] = []

    def look() -> bool:
        with suppress(socket.timeout):
            found[:] = [front.get(path, visitor, host)]
        return bool(found) and found[0].status == 200

    front.program.until(look, f"an answer of {path}")
    return found[0]
