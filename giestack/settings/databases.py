"""Kinds for databases: SQLAlchemy URLs, and the places where session maps are kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import normpath
from pathlib import Path
from typing import Literal

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from giestack.routing.map_name import map_name
from giestack.settings.document import Node
from giestack.settings.problems import Wrong
from giestack.settings.reading import Place, revealed, text_of

_BY_SUFFIX: Mapping[str, Literal["sqlite", "json", "xml"]] = {
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
    ".json": "json",
    ".xml": "xml",
}
# Galaxy 26.1's SQLAlchemy (before 2.1) does not percent-decode a SQLite path: nor is it here.
_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///(?P<path>[^?]+)(?:\?.*)?", re.DOTALL)
_HERE = ("", "127.0.0.1", "::1", "/run/postgresql", "/var/run/postgresql", "/tmp")
_POSTGRESQL = re.compile(r"postgres(?:ql)?(?:\+[a-z0-9]+)?://.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SessionMap:
    """Where a session map is kept.

    :ivar kind: what is there to open; what is inside is found by looking.
    :ivar path: absolute, for files.
    :ivar url: SQLAlchemy URL, for PostgreSQL; may hold a password.
    """

    kind: Literal["sqlite", "postgresql", "json", "xml"]
    path: Path | None = None
    url: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return str(self.path) if self.url is None else map_name(self.url)


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A SQLAlchemy URL of SQLite or PostgreSQL, secrets allowed, never shown.

    What comes out for SQLite is ``sqlite:///`` and a path, absolute, without the query (Galaxy's
    own default has ``?isolation_level=IMMEDIATE`` there). `later`: a relative path stays
    relative, because what it is relative to is not known yet.
    """

    later: bool = False

    def read(self, node: Node, at: Place) -> str:
        url = database_url(revealed(text_of(node, "a database URL"), node, at))
        path = sqlite_path(url)
        return url if path is None or self.later else f"sqlite:///{at.file(path, node)}"


@dataclass(frozen=True, slots=True)
class MapSource:
    """A session map: ``sqlite:///PATH``, ``postgresql://…``, or a file known by its suffix."""

    def read(self, node: Node, at: Place) -> SessionMap:
        text = revealed(text_of(node, "a session map"), node, at)
        if "://" in text:
            url = database_url(text)
            path = sqlite_path(url)
            if path is None:
                return SessionMap("postgresql", url=url)
            return SessionMap("sqlite", path=at.file(path, node))
        file = at.file(text, node)
        if file.suffix.lower() not in _BY_SUFFIX:
            raise Wrong(
                "must be a file that ends with .sqlite, .json or .xml, or sqlite:///PATH or a "
                "postgresql:// URL"
            )
        return SessionMap(_BY_SUFFIX[file.suffix.lower()], path=file)


def database_url(text: str) -> str:
    """A URL that can be used, in the simplest form; the text of `Wrong` holds none of it."""
    text = text.strip()
    sqlite = _SQLITE.fullmatch(text)
    if sqlite is not None and not sqlite["path"].startswith((":memory:", "file:")):
        return f"sqlite:///{sqlite['path']}"
    if text.startswith("sqlite"):
        raise Wrong("must be sqlite:///PATH with the path of a file (absolute: four slashes)")
    if not _POSTGRESQL.fullmatch(text):
        raise Wrong(
            "must be a URL like sqlite:////srv/galaxy/universe.sqlite or "
            "postgresql://user@host/galaxy; other databases cannot be read"
        )
    try:
        url = make_url(text)
        _connect_options(text)
    except (ArgumentError, ValueError):
        raise Wrong("must be a URL like postgresql://user@host/galaxy") from None
    if "@" in (url.host or ""):
        raise Wrong("has an @ in its password, which must be written as %40")
    if "isolation_level" in url.query:
        return url.difference_update_query(["isolation_level"]).render_as_string(False)
    return text


def sqlite_path(url: str) -> str | None:
    """The path in a URL that `database_url` has returned; None for PostgreSQL."""
    return url.removeprefix("sqlite:///") if url.startswith("sqlite:///") else None


def place_of(url: str) -> tuple[str, ...]:
    """What tells two databases apart: the file, or hosts, ports and name.

    Two users of one PostgreSQL database are still in the same database, whether they come through
    a port of this machine or through PostgreSQL's usual socket, and however the URL says so.
    """
    path = sqlite_path(url)
    if path is not None:
        return ("sqlite", normpath(path))
    options = _connect_options(url)
    hosts = options.get("hostaddr") or options.get("host") or ""
    # libpq: no port is the usual one, and one is for all hosts.
    ports = [port or "5432" for port in options.get("port", "").split(",")]
    names = [_host(name) for name in hosts.split(",")]
    shared = ports[0] if len(set(ports)) == 1 else ",".join(ports)
    # Two names may stand for one host, but not here: a name is not looked up.
    database = options.get("dbname") or options.get("user") or ""
    return ("postgresql", ",".join(names), shared, database, options.get("service", ""))


def _connect_options(url: str) -> Mapping[str, str]:
    """What the driver is told to connect with. Raises ArgumentError, ValueError."""
    _, options = PGDialect_psycopg().create_connect_args(make_url(url))
    return {name: str(value) for name, value in options.items()}


def _host(name: str) -> str:
    if name.startswith("/"):
        name = normpath(name)
    return "localhost" if name in _HERE else name.lower()
