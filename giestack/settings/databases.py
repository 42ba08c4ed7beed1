"""Kinds for databases: SQLAlchemy URLs, and the places where session maps are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sqlalchemy.engine import URL, make_url
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

    What comes out has an absolute path and no ``isolation_level`` (Galaxy's own default URL
    has one, which only its own SQLAlchemy understands). `later`: a relative path stays
    relative, because what it is relative to is not known yet.
    """

    later: bool = False

    def read(self, node: Node, at: Place) -> str:
        url = _url(revealed(text_of(node, "a database URL"), node, at))
        if url.get_backend_name() == "sqlite" and not self.later:
            url = url.set(database=str(at.file(url.database or "", node)))
        return url.render_as_string(hide_password=False)


@dataclass(frozen=True, slots=True)
class MapSource:
    """A session map: ``sqlite:///PATH``, ``postgresql://…``, or a file known by its suffix."""

    def read(self, node: Node, at: Place) -> SessionMap:
        text = revealed(text_of(node, "a session map"), node, at)
        if "://" in text or text.startswith("sqlite:"):
            url = _url(text)
            if url.get_backend_name() == "sqlite":
                return SessionMap("sqlite", path=at.file(url.database or "", node))
            return SessionMap("postgresql", url=url.render_as_string(hide_password=False))
        path = at.file(text, node)
        if path.suffix.lower() not in _BY_SUFFIX:
            raise Wrong(
                "must be a file that ends with .sqlite, .json or .xml, or sqlite:///PATH or a "
                "postgresql:// URL"
            )
        return SessionMap(_BY_SUFFIX[path.suffix.lower()], path=path)


def _url(text: str) -> URL:
    """A URL taken apart; the text of `Wrong` never holds any of it but its beginning."""
    what = "must be a URL like sqlite:////srv/galaxy/universe.sqlite or postgresql://user@host/name"
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise Wrong(what) from None
    if backend == "postgres":
        url = url.set(drivername=url.drivername.replace("postgres", "postgresql", 1))
    elif backend not in ("sqlite", "postgresql"):
        raise Wrong(f"{what}; other databases cannot be read")
    if backend == "sqlite" and (
        url.host or url.database in (None, "", ":memory:") or str(url.database).startswith("file:")
    ):
        raise Wrong("must be sqlite:///PATH with the path of a file (absolute: four slashes)")
    if backend != "sqlite" and not url.database:
        raise Wrong("must name a database, like postgresql://user@host/galaxy")
    return url.difference_update_query(["isolation_level"])


def place_of(url: str) -> tuple[str, ...]:
    """What tells two databases apart: the file, or host, port and name.

    Two users of one PostgreSQL database are still in the same database.
    """
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        return ("sqlite", str(Path(parts.database or "").resolve(strict=False)))
    query = parts.query.get("host", "")
    server = parts.host or (query if isinstance(query, str) else ",".join(query)) or "localhost"
    return ("postgresql", server.lower(), str(parts.port or 5432), parts.database or "")
