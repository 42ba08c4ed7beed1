"""The real Gravity, from PyPI: the units and programs that it makes of a galaxy.yml."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from pwd import getpwuid
from typing import Any, Literal

from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import PATIENCE, CleanUp

# Gravity does nothing for root but units; what it makes of programs is the same for anybody.
_COMMAND = "import os, sys; os.geteuid = os.getuid = lambda: {uid}; from gravity.cli import *; "
_COMMAND += "sys.argv[0] = '{galaxyctl}'; galaxyctl()"
_NO_SYSTEMD = '#!/bin/sh\n[ "$1" != show-environment ] || echo PATH=/usr/bin:/bin\n'


class Gravity:
    """It, in a Galaxy's folder of its own.

    :ivar folder: Galaxy's root; its configuration is config/galaxy.yml.
    :ivar units: where units are written.
    :ivar programs: where supervisor's programs are looked for.
    """

    def __init__(self, test: CleanUp) -> None:
        self.folder = new_folder(test)
        self.units = self.folder / "units"
        self.programs = self.folder / "state" / "supervisor" / "supervisord.conf.d"
        for name in ("config", "units", "bin"):
            (self.folder / name).mkdir()
        # Nobody boots systemd for tests: that is asked for its PATH, and told of new units.
        systemctl = self.folder / "bin" / "systemctl"
        systemctl.write_text(_NO_SYSTEMD, encoding="utf-8")
        systemctl.chmod(0o755)

    def update(
        self,
        process_manager: Literal["systemd", "supervisor"],
        gx_it_proxy: Mapping[str, Any],
    ) -> str:
        """Write galaxy.yml, have ``galaxyctl update`` make files of it, return the proxy's."""
        units = process_manager == "systemd"
        gravity: dict[str, Any] = {
            "process_manager": process_manager,
            "service_command_style": "direct",
            "galaxy_root": str(self.folder),
            "virtualenv": str(self.folder / "venv"),
            "gunicorn": {"enable": False},
            "celery": {"enable": False, "enable_beat": False},
            "gx_it_proxy": {"enable": True, **gx_it_proxy},
        }
        if units:
            gravity["galaxy_user"] = getpwuid(os.geteuid()).pw_name
        galaxy = {"interactivetools_enable": True}
        # JSON is YAML.
        text = json.dumps({"gravity": gravity, "galaxy": galaxy})
        (self.folder / "config" / "galaxy.yml").write_text(text, encoding="utf-8")
        uid = os.geteuid() if units else 1000
        self._run(_COMMAND.format(uid=uid, galaxyctl=self.folder / "bin" / "galaxyctl"))
        if units:
            file = self.units / "galaxy-gx-it-proxy.service"
        else:
            file = self.programs / "_default_.d" / "gx-it-proxy_gx-it-proxy.conf"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def _run(self, command: str) -> None:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(
            [
                *(sys.executable, "-c", command, "--state-dir", str(self.folder / "state")),
                *("--config-file", str(self.folder / "config" / "galaxy.yml"), "update"),
            ],
            env={**os.environ, "PATH": path, "GRAVITY_SYSTEMD_UNIT_PATH": str(self.units)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def options_of(unit: str) -> dict[str, list[str]]:
    """The lines of a unit by name, those in comments too; several of a name in their order."""
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        name, equals, value = line.removeprefix("#").partition("=")
        if equals and name.isalpha() and name[:1].isupper():
            found.setdefault(name, []).append(value)
    return found


def installed(path: Path) -> str:
    """A sample as somebody installs it whose program is /bin/true: what is checked is the rest."""
    text = path.read_text(encoding="utf-8")
    for program in ("giestack-proxy", "twistd"):
        text = text.replace(f"/srv/giestack/venv/bin/{program}", "/bin/true")
    user = getpwuid(os.geteuid()).pw_name
    for name in ("galaxy", "giestack"):
        text = text.replace(f"User={name}\n", f"User={user}\n").replace(f"Group={name}\n", "")
    return text
