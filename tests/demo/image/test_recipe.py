"""What is in the demo's image."""

import json
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.demo import lab
from giestack.demo.image import recipe as recipe_module
from giestack.demo.image.recipe import HOME, INSIDE, LAB, Recipe


class DigestTests(SynchronousTestCase):
    def test_changes_with_what_is_in_it(self) -> None:
        plain = Recipe().digest
        self.assertEqual(Recipe().digest, plain)
        self.assertNotEqual(Recipe(("jupyterhub",)).digest, plain)
        for name, other in (
            ("DEBIAN", ("python3",)),
            ("INSIDE", INSIDE + "echo\n"),
            ("_SHELL", ""),
            ("LAB", ("python3",)),
        ):
            self.patch(recipe_module, name, other)
            changed = Recipe().digest
            self.assertNotEqual(changed, plain, name)
            plain = changed


class ChangesTests(SynchronousTestCase):
    def test_what_docker_is_told(self) -> None:
        recipe = Recipe()
        changes = recipe.changes()
        for change in (
            "USER jovyan",
            "EXPOSE 8888",
            "LABEL org.giestack.port=8888",
            f"LABEL org.giestack.recipe={recipe.digest}",
            f"WORKDIR {HOME}",
        ):
            self.assertIn(change, changes)

    def test_it_starts_without_arguments(self) -> None:
        (command,) = [c.removeprefix("CMD ") for c in Recipe().changes() if c.startswith("CMD ")]
        words = json.loads(command)
        self.assertEqual(words[: len(LAB)], list(LAB))
        self.assertEqual(words[-1], "--port=8888")


class FilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        Recipe().write(self.root)

    def test_jupyterlab_asks_and_tells_nothing(self) -> None:
        config = json.loads((self.root / "etc/jupyter/jupyter_server_config.json").read_text())
        self.assertEqual(config["LabApp"]["extension_manager"], "readonly")
        self.assertIsNone(config["LabApp"]["news_url"])
        overrides = self.root / "usr/local/share/jupyter/lab/settings/overrides.json"
        (plugin,) = json.loads(overrides.read_text()).values()
        self.assertEqual(plugin, {"fetchNews": "false"})

    def test_a_home_that_nobody_has_been_in(self) -> None:
        home = self.root / HOME.lstrip("/")
        self.assertIn("container of its own", (home / "Welcome.ipynb").read_text())
        before = sorted(path.name for path in home.iterdir())
        (home / "Welcome.ipynb").unlink()
        lab.prepare(home, lab.IN_CONTAINER)
        self.assertEqual(sorted([*(p.name for p in home.iterdir()), "Welcome.ipynb"]), before)

    def test_the_modules_in_it_need_no_others_of_giestack(self) -> None:
        packages = self.root / "usr/local/lib/python3.11/dist-packages"
        done = subprocess.run(
            [
                *(sys.executable, "-c"),
                "import sys; sys.path.insert(0, sys.argv[1]); import giestack.demo.lab as lab, "
                "giestack.demo.session_environment; print(lab.__file__)",
                packages,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.stderr, "")
        self.assertTrue(done.stdout.startswith(str(packages)))

    def shell(self, script: str, told: str | None) -> str:
        profile = (self.root / "etc/profile.d/giestack.sh").read_text()
        file = Path(self.mktemp()).absolute()
        if told is not None:
            file.write_text(told)
        profile = profile.replace("/run/secrets/giestack.env", str(file))
        command = ["sh", "-euc", f"{profile}\n{script}"]
        environ = {"HOME": "/h", "PATH": "/usr/bin:/bin", "A": "before"}
        return subprocess.run(
            command, env=environ, capture_output=True, text=True, check=True
        ).stdout

    def test_shells_are_told(self) -> None:
        told = "A='it'\"'\"'s $(id)'\n"
        self.assertEqual(self.shell("sh -c 'echo \"$A\"'", told), "it's $(id)\n")

    def test_shells_that_are_told_nothing(self) -> None:
        self.assertEqual(self.shell('echo "$A"; echo "$PATH"', None).split()[0], "before")

    def test_what_people_install_is_found_once(self) -> None:
        profile = (self.root / "etc/profile.d/giestack.sh").read_text()
        self.assertEqual(
            self.shell(f'{profile}\necho "$PATH"', None), "/usr/bin:/bin:/h/.local/bin\n"
        )
