"""What a program has made in one home is made in another, where nothing is there."""

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker import carrying
from giestack.spawner.docker.carrying import carry, made_since, put_files
from giestack.spawner.docker.mounts import FOLDER, Refused
from tests.demo.place import new_folder
from tests.spawner.docker.contained import alone

OWNER = 1234


class Folders(SynchronousTestCase):
    def setUp(self):
        self.folder = new_folder(self)
        self.folder.mkdir()
        os.chmod(self.folder.parent, 0o755)
        umask = os.umask(0)
        self.addCleanup(os.umask, umask)
        self.old, self.new, self.image = (self.folder / each for each in ("old", "new", "image"))
        for each in (self.old, self.new, self.image):
            each.mkdir(0o755)
            os.chown(each, OWNER, OWNER)

    def opened(self, path):
        number = os.open(path, FOLDER)
        self.addCleanup(os.close, number)
        return number

    def put(self, path, text=None, mode=0o644):
        """Make a file or (no text) folder, as its owner would."""
        if text is None:
            path.mkdir()
        else:
            path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        os.chown(path, OWNER, OWNER)

    def made(self):
        return made_since(self.opened(self.old), self.opened(self.image))

    def carry(self, made=None):
        made = self.made() if made is None else made
        alone(carry, made, self.opened(self.old), self.opened(self.new))

    def names(self):
        return sorted(str(each.relative_to(self.new)) for each in self.new.rglob("*"))


class MadeSinceTests(Folders):
    def test_nothing(self):
        self.assertEqual(list(self.made()), [])

    def test_only_what_the_image_does_not_have(self):
        for each in (self.old, self.image):
            self.put(each / "config")
            self.put(each / "config/known", "1")
        self.put(self.old / "config/new", "2", 0o600)
        self.put(self.old / "run", mode=0o700)
        self.put(self.old / "run/pid", "3")
        self.assertEqual(
            self.made(),
            [
                ("config/new", False, 0o600, OWNER, OWNER),
                ("run", True, 0o700, OWNER, OWNER),
                ("run/pid", False, 0o644, OWNER, OWNER),
            ],
        )

    def test_parents_come_first(self):
        self.put(self.old / "a")
        self.put(self.old / "a/b")
        self.put(self.old / "a/b/c")
        self.put(self.old / "a-b", "")
        paths = [one[0] for one in self.made()]
        self.assertTrue(
            all(os.path.dirname(one) in ["", *paths[:at]] for at, one in enumerate(paths))
        )

    def test_neither_links_nor_pipes(self):
        (self.old / "link").symlink_to("/etc")
        os.mkfifo(self.old / "pipe")
        (self.old / "pipe2").symlink_to("pipe")
        self.assertEqual(list(self.made()), [])

    def test_a_link_in_the_image_is_not_followed(self):
        (self.image / "sub").symlink_to(self.folder / "old/sub")
        self.put(self.old / "sub")
        self.put(self.old / "sub/file", "")
        self.assertEqual([one[0] for one in self.made()], ["sub/file"])

    def test_names_that_are_no_text(self):
        (self.old / os.fsdecode(b"\xff")).touch()
        self.assertEqual([one[0] for one in self.made()], ["\udcff"])

    def test_too_many(self):
        self.patch(carrying, "_MOST_MADE", 3)
        for number in range(4):
            self.put(self.old / str(number), "")
        with self.assertRaises(Refused) as caught:
            self.made()
        self.assertEqual(caught.exception.reason, "unfit")

    def test_an_image_that_is_too_full_to_compare(self):
        self.patch(carrying, "_MOST_SEEN", 3)
        for number in range(4):
            for each in (self.old, self.image):
                self.put(each / str(number), "")
        self.assertRaises(Refused, self.made)

    def test_a_large_file(self):
        self.put(self.old / "large", "x" * 1024**2)
        self.assertEqual(len(self.made()), 1)
        self.put(self.old / "larger", "x" * (1024**2 + 1))
        self.assertRaises(Refused, self.made)


class CarryTests(Folders):
    def test_folders_and_files(self):
        self.put(self.old / "run", mode=0o700)
        self.put(self.old / "run/pid", "17", 0o600)
        self.carry()
        self.assertEqual(self.names(), ["run", "run/pid"])
        self.assertEqual((self.new / "run/pid").read_text(), "17")
        for path, mode in (("run", 0o700), ("run/pid", 0o600)):
            about = (self.new / path).stat()
            self.assertEqual(
                (stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid), (mode, OWNER, OWNER)
            )

    def test_what_is_there_stays(self):
        self.put(self.old / "run")
        self.put(self.old / "run/pid", "17")
        self.put(self.old / "key", "of the slot")
        self.put(self.new / "run", mode=0o711)
        self.put(self.new / "key", "of the person")
        self.carry()
        self.assertEqual(self.names(), ["key", "run", "run/pid"])
        self.assertEqual((self.new / "key").read_text(), "of the person")
        self.assertEqual(stat.S_IMODE((self.new / "run").stat().st_mode), 0o711)

    def test_links_of_the_person_lead_nowhere(self):
        outside = self.folder / "outside"
        self.put(outside)
        for name in ("run", "key", "deep"):
            (self.new / name).symlink_to(outside if name != "key" else outside / "key")
        self.put(self.old / "run")
        self.put(self.old / "run/pid", "17")
        self.put(self.old / "key", "x")
        self.put(self.old / "deep")
        self.put(self.old / "deep/deeper")
        self.carry()
        self.assertEqual(list(outside.iterdir()), [])
        self.assertEqual(self.names(), ["deep", "key", "run"])

    def test_a_file_of_the_person_where_a_folder_would_be(self):
        self.put(self.new / "run", "mine")
        self.put(self.old / "run")
        self.put(self.old / "run/pid", "17")
        self.carry()
        self.assertEqual(self.names(), ["run"])

    def test_done_with_the_rights_of_the_owner(self):
        # A home that its person may not write in stays as it is, as if the program had tried.
        os.chown(self.new, 0, 0)
        self.put(self.old / "run")
        self.carry()
        self.assertEqual(self.names(), [])

    def test_what_was_told_is_not_believed(self):
        self.put(self.folder / "secret", "of somebody else")
        (self.old / "key").symlink_to("../secret")
        self.carry([("key", False, 0o644, OWNER, OWNER), ("../x", True, 0o755, OWNER, OWNER)])
        self.assertEqual(self.names(), ["x"])
        self.assertFalse((self.folder / "x").exists())

    def test_a_full_disk_is_a_failure(self):
        def full(*_, **__):
            raise OSError(28, "No space left on device")

        self.put(self.old / "run")
        made = self.made()
        self.patch(os, "mkdir", full)
        self.assertRaises(OSError, self.carry, made)
        self.assertEqual(os.geteuid(), 0)


class PutFilesTests(Folders):
    def test_readable_for_all(self):
        put_files(self.opened(self.new), {"TOKEN": "s3cret\n", "other": "ü\udcff"})
        self.assertEqual((self.new / "TOKEN").read_bytes(), b"s3cret\n")
        self.assertEqual(
            (self.new / "other").read_bytes(), "ü\udcff".encode("utf-8", "surrogatepass")
        )
        self.assertEqual(stat.S_IMODE((self.new / "TOKEN").stat().st_mode), 0o444)
        self.assertEqual(self.names(), ["TOKEN", "other"])

    def test_planted_links_are_replaced(self):
        precious = self.folder / "shadow"
        precious.write_text("precious")
        (self.new / "TOKEN").symlink_to(precious)
        os.link(precious, self.new / "other")
        put_files(self.opened(self.new), {"TOKEN": "1", "other": "2"})
        self.assertEqual(precious.read_text(), "precious")
        self.assertFalse((self.new / "TOKEN").is_symlink())
        self.assertEqual((self.new / "other").read_text(), "2")

    def test_a_planted_pipe_is_not_waited_for(self):
        os.mkfifo(self.new / "TOKEN")
        put_files(self.opened(self.new), {"TOKEN": "1"})
        self.assertEqual((self.new / "TOKEN").read_text(), "1")

    def test_a_planted_folder_is_a_failure(self):
        (self.new / "TOKEN").mkdir()
        self.assertRaises(OSError, put_files, self.opened(self.new), {"TOKEN": "1"})

    def test_names_stay_in_the_folder(self):
        for name in ("../x", "a/b", "", ".", ".."):
            self.assertRaises(ValueError, put_files, self.opened(self.new), {name: "1"})
        self.assertEqual(self.names(), [])
