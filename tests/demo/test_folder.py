"""The demo's folder: private, its own, one demo at a time."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.folder import DemoError, DemoFolder, write_whole
from tests.demo.place import mode_of, new_folder


class FolderTests(SynchronousTestCase):
    def setUp(self):
        self.path = new_folder(self)

    def open(self):
        folder = DemoFolder(self.path)
        self.addCleanup(folder.close)
        return folder

    def refused(self):
        return str(self.assertRaises(DemoError, DemoFolder, self.path))

    def test_new(self):
        self.open()
        self.assertEqual(mode_of(self.path), 0o700)

    def test_relative_path(self):
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.path.parent)
        folder = DemoFolder(Path("d"))
        self.addCleanup(folder.close)
        os.chdir(here)
        self.assertEqual(folder.path, self.path)

    def test_empty_folder_becomes_private(self):
        self.path.mkdir(mode=0o755)
        self.path.chmod(0o755)
        self.open()
        self.assertEqual(mode_of(self.path), 0o700)

    def test_what_is_kept(self):
        first = DemoFolder(self.path)
        secret, family = first.id_secret(), first.family
        first.close()
        second = self.open()
        self.assertEqual((second.id_secret(), second.family), (secret, family))
        self.assertEqual(mode_of(second.id_secret_file), 0o600)
        self.assertNotIn(secret, repr(second))

    def test_two_folders_have_nothing_in_common(self):
        first = self.open()
        self.path = new_folder(self)
        second = self.open()
        self.assertNotEqual(first.family, second.family)
        self.assertNotEqual(first.id_secret(), second.id_secret())

    def test_a_secret_fits_galaxys_cipher(self):
        self.assertTrue(4 <= len(self.open().id_secret().encode()) <= 56)

    def test_damaged_mark_is_renewed(self):
        first = DemoFolder(self.path)
        first.close()
        (self.path / ".giestack-demo").write_bytes(b"x" * 100)
        self.assertRegex(self.open().family, "^[0-9a-f]{32}$")

    def test_one_demo_at_a_time(self):
        folder = self.open()
        self.assertEqual(self.refused(), f"another demo is running in {self.path}")
        self.assertEqual(mode_of(folder.path), 0o700)

    def test_free_again(self):
        DemoFolder(self.path).close()
        self.open()

    def test_folder_with_other_things(self):
        self.path.mkdir(mode=0o755)
        self.path.chmod(0o755)
        (self.path / "thesis.tex").touch()
        self.assertIn("holds other things", self.refused())
        self.assertEqual(mode_of(self.path), 0o755)
        self.assertEqual([file.name for file in self.path.iterdir()], ["thesis.tex"])

    def test_no_folder_at_all(self):
        self.path.write_text("a file")
        self.assertIn("File exists", self.refused())

    def test_path_that_no_database_url_can_hold(self):
        self.path = self.path.parent / "what?"
        self.assertIn("cannot hold a '?'", self.refused())
        self.assertFalse(self.path.exists())

    def test_another_users_folder(self):
        self.path.mkdir()
        self.patch(os, "geteuid", lambda: self.path.stat().st_uid + 1)
        self.assertIn("belongs to another user", self.refused())

    def test_mark_that_leads_elsewhere(self):
        self.path.mkdir()
        elsewhere = self.path.with_name("elsewhere")
        elsewhere.write_text("precious")
        (self.path / ".giestack-demo").symlink_to(elsewhere)
        self.assertIn("cannot use", self.refused())
        self.assertEqual(elsewhere.read_text(), "precious")

    def test_full_disk(self):
        def full(*arguments):
            raise OSError(28, "No space left on device")

        self.patch(os, "pwrite", full)
        self.assertIn("No space left", self.refused())
        self.patch(os, "pwrite", lambda *arguments: 32)
        self.open()

    def test_chmod_fails(self):
        self.path.mkdir(mode=0o755)
        self.path.chmod(0o755)

        def refuse(*arguments):
            raise OSError(30, "Read-only file system")

        self.patch(os, "chmod", refuse)
        self.assertIn("Read-only", self.refused())

    def test_unreadable_secret(self):
        folder = self.open()
        folder.id_secret_file.mkdir()
        error = self.assertRaises(DemoError, folder.id_secret)
        self.assertIn(str(folder.id_secret_file), str(error))


class WriteWholeTests(SynchronousTestCase):
    def test_replaces_file_and_what_was_cut_off(self):
        folder = new_folder(self)
        folder.mkdir()
        path = folder / "file"
        path.write_text("old")
        (folder / "file.new").write_text("ha")
        write_whole(path, "new")
        self.assertEqual(path.read_text(), "new")
        self.assertEqual(mode_of(path), 0o600)
        self.assertEqual([file.name for file in folder.iterdir()], ["file"])
