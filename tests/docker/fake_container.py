"""One container of the fake Docker engine: what is known of it, and what runs in it."""

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

from tests.docker.fake_events import NEVER, matches_labels
from tests.docker.fake_http import Stream
from tests.docker.fake_programs import Program, PublishedPort

HOST_DEFAULTS: dict[str, Any] = {
    "Binds": None,
    "NetworkMode": "default",
    "PortBindings": {},
    "RestartPolicy": {"Name": "", "MaximumRetryCount": 0},
    "AutoRemove": False,
    "CapAdd": None,
    "CapDrop": None,
    "Privileged": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "ShmSize": 67108864,
    "Memory": 0,
    "MemorySwap": 0,
    "NanoCpus": 0,
    "PidsLimit": None,
    "Ulimits": None,
    "LogConfig": {"Type": "json-file", "Config": {}},
}


@dataclass(frozen=True, slots=True)
class File:
    """A file, or a link where ``link`` says where to, or a folder."""

    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    link: str = ""
    is_folder: bool = False


@dataclass(slots=True, eq=False)
class Volume:
    """A volume; its files by their path in it."""

    name: str
    labels: dict[str, str]
    options: dict[str, str]
    created: str
    files: dict[str, File] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """As Docker shows it."""
        return {
            "CreatedAt": self.created,
            "Driver": "local",
            "Labels": self.labels or None,
            "Mountpoint": f"/var/lib/docker/volumes/{self.name}/_data",
            "Name": self.name,
            "Options": self.options or None,
            "Scope": "local",
        }


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that a container sees at ``target``."""

    kind: str
    source: str
    target: str
    writable: bool
    volume: Volume | None = None

    def json(self) -> dict[str, Any]:
        """As Docker shows it."""
        shown = {
            "Type": self.kind,
            "Source": self.source,
            "Destination": self.target,
            "Mode": "" if self.writable else "ro",
            "RW": self.writable,
            "Propagation": "" if self.kind == "volume" else "rprivate",
        }
        if self.volume is not None:
            shown |= {"Name": self.volume.name, "Driver": "local"}
            shown["Source"] = self.volume.json()["Mountpoint"]
        return shown


@dataclass(slots=True, eq=False)
class Container:
    """A container. States: created, running, paused, exited, removing.

    :ivar config: its own part of what was asked for, the image's filled in; ``host`` the rest.
    :ivar ports: published ones, by ``8888/tcp``; their host addresses and numbers.
    :ivar lines: what it has printed: 1 or 2, and the line.
    :ivar files: by absolute path, without those of volumes.
    :ivar over: fires when it has ended the next time.
    """

    id: str
    name: str
    image: str
    image_id: str
    config: dict[str, Any]
    host: dict[str, Any]
    networks: dict[str, dict[str, Any]]
    created: str
    created_seconds: int
    mounts: list[Mount] = field(default_factory=list)
    status: str = "created"
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""
    started: str = NEVER
    finished: str = NEVER
    pid: int = 0
    program: Program | None = None
    published: dict[str, list[tuple[str, int, PublishedPort]]] = field(default_factory=dict)
    lines: list[tuple[int, str]] = field(default_factory=list)
    followers: list[Callable[[int, str], None]] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    over: list[Deferred[int]] = field(default_factory=list)
    gone: list[Deferred[int]] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Also while it is paused, as Docker has it."""
        return self.status in ("running", "paused")

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = self.config["Labels"]
        return found

    @property
    def tty(self) -> bool:
        return bool(self.config.get("Tty"))

    def say(self, line: str, source: int = 1) -> None:
        """It prints a line."""
        self.lines.append((source, line))
        for hear in list(self.followers):
            hear(source, line)

    def framed(self, source: int, line: str) -> bytes:
        """A line as logs have it: raw from a terminal, else behind eight bytes."""
        if self.tty:
            return f"{line}\r\n".encode()
        content = f"{line}\n".encode()
        return struct.pack(">BxxxL", source, len(content)) + content

    def close_ports(self) -> Deferred[Any]:
        """Nothing is published any more."""
        published, self.published = self.published, {}
        return DeferredList([port.close() for all_ in published.values() for _, _, port in all_])

    def pause(self, paused: bool) -> None:
        """Published ports fall silent, or speak again."""
        self.status = "paused" if paused else "running"
        for several in self.published.values():
            for _, _, port in several:
                if paused:
                    port.page.paused = True
                else:
                    port.page.resume()

    def inspect(self) -> dict[str, Any]:
        """GET /containers/ID/json."""
        command = [*(self.config["Entrypoint"] or []), *(self.config["Cmd"] or [])]
        return {
            "Id": self.id,
            "Created": self.created,
            "Path": command[0] if command else "",
            "Args": command[1:],
            "State": {
                "Status": self.status,
                "Running": self.running,
                "Paused": self.status == "paused",
                "Restarting": False,
                "OOMKilled": self.out_of_memory,
                "Dead": False,
                "Pid": self.pid,
                "ExitCode": self.exit_code,
                "Error": self.error,
                "StartedAt": self.started,
                "FinishedAt": self.finished,
            },
            "Image": self.image_id,
            "Name": f"/{self.name}",
            "RestartCount": 0,
            "Driver": "overlay2",
            "Platform": "linux",
            "HostConfig": self.host,
            "Mounts": [mount.json() for mount in self.mounts],
            "Config": self.config,
            "NetworkSettings": {"Ports": self._ports(), "Networks": self.networks},
        }

    def summary(self) -> dict[str, Any]:
        """Its entry in GET /containers/json."""
        command = [*(self.config["Entrypoint"] or []), *(self.config["Cmd"] or [])]
        return {
            "Id": self.id,
            "Names": [f"/{self.name}"],
            "Image": self.image,
            "ImageID": self.image_id,
            "Command": " ".join(command),
            "Created": self.created_seconds,
            "Ports": [
                {"IP": host, "PrivatePort": int(inner[:-4]), "PublicPort": port, "Type": inner[-3:]}
                for inner, several in self.published.items()
                for host, port, _ in several
            ],
            "Labels": self.labels,
            "State": self.status,
            "Status": self._status_text(),
            "HostConfig": {"NetworkMode": self.host["NetworkMode"]},
            "NetworkSettings": {"Networks": self.networks},
            "Mounts": [mount.json() for mount in self.mounts],
        }

    def _ports(self) -> dict[str, Any]:
        if not self.running:
            return {}
        shown: dict[str, Any] = dict.fromkeys(self.config.get("ExposedPorts") or {})
        for inner, several in self.published.items():
            shown[inner] = [{"HostIp": host, "HostPort": str(port)} for host, port, _ in several]
        return shown

    def _status_text(self) -> str:
        if self.status == "exited":
            return f"Exited ({self.exit_code}) Less than a second ago"
        return {"running": "Up 1 second", "paused": "Up 1 second (Paused)"}.get(
            self.status, self.status.capitalize()
        )


def chosen(
    containers: Mapping[str, Container], filters: Mapping[str, list[str]], all_: bool
) -> list[Container]:
    """Those that fit the filters of GET /containers/json, newest first."""
    return [
        one
        for one in reversed(list(containers.values()))
        if (all_ or one.running or filters.get("status")) and _fits(one, filters)
    ]


def _fits(one: Container, filters: Mapping[str, list[str]]) -> bool:
    volumes = {mount.volume.name for mount in one.mounts if mount.volume is not None}
    found = {
        "label": lambda wanted: matches_labels(one.labels, wanted),
        # Docker takes them for regular expressions, and looks for them anywhere.
        "name": lambda wanted: any(re.search(each, f"/{one.name}") for each in wanted),
        "id": lambda wanted: any(one.id.startswith(each) for each in wanted),
        "status": lambda wanted: one.status in wanted,
        "network": lambda wanted: bool(set(one.networks) & set(wanted)),
        "volume": lambda wanted: bool(volumes & set(wanted)),
        "ancestor": lambda wanted: one.image in wanted or one.image_id in wanted,
    }
    return all(found[name](wanted) for name, wanted in filters.items() if name in found)
