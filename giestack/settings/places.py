"""Kinds for names on the network: hosts, URLs, origins, path prefixes, headers, backends."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from giestack.address import DEFAULT_PORTS, Address
from giestack.settings.document import Node
from giestack.settings.problems import Wrong
from giestack.settings.reading import Place, shown, text_of

IPNetwork = IPv4Network | IPv6Network

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")
_URL_PATH = re.compile(r"/[!-~]*")

# Fields that frame or route a message, or that say who is asking to us.
_RESERVED = {
    *("connection", "content-length", "cookie", "expect", "host", "keep-alive", "te", "trailer"),
    *("proxy-authenticate", "proxy-authorization", "proxy-connection"),
    *("transfer-encoding", "upgrade"),
}


@dataclass(frozen=True, slots=True)
class Name:
    """A plain word that is safe in labels, cookies and file names; `what` it names."""

    what: str

    def read(self, node: Node, at: Place) -> str:
        text = text_of(node, "a name")
        if not _NAME.fullmatch(text):
            raise Wrong(
                f"must be a name of up to 63 letters, digits, '-', '_' and '.', not {shown(text)}"
            )
        return text


@dataclass(frozen=True, slots=True)
class HeaderName:
    """The name of an HTTP header; `HTTP_` before it, as WSGI and Galaxy write it, is dropped."""

    def read(self, node: Node, at: Place) -> str:
        text = text_of(node, "the name of a header")
        return settable_header(text.removeprefix("HTTP_"))


def settable_header(name: str) -> str:
    """Return the name of a header that may be set to anything; `Wrong` for others."""
    if not _TOKEN.fullmatch(name):
        raise Wrong(f"must be the name of a header, like REMOTE_USER, not {shown(name)}")
    if name.lower().replace("_", "-") in _RESERVED:
        raise Wrong(f"cannot be {name}: HTTP needs that header for itself")
    return name


@dataclass(frozen=True, slots=True)
class HostName:
    """A host name or an IP address, in lower case."""

    def read(self, node: Node, at: Place) -> str:
        return host(text_of(node, "a host name"))


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain: hosts below it count; a leading dot is dropped."""

    def read(self, node: Node, at: Place) -> str:
        text = text_of(node, "a domain")
        if ":" in text:
            raise Wrong(f"must be a domain without a port, not {shown(text)}")
        return host(text.removeprefix("*").removeprefix("."))


def host(text: str) -> str:
    """A host name or IP address as it is compared: lower case, IPv6 without brackets."""
    name = text.lower()
    if ":" in name:
        try:
            return str(IPv6Address(name[1:-1] if name[0] + name[-1] == "[]" else name))
        except ValueError:
            raise Wrong(f"must be a host name or an address, not {shown(text)}") from None
    if not name.isascii():
        raise Wrong(f"must be in ASCII, as in the DNS (xn--…), not {shown(text)}")
    name = name.removesuffix(".")
    numeric = bool(re.fullmatch(r"[0-9.]+", name))
    if len(name) > 253 or not _HOST.fullmatch(name) or (numeric and not _is_ipv4(name)):
        raise Wrong(f"must be a host name or an address, not {shown(text)}")
    return name


def _is_ipv4(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Tell whether a host, as `host` returns it, is this machine itself."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """An http or https URL taken apart; `host` as `host()` returns it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{name}{port}"


def http_url(text: str, what: str) -> HttpUrl:
    """Take a URL apart; raises `Wrong`, which calls it `what`."""
    try:
        split = urlsplit(text)
        port = split.port
        name = split.hostname or ""
    except ValueError:
        raise Wrong(f"must be {what}: its host or port cannot be read") from None
    if split.username is not None or split.password is not None:
        raise Wrong(f"must be {what}, without a user name or password in it")
    if split.scheme not in DEFAULT_PORTS or not name or port == 0:
        raise Wrong(f"must be {what}, not {shown(text)}")
    if split.query or split.fragment or not re.fullmatch(r"[!-~]*", text) or "\\" in text:
        raise Wrong(f"must be {what}, without '?', '#' or spaces, not {shown(text)}")
    return HttpUrl(split.scheme, host(name), port or DEFAULT_PORTS[split.scheme], split.path)


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL, ending with `ending` and nothing more."""

    ending: str = ""

    def read(self, node: Node, at: Place) -> str:
        what = "a URL like https://galaxy.example.org/"
        parts = http_url(text_of(node, what), what)
        return parts.origin + parts.path.rstrip("/") + self.ending


@dataclass(frozen=True, slots=True)
class Origin:
    """What browsers send as ``Origin`` (RFC 6454): scheme, host and a port that is no default."""

    def read(self, node: Node, at: Place) -> str:
        what = "an origin like https://galaxy.example.org"
        text = text_of(node, what)
        if text in ("*", "null"):
            raise Wrong(f"must be {what}; {text!r} would let every site in")
        parts = http_url(text, what)
        if parts.path not in ("", "/"):
            raise Wrong(f"must be {what}, without a path, not {shown(text)}")
        return parts.origin


@dataclass(frozen=True, slots=True)
class Prefix:
    """The first segments of a URL's path, as they stand in the request.

    `root`: ``/`` and a slash at the end are allowed too, as in Galaxy's ``cookie_path``.
    """

    root: bool = False

    def read(self, node: Node, at: Place) -> str:
        text = text_of(node, "a path like /giestack")
        wanted = text.rstrip("/") if self.root else text
        if self.root and text.startswith("/") and not wanted:
            return "/"
        if "%" in wanted:
            raise Wrong(f"must be a path without '%', not {shown(text)}")
        if not _PREFIX.fullmatch(wanted):
            raise Wrong(
                "must be a path like /giestack, that begins with '/', does not end with it "
                f"and has no empty parts, not {shown(text)}"
            )
        if {".", ".."} & set(wanted.split("/")):
            raise Wrong(f"must be a path without '.' and '..' in it, not {shown(text)}")
        return wanted


@dataclass(frozen=True, slots=True)
class UrlPath:
    """A URL's path, and query if need be, which begins with a slash."""

    def read(self, node: Node, at: Place) -> str:
        text = text_of(node, "a path like /lab")
        if not _URL_PATH.fullmatch(text):
            raise Wrong(f"must be a path like /lab, without spaces, not {shown(text)}")
        return text


@dataclass(frozen=True, slots=True)
class Network:
    """An IP address, or a network like 10.0.0.0/8."""

    def read(self, node: Node, at: Place) -> IPNetwork:
        text = text_of(node, "an IP address").strip()
        try:
            return ip_network(text)
        except ValueError as error:
            hint = ""
            if "host bits" in str(error):
                hint = f"; the network it is in is {ip_network(text, strict=False)}"
            raise Wrong(
                f"must be an IP address or a network like 10.0.0.0/8, not {shown(text)}{hint}"
            ) from None


@dataclass(frozen=True, slots=True)
class Target:
    """A host that may be reached: ``host``, ``host:port`` or a network."""

    def read(self, node: Node, at: Place) -> str:
        text = text_of(node, "a host, host:port or a network").strip()
        if "/" in text:
            return str(Network().read(node, at))
        name, colon, port = text.rpartition(":")
        if not colon or (name.count(":") and not name.endswith("]")):
            return host(text)
        if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
            raise Wrong(f"must be a host, host:port or a network, not {shown(text)}")
        found = host(name)
        return f"[{found}]:{int(port)}" if ":" in found else f"{found}:{int(port)}"


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a service listens: ``http://host:port``, ``https://…`` or ``unix:PATH``."""

    def read(self, node: Node, at: Place) -> Address:
        what = "http://HOST:PORT, https://HOST:PORT or unix:PATH"
        text = text_of(node, what)
        if text.startswith("unix:"):
            path = text.removeprefix("unix:")
            if not path.strip("/"):
                raise Wrong(f"must be {what}, not {shown(text)}")
            return Address(path=str(at.file(path, node)))
        parts = http_url(text, what)
        if parts.path not in ("", "/"):
            raise Wrong(f"must be {what}, without a path, not {shown(text)}")
        return Address(host=parts.host, port=parts.port, tls=parts.scheme == "https")


@dataclass(frozen=True, slots=True)
class DockerHost:
    """As Docker's DOCKER_HOST: ``unix:///path`` or ``tcp://host:port``; or ``process:``."""

    def read(self, node: Node, at: Place) -> str:
        what = "unix:///PATH, tcp://HOST:PORT or process:"
        text = text_of(node, what)
        scheme, colon, rest = text.partition(":")
        if text == "process:":
            return text
        if scheme == "unix" and rest.startswith("///") and rest.strip("/"):
            return f"unix:///{rest.lstrip('/')}"
        if scheme == "tcp" and colon:
            parts = http_url(f"http:{rest}", what)
            if parts.path in ("", "/") and re.search(r":[0-9]+/?$", rest):
                name = f"[{parts.host}]" if ":" in parts.host else parts.host
                return f"tcp://{name}:{parts.port}"
        raise Wrong(f"must be {what}, not {shown(text)}")
