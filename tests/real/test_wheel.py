"""A wheel, installed by itself in an environment that has nothing else, and used from there."""

import atexit
import json
import os
import shutil
import signal
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.galaxy import ALICE, Galaxy, cookie
from tests.neighbours.giestack import ask
from tests.neighbours.program import Program, free_port
from tests.neighbours.pypi import pip, run

ROOT = Path(__file__).parents[2]
SOURCES = ("giestack", "twisted", "setup.py", "README.rst")
SCRIPTS = ("giestack", "giestack-chat", "giestack-proxy")
IMPORT_ALL = """
import importlib, pkgutil, giestack
names = [m.name for m in pkgutil.walk_packages(giestack.__path__, "giestack.")]
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Jupyter's own processes have these; the extra "demo" brings it.
        if (error.name, name[:14]) != ("jupyter_server", "giestack.demo."):
            raise
print(giestack.__file__, len(names))
"""


class Installed:
    """A wheel of these sources, and an environment that has it with what it asks for.

    :ivar wheel: the file.
    :ivar bin: the environment's commands.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="giestack-wheel-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        sources = self.folder / "sources"
        sources.mkdir()
        # Elsewhere: setuptools leaves its own folders in the tree that it builds.
        without = shutil.ignore_patterns("__pycache__", "dropin.cache")
        for name in SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, sources / name, ignore=without)
            else:
                shutil.copy(ROOT / name, sources)
        pip("wheel", "--use-pep517", "--no-deps", "--wheel-dir", self.folder, sources)
        (self.wheel,) = self.folder.glob("giestack-*.whl")
        self.bin = self.folder / "venv" / "bin"
        run(sys.executable, "-m", "venv", "--without-pip", self.bin.parent)
        pip("--python", self.bin / "python", "install", f"{self.wheel}[postgres]")


installed = cache(Installed)


class WheelTests(SynchronousTestCase):
    """One wheel and one environment for all of them."""

    def setUp(self) -> None:
        found = installed()
        self.folder, self.wheel, self.bin = found.folder, found.wheel, found.bin

    def test_every_file_is_in_it(self) -> None:
        there = {path for path in zipfile.ZipFile(self.wheel).namelist() if "dist-info" not in path}
        wanted = {
            str(path.relative_to(ROOT))
            for path in (ROOT / "giestack").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        self.assertEqual(there, wanted | {"twisted/plugins/giestack_plugin.py"})

    def test_every_module_can_be_imported(self) -> None:
        where, number = run(self.bin / "python", "-c", IMPORT_ALL).split()
        self.assertTrue(where.startswith(str(self.folder)), where)
        self.assertGreater(int(number), 100)

    def test_the_commands(self) -> None:
        for name in SCRIPTS:
            self.assertIn("giestack", run(self.bin / name, "--help"))
        self.assertIn(self.wheel.name.split("-")[1], run(self.bin / "giestack", "--version"))
        self.assertIn("--galaxy-config", run(self.bin / "twistd", "giestack", "--help"))

    def test_it_serves_its_pages(self) -> None:
        galaxy, port = Galaxy(self), free_port()
        config = self.folder / "giestack.yml"
        settings = {
            "galaxy": {
                "id_secret": galaxy.id_secret,
                "database_connection": galaxy.database_url,
                "url": "https://galaxy.example.org/",
            },
            "proxy": {"listen": [f"tcp:{port}:interface=127.0.0.1"]},
            "chat": {"listen": [], "opt_in": False},
            "admin": {"listen": []},
            "data_dir": str(self.folder / "var"),
        }
        config.write_text(json.dumps(settings), encoding="utf-8")
        command = [
            str(self.bin / "twistd"),
            "-n",
            "--pidfile=",
            "giestack",
            "--config",
            str(config),
        ]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        program = Program(self, command, self.folder, environment)
        program.until(lambda: ask(port, "/").status, "an answer")
        page = ask(port, "/giestack/", cookie=cookie(ALICE))
        self.assertEqual(page.status, 200)
        self.assertIn(b"</html>", page.body)
        for path in ("/giestack/chat/widget.js", "/giestack/chat/"):
            self.assertEqual(ask(port, path, cookie=cookie(ALICE)).status, 200, path)
        program.send(signal.SIGTERM)
        self.assertEqual(program.wait(), 0)
