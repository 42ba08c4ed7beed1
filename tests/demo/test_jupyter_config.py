"""What Jupyter is told, read back as Jupyter reads it."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

from traitlets.config.loader import PyFileConfigLoader
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.jupyter_config import (
    LabPlace,
    config_file,
    config_text,
    environment,
    prepare,
    runtime_dir,
)
from giestack.spawner.process.family import VARIABLE

PLACE = LabPlace(4321, "/interactivetool/ep/KEY/S3CRET/", "X-H1DDEN")


def folder_at(path):
    path = Path(path)
    return SimpleNamespace(
        path=path, home=path / "alice", jupyter=path / "jupyter", family="f" * 32
    )


class PlaceTests(SynchronousTestCase):
    def test_url(self):
        self.assertEqual(
            PLACE.url("api/status"),
            "http://127.0.0.1:4321/interactivetool/ep/KEY/S3CRET/api/status",
        )

    def test_secrets_are_not_shown(self):
        self.assertEqual(repr(PLACE), "LabPlace(port=4321)")


class ConfigTests(SynchronousTestCase):
    def read(self, folder, root=False):
        """The configuration as Jupyter's own loader understands it."""
        path = self.mktemp()
        Path(path).write_text(config_text(folder, PLACE, "alice", root=root), encoding="utf-8")
        before = list(sys.path)
        self.addCleanup(sys.path.__setitem__, slice(None), before)
        return PyFileConfigLoader(os.path.abspath(path)).load_config()

    def test_where(self):
        found = self.read(folder_at("/srv/demo"))
        self.assertEqual(found.ServerApp.ip, "127.0.0.1")
        self.assertEqual(found.ServerApp.port, 4321)
        self.assertEqual(found.ServerApp.port_retries, 0)
        self.assertEqual(found.ServerApp.base_url, "/interactivetool/ep/KEY/S3CRET/")
        self.assertEqual(found.ServerApp.root_dir, "/srv/demo/alice")

    def test_who(self):
        found = self.read(folder_at("/srv/demo"))
        self.assertEqual(found.FrontDoor.header, "X-H1DDEN")
        self.assertEqual(found.FrontDoor.username, "alice")
        self.assertTrue(
            found.ServerApp.identity_provider_class.endswith("jupyter_identity.FrontDoor")
        )
        import giestack

        self.assertIn(str(Path(giestack.__file__).parents[1]), sys.path)

    def test_protections_stay(self):
        found = self.read(folder_at("/srv/demo"))
        for name in (
            "allow_origin",
            "allow_remote_access",
            "disable_check_xsrf",
            "allow_unauthenticated_access",
            "trust_xheaders",
        ):
            self.assertNotIn(name, found.ServerApp)

    def test_no_outside_network(self):
        found = self.read(folder_at("/srv/demo"))
        self.assertIsNone(found.LabApp.news_url)
        self.assertEqual(found.LabApp.check_for_updates_class, "jupyterlab.NeverCheckForUpdate")
        self.assertEqual(found.LabApp.extension_manager, "readonly")

    def test_root_has_to_be_said(self):
        self.assertFalse(self.read(folder_at("/srv/demo")).ServerApp.allow_root)
        self.assertTrue(self.read(folder_at("/srv/demo"), root=True).ServerApp.allow_root)

    def test_kernels_use_sockets_where_their_paths_fit(self):
        self.assertEqual(self.read(folder_at("/srv/demo")).KernelManager.transport, "ipc")
        self.assertNotIn("transport", self.read(folder_at("/srv/" + "d" * 60)).KernelManager)
        fits = max(
            (folder_at("/" + "d" * n) for n in range(90)),
            key=lambda one: (
                "ipc" in config_text(one, PLACE, "a", root=False),
                len(str(one.path)),
            ),
        )
        name = f"kernel-{'x' * 36}-ipc-5"
        self.assertEqual(len(str(runtime_dir(fits) / name)), 107)

    def test_odd_folders_are_quoted(self):
        for path in ('/srv/it\'s a "demo"', "/srv/dé\\mo", "/srv/a\nb"):
            self.assertEqual(self.read(folder_at(path)).ServerApp.root_dir, f"{path}/alice")

    def test_where_it_is_looked_for(self):
        folder = folder_at("/srv/demo")
        found = environment(folder, {}, Path("/usr/bin/python3"), None, None)
        self.assertEqual(str(config_file(folder).parent), found["JUPYTER_CONFIG_DIR"])
        self.assertEqual(config_file(folder).name, "jupyter_server_config.py")


class EnvironmentTests(SynchronousTestCase):
    def environment(self, environ, prefix=None, user_base=None):
        return environment(
            folder_at("/srv/demo"), environ, Path("/opt/v/bin/python"), prefix, user_base
        )

    def test_nothing_else_is_passed_on(self):
        found = self.environment(
            {"PATH": "/bin", "PGPASSWORD": "s", "AWS_SECRET": "s", "PYTHONPATH": "/x", "HOME": "/r"}
        )
        self.assertEqual(
            found,
            {
                "PATH": "/opt/v/bin:/bin",
                "HOME": "/srv/demo/alice",
                "LANG": "C.UTF-8",
                "SHELL": "/bin/sh",
                "IPYTHONDIR": "/srv/demo/jupyter/ipython",
                "JUPYTER_CONFIG_DIR": "/srv/demo/jupyter",
                "JUPYTER_DATA_DIR": "/srv/demo/jupyter/data",
                "JUPYTER_RUNTIME_DIR": "/srv/demo/jupyter/runtime",
                VARIABLE: "f" * 32,
            },
        )

    def test_no_path(self):
        self.assertEqual(self.environment({})["PATH"], f"/opt/v/bin:{os.defpath}")

    def test_habits_are_kept(self):
        habits = {"LANG": "de_DE.UTF-8", "SHELL": "/bin/zsh", "TZ": "CET", "LC_ALL": "C"}
        found = self.environment(habits)
        self.assertEqual({name: found[name] for name in habits}, habits)

    def test_python_finds_its_packages(self):
        found = self.environment({}, Path("/opt/v"), Path("/home/x/.local"))
        self.assertEqual(found["VIRTUAL_ENV"], "/opt/v")
        self.assertEqual(found["PYTHONUSERBASE"], "/home/x/.local")


class PrepareTests(SynchronousTestCase):
    def test_nobody_is_asked_about_news_and_a_later_choice_stays(self):
        folder = folder_at(Path(self.mktemp()))
        folder.home.parent.mkdir(parents=True, exist_ok=True)
        self.assertEqual(prepare(folder), "lab/tree/Welcome.ipynb")
        [settings] = folder.jupyter.rglob("notification.jupyterlab-settings")
        self.assertEqual(json.loads(settings.read_text()), {"fetchNews": "false"})
        settings.write_text("{}")
        prepare(folder)
        self.assertEqual(settings.read_text(), "{}")
