"""Runs in a session of the demo: gets its home ready and becomes JupyterLab.

``python -P -m giestack.demo.lab --socket=PATH --base-url=PATH [--interface=lab|doc]
[--terminals=true|false]``. The home is ``$HOME``; the user's name is in ``$GIESTACK_USER``.

JupyterLab starts in this very process: one start of an interpreter is enough.
"""

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

NOTEBOOK = "Welcome.ipynb"
HOW_TO_INSTALL = "JupyterLab is not installed: make demo, or pip install 'giestack[demo]'"

_WORDS = """\
# Welcome

giestack has started this JupyterLab for you, and lets nobody else in: try this page's address as
another user, or logged out.

It runs as a process on that machine **without any isolation**: what you do here, you do as the
user who started the demo. Press Shift+Enter in the next cell.
"""
# Where JupyterLab keeps what a user has chosen (`jupyter --paths`, user-settings).
_NOTIFICATION = Path(".jupyter/lab/user-settings/@jupyterlab/apputils-extension")


def lab_installed() -> bool:
    """Tell whether JupyterLab and a kernel for it are installed here."""
    return find_spec("jupyterlab") is not None and find_spec("ipykernel") is not None


def prepare(home: Path) -> None:
    """Put a first notebook into a home that is new to JupyterLab; raise OSError.

    Does nothing in a home that JupyterLab has been in, whatever has been deleted there.
    """
    settings = home / _NOTIFICATION
    try:
        settings.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return
    # Else everybody is asked whether Jupyter may look for news, which it can't here.
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    if not (home / NOTEBOOK).exists():
        (home / NOTEBOOK).write_text(_notebook(), encoding="utf-8")


def arguments(options: Namespace, home: Path, *, root: bool) -> list[str]:
    """Return JupyterLab's command line; ``root``: whether root is to run it.

    Host and Origin checks and the protection against cross-site requests stay as they are in
    Jupyter: giestack keeps the client's Host, and the demo is visited at loopback names only.
    """
    values = {
        "ServerApp.sock": options.socket,
        "ServerApp.base_url": options.base_url,
        "ServerApp.root_dir": home,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": root,
        "ServerApp.terminals_enabled": options.terminals == "true",
        "ServerApp.identity_provider_class": "giestack.demo.lab_identity.OwnerOfSocket",
        "OwnerOfSocket.token": "",
        "LabApp.default_url": f"/{options.interface}",
        # Nothing is asked of other hosts.
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
        # Looking for them starts npm.
        "LanguageServerManager.autodetect": False,
        # Sockets in a private folder: what kernels print is not on a port that others reach.
        "KernelManager.transport": "ipc",
    }
    return [f"--{name}={value}" for name, value in values.items()]


def main(argv: Sequence[str] | None = None) -> int:
    """Run JupyterLab to its end; return the exit status."""
    parser = ArgumentParser(prog="giestack.demo.lab")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--interface", choices=("lab", "doc"), default="lab")
    parser.add_argument("--terminals", choices=("true", "false"), default="true")
    options = parser.parse_args(argv)
    if not lab_installed():
        print(HOW_TO_INSTALL, file=sys.stderr)
        return 1
    home = Path.home()
    try:
        prepare(home)
    except OSError as error:
        print(f"{home} could not be prepared: {error}", file=sys.stderr)
    from jupyterlab.labapp import main as run

    run(arguments(options, home, root=os.geteuid() == 0))
    return 0


def _notebook() -> str:
    cells = [
        {"cell_type": "markdown", "id": "welcome", "metadata": {}, "source": _WORDS},
        {
            "cell_type": "code",
            "id": "answer",
            "metadata": {},
            "source": "6*7",
            "execution_count": None,
            "outputs": [],
        },
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    document = {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1)


if __name__ == "__main__":
    sys.exit(main())
