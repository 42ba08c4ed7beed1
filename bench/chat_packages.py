"""The chats that giestack's is compared with, installed where the other benches' things are."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from bench import node_packages
from bench.node_packages import NodePackages
from bench.processes import Failed

WS = "ws"
WS_VERSION = "8.23.0"

FLASK = "Flask-SocketIO"
FLASK_VERSION = "5.7.0"

_PREPARED = Path(__file__).parents[1] / ".prepared"
_PYTHON = _PREPARED / "flask-socketio"
_NODE = _PREPARED / "ws"
_WANTED = (
    f"flask-socketio=={FLASK_VERSION}",
    "eventlet==0.41.3",
    "flask-login==0.6.3",
    "pycryptodome",
)


def install_flask() -> Path:
    """Install what is missing, and say what; the Python that has it.

    :raises Failed: where pip fails.
    """
    python = _PYTHON / "bin" / "python"
    stamp = _PYTHON / "-".join(_WANTED)
    if not stamp.exists():
        print(f"==> installing from PyPI into {_PYTHON.name}: {' '.join(_WANTED)}", flush=True)
        _run(sys.executable, "-m", "venv", str(_PYTHON))
        _run(str(python), "-m", "pip", "install", "--quiet", *_WANTED)
        stamp.touch()
    return python


def install_ws() -> NodePackages:
    """Install what is missing, and say what; Node, and the packages of this bench.

    :raises Failed: where npm is missing or fails.
    """
    packages = NodePackages(node_packages.install().node, _NODE / "node_modules")
    manifest = packages.modules / WS / "package.json"
    if not manifest.exists() or packages.version(WS) != WS_VERSION:
        npm = shutil.which("npm")
        if npm is None:
            raise Failed("npm is not installed (Debian: apt install npm)")
        print(f"==> installing from npm into {_NODE.name}: {WS}@{WS_VERSION}", flush=True)
        _NODE.mkdir(parents=True, exist_ok=True)
        quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")
        _run(
            npm, "install", "--prefix", str(_NODE), "--ignore-scripts", *quiet, f"{WS}@{WS_VERSION}"
        )
    return packages


def eventlet_version() -> str:
    """That of the environment of Flask-SocketIO."""
    (folder,) = (_PYTHON / "lib").glob("python*/site-packages")
    (found,) = distributions(name="eventlet", path=[str(folder)])
    return found.version


def _run(*command: str) -> None:
    done = subprocess.run(
        command, cwd=_PREPARED, env=os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"{' '.join(command)} failed: {(done.stderr or done.stdout)[-2000:].strip()}")
