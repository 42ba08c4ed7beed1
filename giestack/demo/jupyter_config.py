"""What the demo's Jupyter server is told: its configuration file, its environment, a notebook."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from giestack.demo.first_visit import NO_NEWS, NOTEBOOK, QUIET, UNASKED, notebook
from giestack.demo.folder import DemoFolder, write_whole
from giestack.spawner.process.family import VARIABLE

_WORDS = """\
# Welcome

This is a real JupyterLab behind giestack. Only Alice gets here: try this page's
address as Bob, or logged out.

It runs as a process on this machine **without any isolation**: what you do here, you do
as the user who started the demo. Press Shift+Enter in the next cell.
"""
# sun_path has 108 bytes (unix(7)); a kernel's sockets have names of 49 bytes.
_LONGEST_RUNTIME_DIR = 108 - 1 - 50


@dataclass(frozen=True, slots=True)
class LabPlace:
    """Where one run of the server stands, and how requests to it are known.

    :ivar port: on 127.0.0.1.
    :ivar base: the path below which everything is; begins and ends with a slash; holds a token.
    :ivar header: name of the header without which the server lets nobody in; a secret.
    """

    port: int
    base: str = field(repr=False)
    header: str = field(repr=False)

    def url(self, path: str) -> str:
        """The URL of a path below the base."""
        return f"http://127.0.0.1:{self.port}{self.base}{path}"


def config_file(folder: DemoFolder) -> Path:
    """Where Jupyter looks for its configuration."""
    return folder.jupyter / "jupyter_server_config.py"


def runtime_dir(folder: DemoFolder) -> Path:
    """Where Jupyter keeps what is of no use to a later start."""
    return folder.jupyter / "runtime"


def config_text(folder: DemoFolder, place: LabPlace, username: str, *, root: bool) -> str:
    """Return Jupyter's configuration, a Python file; ``root``: whether root is to run it.

    Host and Origin checks and the protection against cross-site requests stay as they are in
    Jupyter: giestack keeps the client's Host, and the demo is visited at loopback names only.
    """
    values = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": place.port,
        "ServerApp.port_retries": 0,
        "ServerApp.base_url": place.base,
        "ServerApp.root_dir": str(folder.home),
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": root,
        "ServerApp.terminals_enabled": True,
        "ServerApp.identity_provider_class": "giestack.demo.jupyter_identity.FrontDoor",
        "FrontDoor.header": place.header,
        "FrontDoor.username": username,
        "FrontDoor.token": "",
        **QUIET,
    }
    if len(os.fsencode(runtime_dir(folder))) <= _LONGEST_RUNTIME_DIR:
        # Sockets in a private folder: what kernels print is not on a port that others reach.
        values["KernelManager.transport"] = "ipc"
    package = Path(__file__).parents[2]
    lines = ["c = get_config()", "import sys", f"sys.path.append({str(package)!r})"]
    lines += [f"c.{name} = {value!r}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def environment(
    folder: DemoFolder,
    environ: Mapping[str, str],
    python: Path,
    prefix: Path | None,
    user_base: Path | None,
) -> dict[str, str]:
    """Return the server's environment: what it needs, and nothing else of ``environ``.

    ``python`` is the interpreter, ``prefix`` its virtual environment, ``user_base`` where
    ``pip install --user`` puts things; None where there is none.
    """
    path = environ.get("PATH", os.defpath)
    found = {
        "PATH": os.pathsep.join((str(python.parent), path)),
        "HOME": str(folder.home),
        "LANG": environ.get("LANG", "C.UTF-8"),
        "SHELL": environ.get("SHELL", "/bin/sh"),
        "IPYTHONDIR": str(folder.jupyter / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder.jupyter),
        "JUPYTER_DATA_DIR": str(folder.jupyter / "data"),
        "JUPYTER_RUNTIME_DIR": str(runtime_dir(folder)),
        VARIABLE: folder.family,
    }
    for name in ("TZ", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "TMPDIR"):
        if name in environ:
            found[name] = environ[name]
    if prefix is not None:
        found["VIRTUAL_ENV"] = str(prefix)
    if user_base is not None:
        found["PYTHONUSERBASE"] = str(user_base)
    return found


def prepare(folder: DemoFolder) -> str:
    """Make what a first start needs; return the path to open. Waits for the disk."""
    if not folder.home.exists():
        new = folder.home.with_name("alice.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        write_whole(new / NOTEBOOK, notebook(_WORDS))
        new.replace(folder.home)
    folder.jupyter.mkdir(mode=0o700, exist_ok=True)
    settings = folder.jupyter / UNASKED
    if not settings.exists():
        settings.mkdir(mode=0o700, parents=True)
        name, text = NO_NEWS
        write_whole(settings / name, text)
    return f"lab/tree/{NOTEBOOK}" if (folder.home / NOTEBOOK).exists() else "lab"


def configure(folder: DemoFolder, place: LabPlace, username: str) -> None:
    """Write the configuration, forget what a former run has left. Waits for the disk."""
    shutil.rmtree(runtime_dir(folder), ignore_errors=True)
    runtime_dir(folder).mkdir(mode=0o700)
    text = config_text(folder, place, username, root=os.geteuid() == 0)
    write_whole(config_file(folder), text)
