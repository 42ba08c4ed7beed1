"""The configuration that ``--demo`` stands for."""

import site
import sys
from typing import Any

from giestack.demo.docker_probe import Containers
from giestack.demo.host import ADMIN_USERS
from giestack.demo.image.recipe import HOME, LAB, PORT
from giestack.demo.lab import HOW_TO_INSTALL, lab_installed

_DESCRIPTION = "Notebooks, terminals and a text editor, with Python."


def demo_settings(port: int = 8800, containers: Containers | None = None) -> dict[str, Any]:
    """Return what a configuration file for the demo would hold, as YAML would give it.

    Paths are relative to the demo's folder; the secret stays in its file there. One port of
    127.0.0.1 is all that is listened on. Sessions are containers of an engine that has the
    image, else processes of this machine; where these can't be, because JupyterLab is not
    installed, its profile says what helps.
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
        "spawner": _processes() if containers is None else _containers(containers),
        "chat": {"listen": [], "rooms": ["Help", "Genome Annotation", "RNA-Seq"]},
        "admin": {"listen": []},
        "data_dir": "var",
    }


def _processes() -> dict[str, Any]:
    """JupyterLab on a UNIX socket, which giestack alone gets to."""
    env = {"GIESTACK_USER": "{username}"}
    if site.ENABLE_USER_SITE:
        # HOME is the session's; what was installed with pip --user is in another one.
        env["PYTHONUSERBASE"] = site.getuserbase()
    profile = _jupyter(sys.executable, "-P", "-m", "giestack.demo.lab", "--socket={socket}")
    if not lab_installed():
        profile["description"] = f"{HOW_TO_INSTALL}."
    return {
        "engines": [{"name": "local", "docker_host": "process:"}],
        "profiles": [{**profile, "env": env}],
    }


def _containers(containers: Containers) -> dict[str, Any]:
    """JupyterLab in a container; what is in its home stays when that ends."""
    engine = {"name": "docker", "docker_host": containers.docker_host}
    return {
        "engines": [engine | ({"tls": dict(containers.tls)} if containers.tls else {})],
        "profiles": [
            {
                **_jupyter(*LAB, "--port={port}"),
                "image": containers.image,
                "port": PORT,
                "env": {"GIESTACK_USER": "{username}"},
                "volumes": {"giestack-demo-home-{user}": HOME},
                "memory": "2G",
                "warm": 1,
            }
        ],
    }


def _jupyter(*command: str) -> dict[str, Any]:
    """What the profile says wherever it runs."""
    return {
        "name": "jupyter",
        "title": "JupyterLab",
        "description": _DESCRIPTION,
        "path": "/",
        "command": [
            *command,
            *("--base-url={base_url}", "--interface={options.interface}"),
            "--terminals={options.terminals}",
        ],
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
