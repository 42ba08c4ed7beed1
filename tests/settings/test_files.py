"""Finding and reading real files."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings import files
from giestack.settings.files import find_config, load
from giestack.settings.problems import SettingsError


class FileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def write(self, name: str, text: str = "") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


class PlacesTests(SynchronousTestCase):
    def test_places(self) -> None:
        self.assertEqual(files.PLACES, ("./giestack.yml", "/etc/giestack/giestack.yml"))


class FindConfigTests(FileCase):
    def setUp(self) -> None:
        super().setUp()
        self.etc = self.folder / "etc" / "giestack.yml"
        self.patch(files, "PLACES", ("./giestack.yml", str(self.etc)))

    def test_order(self) -> None:
        self.assert_none()
        self.write("etc/giestack.yml")
        self.assertEqual(find_config(None, {}, self.folder), self.etc)
        here = self.write("giestack.yml")
        self.assertEqual(find_config(None, {}, self.folder), here)
        environ = {"GIESTACK_CONFIG": "named.yml"}
        named = self.folder / "named.yml"
        self.assertEqual(find_config(None, environ, self.folder), named)
        self.assertEqual(find_config("/x.yml", environ, self.folder), Path("/x.yml"))
        self.assertEqual(find_config("", {"GIESTACK_CONFIG": ""}, self.folder), here)

    def test_one_that_is_out_of_reach_is_not_passed_over(self) -> None:
        self.write("etc/giestack.yml")
        here = self.folder / "giestack.yml"
        here.symlink_to("/not/mounted/giestack.yml")
        self.assertEqual(find_config(None, {}, self.folder), here)
        here.unlink()
        here.symlink_to(here.name)
        self.assertEqual(find_config(None, {}, self.folder), here)
        self.patch(files, "PLACES", (f"{'n' * 300}/giestack.yml", str(self.etc)))
        self.assertEqual(find_config(None, {}, self.folder).parent.name, "n" * 300)

    def assert_none(self) -> None:
        with self.assertRaises(SettingsError) as caught:
            find_config(None, {}, self.folder)
        text = str(caught.exception)
        for word in ("--config", "$GIESTACK_CONFIG", "./giestack.yml", str(self.etc), "--demo"):
            self.assertIn(word, text)


class LoadTests(FileCase):
    def assert_refused(self, path: Path | None, text: str) -> None:
        with self.assertRaises(SettingsError) as caught:
            load(path, {}, self.folder)
        self.assertEqual(str(caught.exception), text)

    def test_everything_is_relative_to_the_file(self) -> None:
        self.write("config/galaxy.yml", "galaxy: {admin_users: a@b.c}")
        self.write("conf/key", "s3cret-key\n")
        path = self.write(
            "conf/giestack.yml",
            "galaxy: {config_file: ../config/galaxy.yml, id_secret: 'file:key'}\n"
            "admin: {token: '${TOKEN}'}",
        )
        for named in (path, Path("conf/giestack.yml")):
            found = load(named, {"TOKEN": "t"}, self.folder).settings
            self.assertEqual(found.galaxy.id_secret, "s3cret-key")
            self.assertEqual(found.galaxy.admin_users, ("a@b.c",))
            self.assertEqual(found.admin.token, "t")
            self.assertEqual(found.data_dir, self.folder / "conf" / "var")

    def test_files_that_must_be_there(self) -> None:
        self.write("ca.pem")
        path = self.write("g.yml", "galaxy: {ca_file: ca.pem}")
        self.assertEqual(
            load(path, {}, self.folder).settings.galaxy.ca_file, self.folder / "ca.pem"
        )
        long = "x" * 5000
        path = self.write("g.yml", f"galaxy: {{ca_file: {long}}}")
        self.assert_refused(path, f"galaxy.ca_file: there is no file {self.folder / long} (line 1)")

    def test_only_the_command_line(self) -> None:
        found = load(None, {}, self.folder, {"proxy.listen": ["tcp:1"]}).settings
        self.assertEqual((found.proxy.listen, found.data_dir), (("tcp:1",), self.folder / "var"))

    def test_unreadable(self) -> None:
        path = self.folder / "no.yml"
        self.assert_refused(path, f"{path}: cannot be read: No such file or directory")
        self.assert_refused(self.folder, f"{self.folder}: cannot be read: Is a directory")
        path.write_bytes(b"instance: \xff")
        self.assert_refused(path, f"{path}: cannot be read: it is no UTF-8 text")

    def test_too_large(self) -> None:
        self.patch(files, "LARGEST", 10)
        path = self.write("g.yml", "instance: abc")
        self.assert_refused(path, f"{path}: cannot be read: it is larger than 10 bytes")

    def test_problems_of_the_whole_file_have_its_name(self) -> None:
        path = self.write("g.yml", "- a")
        with self.assertRaises(SettingsError) as caught:
            load(path, {}, self.folder)
        self.assertTrue(str(caught.exception).startswith(f"{path}: the file must hold"))

    def test_a_folder_that_may_not_be_looked_into(self) -> None:
        def forbidden(path: Path) -> bool:
            raise PermissionError(13, "Permission denied")

        path = self.write("g.yml", "galaxy: {ca_file: ca.pem}")
        self.patch(Path, "is_file", forbidden)
        with self.assertRaises(SettingsError) as caught:
            load(path, dict(os.environ), self.folder)
        self.assertIn("there is no file", str(caught.exception))
