"""Where Galaxy has its root and its data."""

from collections.abc import Mapping

from .test_galaxy_defaults import GalaxyCase
from .world import settings


class FolderTests(GalaxyCase):
    def database(
        self,
        options: str,
        gravity: str = "",
        environ: Mapping[str, str] | None = None,
        files: tuple[str, ...] = (),
    ) -> str | None:
        loaded = self.load(options, gravity=gravity, environ=environ, files=files)
        return loaded.galaxy.database_connection

    def test_data_dir(self) -> None:
        for options, gravity, path in (
            ("data_dir: /data", "", "/data"),
            ("data_dir: var", "", "/srv/galaxy/var"),
            ("data_dir: var, root_dir: /opt/g", "", "/opt/g/var"),
            ("root_dir: ../server", "", "/srv/galaxy/config/../server/database"),
            ("", "{galaxy_root: /opt/g}", "/opt/g/database"),
        ):
            expected = f"sqlite:///{path}/universe.sqlite"
            self.assertEqual(self.database(options, gravity), expected, options)

    def test_root_from_the_environment(self) -> None:
        found = self.database("", environ={"GALAXY_ROOT_DIR": "/opt/g"})
        self.assertEqual(found, "sqlite:////opt/g/database/universe.sqlite")

    def test_root_of_a_checkout(self) -> None:
        found = self.database("", files=("/srv/galaxy/config/lib/galaxy/__init__.py",))
        self.assertEqual(found, "sqlite:////srv/galaxy/config/database/universe.sqlite")
        found = self.database("", files=("/srv/galaxy/lib/galaxy/__init__.py",))
        self.assertEqual(found, "sqlite:////srv/galaxy/database/universe.sqlite")

    def test_file_in_the_root(self) -> None:
        files = {"/srv/galaxy/galaxy.ini": "[app:main]\nid_secret = abcd\n"}
        found = settings("galaxy: {config_file: /srv/galaxy/galaxy.ini}", files).galaxy
        connection = "sqlite:////srv/galaxy/database/universe.sqlite"
        self.assertEqual(found.database_connection, connection)

    def test_installed_package(self) -> None:
        found = self.database("", files=("/srv/galaxy/config/data/universe.sqlite",))
        self.assertEqual(found, "sqlite:////srv/galaxy/config/data/universe.sqlite")
