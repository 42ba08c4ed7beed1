"""How the demo's image is built, with stand-ins for mmdebstrap and Docker."""

import io
import os
import shutil
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.image import build
from giestack.demo.image.recipe import Recipe
from tests.demo.image.place import DOCKER, Programs

MMDEBSTRAP = """
echo "mmdebstrap PACKAGES=$PACKAGES" >> "$SAID"
echo "I: running apt-get update..."
echo "I: whatever else there is" >&2
echo "I: installing Python packages"
echo "Collecting jupyterlab"
for word; do
  case "$word" in
    *tar-in*) tar=${word#*tar-in }; tar=${tar% /}
      tar tf "$tar" | grep -e main -e certificates -e Welcome >> "$SAID"
      tar tvf "$tar" --numeric-owner | while read -r mode owner rest; do
        echo "mode $mode $owner"; done | sort -u >> "$SAID" ;;
    --customize-hook=/*) sh -n "${word#*=}" && echo "script is a script" >> "$SAID" ;;
  esac
  last=$word
done
echo tar > "$last"
"""


class MainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.programs = Programs(self)
        self.out, self.errors = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.errors)
        self.docker = self.programs.add("docker", DOCKER)

    def imports(self) -> list[str]:
        return [line for line in self.programs.said if line.startswith("docker import")]

    def test_builds_an_image(self) -> None:
        self.programs.add("mmdebstrap", MMDEBSTRAP)
        self.assertEqual(build.main([]), 0, self.errors.getvalue())
        self.assertIn("mmdebstrap PACKAGES=jupyterlab ipykernel pip", self.programs.said)
        for file in (
            "build/pip/__main__.py",
            "build/certificates.pem",
            "home/jovyan/Welcome.ipynb",
        ):
            self.assertIn(f"./{file}", self.programs.said)
        self.assertIn("script is a script", self.programs.said)
        (said,) = self.imports()
        self.assertTrue(said.endswith("/root.tar giestack/jupyter:demo"))
        self.assertIn(f"org.giestack.recipe={Recipe().digest}", said)
        said = self.out.getvalue()
        for words in (
            "giestack/jupyter:demo with jupyterlab, ipykernel, pip for Docker 20.10.24",
            "MB to download",
            " 0:0",
            "reading the package lists of Debian bookworm\n",
            "Python packages\n",
            "giestack/jupyter:demo is there: 350 MB, in ",
        ):
            self.assertIn(words, said)
        # What it was made of is gone.
        archive = Path(self.imports()[0].split()[-2])
        self.assertFalse(archive.parent.exists())

    def test_what_is_put_in_is_roots(self) -> None:
        self.addCleanup(os.umask, os.umask(0o077))
        self.programs.add("mmdebstrap", MMDEBSTRAP)
        build.main([])
        owned = {line for line in self.programs.said if line.startswith("mode ")}
        self.assertEqual(owned, {"mode drwxr-xr-x 0/0", "mode -rw-r--r-- 0/0"})

    def test_does_nothing_where_it_is_there(self) -> None:
        self.programs.add("mmdebstrap", MMDEBSTRAP)
        build.main([])
        self.assertEqual(build.main([]), 0)
        self.assertEqual(len(self.imports()), 1)
        self.assertIn("is there already (FORCE=1 builds it anew)", self.out.getvalue())
        self.assertEqual(build.main(["--force"]), 0)
        self.assertEqual(len(self.imports()), 2)

    def test_another_recipe(self) -> None:
        self.programs.add("mmdebstrap", MMDEBSTRAP)
        build.main([])
        self.assertEqual(build.main(["--packages", "jupyterhub rise", "--tag", "my:own"]), 0)
        self.assertIn(
            "mmdebstrap PACKAGES=jupyterlab ipykernel pip jupyterhub rise", self.programs.said
        )
        self.assertTrue(self.imports()[-1].endswith(" my:own"))

    def test_has_what_it_needs_installed(self) -> None:
        script = self.programs.add("prepare", 'echo "prepare $*" >> "$SAID"')
        self.programs.add("mmdebstrap", MMDEBSTRAP)
        self.assertEqual(build.main(["--prepare", str(script)]), 0)
        self.assertIn("prepare --packages mmdebstrap", self.programs.said)

    def test_what_it_needs_cannot_be_installed(self) -> None:
        script = self.programs.add("prepare", "exit 1")
        self.programs.add("mmdebstrap", MMDEBSTRAP)
        self.assertEqual(build.main(["--prepare", str(script)]), 1)
        self.assertEqual(self.imports(), [])

    def test_without_mmdebstrap(self) -> None:
        self.patch(shutil, "which", lambda name: None if name == "mmdebstrap" else name)
        self.assertEqual(build.main([]), 1)
        self.assertIn("apt-get install mmdebstrap", self.errors.getvalue())

    def test_without_an_engine(self) -> None:
        self.programs.add("docker", "echo 'nobody there' >&2; exit 1")
        script = self.programs.add("prepare", 'echo "prepare $*" >> "$SAID"')
        self.assertEqual(build.main(["--prepare", str(script)]), 1)
        self.assertIn("nobody there", self.errors.getvalue())
        self.assertEqual(self.programs.said, [])

    def test_a_build_that_fails(self) -> None:
        self.programs.add("mmdebstrap", "echo 'I: running apt-get update...'; echo 'E: no'; exit 1")
        self.assertEqual(build.main([]), 1)
        self.assertIn("The last lines:\nI: running", self.errors.getvalue())
        self.assertIn("E: no", self.errors.getvalue())
        self.assertEqual(self.imports(), [])

    def test_interrupted(self) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        self.patch(build, "build", interrupted)
        self.assertEqual(build.main([]), 130)
