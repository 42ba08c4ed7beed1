"""Programs and folders are looked at before anybody has clicked."""

import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.process.program_check import folder_troubles, path_of, troubles_of


class FolderCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def program(self, name: str, mode: int = 0o755) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
        return path

    def troubles(self, *command: str, path: str | None = None, **keys: Any) -> list[str]:
        profile = Profile(name="a", command=command, **keys)
        return troubles_of(profile, str(self.folder) if path is None else path)


class ProgramTests(FolderCase):
    def assert_trouble(self, found: list[str], *words: str) -> None:
        (trouble,) = found
        for word in words:
            self.assertIn(word, trouble)

    def test_all_is_well(self) -> None:
        path = self.program("lab")
        self.assertEqual(self.troubles("lab", "--sock={socket}"), [])
        self.assertEqual(self.troubles(str(path)), [])
        (self.folder / "link").symlink_to(path)
        self.assertEqual(self.troubles(str(self.folder / "link")), [])

    def test_none(self) -> None:
        self.assert_trouble(self.troubles(), "there is no program")
        self.assert_trouble(self.troubles(""), "there is no program")

    def test_not_in_path(self) -> None:
        self.program("text", 0o644)
        for name in ("lab", "text"):
            self.assert_trouble(
                self.troubles(name), f"no program {name} in PATH ({self.folder})", "install"
            )
        self.assert_trouble(self.troubles("sh", path=""), "no program sh in PATH ()")

    def test_the_profiles_own_path(self) -> None:
        own = self.program("bin/lab").parent
        self.assertEqual(self.troubles("lab", env={"PATH": f"/none:{own}"}), [])
        self.assert_trouble(self.troubles("lab", env={"PATH": "/none"}), "PATH (/none)")
        # It is not known before somebody starts it.
        self.assert_trouble(self.troubles("lab", env={"PATH": "/h/{user}"}), str(self.folder))
        self.assertEqual(path_of(Profile(env={"PATH": ""}), "/usr/bin"), "/usr/bin")

    def test_at_a_path(self) -> None:
        missing = self.folder / "none"
        self.assert_trouble(self.troubles(str(missing)), f"no program {missing}: install it")
        self.assert_trouble(self.troubles(str(self.folder)), "is a folder and no program")
        text = self.program("text", 0o644)
        self.assert_trouble(self.troubles(str(text)), f"{text} is not executable: chmod +x")

    def test_below_what_is_no_folder(self) -> None:
        path = self.program("lab") / "lab"
        self.assert_trouble(self.troubles(str(path)), "can't be reached: Not a directory")

    def test_no_path_at_all(self) -> None:
        self.assert_trouble(self.troubles("/a\0b"), "can't be reached: its name is no path")
        self.assert_trouble(self.troubles("/" + "a" * 5000), "File name too long")

    def test_known_only_when_it_starts(self) -> None:
        # In the home of whoever starts it.
        for name in ("bin/lab", "./lab", "../lab"):
            self.assertEqual(self.troubles(name), [])
        self.assertEqual(self.troubles("/opt/{options.version}/lab"), [])
        self.assertEqual(self.troubles("{username}"), [])
        self.assert_trouble(self.troubles("/opt/{version}/lab"), "no program /opt/{version}/lab")


class FolderTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.closed: set[Path] = set()

        def access(path: Path, mode: int) -> bool:
            self.assertEqual(mode, os.W_OK | os.X_OK)
            return path not in self.closed

        # root, who may run the tests, may write everywhere.
        self.patch(os, "access", access)

    def test_writable(self) -> None:
        self.assertEqual(folder_troubles(self.folder), [])
        self.assertEqual(folder_troubles(self.folder / "var" / "lib"), [])

    def test_not_writable(self) -> None:
        self.closed.add(self.folder)
        (trouble,) = folder_troubles(self.folder)
        self.assertTrue(
            trouble.startswith(f"{self.folder} is not writable for the user who asks: ")
        )
        (trouble,) = folder_troubles(self.folder / "var" / "lib")
        self.assertIn(f"{self.folder} is not writable", trouble)
        self.assertIn(f"so {self.folder}/var/lib can't be made", trouble)

    def test_no_folder(self) -> None:
        path = self.program("var")
        (trouble,) = folder_troubles(path)
        self.assertIn(f"{path} is no folder", trouble)
        (trouble,) = folder_troubles(path / "lib")
        self.assertIn(str(path), trouble)

    def test_not_to_be_reached(self) -> None:
        (trouble,) = folder_troubles(self.folder / ("a" * 5000))
        self.assertIn("can't be reached: File name too long", trouble)
