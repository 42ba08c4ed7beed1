"""As much of a Docker engine as its doctor asks for."""

import json
import socket
import struct
from pathlib import Path

from tests.doctor.servers import Asked, Server, json_reply, read_head, reply
from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import CleanUp


class FakeEngine:
    """An engine at a UNIX socket.

    :ivar url: as DOCKER_HOST.
    :ivar images: that it has; so with networks.
    :ivar printed: what a container writes.
    :ivar published: the port at which it is published; None: none.
    :ivar created: the bodies with which containers were asked for.
    :ivar removed: containers that are gone.
    """

    def __init__(self, test: CleanUp) -> None:
        self.socket = new_folder(test) / "d.sock"
        self.url = f"unix://{self.socket}"
        self.version: object = {"Version": "20.10", "ApiVersion": "1.41"}
        self.images = {"lab"}
        self.networks = {"giestack-here"}
        self.printed = "GALAXY=1\n"
        self.published: int | None = None
        self.root = Path("/")
        self.created: list[dict[str, object]] = []
        self.removed: list[str] = []
        self.says: bytes | None = None
        Server(test, self._serve, path=self.socket)

    def _serve(self, made: socket.socket) -> None:
        head = read_head_and_body(made)
        made.sendall(self.says or self._answer(Asked(head), head.partition(b"\r\n\r\n")[2]))

    def _answer(self, asked: Asked, body: bytes) -> bytes:
        path = asked.target.decode().partition("?")[0].removeprefix("/v1.24")
        if path == "/version":
            return json_reply(200, self.version)
        if path == "/info":
            return json_reply(200, {"DockerRootDir": str(self.root)})
        if path.startswith("/images/"):
            name = path.removeprefix("/images/").removesuffix("/json")
            known = name in self.images
            return json_reply(200, {}) if known else json_reply(404, {"message": "No such image"})
        if path.startswith("/networks/"):
            return reply(200 if path.removeprefix("/networks/") in self.networks else 404)
        if path == "/containers/create":
            self.created.append(json.loads(body))
            return json_reply(201, {"Id": "c1"})
        if asked.method == b"DELETE":
            self.removed.append(path)
            return reply(204)
        if path.endswith("/logs"):
            text = self.printed.encode()
            return reply(200, struct.pack(">BxxxL", 1, len(text)) + text)
        if path.endswith("/json"):
            port = self.published
            bound = None if port is None else [{"HostIp": "", "HostPort": str(port)}]
            return json_reply(200, {"NetworkSettings": {"Ports": {"8000/tcp": bound}}})
        return reply(204)


def read_head_and_body(made: socket.socket) -> bytes:
    """A request with its body."""
    data = read_head(made)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(Asked(data).value(b"content-length") or 0)
    while len(body) < length:
        body += made.recv(65536)
    return head + b"\r\n\r\n" + body
