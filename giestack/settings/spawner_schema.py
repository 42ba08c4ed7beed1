"""The keys of ``spawner``, apart from the others because a profile has so many.

`giestack.settings.schema` says how these classes are to be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from giestack.settings.kinds import (
    REQUIRED,
    Anything,
    Boolean,
    Choice,
    ListOf,
    MapOf,
    Number,
    PathOf,
    Secret,
    Section,
    Size,
    Text,
    Whole,
    no_entries,
)
from giestack.settings.places import DockerHost, Domain, HostName, Name, UrlPath

COUNT = Whole(low=0)
TEN_YEARS = 315_360_000
SECONDS = Number(low=0, high=TEN_YEARS)
PORT = Whole(low=0, high=65535)
TEXTS = ListOf(Text())


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTls:
    """``spawner.engines[].tls``: mutual TLS with a Docker engine."""

    ca: Annotated[Path | None, PathOf(existing=True)] = None
    cert: Annotated[Path | None, PathOf(existing=True)] = None
    key: Annotated[Path | None, PathOf(existing=True)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """``spawner.engines[]``: where containers run.

    :ivar docker_host: as Docker's DOCKER_HOST, or ``process:`` for local processes.
    :ivar address: where published ports are reached; None: the host of `docker_host`, or
        127.0.0.1 where that is a socket.
    :ivar memory: what all its sessions may use together, by their limits; None: nine tenths of
        what its machine has; 0: no limit.
    :ivar gpus: Docker's ids of the GPUs to hand out, one session each.
    """

    name: Annotated[str, Name("engine"), REQUIRED] = ""
    docker_host: Annotated[str, DockerHost()] = "unix:///var/run/docker.sock"
    tls: Annotated[EngineTls, Section(EngineTls)] = EngineTls()
    address: Annotated[str | None, HostName()] = None
    insecure: Annotated[bool, Boolean()] = False
    labels: Annotated[tuple[str, ...], TEXTS] = ()
    memory: Annotated[int | None, Size()] = None
    gpus: Annotated[tuple[str, ...], TEXTS] = ()
    drain: Annotated[bool, Boolean()] = False

    @property
    def is_process(self) -> bool:
        """Whether sessions are local processes."""
        return self.docker_host == "process:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """``spawner.profiles[].readiness``: the request that a started container must answer."""

    path: Annotated[str, UrlPath()] = "/api"
    timeout: Annotated[float, Number(low=0, above=True, high=TEN_YEARS)] = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """``spawner.profiles[]``: what people can start.

    Templates in `command`, `env` and `volumes` are left as they are written.

    :ivar title: what people see; empty: `name`.
    :ivar ca_file: for `scheme` https: what the program's certificate must lead to.
    :ivar port: 0 (only for local processes): a free one.
    :ivar headers: fields set in every request to the program; what visitors send under those
        names is removed. ``{base_url}`` and the other templates stand for their values.
    :ivar options: as `giestack.spawner.options` reads them.
    """

    name: Annotated[str, Name("profile"), REQUIRED] = ""
    title: Annotated[str, Text()] = ""
    description: Annotated[str, Text()] = ""
    image: Annotated[str, Text()] = ""
    scheme: Annotated[Literal["http", "https"], Choice("http", "https")] = "http"
    ca_file: Annotated[Path | None, PathOf(existing=True)] = None
    port: Annotated[int, PORT] = 8888
    path: Annotated[str, UrlPath()] = "/lab"
    command: Annotated[tuple[str, ...], TEXTS] = ()
    user: Annotated[str, Text()] = ""
    env: Annotated[Mapping[str, str], MapOf(Text())] = field(default_factory=no_entries)
    secrets: Annotated[Mapping[str, str], MapOf(Secret(high=65536, lines=True))] = field(
        repr=False, default_factory=no_entries
    )
    volumes: Annotated[Mapping[str, str], MapOf(Text())] = field(default_factory=no_entries)
    memory: Annotated[int, Size()] = 2 * 1024**3
    cpus: Annotated[float, Number(low=0)] = 1.0
    pids: Annotated[int, COUNT] = 512
    shm_size: Annotated[int, Size()] = 64 * 1024**2
    ulimits: Annotated[Mapping[str, object], MapOf(Anything())] = field(default_factory=no_entries)
    cap_add: Annotated[tuple[str, ...], TEXTS] = ()
    read_only: Annotated[bool, Boolean()] = False
    tmpfs: Annotated[tuple[str, ...], TEXTS] = ()
    devices: Annotated[tuple[str, ...], TEXTS] = ()
    gpus: Annotated[int, COUNT] = 0
    network: Annotated[str, Text()] = ""
    readiness: Annotated[Readiness, Section(Readiness)] = Readiness()
    stop_timeout: Annotated[float, SECONDS] = 10
    strip_path: Annotated[bool, Boolean()] = False
    headers: Annotated[Mapping[str, str], MapOf(Text())] = field(default_factory=no_entries)
    idle_timeout: Annotated[float, SECONDS] = 3600
    max_lifetime: Annotated[float, SECONDS] = 0
    warm: Annotated[int, COUNT] = 0
    api_key: Annotated[bool, Boolean()] = False
    options: Annotated[Mapping[str, object], MapOf(Anything())] = field(default_factory=no_entries)
    groups: Annotated[tuple[str, ...], TEXTS] = ()
    admin_only: Annotated[bool, Boolean()] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """``spawner.images``: own images saved from sessions; 0 is no limit."""

    per_user: Annotated[int, COUNT] = 5
    size: Annotated[int, Size()] = 20 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnerSettings:
    """``spawner``: notebooks that are started for people.

    :ivar engines: empty: DOCKER_HOST, the current docker context, the local socket.
    """

    engines: Annotated[tuple[Engine, ...], ListOf(Section(Engine))] = ()
    profiles: Annotated[tuple[Profile, ...], ListOf(Section(Profile))] = ()
    gie_plugins_directory: Annotated[Path | None, PathOf()] = None
    domain: Annotated[str | None, Domain()] = None
    per_user: Annotated[int, COUNT] = 3
    total: Annotated[int, COUNT] = 50
    images: Annotated[Images, Section(Images)] = Images()
