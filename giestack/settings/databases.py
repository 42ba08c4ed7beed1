"""Kinds for databases: SQLAlchemy URLs, and the places where session maps are kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import normpath
from pathlib import Path
from typing import Literal

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

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
        return str(self.path) if self.url is None else make_url(self.url).render_as_string()


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
    """What tells two databases apart: the file, or host, port and name.

    Two users of one PostgreSQL database are still in the same database.
    """
    path = sqlite_path(url)
    if path is not None:
        return ("sqlite", normpath(path))
    parts = make_url(url)
    query = parts.query.get("host", "")
    server = parts.host or (query if isinstance(query, str) else ",".join(query)) or "localhost"
    return ("postgresql", server.lower(), str(parts.port or 5432), parts.database or "")
