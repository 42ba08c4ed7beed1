"""The configuration that ``--demo`` stands for."""

import site
import sys
from typing import Any

from giestack.demo.host import ADMIN_USERS
from giestack.demo.lab import HOW_TO_INSTALL, lab_installed

_DESCRIPTION = "Notebooks, terminals and a text editor, with Python."


def demo_settings(port: int = 8800) -> dict[str, Any]:
    """Return what a configuration file for the demo would hold, as YAML would give it.

    Paths are relative to the demo's folder; the secret stays in its file there. One port of
    127.0.0.1 is all that is listened on. Where JupyterLab is not installed, its profile says
    what helps.
    """
    return {
        "galaxy": {
            "id_secret": "file:id_secret",
            "database_connection": "sqlite:///galaxy.sqlite",
            "admin_users": ADMIN_USERS,
            "url": f"http://127.0.0.1:{port}/",
        },
        "proxy": {
            "listen": [f"tcp:{port}:interface=127.0.0.1"],
            "interactivetools_auth": "owner",
            "session_maps": ["interactivetools_map.sqlite"],
        },
        "spawner": {
            "engines": [{"name": "local", "docker_host": "process:"}],
            "profiles": [_jupyter()],
        },
        "admin": {"listen": []},
        "data_dir": "var",
    }


def _jupyter() -> dict[str, Any]:
    """The profile of JupyterLab on a UNIX socket, which giestack alone gets to."""
    env = {"GIESTACK_USER": "{username}"}
    if site.ENABLE_USER_SITE:
        # HOME is the session's; what was installed with pip --user is in another one.
        env["PYTHONUSERBASE"] = site.getuserbase()
    return {
        "name": "jupyter",
        "title": "JupyterLab",
        "description": _DESCRIPTION if lab_installed() else f"{HOW_TO_INSTALL}.",
        "path": "/",
        "command": [
            *(sys.executable, "-P", "-m", "giestack.demo.lab"),
            *("--socket={socket}", "--base-url={base_url}"),
            *("--interface={options.interface}", "--terminals={options.terminals}"),
        ],
        "env": env,
        "idle_timeout": 3600,
        "options": {
            "interface": {
                "title": "Interface",
                "choices": {"lab": "JupyterLab", "doc": "One document at a time"},
                "default": "lab",
            },
            "terminals": {
                "title": "Terminals",
                "description": "Off: notebooks and files only.",
                "type": "boolean",
                "default": True,
            },
        },
    }
