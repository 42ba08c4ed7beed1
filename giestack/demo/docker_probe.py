"""Looks whether the demo's sessions can run in containers: an engine that answers, with the image.

It is asked before the reactor runs, and waits for the engine, some two seconds at most.
"""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

SECONDS = 1.0
"""How long to wait for each of two answers."""

_WANTED = "a container of its own for each session"


class NoContainers(Exception):
    """Sessions can't run in containers; the text says why, and what helps."""


@dataclass(frozen=True, slots=True)
class Containers:
    """A Docker engine for the demo's sessions.

    :ivar docker_host: as DOCKER_HOST: ``unix:///PATH`` or ``tcp://HOST:PORT``.
    :ivar image: the name of the demo's image.
    :ivar tls: the files of mutual TLS by their keys in the configuration; empty: none.
    """

    docker_host: str
    image: str
    tls: Mapping[str, str] = field(default_factory=dict)


def check(containers: Containers) -> None:
    """Raise `NoContainers` unless the engine answers, and has the image."""
    where, image = containers.docker_host, containers.image
    try:
        status = _ask(containers, "/_ping")
        if status == 200:
            status = _ask(containers, f"/images/{image}/json")
    except (OSError, HTTPException, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NoContainers(
            f"No Docker engine answers at {where} ({said}). With one (apt-get install docker.io) "
            f"and its image (make demo-image) there is {_WANTED}."
        ) from None
    if status == 404:
        raise NoContainers(
            f"The Docker engine at {where} does not have {image}: with make demo-image there is "
            f"{_WANTED}."
        )
    if status != 200:
        raise NoContainers(f"The Docker engine at {where} answers with status {status}.")


def _ask(containers: Containers, path: str) -> int:
    """The status of a GET."""
    connection = _connection(containers)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _connection(containers: Containers) -> HTTPConnection:
    if containers.docker_host.startswith("unix://"):
        return _SocketConnection(containers.docker_host.removeprefix("unix://"))
    place = urlsplit(containers.docker_host)
    host = place.hostname or ""
    if not containers.tls:
        return HTTPConnection(host, place.port, timeout=SECONDS)
    context = ssl.create_default_context(cafile=containers.tls["ca"])
    context.load_cert_chain(containers.tls["cert"], containers.tls["key"])
    return HTTPSConnection(host, place.port, timeout=SECONDS, context=context)


class _SocketConnection(HTTPConnection):
    """HTTP on a UNIX socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)
