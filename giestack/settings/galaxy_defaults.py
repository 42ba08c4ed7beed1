"""What giestack takes from Galaxy's file where its own does not say: keys to values, in order.

Every value is a node with its origin, and is checked by the key's own kind afterwards. Paths
in Galaxy's file are relative to Galaxy's own folders, so they are made absolute here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from giestack.settings.document import NOTHING, Node
from giestack.settings.endpoints import escaped
from giestack.settings.galaxy_file import KEY, GalaxyFile
from giestack.settings.galaxy_folders import folders
from giestack.settings.places import Prefix, http_url
from giestack.settings.problems import Report, Wrong
from giestack.settings.reading import Place, text_of

TOOLS_WORD = "interactivetool"
GALAXYS_ID_SECRET = "USING THE DEFAULT IS NOT SECURE!"

_SAME_NAME = (
    "id_secret",
    "admin_users",
    "session_duration",
    "require_login",
    "use_remote_user",
    "remote_user_header",
    "cookie_name",
    "single_user",
    "cookie_path",
    "cookie_domain",
    "remote_user_maildomain",
    "galaxy_infrastructure_url",
)
_GX_IT_PROXY = "gravity: gx_it_proxy:"
_RELATIVE_SQLITE = re.compile(r"^(sqlite(?:\+\w+)?:///)(?!/|:memory:|\?|$)")
_YES = ("true", "yes", "on", "1", "t", "y")  # Galaxy's string_as_bool
_SAME_PORT = "would start another proxy on the same port: set it to false"

Found = Iterator[tuple[str, Node]]


@dataclass(frozen=True, slots=True)
class GalaxyDefaults:
    """What Galaxy's file says.

    :ivar nodes: values by the keys of giestack's configuration; some are empty.
    :ivar tools_word: what stands before the host in the domains of interactive tools.
    :ivar tools_host: that host, where it is not the one Galaxy is reached at.
    """

    nodes: Mapping[str, Node]
    tools_word: str = TOOLS_WORD
    tools_host: str | None = None


def galaxy_defaults(galaxy: GalaxyFile, cookie_path: Node, place: Place) -> GalaxyDefaults:
    """All keys that Galaxy's file has a word on; `cookie_path` wins over Galaxy's, if any."""
    taken = _Taken(galaxy, cookie_path, place)
    sources = taken.host, taken.tools, taken.maps, taken.front, taken.environments, taken.chat
    found = {path: node for source in sources for path, node in source()}
    return GalaxyDefaults(found, *taken.tools_below())


def private_id_secret(id_secret: str | None) -> str | None:
    """Galaxy's ``id_secret``, to sign with; None where there is none, or everybody knows it."""
    return None if id_secret == GALAXYS_ID_SECRET else id_secret


class _Taken:
    def __init__(self, galaxy: GalaxyFile, cookie_path: Node, place: Place) -> None:
        self._galaxy = galaxy
        self._report = place.report
        self._folders = folders(galaxy, place.world)
        # Galaxy sets its cookie for its URL prefix where no path is told.
        told = (cookie_path, self._option("cookie_path"), self._option("galaxy_url_prefix"))
        paths = (cookie_path_in(node, place) for node in told)
        self._cookie_path = next((path for path in paths if path is not None), "/")
        self._gx_it_proxy = _section(galaxy.gravity.get("gx_it_proxy", NOTHING))
        golang = self._text("dynamic_proxy") == "golang"
        self._golang = golang
        self._routes_by_cookie = not self._option("interactive_environment_plugins_directory").empty
        self._routes_by_cookie |= any(
            name.startswith("dynamic_proxy") and not node.empty
            for name, node in galaxy.options.items()
        )

    def _option(self, name: str) -> Node:
        return self._galaxy.options.get(name, NOTHING)

    def _text(self, name: str) -> str | None:
        """An option that something else is made of; None where it is not set."""
        return _text(self._option(name), name, self._report)

    def _is_on(self, name: str) -> bool | None:
        text = self._text(name)
        return None if text is None else text.lower() in _YES

    def _made(self, text: str, of: str) -> Node:
        return Node(text, text, origin=f"{of} in {self._galaxy.path}")

    def _default(self, text: str) -> Node:
        return Node(text, text, origin=f"Galaxy's default for {self._galaxy.path}")

    def _absolute(self, url: Node) -> Node:
        """A SQLite URL with a relative path starts where Galaxy is started."""
        text = _RELATIVE_SQLITE.sub(lambda match: f"{match[1]}{self._folders.root}/", url.text)
        return replace(url, value=text, text=text) if isinstance(url.value, str) else url

    def _in_data(self, file: str) -> str:
        """Below data_dir; Galaxy drops a leading ``database/``, which is how it was once told."""
        return str(self._folders.data / file.removeprefix("database/"))

    def host(self) -> Found:
        for name in _SAME_NAME:
            yield f"galaxy.{name}", self._option(name)
        if self._option("id_secret").empty:
            yield "galaxy.id_secret", self._default(GALAXYS_ID_SECRET)
        if self._option("cookie_path").empty and self._text("galaxy_url_prefix") not in (None, "/"):
            yield "galaxy.cookie_path", self._option("galaxy_url_prefix")
        yield "galaxy.database_connection", self._database()
        yield "galaxy.galaxy_infrastructure_url", self._infrastructure()

    def _database(self) -> Node:
        connection, file = self._option("database_connection"), self._text("database_file")
        if not connection.empty:
            return self._absolute(connection)
        if file is not None:  # Galaxy 19.05 and before
            return self._made(f"sqlite:///{self._folders.root / file}", "database_file")
        return self._default(f"sqlite:///{self._folders.data / 'universe.sqlite'}")

    def _infrastructure(self) -> Node:
        """Left out where it is no URL; Galaxy fills in ``${HOST_IP}`` and such while it runs."""
        url = self._option("galaxy_infrastructure_url")
        try:
            if not url.empty:
                http_url(url.text, "a URL")
        except Wrong as wrong:
            key = "galaxy.galaxy_infrastructure_url"
            self._report.warn(key, f"is left out: {wrong} ({url.origin})")
            return NOTHING
        return url

    def tools(self) -> Found:
        """Interactive tools: where they are reached."""
        base = self._text("interactivetools_base_path")
        if base is None:
            base = self._cookie_path
        path = joined(base, self._text("interactivetools_prefix") or TOOLS_WORD, "ep")
        yield "proxy.interactivetools_prefix", self._made(path, "interactivetools_prefix")

    def maps(self) -> Found:
        found = [node for node in (self._tools_map(), self._cookie_map()) if not node.empty]
        if found:
            yield "proxy.session_maps", Node(found, origin=found[0].origin)

    def _tools_map(self) -> Node:
        url, file = self._option("interactivetoolsproxy_map"), self._text("interactivetools_map")
        if not url.empty:
            return self._absolute(url)
        if file is not None:
            return self._made(f"sqlite:///{self._in_data(file)}", "interactivetools_map")
        sessions = self._gx_it_proxy.get("sessions", NOTHING)
        source = _text(sessions, f"{_GX_IT_PROXY} sessions", self._report)
        if source is not None:
            path = source if "://" in source else str(self._folders.root / source)
            return self._made(path, f"{_GX_IT_PROXY} sessions")
        if self._is_on("interactivetools_enable") or self._gx_it_proxy:
            return self._default(f"sqlite:///{self._in_data('interactivetools_map.sqlite')}")
        return NOTHING

    def _cookie_map(self) -> Node:
        """The map of Galaxy's old interactive environments, where it has them."""
        file = self._text("dynamic_proxy_session_map")
        if not self._routes_by_cookie:
            return NOTHING
        path = self._in_data(file or "session_map.sqlite")
        if self._golang:
            # Wherever it stands, as Galaxy does when it starts the Go proxy.
            path = path.replace(".sqlite", ".xml")
        return self._made(path, "dynamic_proxy_session_map")

    def front(self) -> Found:
        """Where giestack listens in the stead of Galaxy's own proxies."""
        section = self._gx_it_proxy
        if section:
            if section.get("enable", NOTHING).value is True:
                self._report.warn("proxy.listen", f"{_GX_IT_PROXY} enable: true {_SAME_PORT}")
            ip, port = section.get("ip", NOTHING), section.get("port", NOTHING)
            yield "proxy.listen", self._listen(ip, port, "localhost:4002", _GX_IT_PROXY)
            for name in ("forward_ip", "forward_port", "reverse_proxy"):
                node = section.get(name, NOTHING)
                if node.value:
                    yield f"proxy.forward.{name.removeprefix('forward_')}", node
        else:
            ip, port = (self._option(f"dynamic_proxy_bind_{what}") for what in ("ip", "port"))
            if not (ip.empty and port.empty):
                yield "proxy.listen", self._listen(ip, port, "0.0.0.0:8800", "dynamic_proxy_bind")

    def _listen(self, ip: Node, port: Node, default: str, what: str) -> Node:
        host, _, number = default.rpartition(":")
        host = _text(ip, f"{what} ip", self._report) or host
        number = _text(port, f"{what} port", self._report) or number
        interface = {"localhost": "127.0.0.1", "0.0.0.0": ""}.get(host, host)
        tail = f":interface={escaped(interface)}" if interface else ""
        one = self._made(f"tcp:{number}{tail}", what)
        return Node([one], origin=one.origin)

    def environments(self) -> Found:
        """Galaxy's old interactive environments (GIE)."""
        plugins = self._text("interactive_environment_plugins_directory")
        manage = self._is_on("dynamic_proxy_manage")
        if manage or (manage is None and plugins is not None):
            self._report.warn("proxy.listen", f"dynamic_proxy_manage: true {_SAME_PORT}")
        path = joined(self._cookie_path, self._text("dynamic_proxy_prefix") or "gie_proxy")
        yield "proxy.gie_prefix", self._made(path, "dynamic_proxy_prefix")
        if self._is_on("dynamic_proxy_debug"):
            yield "log.level", self._made("debug", "dynamic_proxy_debug")
        if self._golang:
            yield from self._go_api()
        if plugins is not None:
            folder = str(self._folders.root / plugins)
            what = "interactive_environment_plugins_directory"
            yield "spawner.gie_plugins_directory", self._made(folder, what)

    def _go_api(self) -> Found:
        """The Go proxy's REST API, through which Galaxy tells of its environments."""
        for name in ("api_key", "noaccess", "clean_interval"):
            yield f"proxy.go_api.{name}", self._option(f"dynamic_proxy_golang_{name}")
        if self._option("dynamic_proxy_golang_api_key").empty:
            self._report.warn(
                "proxy.go_api.api_key",
                "dynamic_proxy: golang without dynamic_proxy_golang_api_key: Galaxy makes a key up "
                f"that nobody else knows; set it ({self._galaxy.path})",
            )
        engine = self._option("dynamic_proxy_golang_docker_address")
        yield "proxy.go_api.docker_host", engine

    def chat(self) -> Found:
        """The communication server (Galaxy 16.07 to 20.09); its host is only for browsers."""
        yield "chat.enabled", self._option("enable_communication_server")
        yield "chat.rooms", self._option("persistent_communication_rooms")
        port = self._option("communication_server_port")
        if not port.empty:
            yield "chat.listen", self._listen(NOTHING, port, "0.0.0.0:7070", "communication_server")

    def tools_below(self) -> tuple[str, str | None]:
        """The word that the domain of interactive tools begins with, and its host if it is told."""
        word = self._text("interactivetools_prefix") or TOOLS_WORD
        host = self._text("interactivetools_proxy_host")
        upstream = self._is_on("interactivetools_upstream_proxy")
        return word, host if upstream is False else None


def cookie_path_in(node: Node, place: Place) -> str | None:
    """A cookie path that other paths can start with; None where none is told, or a bad one."""
    try:
        return None if node.empty else Prefix(root=True).read(node, place)
    except Wrong:
        return None  # the key's own kind says it


def joined(*parts: str) -> str:
    """Parts of a path, with one slash before each."""
    return "".join(f"/{part.strip('/')}" for part in parts if part.strip("/"))


def _section(node: Node) -> Mapping[str, Node]:
    return node.value if isinstance(node.value, dict) else {}


def _text(node: Node, name: str, report: Report) -> str | None:
    if node.empty:
        return None
    if isinstance(node.value, bool):
        return node.text
    try:
        return text_of(node).strip()
    except Wrong as wrong:
        report.problem(KEY, f"{name} {wrong} ({node.origin})")
        return None
