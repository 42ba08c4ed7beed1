"""Which source a configured session map needs."""

import os.path
import re
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from giestack.routing.files import FileReader
from giestack.routing.postgres import PostgresMap
from giestack.routing.watch import WatchedMap

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\+[A-Za-z0-9]+)?:(.*)", re.DOTALL)
_POSTGRESQL = ("postgresql", "postgres")


class UnsupportedMap(ValueError):
    """A session map that no source reads; the text holds no password."""


def source_for(
    location: str,
    folder: str,
    clock: IReactorTime,
    defer_to_thread: Callable[..., Deferred[Any]],
) -> WatchedMap:
    """Return the source for one of the ``session_maps``, not started.

    ``location`` is Galaxy's ``sqlite:///relative``, ``sqlite:////absolute`` (an SQLAlchemy URL,
    its query is dropped) or the path of a file, whose format is found by looking; relative paths
    start at ``folder``. Or it is a URL of PostgreSQL in one of the forms that Galaxy takes; then
    ``clock`` is the reactor. Raise `UnsupportedMap` or `giestack.database.BadDatabaseURL` for
    other ones.
    """
    scheme = _SCHEME.match(location)
    if scheme is not None and scheme.group(1).lower() in _POSTGRESQL:
        return PostgresMap(location, clock)
    path = os.path.abspath(os.path.join(folder, _file_path(location)))
    return WatchedMap(path, FileReader(path), clock, defer_to_thread)


def _file_path(location: str) -> str:
    url = _SCHEME.fullmatch(location)
    if url is None:
        path = location
    else:
        scheme, rest = url.group(1).lower(), url.group(2)
        if scheme != "sqlite":
            raise UnsupportedMap(f"session maps at {scheme}: are not supported")
        if not rest.startswith("///"):
            raise UnsupportedMap("sqlite: needs three slashes and a path, four for an absolute one")
        path = rest.removeprefix("///").partition("?")[0]
    if not path or path == ":memory:" or path.endswith("/") or "\0" in path:
        raise UnsupportedMap("a session map in a file needs its path")
    return path
