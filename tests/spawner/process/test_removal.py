"""Whatever somebody has put into a folder: it goes."""

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.process.removal import remove
from tests.demo.place import new_folder


class RemoveTests(SynchronousTestCase):
    def setUp(self):
        self.above = new_folder(self)
        self.above.mkdir()
        self.outside = self.above / "outside"
        self.outside.mkdir()
        (self.outside / "precious").write_text("")
        self.folder = self.above / "folder"
        self.folder.mkdir()

    def assert_gone(self, path=None):
        remove(path or self.folder)
        self.assertEqual(list(self.above.iterdir()), [self.outside])
        self.assertEqual([path.name for path in self.outside.iterdir()], ["precious"])

    def deepen(self, levels):
        """Make folders within each other; a path of them would be too long for a system call."""
        at = os.open(self.folder, os.O_RDONLY)
        for _ in range(levels):
            os.mkdir("d", dir_fd=at)
            below = os.open("d", os.O_RDONLY, dir_fd=at)
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=below))
            os.close(at)
            at = below
        os.close(at)

    def test_nothing(self):
        self.folder.rmdir()
        self.assert_gone()

    def test_all_sorts(self):
        deep = self.folder / "a" / "b"
        deep.mkdir(parents=True)
        (deep / "file").write_text("")
        (deep / "link").symlink_to(self.outside)
        (self.folder / "link").symlink_to(self.outside)
        (self.folder / "broken").symlink_to("nowhere")
        os.mkfifo(self.folder / "pipe")
        (self.folder / os.fsdecode(b"\xff\n")).write_text("")
        self.assert_gone()

    def test_not_a_folder(self):
        self.folder.rmdir()
        for make in (
            lambda: self.folder.write_text(""),
            lambda: self.folder.symlink_to(self.outside),
            lambda: os.mkfifo(self.folder),
        ):
            make()
            self.assert_gone()

    def test_deeper_than_any_stack_or_path(self):
        self.deepen(3000)
        self.assert_gone()

    def test_few_files_are_open(self):
        """One who runs out of them could serve nobody."""
        self.deepen(100)
        files, most = set(), 0
        really_open, really_close = os.open, os.close

        def opened(*args, **named):
            nonlocal most
            files.add(number := really_open(*args, **named))
            most = max(most, len(files))
            return number

        def closed(number):
            files.discard(number)
            really_close(number)

        self.patch(os, "open", opened)
        self.patch(os, "close", closed)
        self.assert_gone()
        self.assertEqual(files, set())
        self.assertLessEqual(most, 4)

    def test_names_like_ours(self):
        for number in range(3):
            (self.folder / f"{number}.up").write_text("")
            (self.folder / f"{number + 3}.up").mkdir()
            (self.folder / f"{number + 3}.up" / "file").write_text("")
        self.deepen(3)
        self.assert_gone()

    def test_closed_up(self):
        """A program took away its own right to a folder: root would not notice, others do."""
        deep = self.folder / "a" / "b" / "c"
        deep.mkdir(parents=True)
        for path in (deep, deep.parent, deep.parent.parent, self.folder):
            path.chmod(0)
        real_open, real_rename = os.open, os.rename

        def may(name, at):
            return stat.S_IMODE(os.stat(name, dir_fd=at).st_mode) & 0o700 == 0o700

        def checked_open(name, flags, dir_fd=None):
            self.assertTrue(may(name, dir_fd))
            return real_open(name, flags, dir_fd=dir_fd)

        def checked_rename(name, new, src_dir_fd, dst_dir_fd):
            self.assertTrue(may(name, src_dir_fd))
            real_rename(name, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

        self.patch(os, "open", checked_open)
        self.patch(os, "rename", checked_rename)
        self.assert_gone()

    def test_what_stays(self):
        """A mount point, say: all the rest goes, and that it stays is said."""
        (self.folder / "a" / "stays").mkdir(parents=True)
        self.deepen(5)
        real = os.rename

        def refuse(name, new, **at):
            if name == "stays":
                raise OSError(16, "Device or resource busy", name)
            real(name, new, **at)

        with self.patch(os, "rename", refuse):
            error = self.assertRaises(OSError, remove, self.folder)
        self.assertEqual((error.filename, error.strerror), (str(self.folder), os.strerror(39)))
        self.assertEqual(sorted(path.name for path in self.folder.rglob("*")), ["a", "stays"])
        self.assert_gone()

    def test_until_it_is_late(self):
        self.deepen(20)
        answers = iter([False] * 7 + [True] * 100)
        error = self.assertRaises(OSError, remove, self.folder, lambda: next(answers))
        self.assertEqual(error.strerror, "there is no time for it")
        self.assertTrue(any(self.folder.iterdir()))
        self.assertGreater(len(list(answers)), 60)
        self.assert_gone()

    def test_nothing_can_be_removed(self):
        (self.folder / "file").write_text("")

        def refuse(name, **at):
            raise PermissionError(1, "Operation not permitted", name)

        with self.patch(os, "unlink", refuse):
            error = self.assertRaises(OSError, remove, self.folder)
        self.assertEqual(error.strerror, "Operation not permitted")
        self.assert_gone()

    def test_somebody_else_is_quicker(self):
        (self.folder / "file").write_text("")
        (self.folder / "other").mkdir()
        real_unlink, real_rmdir = os.unlink, os.rmdir

        def unlink(name, **at):
            real_unlink(name, **at)
            raise FileNotFoundError(2, "No such file or directory", name)

        def rmdir(name, **at):
            real_rmdir(name, **at)
            raise FileNotFoundError(2, "No such file or directory", name)

        self.patch(os, "unlink", unlink)
        self.patch(os, "rmdir", rmdir)
        self.assert_gone(Path(self.folder))
