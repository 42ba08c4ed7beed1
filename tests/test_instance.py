"""The name of a giestack: configured, or made once and kept."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.instance import instance_name


class InstanceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_as_configured(self) -> None:
        self.assertEqual(instance_name("site", self.folder), "site")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_made_once_and_kept(self) -> None:
        name = instance_name(None, self.folder)
        self.assertRegex(name, "^[0-9a-f]{12}$")
        self.assertEqual(instance_name(None, self.folder), name)
        self.assertEqual([file.name for file in self.folder.iterdir()], ["instance"])

    def test_two_that_make_it_at_once_agree(self) -> None:
        file = self.folder / "instance"
        exists = Path.exists

        def lost_race(path: Path) -> bool:
            there = exists(path)
            file.write_text("0123456789ab\n")
            return there

        self.patch(Path, "exists", lost_race)
        self.assertEqual(instance_name(None, self.folder), "0123456789ab")

    def test_a_damaged_file_is_named(self) -> None:
        (self.folder / "instance").write_bytes(b"\xff../../")
        error = self.assertRaises(ValueError, instance_name, None, self.folder)
        self.assertIn("instance is damaged", str(error))

    def test_a_folder_that_is_not_there(self) -> None:
        self.assertRaises(OSError, instance_name, None, self.folder / "none")
