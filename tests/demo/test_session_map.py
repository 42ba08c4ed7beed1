"""The session map, read by the routes' own reader and held against one that Galaxy wrote."""

import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.demo.session_map import SessionMap, new_token
from giestack.routing.formats import EntryPoint
from giestack.routing.location import source_for
from tests.demo.place import mode_of, new_folder

GALAXYS = Path(__file__).parents[1] / "data" / "galaxy" / "interactivetools_map.sqlite"
KEY_TYPE = "interactivetoolentrypoint"


def query(path, statement):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(statement).fetchall()


class SessionMapTests(SynchronousTestCase):
    def setUp(self):
        folder = new_folder(self)
        folder.mkdir()
        self.path = folder / "map.sqlite"
        self.map = SessionMap(self.path)
        self.clock = Clock()
        self.published = None

    def watch(self):
        source = source_for(str(self.path), "/", self.clock, maybeDeferred)
        source.start(self.publish)
        self.addCleanup(lambda: self.successResultOf(source.stop()))

    def publish(self, routes):
        self.published = routes.entry_points

    def test_read_by_the_routes(self):
        self.watch()
        self.assertEqual(self.published, {})
        self.map.save("k1", "t1", "127.0.0.1", 4001)
        self.map.save(
            "k2",
            "t2",
            "127.0.0.1",
            4002,
            requires_path_in_url=True,
            requires_path_in_header_named="X-There",
        )
        self.clock.advance(1)
        self.assertEqual(
            self.published,
            {
                b"k1": EntryPoint("k1", KEY_TYPE, "t1", Address("127.0.0.1", 4001)),
                b"k2": EntryPoint(
                    "k2", KEY_TYPE, "t2", Address("127.0.0.1", 4002), True, "X-There"
                ),
            },
        )
        self.map.save("k1", "t3", "127.0.0.1", 4003)
        self.map.remove("k2")
        self.clock.advance(1)
        self.assertEqual(
            self.published, {b"k1": EntryPoint("k1", KEY_TYPE, "t3", Address("127.0.0.1", 4003))}
        )
        self.map.clear()
        self.clock.advance(1)
        self.assertEqual(self.published, {})

    def test_table_and_rows_are_galaxys(self):
        rows = query(GALAXYS, "SELECT key, token, host, port, info FROM gxitproxy")
        for key, token, host, port, info in rows:
            self.map.save(
                key,
                token,
                host,
                port,
                requires_path_in_url='url": true' in info,
                requires_path_in_header_named="X-My-Path" if "X-My-Path" in info else None,
            )
        for statement in (
            "SELECT * FROM gxitproxy ORDER BY key",
            "SELECT * FROM pragma_table_info('gxitproxy')",
        ):
            self.assertEqual(query(self.path, statement), query(GALAXYS, statement))

    def test_row_of_another_type_stays(self):
        self.map.save("k", "t", "127.0.0.1", 4001)
        with closing(sqlite3.connect(self.path)) as database:
            database.execute("INSERT INTO gxitproxy (key, key_type) VALUES ('k', 'other')")
            database.commit()
        self.map.remove("k")
        self.assertEqual(query(self.path, "SELECT key_type FROM gxitproxy"), [("other",)])

    def test_private(self):
        self.map.save("k", "t", "127.0.0.1", 4001)
        self.assertEqual(mode_of(self.path), 0o600)

    def test_nothing_to_remove(self):
        self.map.remove("k")
        self.map.clear()
        self.assertFalse(self.path.exists())
        self.path.touch()
        self.map.remove("k")
        self.map.clear()
        self.assertEqual(query(self.path, "SELECT * FROM gxitproxy"), [])

    def test_no_link_is_followed(self):
        elsewhere = self.path.with_name("elsewhere")
        self.path.symlink_to(elsewhere)
        self.assertRaises(OSError, self.map.save, "k", "t", "127.0.0.1", 4001)
        self.assertFalse(elsewhere.exists())


class TokenTests(SynchronousTestCase):
    def test_base_36_of_64_bits(self):
        tokens = {new_token() for _ in range(200)}
        self.assertEqual(len(tokens), 200)
        for token in tokens:
            self.assertRegex(token, "^[0-9a-z]{1,13}$")
            self.assertLess(int(token, 36), 2**64)

    def test_zero(self):
        self.patch(__import__("secrets"), "randbits", lambda bits: 0)
        self.assertEqual(new_token(), "0")
