"""Where a Docker engine listens: DOCKER_HOST, docker contexts, and the files of mutual TLS."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SOCKET = "unix:///var/run/docker.sock"
"""Where a local engine listens unless told otherwise."""

_CLEAR_PORT, _TLS_PORT = 2375, 2376
_CONTEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_LONGEST_PATH = 107  # sun_path of unix(7)
_REFUSED = {
    "ssh": "is reached by ssh, which is not spoken here; forward the socket with "
    "ssh -N -L /run/docker-remote.sock:/var/run/docker.sock HOST, and set "
    "DOCKER_HOST=unix:///run/docker-remote.sock",
    "npipe": "is a named pipe, which only Windows has; let that engine listen at tcp://HOST:2376 "
    "with TLS, and set DOCKER_HOST to it",
    "fd": "is for the engine itself, not for those who ask it; set DOCKER_HOST=" + SOCKET,
    "http": "is written tcp://HOST:PORT here",
    "https": "is written tcp://HOST:PORT here, with the TLS files in DOCKER_CERT_PATH",
}


class LocationError(Exception):
    """Where an engine is, or a file that is needed to get there, is wrong; says which."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of mutual TLS.

    :ivar ca: what the engine's certificate must lead to.
    :ivar cert: our own certificate.
    :ivar key: the private key of `cert`.
    """

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Location:
    """Where an engine listens.

    :ivar url: ``unix:///PATH`` or ``tcp://HOST:PORT``, as Docker's DOCKER_HOST.
    :ivar tls: only for ``tcp:``; None: in the clear.
    """

    url: str
    tls: TlsFiles | None = None

    @property
    def is_socket(self) -> bool:
        """Whether it is a UNIX socket on this machine."""
        return self.url.startswith("unix:")

    @property
    def path(self) -> str:
        """The UNIX socket; "" for TCP."""
        return self.url.removeprefix("unix://") if self.is_socket else ""

    @property
    def host(self) -> str:
        """Host name or address, without brackets; "" for a UNIX socket."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """1 to 65535; 0 for a UNIX socket."""
        return 0 if self.is_socket else urlsplit(self.url).port or 0

    @property
    def is_exposed(self) -> bool:
        """Whether others on the network can use the engine, too: TCP without TLS off loopback."""
        return not self.is_socket and self.tls is None and not _is_loopback(self.host)


def location_of(url: str, tls: TlsFiles | None = None) -> Location:
    """A location from a DOCKER_HOST as people write it, where a port may be left out.

    :raises LocationError: it can't be reached from here; the text says what to do instead.
    """
    if not url.isprintable():  # urlsplit drops line breaks without a word
        raise LocationError(f"{url!r} must be unix:///PATH or tcp://HOST:PORT")
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "tcp", url
    if scheme in _REFUSED:
        raise LocationError(f"{url} {_REFUSED[scheme]}")
    if scheme == "unix":
        path = rest or SOCKET.removeprefix("unix://")
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise LocationError(f"{url} is longer than the path of a socket can be: 107 bytes")
        if not path.startswith("/") or not path.strip("/"):
            raise LocationError(f"{url} must be unix:///PATH")
        return Location(f"unix:///{path.lstrip('/')}")
    host, port = _host_and_port(url, rest) if scheme == "tcp" else ("", None)
    if not host:
        raise LocationError(f"{url!r} must be unix:///PATH or tcp://HOST:PORT")
    name = f"[{host}]" if ":" in host else host
    return Location(f"tcp://{name}:{port or (_TLS_PORT if tls else _CLEAR_PORT)}", tls)


def config_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where Docker's client keeps its configuration: DOCKER_CONFIG, else ``~/.docker``."""
    given = environ.get("DOCKER_CONFIG", "")
    return Path(given) if given else home / ".docker"


def located(environ: Mapping[str, str], home: Path) -> Location:
    """Where Docker's own client would find its engine.

    That is DOCKER_HOST with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, else the context that
    DOCKER_CONTEXT or ``config.json`` name, else the local socket. TLS is always verified.

    :param home: the folder with ``.docker`` in it.
    :raises LocationError: in words, with the variable or file that is wrong.
    """
    folder = config_folder(environ, home)
    url = environ.get("DOCKER_HOST", "")
    if url:
        return _located_at(url, environ, folder)
    context = environ.get("DOCKER_CONTEXT", "") or _text(
        read_config(folder), "currentContext", folder / "config.json"
    )
    if context in ("", "default"):
        return Location(SOCKET)
    return _located_in(context, folder / "contexts")


def read_config(folder: Path) -> Mapping[str, Any]:
    """What Docker's ``config.json`` in a folder says; empty where there is none.

    :raises LocationError: it can't be read.
    """
    file = folder / "config.json"
    return _json_object(file) if file.exists() else {}


def _located_at(url: str, environ: Mapping[str, str], folder: Path) -> Location:
    wanted = any(environ.get(f"DOCKER_{name}") for name in ("TLS_VERIFY", "TLS", "CERT_PATH"))
    tls = _tls_in(Path(environ.get("DOCKER_CERT_PATH") or folder)) if wanted else None
    try:
        return location_of(url, tls)
    except LocationError as error:
        raise LocationError(f"DOCKER_HOST={error}") from None


def _located_in(context: str, contexts: Path) -> Location:
    if not _CONTEXT.fullmatch(context):
        raise LocationError(f"{context!r} cannot be the name of a docker context")
    name = sha256(context.encode()).hexdigest()
    file = contexts / "meta" / name / "meta.json"
    if not file.exists():
        raise LocationError(
            f"there is no docker context {context!r} ({file} is missing); docker context ls shows "
            "which there are, and DOCKER_CONTEXT or docker context use chooses one"
        )
    endpoints = _json_object(file).get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, Mapping) else None
    if not isinstance(docker, Mapping):
        raise LocationError(f"{file} names no docker endpoint")
    if docker.get("SkipTLSVerify"):
        raise LocationError(
            f"the docker context {context!r} does not verify who answers (SkipTLSVerify in {file})"
            "; make it again with ca, cert and key, and without skip-tls-verify"
        )
    folder = contexts / "tls" / name / "docker"
    tls = _complete(_tls_in(folder)) if folder.is_dir() else None
    try:
        return location_of(_text(docker, "Host", file) or SOCKET, tls)
    except LocationError as error:
        raise LocationError(f"the docker context {context!r}: {error}") from None


def _tls_in(folder: Path) -> TlsFiles:
    return TlsFiles(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")


def _complete(tls: TlsFiles) -> TlsFiles:
    for file in (tls.ca, tls.cert, tls.key):
        if not file.exists():
            raise LocationError(f"{file} is missing: mutual TLS needs ca.pem, cert.pem and key.pem")
    return tls


def _json_object(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise LocationError(f"{file} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise LocationError(f"{file} is not JSON") from None
    if not isinstance(found, dict):
        raise LocationError(f"{file} must hold a JSON object")
    return found


def _text(found: Mapping[str, Any], key: str, file: Path) -> str:
    value = found.get(key)
    if not isinstance(value, str | None):
        raise LocationError(f"{key} in {file} must be a text")
    return value or ""


def _host_and_port(url: str, rest: str) -> tuple[str, int | None]:
    try:
        split = urlsplit(f"tcp://{rest}")
        host, port = split.hostname or "", split.port
    except ValueError:
        raise LocationError(f"{url} must be tcp://HOST:PORT: its port can't be read") from None
    plain = split.path in ("", "/") and not (split.query or split.fragment or split.username)
    return (host, port) if plain and _HOST.fullmatch(host) else ("", None)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
