"""The demo's configuration, read by the ordinary reader."""

from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import ask, open_engine
from giestack.demo.opening import open_demo
from giestack.demo.settings import demo_settings
from giestack.identity.galaxy import owners_by_id
from giestack.settings.load import parse
from giestack.settings.reading import World
from tests.demo.place import NOW, new_folder


class SettingsTests(SynchronousTestCase):
    def load(self, path, port=8800):
        demo = open_demo(path, lambda: NOW)
        self.addCleanup(demo.folder.close)
        world = World(
            demo.folder.path, {}, lambda file: file.read_text(encoding="utf-8"), Path.is_file
        )
        loaded = parse(yaml.safe_dump(demo_settings(port)), world)
        self.assertEqual(loaded.warnings, ())
        return demo, loaded.settings

    def test_leads_to_the_demo(self):
        demo, settings = self.load(new_folder(self))
        self.assertEqual(settings.galaxy.id_secret, demo.folder.id_secret())
        self.assertEqual(settings.galaxy.database_connection, f"sqlite:///{demo.folder.database}")
        self.assertEqual(settings.galaxy.admin_users, ("admin@example.org",))
        (session_map,) = settings.proxy.session_maps
        self.assertEqual(session_map.path, demo.folder.session_map)
        self.assertEqual(settings.data_dir, demo.folder.path / "var")
        self.assertEqual(settings.proxy.interactivetools_auth, "owner")

    def test_folder_with_odd_characters(self):
        path = new_folder(self).parent / "my dé#mo+1 & more"
        demo, settings = self.load(path)
        self.assertEqual(settings.galaxy.id_secret, demo.folder.id_secret())
        self.assertEqual(settings.proxy.session_maps[0].path, demo.folder.session_map)
        engine = open_engine(settings.galaxy.database_connection)
        self.addCleanup(engine.dispose)
        self.assertEqual(ask(engine, owners_by_id, [1]), {})

    def test_one_port_of_this_machine(self):
        _, settings = self.load(new_folder(self), 8900)
        self.assertEqual(settings.proxy.listen, ("tcp:8900:interface=127.0.0.1",))
        self.assertEqual(settings.admin.listen, ())
        self.assertIsNone(settings.chat)
        self.assertEqual(settings.galaxy.url, "http://127.0.0.1:8900/")

    def test_holds_no_secret(self):
        self.assertEqual(demo_settings()["galaxy"]["id_secret"], "file:id_secret")
