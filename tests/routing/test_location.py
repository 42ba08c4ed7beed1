"""Configured session maps to sources."""

from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import BadDatabaseURL
from giestack.routing.location import UnsupportedMap, source_for
from giestack.routing.source import SourceRoutes
from tests.routing.galaxy_map import FIXTURE, keys


class SourceForTests(SynchronousTestCase):
    def source(self, location, folder="/srv/galaxy"):
        return source_for(location, folder, Clock(), execute)

    def test_files(self):
        for location, path in (
            ("sqlite:////abs/map.db", "/abs/map.db"),
            ("sqlite:///rel/map.db", "/srv/galaxy/rel/map.db"),
            ("sqlite:////abs/map.db?isolation_level=IMMEDIATE", "/abs/map.db"),
            ("sqlite+pysqlite:////abs/map.db", "/abs/map.db"),
            ("SQLite:////abs/map.db", "/abs/map.db"),
            ("/abs/interactivetools_map.sqlite", "/abs/interactivetools_map.sqlite"),
            ("../map.sqlite", "/srv/map.sqlite"),
            ("/abs/map.json", "/abs/map.json"),
            ("map.xml", "/srv/galaxy/map.xml"),
            ("map", "/srv/galaxy/map"),
        ):
            self.assertEqual(self.source(location).path, path)

    def test_databases(self):
        for location, name in (
            ("postgresql://u:s3cret@h/map", "postgresql://u:***@h/map"),
            ("postgres:///map?host=/run/x", "postgres:///map?host=/run/x"),
            ("postgresql+psycopg2://h/map", "postgresql+psycopg2://h/map"),
        ):
            source = self.source(location)
            self.assertEqual(source.path, name)
            self.assertFalse(source.known)
        for location in ("postgresql://u:s3@cret@h/map", "postgresql:s3cret"):
            error = self.assertRaises(BadDatabaseURL, self.source, location)
            self.assertNotIn("cret", str(error))

    def test_it_reads_galaxys_map(self):
        published: list[SourceRoutes] = []
        source = self.source(f"sqlite:///{FIXTURE.name}", str(FIXTURE.parent))
        source.start(published.append)
        self.successResultOf(source.stop())
        self.assertEqual(len(keys(published[0])), 5)

    def test_unsupported(self):
        for location in (
            *(
                "",
                "mysql+x://u:s3cret@h/",
            ),
            *("sqlite://", "sqlite:///", "sqlite://host/x", "sqlite:x", "sqlite:///:memory:"),
            *("sqlite:////abs/", "sqlite:////a\0b", "a\0b.sqlite", "file:map.sqlite"),
        ):
            error = self.assertRaises(UnsupportedMap, self.source, location)
            self.assertNotIn("s3cret", str(error))
