"""Runs in a session of the demo: gets its home ready and becomes JupyterLab.

``python -P -m giestack.demo.lab --socket=PATH|--port=PORT [--base-url=PATH]
[--interface=lab|doc] [--terminals=true|false]``. The home is ``$HOME``; the user's name is in
``$GIESTACK_USER``. A socket is for a process of this machine, a port for a container, whose
image has this module and little else of giestack.

JupyterLab starts in this very process: one start of an interpreter is enough.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from giestack.demo.first_visit import NO_NEWS, NOTEBOOK, QUIET, UNASKED, notebook

HOW_TO_INSTALL = "JupyterLab is not installed: make demo, or pip install 'giestack[demo]'"

_WORDS = """\
# Welcome

giestack has started this JupyterLab for you, and lets nobody else in: try this page's address as
another user, or logged out.

{where} Press Shift+Enter in the next cell.
"""
AS_PROCESS = """\
It runs as a process on that machine **without any isolation**: what you do here, you do as the
user who started the demo."""
IN_CONTAINER = """\
It runs in a container of its own. What is in this folder is kept when the container ends; anything
else goes with it."""


def lab_installed() -> bool:
    """Tell whether JupyterLab and a kernel for it are installed here."""
    return find_spec("jupyterlab") is not None and find_spec("ipykernel") is not None


def prepare(home: Path, where: str) -> None:
    """Put a first notebook into a home that is new to JupyterLab; raise OSError.

    Does nothing in a home that JupyterLab has been in, whatever has been deleted there. ``where``
    says where it runs, in Markdown.
    """
    settings = home / ".jupyter" / UNASKED
    try:
        settings.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return
    name, text = NO_NEWS
    (settings / name).write_text(text, encoding="utf-8")
    if not (home / NOTEBOOK).exists():
        (home / NOTEBOOK).write_text(notebook(_WORDS.format(where=where)), encoding="utf-8")


def arguments(options: Namespace, home: Path, *, root: bool) -> list[str]:
    """Return JupyterLab's command line; ``root``: whether root is to run it.

    Origin checks and the protection against cross-site requests stay as they are in Jupyter:
    giestack keeps the client's Host.
    """
    if options.socket is None:
        # Whatever name visitors use for giestack is right for a container.
        place: dict[str, object] = {
            "ServerApp.ip": "0.0.0.0",
            "ServerApp.port": options.port,
            "ServerApp.port_retries": 0,
            "ServerApp.allow_remote_access": True,
        }
    else:
        place = {"ServerApp.sock": options.socket}
    values = {
        **place,
        "ServerApp.base_url": options.base_url,
        "ServerApp.root_dir": home,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": root,
        "ServerApp.terminals_enabled": options.terminals == "true",
        "ServerApp.identity_provider_class": "giestack.demo.lab_identity.OwnerOfServer",
        "OwnerOfServer.token": "",
        "LabApp.default_url": f"/{options.interface}",
        **QUIET,
        # Sockets in a private folder: what kernels print is not on a port that others reach.
        "KernelManager.transport": "ipc",
    }
    return [f"--{name}={value}" for name, value in values.items()]


def main(argv: Sequence[str] | None = None) -> int:
    """Run JupyterLab to its end; return the exit status."""
    parser = ArgumentParser(prog="giestack.demo.lab")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket")
    place.add_argument("--port", type=int)
    parser.add_argument("--base-url", default="/")
    parser.add_argument("--interface", choices=("lab", "doc"), default="lab")
    parser.add_argument("--terminals", choices=("true", "false"), default="true")
    options = parser.parse_args(argv)
    if not lab_installed():
        print(HOW_TO_INSTALL, file=sys.stderr)
        return 1
    home = Path.home()
    try:
        prepare(home, AS_PROCESS if options.port is None else IN_CONTAINER)
    except OSError as error:
        print(f"{home} could not be prepared: {error}", file=sys.stderr)
    from jupyterlab.labapp import main as run

    run(arguments(options, home, root=os.geteuid() == 0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
