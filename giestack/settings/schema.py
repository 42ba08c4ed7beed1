"""Every key of giestack's configuration: its name, its default and what it may hold.

The classes are the configuration file: a class is a section, a field is a key. What stands in
``Annotated`` beside the type reads the key's value (see `giestack.settings.kinds`). An absent
or empty value is the default shown here.

Times are seconds and sizes are bytes unless a comment says otherwise; 0 in limits is no limit.
Paths are absolute once read. Secrets stay out of ``repr``.
"""

from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from giestack.address import Address
from giestack.settings.databases import DatabaseUrl, MapSource, SessionMap
from giestack.settings.endpoints import Endpoint
from giestack.settings.kinds import (
    REQUIRED,
    Boolean,
    Choice,
    ListOf,
    LogFile,
    LogTarget,
    Number,
    PathOf,
    Secret,
    Section,
    Size,
    Text,
    Whole,
)
from giestack.settings.places import (
    Backend,
    DockerHost,
    Domain,
    HeaderName,
    HostName,
    IPNetwork,
    Name,
    Network,
    Origin,
    Prefix,
    Target,
    Url,
)
from giestack.settings.spawner_schema import SpawnerSettings

SECONDS = Number(low=0)
SOME_SECONDS = Number(low=0, above=True)
COUNT = Whole(low=0)
PORT = Whole(low=1, high=65535)
ENDPOINTS = ListOf(Endpoint())
NOWHERE = Address()


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxySettings:
    """``galaxy``: the host application; most of it can stay in Galaxy's own file.

    :ivar url: ends with ``/``; None where it is neither given nor known from Galaxy's file.
    :ivar remote_user_header: an HTTP header's name, without WSGI's ``HTTP_``.
    :ivar remote_user_maildomain: what Galaxy appends to a remote user without ``@``.
    :ivar single_user: the one user's e-mail address; `use_remote_user` is then true.
    """

    config_file: Annotated[Path | None, PathOf()] = None
    id_secret: Annotated[str | None, Secret(low=4, high=56)] = field(default=None, repr=False)
    database_connection: Annotated[str | None, DatabaseUrl()] = field(default=None, repr=False)
    admin_users: Annotated[tuple[str, ...], ListOf(Text(), commas=True)] = ()
    session_duration: Annotated[int, Whole(low=0)] = 0  # minutes
    require_login: Annotated[bool, Boolean()] = False
    use_remote_user: Annotated[bool, Boolean()] = False
    remote_user_header: Annotated[str, HeaderName()] = "REMOTE_USER"
    cookie_name: Annotated[str, Name("cookie")] = "galaxysession"
    url: Annotated[str | None, Url("/")] = None
    ca_file: Annotated[Path | None, PathOf(existing=True)] = None
    touch_last_action: Annotated[bool, Boolean()] = False
    single_user: Annotated[str | None, Text()] = None
    cookie_path: Annotated[str | None, Prefix(root=True)] = None
    cookie_domain: Annotated[str | None, Domain()] = None
    remote_user_maildomain: Annotated[str | None, Domain()] = None
    galaxy_infrastructure_url: Annotated[str | None, Url("/")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenbisSettings:
    """``openbis``: openBIS as the host application."""

    url: Annotated[str, Url(), REQUIRED] = ""
    ca_file: Annotated[Path | None, PathOf(existing=True)] = None
    verify_certificates: Annotated[bool, Boolean()] = True
    integration_listen: Annotated[tuple[str, ...], ENDPOINTS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """``proxy.forward``: the double proxy; near end `ip`/`port`, far end `allowed_targets`."""

    ip: Annotated[str | None, HostName()] = None
    port: Annotated[int | None, PORT] = None
    reverse_proxy: Annotated[bool, Boolean()] = False
    allowed_targets: Annotated[tuple[str, ...], ListOf(Target())] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GoApi:
    """``proxy.go_api``: the REST API of the Go ``gxproxy``; off without a key.

    :ivar noaccess: seconds without use after which an environment's containers are ended.
    :ivar clean_interval: seconds between two looks for such ones.
    :ivar docker_host: the engine that has the containers; None: those of the spawner.
    """

    api_key: Annotated[str | None, Secret()] = field(default=None, repr=False)
    noaccess: Annotated[float, SOME_SECONDS] = 60
    clean_interval: Annotated[float, SOME_SECONDS] = 10
    docker_host: Annotated[str | None, DockerHost()] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubApi:
    """``proxy.hub_api``: the REST API of configurable-http-proxy; off without `listen`."""

    listen: Annotated[tuple[str, ...], ENDPOINTS] = ()
    token: Annotated[str | None, Secret()] = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One entry of ``proxy.services``: a path that goes to a fixed backend.

    :ivar backend: where it listens; already holds `ca_file`.
    """

    path: Annotated[str, Prefix(), REQUIRED] = ""
    backend: Annotated[Address, Backend(), REQUIRED] = NOWHERE
    ca_file: Annotated[Path | None, PathOf(existing=True)] = None
    user_header: Annotated[str, HeaderName()] = "REMOTE_USER"
    strip_path: Annotated[bool, Boolean()] = True
    require: Annotated[Literal["user", "admin"], Choice("user", "admin")] = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``proxy.limits``: 0 is no limit."""

    head: Annotated[int, Size(low=1024)] = 65536
    body: Annotated[int, Size()] = 0
    connections: Annotated[int, COUNT] = 0
    connect_timeout: Annotated[float, SECONDS] = 5
    head_timeout: Annotated[float, SECONDS] = 10
    idle_timeout: Annotated[float, SECONDS] = 75
    response_timeout: Annotated[float, SECONDS] = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """``proxy``: the front door.

    :ivar interactivetools_domains: without a leading dot, lower case.
    :ivar trusted_proxies: a single address is a network of one.
    :ivar allowed_origins: as browsers write them: lower case, no default port, no path.
    """

    listen: Annotated[tuple[str, ...], ENDPOINTS] = ("tcp:8800",)
    prefix: Annotated[str, Prefix()] = "/giestack"
    gie_prefix: Annotated[str, Prefix()] = "/gie_proxy"
    interactivetools_prefix: Annotated[str, Prefix()] = "/interactivetool/ep"
    interactivetools_domains: Annotated[tuple[str, ...], ListOf(Domain())] = ()
    interactivetools_auth: Annotated[Literal["owner", "token"], Choice("owner", "token")] = "owner"
    session_maps: Annotated[tuple[SessionMap, ...], ListOf(MapSource())] = ()
    polling_interval: Annotated[float, SOME_SECONDS] = 5.0
    forward: Annotated[Forward, Section(Forward)] = Forward()
    go_api: Annotated[GoApi, Section(GoApi)] = GoApi()
    hub_api: Annotated[HubApi, Section(HubApi)] = HubApi()
    services: Annotated[tuple[Service, ...], ListOf(Section(Service))] = ()
    trusted_proxies: Annotated[tuple[IPNetwork, ...], ListOf(Network())] = (
        ip_network("127.0.0.1"),
        ip_network("::1"),
    )
    allowed_origins: Annotated[tuple[str, ...], ListOf(Origin())] = ()
    session_cache: Annotated[float, SECONDS] = 10.0
    limits: Annotated[Limits, Section(Limits)] = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLimits:
    """``chat.limits``: 0 is no limit."""

    length: Annotated[int, COUNT] = 4000  # characters of one message
    frame: Annotated[int, Size()] = 65536
    rate: Annotated[float, SECONDS] = 1.0  # messages per second
    burst: Annotated[int, COUNT] = 5  # messages
    edit_seconds: Annotated[float, SECONDS] = 900
    sockets_per_user: Annotated[int, COUNT] = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFilter:
    """``chat.filter``: words that are refused, and words that are masked."""

    deny: Annotated[tuple[str, ...], ListOf(Text())] = ()
    mask: Annotated[tuple[str, ...], ListOf(Text())] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """``chat``: people talk to each other."""

    opt_in: Annotated[bool, Boolean()] = True
    listen: Annotated[tuple[str, ...], ENDPOINTS] = ("tcp:7070",)
    enabled: Annotated[bool, Boolean()] = True
    rooms: Annotated[tuple[str, ...], ListOf(Text(), commas=True)] = ()
    database: Annotated[str, DatabaseUrl(later=True)] = field(
        default="sqlite:///chat.sqlite", repr=False
    )
    impersonation: Annotated[Literal["deny", "mark", "allow"], Choice("deny", "mark", "allow")] = (
        "deny"
    )
    moderators: Annotated[tuple[str, ...], ListOf(Text(), commas=True)] = ()
    limits: Annotated[ChatLimits, Section(ChatLimits)] = ChatLimits()
    filter: Annotated[ChatFilter, Section(ChatFilter)] = ChatFilter()
    retention_days: Annotated[int, COUNT] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """``admin``: health, metrics and, with a token, the control API."""

    listen: Annotated[tuple[str, ...], ENDPOINTS] = ("tcp:8801:interface=127.0.0.1",)
    token: Annotated[str | None, Secret()] = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """``log``: a `LogTarget` is an absolute path, or where else the lines go."""

    level: Annotated[
        Literal["debug", "info", "warn", "error", "critical"],
        Choice("debug", "info", "warn", "error", "critical"),
    ] = "info"
    access: Annotated[LogTarget, LogFile()] = Path("access.log")
    audit: Annotated[LogTarget, LogFile()] = Path("audit.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration.

    :ivar instance: None where a random name kept in `data_dir` is to be used.
    :ivar secret: None where it is to be derived from ``galaxy.id_secret``, or else random and
        kept in `data_dir`.
    :ivar openbis: None where the section is absent: that part is off. So for `spawner`, `chat`.
    """

    instance: Annotated[str | None, Name("instance")] = None
    secret: Annotated[str | None, Secret(low=16)] = field(default=None, repr=False)
    galaxy: Annotated[GalaxySettings, Section(GalaxySettings)] = GalaxySettings()
    openbis: Annotated[OpenbisSettings | None, Section(OpenbisSettings)] = None
    proxy: Annotated[ProxySettings, Section(ProxySettings)] = ProxySettings()
    spawner: Annotated[SpawnerSettings | None, Section(SpawnerSettings)] = None
    chat: Annotated[ChatSettings | None, Section(ChatSettings)] = None
    admin: Annotated[AdminSettings, Section(AdminSettings)] = AdminSettings()
    data_dir: Annotated[Path, PathOf()] = Path("var")
    log: Annotated[LogSettings, Section(LogSettings)] = LogSettings()
