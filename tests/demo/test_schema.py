"""The demo's tables against those of a database made by Galaxy 26.1's own model."""

import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.schema import SCHEMA

GALAXY = Path(__file__).parents[1] / "data" / "galaxy" / "galaxy.sqlite"


class SchemaTests(SynchronousTestCase):
    def test_columns_are_galaxys(self):
        with (
            closing(sqlite3.connect(":memory:")) as demo,
            closing(sqlite3.connect(f"file:{GALAXY}?mode=ro", uri=True)) as galaxy,
        ):
            demo.executescript(SCHEMA)
            tables = [
                name
                for (name,) in demo.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            self.assertEqual(len(tables), 5)
            for table in tables:
                statement = f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}')"
                self.assertEqual(
                    demo.execute(statement).fetchall(), galaxy.execute(statement).fetchall(), table
                )
