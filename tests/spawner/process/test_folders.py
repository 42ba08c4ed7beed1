"""Folders of local sessions: private, short enough for sockets, gone when they should be."""

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.engine import EngineError
from giestack.spawner.process import folders as module
from giestack.spawner.process.folders import Folders
from tests.demo.place import mode_of, new_folder


class FolderTests(SynchronousTestCase):
    def setUp(self):
        self.data_dir = new_folder(self)
        self.folders = self.opened(self.data_dir)

    def opened(self, data_dir):
        folders = Folders(data_dir)
        self.addCleanup(folders.close)
        folders.open()
        return folders

    def test_all_are_private(self):
        home = self.folders.home("galaxy-12")
        folder = self.folders.make("s1", {"key": "s3cret", "k.2": "ö"})
        self.assertEqual(home, self.data_dir / "homes" / "galaxy-12")
        self.assertEqual(folder, self.data_dir / "run" / "s1")
        for path in [self.data_dir, *self.data_dir.rglob("*")]:
            self.assertEqual(mode_of(path), 0o600 if path.is_file() else 0o700, path)
        self.assertEqual((folder / "secrets" / "key").read_text(), "s3cret")
        self.assertEqual((folder / "secrets" / "k.2").read_text(), "ö")

    def test_home_stays(self):
        (self.folders.home("galaxy-12") / "work.txt").write_text("work")
        self.folders.make("s1", {})
        self.folders.remove("s1")
        self.assertEqual(list((self.data_dir / "run").iterdir()), [])
        self.folders.clear()
        self.folders.close()
        self.opened(self.data_dir)
        self.assertTrue((self.folders.home("galaxy-12") / "work.txt").exists())

    def test_home_cannot_be_used(self):
        (self.data_dir / "homes" / "galaxy-12").write_text("")
        error = self.assertRaises(EngineError, self.folders.home, "galaxy-12")
        self.assertIn("galaxy-12", str(error))
        self.folders.home("galaxy-13")
        self.patch(os, "access", lambda path, mode: False)
        error = self.assertRaises(EngineError, self.folders.home, "galaxy-13")
        self.assertIn("Permission denied", str(error))

    def test_secret_names(self):
        for name in ("../key", "a/b", "", ".", "..", ".hidden", "a\0b", "x" * 101):
            self.assertRaises(EngineError, self.folders.make, "s1", {name: "s3cret"})
        self.assertEqual(
            sorted(path.name for path in self.data_dir.iterdir()), ["homes", "run", "run.lock"]
        )

    def test_what_is_left_there_is_removed_first(self):
        folder = self.folders.make("s1", {"key": "old"})
        (folder / "tmp" / "left").write_text("")
        folder = self.folders.make("s1", {})
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["jupyter", "tmp", "xdg"])

    def test_folder_cannot_be_made(self):
        def refuse(path, mode=0o777):
            raise OSError(28, "No space left on device")

        self.patch(Path, "mkdir", refuse)
        error = self.assertRaises(EngineError, self.folders.make, "s1", {})
        self.assertIn("No space left", str(error))

    def test_clear(self):
        outside = self.data_dir / "homes" / "file"
        outside.write_text("")
        self.folders.make("s1", {})
        (self.data_dir / "run" / "file").write_text("")
        (self.data_dir / "run" / "link").symlink_to(self.data_dir / "homes")
        self.folders.clear()
        self.assertEqual(list((self.data_dir / "run").iterdir()), [])
        self.assertTrue(outside.exists())

    def test_remove(self):
        self.folders.remove("nobody")
        deep = self.folders.make("s1", {}) / "tmp" / "a" / "b"
        deep.mkdir(parents=True)
        (deep / "file").write_text("")
        (deep / "link").symlink_to("/etc")
        os.mkfifo(deep / "pipe")
        self.folders.remove("s1")
        self.assertFalse((self.data_dir / "run" / "s1").exists())

    def test_remove_what_stays(self):
        folder = self.folders.make("s1", {})

        def refuse(path, late):
            raise PermissionError(1, "Operation not permitted", str(path))

        with self.patch(module, "remove", refuse):
            error = self.assertRaises(EngineError, self.folders.remove, "s1")
        self.assertIn(f"{folder} cannot be removed: Operation not permitted", str(error))
        self.folders.remove("s1")

    def test_no_time_for_it(self):
        """A session may have made a million files, and giestack is to end."""
        folder = self.folders.make("s1", {})
        self.folders.hurry(60)
        self.folders.remove("s1")
        folder = self.folders.make("s1", {})
        self.folders.hurry(-1)
        error = self.assertRaises(EngineError, self.folders.remove, "s1")
        self.assertIn(f"{folder} cannot be removed: there is no time for it", str(error))
        self.assertRaises(OSError, self.folders.clear)
        self.folders.close()
        self.assertTrue(folder.exists())
        self.folders.open()
        self.folders.clear()
        self.assertFalse(folder.exists())

    def test_one_giestack_at_a_time(self):
        other = Folders(self.data_dir)
        error = self.assertRaises(EngineError, other.open)
        self.assertIn("Another giestack", str(error))
        self.assertRaises(EngineError, lambda: other.run)
        self.folders.open()
        self.folders.close()
        self.folders.close()
        other.open()
        other.close()

    def test_not_a_folder(self):
        path = new_folder(self)
        path.write_text("")
        folders = Folders(path)
        error = self.assertRaises(EngineError, folders.open)
        self.assertIn(str(path), str(error))

    def test_troubles(self):
        self.assertEqual(self.folders.troubles(), [])
        self.assertEqual(Folders(new_folder(self)).troubles(), [])
        (wrong,) = Folders(self.data_dir / "run.lock").troubles()
        self.assertIn("no folder", wrong)
        homes = self.data_dir / "homes"
        homes.rmdir()
        self.assertEqual(self.folders.troubles(), [])
        self.assertTrue(self.folders.home("galaxy-12").is_dir())
        homes.rename(self.data_dir / "away")
        homes.write_text("")
        (wrong,) = self.folders.troubles()
        self.assertIn(f"{homes} is no folder", wrong)
        homes.unlink()
        status = os.statvfs(self.data_dir)
        full = os.statvfs_result([0 if i == 4 else value for i, value in enumerate(status)])
        with self.patch(os, "statvfs", lambda path: full):
            self.assertIn("full", self.folders.troubles()[0])

        def fail(path):
            raise OSError(5, "Input/output error")

        with self.patch(os, "statvfs", fail):
            self.assertIn("Input/output error", self.folders.troubles()[0])


class LongPathTests(SynchronousTestCase):
    """Where the data folder is too deep for sockets below it."""

    def setUp(self):
        self.data_dir = new_folder(self) / ("x" * 40)
        self.temporary = new_folder(self)
        self.temporary.mkdir()
        self.patch(tempfile, "gettempdir", lambda: str(self.temporary))
        self.patch(module, "_LONGEST_RUN", len(str(self.temporary)) + 18)
        self.folders = Folders(self.data_dir)
        self.addCleanup(lambda: self.folders.close())
        self.folders.open()

    @property
    def link(self):
        return self.data_dir / "run"

    def again(self):
        """As after a kill."""
        assert self.folders._lock is not None
        os.close(self.folders._lock)
        self.folders = Folders(self.data_dir)
        self.folders.open()

    def test_short(self):
        run = self.folders.run
        self.assertEqual(run.parent, self.temporary)
        self.assertEqual(mode_of(run), 0o700)
        self.assertEqual(Path(os.readlink(self.link)), run)
        self.assertEqual(self.folders.make("s1", {}), run / "s1")

    def test_found_again(self):
        run = self.folders.run
        self.folders.make("s1", {})
        self.again()
        self.assertEqual(self.folders.run, run)
        self.folders.clear()
        self.assertEqual(list(run.iterdir()), [])
        self.assertEqual(list(self.temporary.iterdir()), [run])

    def test_removed_at_the_end(self):
        self.folders.close()
        self.assertEqual(list(self.temporary.iterdir()), [])
        self.assertFalse(self.link.is_symlink())

    def test_found_again_where_there_was_no_time_for_it(self):
        run = self.folders.run
        self.folders.make("s1", {})
        self.folders.hurry(-1)
        self.folders.close()
        self.folders.open()
        self.assertEqual(self.folders.run, run)
        self.folders.clear()
        self.assertEqual(list(run.iterdir()), [])

    def test_cleaned_up_by_somebody(self):
        run = self.folders.run
        run.rmdir()
        self.again()
        self.assertNotEqual(self.folders.run, run)
        self.assertTrue(self.folders.run.is_dir())

    def test_cleaned_up_while_it_is_in_use(self):
        run = self.folders.run
        run.rmdir()
        folder = self.folders.make("s1", {})
        self.assertEqual(folder.parent, self.folders.run)
        self.assertEqual(mode_of(folder.parent), 0o700)
        self.assertNotEqual(folder.parent, run)

    def test_no_room_where_sockets_are(self):
        real = os.statvfs

        def full(path):
            status = real(path)
            if path != self.folders.run:
                return status
            return os.statvfs_result([0 if i == 4 else value for i, value in enumerate(status)])

        with self.patch(os, "statvfs", full):
            (told,) = self.folders.troubles()
        self.assertIn(f"{self.folders.run} is full", told)

    def test_others_cannot_offer_a_folder(self):
        run = self.folders.run
        outside = self.temporary / "outside"
        outside.mkdir(mode=0o700)
        (outside / "precious").write_text("")

        def by_link():
            run.symlink_to(outside)

        def for_all():
            run.mkdir()
            run.chmod(0o777)

        def of_another():
            run.mkdir(mode=0o700)
            os.chown(run, 4321, -1)

        run.rmdir()
        for offer in (by_link, for_all, of_another):
            if offer is of_another and os.geteuid():
                continue
            offer()
            self.again()
            self.assertNotEqual(self.folders.run, run)
            run.unlink() if run.is_symlink() else run.rmdir()
            self.folders.close()
            self.folders.open()
            self.link.unlink()
            self.link.symlink_to(run)
        self.assertTrue((outside / "precious").exists())

    def test_link_to_something_else(self):
        """Even an own folder is not taken, and so not cleared, where it is not made for this."""
        outside = self.temporary / "outside"
        outside.mkdir(mode=0o700)
        self.link.unlink()
        self.link.symlink_to(outside)
        self.again()
        self.assertNotEqual(self.folders.run, outside)
        self.assertTrue(outside.exists())

    def test_folder_of_before_the_move(self):
        self.folders.close()
        self.link.mkdir()
        (self.link / "left").write_text("")
        self.folders.open()
        self.assertTrue(self.link.is_symlink())

    def test_temporary_folder_too_long(self):
        self.folders.close()
        self.patch(tempfile, "gettempdir", lambda: str(self.temporary / "long"))
        self.folders.open()
        self.assertEqual(self.folders.run.parent, Path("/tmp"))
