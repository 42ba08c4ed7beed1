"""Settings of services to values: where a backend listens and which paths are its own."""

import re
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from giestack.address import Address
from giestack.routing.table import clean_prefix

_HOST = re.compile(r"(?=.*[a-z0-9])[a-z0-9._-]+")
_VISIBLE = re.compile(r"[!-~]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def service_path(text: str) -> bytes:
    """Return the ``path`` of a `giestack.routing.places.Service`, without a slash at the end.

    ``"/"`` is every path. Raise `ValueError` for what can be no raw path.
    """
    if text == "/":
        return b""
    if not text:
        raise ValueError("a service needs a path like /name")
    return clean_prefix(text).encode()


def parse_backend(url: str, ca_file: str | None = None) -> tuple[Address, bytes]:
    """Return where ``url`` leads, and the path it puts before every path.

    ``url`` is ``http://HOST[:PORT][/BASE]``, ``https://…`` or ``unix:/PATH``; the base path comes
    back without a slash at the end. ``ca_file`` is for https alone. Raise `ValueError`, with a
    text that can be shown, for everything else.
    """
    if not _VISIBLE.fullmatch(url):
        raise ValueError("a backend's URL has neither spaces nor characters beyond ASCII")
    if url.startswith("unix:"):
        return _unix(url.removeprefix("unix:"), ca_file), b""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if "[" in parts.netloc:
            host = str(IPv6Address(host))
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("a backend is http://…, https://… or unix:/path")
    if "%" in host:
        raise ValueError("a backend's URL has no percent sign in its host")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ValueError("a backend's URL has no user, query or fragment")
    if ":" not in host and not _HOST.fullmatch(host):
        raise ValueError("a backend's URL needs a host name or an IP address")
    tls = parts.scheme == "https"
    if ca_file is not None and not tls:
        raise ValueError("ca_file is for an https:// backend")
    if port is None:
        port = _DEFAULT_PORTS[parts.scheme]
    if port == 0:
        raise ValueError("port 0 is not a place to connect to")
    base = clean_prefix(parts.path).encode() if parts.path not in ("", "/") else b""
    return Address(host=host, port=port, tls=tls, ca_file=ca_file), base


def _unix(path: str, ca_file: str | None) -> Address:
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError("unix: needs the absolute path of a socket")
    if ca_file is not None:
        raise ValueError("ca_file is for an https:// backend")
    return Address(path=path)
