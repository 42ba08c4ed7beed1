"""What Galaxy's database is asked; PostgreSQL has tests of its own in `tests.real`."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.check import CannotTell
from giestack.doctor.galaxy_database import (
    GalaxyTables,
    configured_and_running,
    missing_columns,
)
from tests.doctor.galaxies import galaxy_database


class TablesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()

    def test_all_is_there(self) -> None:
        tables = GalaxyTables(galaxy_database(self.path))
        tables.reachable()
        self.assertTrue(tables.is_sqlite)
        self.assertEqual(tables.ask(missing_columns), {})
        self.assertEqual(tables.ask(configured_and_running), [11])

    def test_what_is_missing(self) -> None:
        url = galaxy_database(
            self.path, "DROP TABLE job", "ALTER TABLE galaxy_user DROP COLUMN purged"
        )
        missing = GalaxyTables(url).ask(missing_columns)
        self.assertEqual(missing, {"job": None, "galaxy_user": frozenset({"purged"})})

    def test_no_database(self) -> None:
        tables = GalaxyTables(f"sqlite:///{self.path}")
        self.assertRaises(CannotTell, tables.reachable)

    def test_a_url_that_is_none(self) -> None:
        self.assertRaises(CannotTell, GalaxyTables("mysql://u:p@h/d").reachable)
