"""What giestack starts for a session, as a bare container: nothing but Docker, and a look."""

import time
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any

from bench.processes import LOOPBACK, Failed
from bench.site import PATIENCE, is_there
from tests.neighbours.docker_api import DockerApi

_LOOK = 0.005


class BareContainer:
    """Makes containers like one that runs, with names that begin with ``marker``."""

    def __init__(self, engine: DockerApi, marker: str, container: str) -> None:
        """``container`` is the id or name of the one that runs."""
        self._engine = engine
        self._marker = marker
        self._body = _body_of(engine.must("GET", f"/containers/{container}/json"), marker)
        words = (word.partition("=") for word in self._body["Cmd"])
        self._base = next(value for name, _, value in words if name == "--base-url")
        self._number = 0

    def start(self) -> float:
        """Start one; return the seconds until its page was there. It is removed afterwards."""
        self._number += 1
        name = f"{self._marker}-bare-{self._number}"
        began = time.monotonic()
        try:
            self._engine.must("POST", "/containers/create", self._body, name=name)
            self._engine.must("POST", f"/containers/{name}/start")
            shown = self._engine.must("GET", f"/containers/{name}/json")
            (published,) = next(iter(shown["NetworkSettings"]["Ports"].values()))
            while not self._answers(int(published["HostPort"])):
                if time.monotonic() > began + PATIENCE:
                    raise Failed("a bare container does not answer")
                time.sleep(_LOOK)
            return time.monotonic() - began
        finally:
            self._engine.ask("DELETE", f"/containers/{name}", force="1", v="1")

    def _answers(self, port: int) -> bool:
        return is_there(HTTPConnection(LOOPBACK, port, timeout=10), f"{self._base}lab")


def _body_of(shown: Mapping[str, Any], marker: str) -> dict[str, Any]:
    """What makes a container like the one that is shown: the same limits, another home."""
    config, host = shown["Config"], shown["HostConfig"]
    alike = ("Init", "CapDrop", "SecurityOpt", "Memory", "MemorySwap", "NanoCpus", "PidsLimit")
    port = next(iter(host["PortBindings"]))
    return {
        **{name: config[name] for name in ("Image", "Cmd", "Env", "User", "ExposedPorts")},
        "Labels": {marker: "bare"},
        "HostConfig": {
            **{name: host[name] for name in (*alike, "LogConfig", "ShmSize")},
            "Binds": [f"{marker}-bare:/home/jovyan"],
            "PortBindings": {port: [{"HostIp": LOOPBACK, "HostPort": ""}]},
        },
    }
