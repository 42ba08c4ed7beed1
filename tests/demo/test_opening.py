"""The demo as a whole, opened again and again."""

import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from giestack.database import ask, open_engine
from giestack.demo.folder import DemoError
from giestack.demo.opening import open_demo
from giestack.demo.session_map import SessionMap
from giestack.identity.galaxy import owners_by_id
from giestack.spawner.process.family import VARIABLE
from tests.demo.place import NOW, new_folder
from tests.demo.processes import ORPHAN, Watched, number_from, started


class OpenTests(SynchronousTestCase):
    def setUp(self):
        self.path = new_folder(self)

    def open(self):
        return open_demo(self.path, lambda: NOW)

    def refused(self):
        """What is said; and the folder is free again afterwards."""
        first = str(self.assertRaises(DemoError, self.open))
        self.assertEqual(str(self.assertRaises(DemoError, self.open)), first)
        return first

    def test_used_again(self):
        first = self.open()
        key = first.host.start_session("alice")
        cookie = first.codec.encode(key)
        first.folder.close()
        second = self.open()
        self.addCleanup(second.folder.close)
        self.assertEqual(second.codec.decode(cookie.encode()), key)

    def test_shows_no_secret(self):
        demo = self.open()
        self.addCleanup(demo.folder.close)
        self.assertNotIn(demo.folder.id_secret(), repr(demo))

    def test_after_a_killed_demo(self):
        first = self.open()
        tool = first.host.request_tool("alice", "JupyterLab", "t0ken", "lab")
        first.host.tool_configured(tool, "127.0.0.1", 4001, None)
        first.session_map.save("k", "t0ken", "127.0.0.1", 4001)
        process = started(
            self, ["sh", "-c", ORPHAN], env={VARIABLE: first.folder.family, "PATH": "/usr/bin:/bin"}
        )
        orphan = Watched(self, number_from(process))
        first.folder.close()
        second = self.open()
        self.addCleanup(second.folder.close)
        self.assertTrue(orphan.has_ended(0))
        with sqlite3.connect(second.folder.session_map) as database:
            self.assertEqual(database.execute("SELECT * FROM gxitproxy").fetchall(), [])
        engine = open_engine(f"sqlite:///{second.folder.database}")
        self.addCleanup(engine.dispose)
        self.assertFalse(ask(engine, owners_by_id, [1])[1].active)

    def test_damaged_secret(self):
        self.open().folder.close()
        (self.path / "id_secret").write_text("abc")
        self.assertIn("id_secret is damaged", self.refused())

    def test_unreadable_secret(self):
        self.open().folder.close()
        (self.path / "id_secret").write_bytes(b"\xff\xff\xff\xff\xff")
        self.assertIn("cannot read", self.refused())

    def test_damaged_database(self):
        self.open().folder.close()
        (self.path / "galaxy.sqlite").write_text("nothing of the kind" * 99)
        self.assertIn("move it away", self.refused())

    def test_damaged_map(self):
        self.open().folder.close()
        (self.path / "interactivetools_map.sqlite").write_text("nothing of the kind" * 99)
        self.assertIn("cannot write in", self.refused())

    def test_map_of_a_failed_disk(self):
        def fail(self):
            raise OSError(5, "Input/output error")

        self.patch(SessionMap, "clear", fail)
        self.assertIn("Input/output error", self.refused())

    def test_another_demo(self):
        first = self.open()
        self.addCleanup(first.folder.close)
        process = started(
            self, ["sh", "-c", ORPHAN], env={VARIABLE: first.folder.family, "PATH": "/usr/bin:/bin"}
        )
        running = Watched(self, number_from(process))
        self.assertIn("another demo is running", self.refused())
        self.assertFalse(running.has_ended(0))

    def test_two_demos_side_by_side(self):
        first = self.open()
        self.addCleanup(first.folder.close)
        self.path = new_folder(self)
        second = self.open()
        self.addCleanup(second.folder.close)
        self.assertNotEqual(first.folder.id_secret(), second.folder.id_secret())
