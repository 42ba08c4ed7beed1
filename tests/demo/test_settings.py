"""The demo's configuration, read by the ordinary reader."""

import os
import site
from pathlib import Path

import yaml
from jupyterlab import labapp
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import ask, open_engine
from giestack.demo import lab
from giestack.demo import settings as settings_module
from giestack.demo.docker_probe import Containers
from giestack.demo.image.recipe import LAB
from giestack.demo.opening import open_demo
from giestack.demo.settings import demo_settings
from giestack.demo_assembly import flat
from giestack.identity.galaxy import owners_by_id
from giestack.settings.files import load
from giestack.settings.load import parse
from giestack.settings.reading import World
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.slots import why_cold
from giestack.spawner.options import options_of
from giestack.spawner.process.program_check import troubles_of
from giestack.spawner.templates import fill
from tests.demo.place import NOW, new_folder


class SettingsTests(SynchronousTestCase):
    def parse(self, path, *given):
        demo = open_demo(path, lambda: NOW)
        self.addCleanup(demo.folder.close)
        world = World(
            demo.folder.path, {}, lambda file: file.read_text(encoding="utf-8"), Path.is_file
        )
        return demo, parse(yaml.safe_dump(demo_settings(*given)), world)

    def load(self, path, port=8800):
        demo, loaded = self.parse(path, port)
        (warning,) = loaded.warnings
        self.assertEqual(warning.path, "spawner.engines[0].docker_host")
        self.assertIn("no isolation", warning.text)
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
        assert settings.chat is not None
        self.assertEqual(settings.chat.listen, ())
        self.assertEqual(settings.galaxy.url, "http://127.0.0.1:8900/")

    def test_starts_jupyterlab_as_a_process(self):
        _, settings = self.load(new_folder(self))
        self.assertEqual([engine.is_process for engine in settings.spawner.engines], [True])
        (profile,) = settings.spawner.profiles
        self.assertEqual((profile.name, profile.title), ("jupyter", "JupyterLab"))
        self.assertEqual(troubles_of(profile, ""), [])
        interface, terminals = options_of(profile.options)
        self.assertEqual((interface.default, terminals.default), ("lab", True))

    def in_containers(self, containers):
        _, loaded = self.parse(new_folder(self), 8800, containers)
        # Whoever chooses otherwise waits a little longer; a far engine publishes where others are.
        paths = {warning.path for warning in loaded.warnings}
        self.assertLessEqual(paths, {"spawner.profiles[0].warm", "spawner.engines[0].address"})
        return loaded.settings.spawner

    def test_starts_jupyterlab_in_a_container(self):
        spawner = self.in_containers(Containers("unix:///run/d.sock", "giestack/jupyter:demo"))
        (engine,) = spawner.engines
        self.assertEqual((engine.docker_host, engine.is_process), ("unix:///run/d.sock", False))
        (profile,) = spawner.profiles
        self.assertEqual((profile.name, profile.title), ("jupyter", "JupyterLab"))
        self.assertEqual(profile.image, "giestack/jupyter:demo")
        self.assertEqual(profile.volumes, {"giestack-demo-home-{user}": "/home/jovyan"})
        self.assertEqual((profile.memory, profile.warm), (2 * 1024**3, 1))
        # What people can choose does not hang on where it runs.
        _, as_process = self.load(new_folder(self).parent / "other")
        self.assertEqual(profile.options, as_process.spawner.profiles[0].options)

    def test_a_slot_can_become_the_session_of_anybody(self):
        spawner = self.in_containers(Containers("unix:///run/d.sock", "giestack/jupyter:demo"))
        (profile,) = spawner.profiles
        names = Names("a1b2c")
        self.assertEqual(why_cold(profile, names=names, hidden=(), mounting=""), "")

    def test_an_engine_behind_tls(self):
        folder = new_folder(self)
        folder.mkdir()
        tls = {name: str(folder / name) for name in ("ca", "cert", "key")}
        for file in tls.values():
            Path(file).touch()
        (engine,) = self.in_containers(Containers("tcp://far:2376", "i", tls)).engines
        self.assertEqual(engine.docker_host, "tcp://far:2376")
        self.assertEqual({name: str(getattr(engine.tls, name)) for name in tls}, tls)

    def test_the_command_in_a_container(self):
        (profile,) = demo_settings(8800, Containers("unix:///d", "i"))["spawner"]["profiles"]
        words = [
            fill(
                word,
                {
                    "port": "8888",
                    "base_url": "/b/",
                    "options.interface": "lab",
                    "options.terminals": "true",
                },
            )
            for word in profile["command"]
        ]
        self.assertEqual(words[: len(LAB)], list(LAB))
        run: list[list[str]] = []
        self.patch(labapp, "main", run.append)
        self.patch(os, "environ", {"HOME": self.mktemp()})
        self.assertEqual(lab.main(words[len(LAB) :]), 0)
        self.assertIn("--ServerApp.port=8888", run[0])
        self.assertIn("--ServerApp.base_url=/b/", run[0])

    def test_every_choice_is_understood(self):
        _, settings = self.load(new_folder(self))
        (profile,) = settings.spawner.profiles
        interface, _ = options_of(profile.options)
        run: list[list[str]] = []
        self.patch(labapp, "main", run.append)
        self.patch(os, "environ", {"HOME": self.mktemp()})
        for choice in interface.choices:
            for on in ("true", "false"):
                values = {"options.interface": choice, "options.terminals": on}
                words = [fill(word, values) for word in profile.command]
                self.assertEqual(lab.main(words[words.index("giestack.demo.lab") + 1 :]), 0)
        self.assertEqual(len({str(arguments) for arguments in run}), 4)

    def test_the_same_as_nested_values(self):
        demo, settings = self.load(new_folder(self))
        overrides = dict(flat(demo_settings())) | {"galaxy.id_secret": demo.folder.id_secret()}
        found = load(None, {}, demo.folder.path, overrides)
        self.assertEqual(found.settings, settings)

    def test_says_how_to_install(self):
        (profile,) = demo_settings()["spawner"]["profiles"]
        self.assertNotIn("installed", profile["description"])
        self.patch(settings_module, "lab_installed", lambda: False)
        (profile,) = demo_settings()["spawner"]["profiles"]
        self.assertIn("JupyterLab is not installed: make demo, or pip", profile["description"])

    def test_what_pip_has_installed_for_the_user(self):
        for enabled in (True, False, None):
            self.patch(site, "ENABLE_USER_SITE", enabled)
            (profile,) = demo_settings()["spawner"]["profiles"]
            self.assertEqual("PYTHONUSERBASE" in profile["env"], bool(enabled))

    def test_holds_no_secret(self):
        self.assertEqual(demo_settings()["galaxy"]["id_secret"], "file:id_secret")
