"""Where giestack's own pages lead to: to log in and back, to Galaxy, to the visitor's tools.

Galaxy's login page is ``{galaxy.url}login/start?redirect=PATH``. After the login Galaxy 26.1
goes to its own URL prefix followed by ``encodeURI(PATH)``. So PATH is relative to that prefix
and has nothing in it that would be encoded once more, ``%`` above all.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from giestack.site.asked import Asked
from giestack.visitor import Identity

# What encodeURI leaves as it is, without "#".
_PATH = re.compile(r"[A-Za-z0-9;,/:@&=+$_.!~*'()-]*")
_QUERY = re.compile(r"[A-Za-z0-9;,/?:@&=+$_.!~*'()-]*")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
# "//host" and "/\host" are other hosts to a browser.
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_TOOL_LABELS = (b"ep", b"interactivetoolentrypoint")


def is_local(target: str) -> bool:
    """Tell whether a browser sent to ``target`` stays on this host."""
    return _LOCAL.fullmatch(target) is not None


def plain_part(target: bytes) -> str | None:
    """Return as much of a request target as survives Galaxy's login page, None for nothing.

    A query with anything odd is left out; a path is cut at the last slash before the odd
    part, which for a tool is still one of the tool's own folders.
    """
    path, mark, query = target.decode("latin-1").partition("?")
    match = _PATH.match(path)
    assert match is not None
    if match.end() < len(path):
        path, mark = path[: path.rfind("/", 0, match.end()) + 1], ""
        if path == "/":
            return None
    elif not _QUERY.fullmatch(query):
        mark = ""
    return path + mark + query if mark else path


@dataclass(frozen=True, slots=True)
class Login:
    """A way to log in.

    :ivar href: where to; a URL or an absolute path.
    :ivar returns: whether the visitor comes back to the page that was asked for.
    """

    href: str
    returns: bool


def nobody(visitor: Identity) -> bool:
    """Where nobody may."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What the links depend on.

    :ivar prefix: giestack's own prefix without a slash at the end; ``""``: no own pages.
    :ivar galaxy_url: Galaxy's address with a slash at the end; None where it is not known.
    :ivar domains: the names below which hosts are interactive tools; ``"*"`` is any.
    :ivar session_domain: the name below which spawned sessions have hosts of their own, or None.
    :ivar demo: whether visitors log in on the demo page, and not in Galaxy.
    :ivar chat: whether there is a chat.
    :ivar moderates: who keeps order in it.
    """

    prefix: str = "/giestack"
    galaxy_url: str | None = None
    domains: tuple[str, ...] = ()
    session_domain: str | None = None
    demo: bool = False
    chat: bool = False
    moderates: Callable[[Identity], bool] = nobody

    def __post_init__(self) -> None:
        url = self.galaxy_url
        if url is not None and (not url.endswith("/") or not _ORIGIN.fullmatch(_origin(url))):
            raise ValueError(f"not the address of a Galaxy: {url!r}")

    @property
    def galaxy_origin(self) -> str | None:
        """Scheme, host and port of Galaxy."""
        return None if self.galaxy_url is None else _origin(self.galaxy_url)

    @property
    def chat_path(self) -> str | None:
        """Where the chat is, without a slash at the end; None where there is none here."""
        return f"{self.prefix}/chat" if self.chat and self.prefix else None

    @property
    def login_page(self) -> str | None:
        """Where to log in, without a way back; None where it is not known."""
        if self.demo:
            return f"{self.prefix}/demo"
        return None if self.galaxy_url is None else f"{self.galaxy_url}login/start"

    def start(self, asked: Asked) -> str | None:
        """The visitor's start page; None where there is none that can be named.

        Interactive tools have hosts of their own on which nothing is giestack's, so from
        there it is the start page on Galaxy's host.
        """
        if not self.prefix:
            return None
        if not self._on_tool_host(asked):
            return f"{self.prefix}/"
        origin = self.galaxy_origin
        return None if origin is None else f"{origin}{self.prefix}/"

    def login(self, asked: Asked) -> Login | None:
        """Where to log in for this page; None where it is not known."""
        if self.demo:
            target = asked.target.decode("latin-1")
            if asked.method not in (b"GET", b"HEAD") or not is_local(target):
                return Login(f"{self.prefix}/demo", False)
            return Login(f"{self.prefix}/demo?next={quote(target, safe='/')}", True)
        if self.galaxy_url is None:
            return None
        galaxy_path = urlsplit(self.galaxy_url).path
        way, whole = self._way_back(asked)
        link = f"{self.galaxy_url}login/start"
        if way is None or not way.startswith(galaxy_path):
            return Login(link, False)
        way = "/" + way.removeprefix(galaxy_path)
        if not is_local(way):
            return Login(link, False)
        returns = whole and asked.seen.host_name == _host_name(self.galaxy_url)
        return Login(f"{link}?redirect={quote(way, safe='/?:@=!$()*,~')}", returns)

    def _way_back(self, asked: Asked) -> tuple[str | None, bool]:
        """A path to come back to, and whether it is the page that was asked for."""
        start = f"{self.prefix}/" if self.prefix else None
        if asked.method not in (b"GET", b"HEAD") or self._on_tool_host(asked):
            return start, False
        way = plain_part(asked.target)
        if way is None or not is_local(way):
            return start, False
        return way, True

    def _on_tool_host(self, asked: Asked) -> bool:
        host = asked.seen.host_name
        if "*" in self.domains and host.partition(b".")[2].partition(b".")[0] in _TOOL_LABELS:
            return True
        names = (*self.domains, self.session_domain) if self.session_domain else self.domains
        return host.endswith(tuple(b"." + name.encode() for name in names))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _host_name(url: str) -> bytes:
    return (urlsplit(url).hostname or "").encode("latin-1", "replace")
