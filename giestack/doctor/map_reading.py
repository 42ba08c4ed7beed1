"""Session maps, read once each for all checks."""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from giestack.database import BadDatabaseURL, DatabaseUnavailable, ask, open_engine
from giestack.doctor.once import Once
from giestack.routing.files import FileReader
from giestack.routing.formats import EntryPoint
from giestack.routing.postgres import PostgresReader
from giestack.routing.source import MapTrouble, Reading
from giestack.settings.databases import SessionMap

T = TypeVar("T")


class Map:
    """One session map.

    :ivar name: how it is called in messages; holds no password.
    :ivar read: what it holds; raises `MapTrouble`.
    """

    def __init__(self, source: SessionMap) -> None:
        self.source = source
        self.name = str(source)
        self.read = Once(self._read)
        self._postgres = PostgresReader()

    @property
    def entry_points(self) -> Sequence[EntryPoint]:
        """The rows of interactive tools; none where it can't be read."""
        try:
            return list(self.read().routes.entry_points.values())
        except MapTrouble:
            return ()

    def has_trigger(self) -> bool:
        """Whether PostgreSQL tells of changes; raises `MapTrouble`."""
        self.read()
        return bool(self._postgres.has_trigger)

    def _read(self) -> Reading:
        if self.source.path is not None:
            reader = FileReader(os.fspath(self.source.path))
            try:
                return reader.look()
            finally:
                reader.close()
        return self._ask(self._postgres.look)

    def _ask(self, function: Callable[[Connection], T]) -> T:
        assert self.source.url is not None
        try:
            engine = open_engine(self.source.url)
        except BadDatabaseURL as error:
            raise MapTrouble("url", f"cannot be read: {error}") from None
        try:
            return ask(engine, function)
        except DatabaseUnavailable as error:
            raise MapTrouble("unavailable", f"cannot be read: {error}") from None
        finally:
            engine.dispose()
