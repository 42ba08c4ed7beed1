"""A real giestack: ``twistd -n giestack`` in a process of its own, and a client for it."""

import http.client
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from tests.neighbours.galaxy import Galaxy, new_folder
from tests.neighbours.program import PATIENCE, CleanUp, Program, accepts, free_port

TWISTD = str(Path(sys.executable).with_name("twistd"))
COOKIE = "galaxysession"


class Answer(NamedTuple):
    """What a request was answered with."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def without_docker() -> dict[str, str]:
    """The environment, but with no Docker engine: the demo's sessions are processes then."""
    return {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}


def ask(
    port: int,
    path: str,
    *,
    cookie: str | None = None,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Send one request to a port of 127.0.0.1; ``cookie`` is the session cookie's value."""
    sent = dict(headers or {})
    if cookie is not None:
        sent["Cookie"] = f"{COOKIE}={cookie}"
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


class Giestack:
    """A running giestack in front of a Galaxy.

    ``settings`` are sections of the configuration that are laid over those that a test needs
    anyway; ``options`` stand before ``giestack`` on twistd's command line.

    :ivar port: the proxy's, on 127.0.0.1.
    :ivar admin_port: that of the admin listener.
    :ivar folder: holds the configuration, in ``files`` everything that giestack writes.
    :ivar program: the process.
    """

    def __init__(
        self,
        test: CleanUp,
        galaxy: Galaxy,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        options: Sequence[str] = ("-n", "--pidfile="),
        *,
        wait: bool = True,
    ) -> None:
        self.port, self.admin_port = free_port(), free_port()
        self.folder = new_folder(test)
        self.files = self.folder / "files"
        self.files.mkdir()
        self.config = self.folder / "giestack.yml"
        self._given = self._settings(galaxy, settings or {})
        self.write_config(self._given)
        command = [TWISTD, *options, "giestack", "--config", str(self.config)]
        self.program = Program(test, command, self.files)
        if wait:
            self.program.until(lambda: self.ask("/").status, "an answer")

    def _settings(
        self, galaxy: Galaxy, more: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        settings: dict[str, dict[str, Any]] = {
            "galaxy": {
                "id_secret": galaxy.id_secret,
                "database_connection": galaxy.database_url,
                "admin_users": "admin@example.org",
                "url": "https://galaxy.example.org/",
            },
            "proxy": {
                "listen": [f"tcp:{self.port}:interface=127.0.0.1"],
                "session_maps": [str(galaxy.map_file)],
                "session_cache": 1.0,
            },
            "admin": {"listen": [f"tcp:{self.admin_port}:interface=127.0.0.1"]},
            "log": {},
        }
        for section, values in more.items():
            settings.setdefault(section, {}).update(values)
        return settings

    def write_config(self, settings: Mapping[str, Any]) -> None:
        """Write the configuration file."""
        # JSON is YAML.
        text = json.dumps({"data_dir": str(self.files / "var"), **settings}, indent=1)
        self.config.write_text(text, encoding="utf-8")

    def reload(self, more: Mapping[str, Any]) -> None:
        """Lay sections over the configuration it was started with, and have it read that."""
        sections = {name: {**values, **more.get(name, {})} for name, values in self._given.items()}
        other = {name: value for name, value in more.items() if name not in sections}
        told = self.program.output.count("eload")
        self.write_config({**sections, **other})
        self.program.send(signal.SIGHUP)
        self.program.until(lambda: self.program.output.count("eload") > told, "a reload")

    def ask(self, path: str, **options: Any) -> Answer:
        """Send a request to the proxy, see `ask`."""
        return ask(self.port, path, **options)

    def until_it_answers(self, path: str, status: int, **options: Any) -> Answer:
        """Ask until the answer has this status, and return it."""

        found: list[Answer] = []

        def look() -> bool:
            found[:] = [self.ask(path, **options)]
            return found[0].status == status

        self.program.until(look, f"{status} for a request")
        return found[0]

    def metrics(self) -> dict[str, float]:
        """Every metric by its name with its labels."""
        answer = ask(self.admin_port, "/metrics")
        lines = (line.rpartition(" ") for line in answer.body.decode().splitlines())
        return {name: float(value) for name, _, value in lines if not name.startswith("#")}

    def accepts(self) -> bool:
        """Tell whether the proxy takes new connections."""
        return accepts(self.port)

    def connect(self) -> socket.socket:
        """Open a plain connection to the proxy."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def written(self) -> dict[str, bytes]:
        """Everything that giestack has written, by file name."""
        return {
            str(path.relative_to(self.files)): path.read_bytes()
            for path in self.files.rglob("*")
            if path.is_file()
        }
