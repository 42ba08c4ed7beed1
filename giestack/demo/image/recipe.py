"""What is in the demo's image: Debian, Python packages, a few files of giestack's own.

The server and its kernels belong to root and can't be changed by those who use them; what they
install with ``%pip`` goes into their home.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from giestack.demo.first_visit import QUIET
from giestack.demo.lab import IN_CONTAINER, prepare

IMAGE = "giestack/jupyter:demo"
PORT = 8888
HOME = "/home/jovyan"
LAB = ("python3", "-sP", "-m", "giestack.demo.lab")
"""What starts JupyterLab in the image. ``-s``: nothing of a home gets into the server."""

SUITE = "bookworm"
DEBIAN = ("python3", "libstdc++6", "ca-certificates", "procps", "less", "curl")
PYPI = ("jupyterlab", "ipykernel", "pip")

RECIPE_LABEL = "org.giestack.recipe"
PORT_LABEL = "org.giestack.port"

_PACKAGES = "usr/local/lib/python3.11/dist-packages"
_MODULES = (
    *("__init__.py", "demo/__init__.py", "demo/first_visit.py", "demo/lab.py"),
    *("demo/lab_identity.py", "demo/session_environment.py"),
)
_GIESTACK = Path(__file__).parents[2]

# Login shells, which JupyterLab's terminals are, and others that people type in.
_SHELL = """\
# What a session is told after its start, and what people have installed for themselves.
if [ -r /run/secrets/giestack.env ]; then
  set -a
  . /run/secrets/giestack.env
  set +a
fi
case ":$PATH:" in
  *":$HOME/.local/bin:"*) ;;
  *) PATH="$PATH:$HOME/.local/bin" ;;
esac
"""

INSIDE = """\
#!/bin/sh
# Runs with the new file system's folder as $1.
set -eu
cd "$1"
say() { echo "I: $*" >&2; }

say "installing Python packages"
ln -s python3 usr/bin/python
rm -f usr/lib/python3*/EXTERNALLY-MANAGED
chroot . env PYTHONPATH=/build python3 -P -m pip install --no-cache-dir --no-input \\
  --root-user-action=ignore --progress-bar=off $PACKAGES >&2

say "trying JupyterLab"
chroot . env PYTHONDONTWRITEBYTECODE=1 python3 -sP -c \
  'import jupyterlab.labapp, ipykernel.kernelapp, giestack.demo.lab_identity'

say "removing what nobody needs"
rm -rf build
find usr/local -name '*.map' -type f -delete
find usr/local/lib -type d -name tests -prune -exec rm -rf {} +
: > etc/resolv.conf
: > etc/hostname

say "adding the user"
echo 'jovyan:x:1000:1000::/home/jovyan:/bin/bash' >> etc/passwd
echo 'jovyan:x:1000:' >> etc/group
echo '. /etc/profile.d/giestack.sh' >> etc/bash.bashrc
cp -a etc/skel/. home/jovyan/
chown -R 1000:1000 home/jovyan
"""
"""A shell script for the new file system; ``$PACKAGES``, and pip below ``/build``, are there."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """An image to make.

    :ivar more: packages from PyPI beside those that are always there.
    """

    more: tuple[str, ...] = ()

    @property
    def packages(self) -> tuple[str, ...]:
        """All packages from PyPI."""
        return (*PYPI, *self.more)

    @property
    def digest(self) -> str:
        """Changes with the recipe; versions of packages are not part of it."""
        parts = (SUITE, DEBIAN, self.packages, INSIDE, self._settings(), sorted(_files()))
        return sha256(repr(parts).encode()).hexdigest()[:16]

    def changes(self) -> list[str]:
        """What ``docker import`` is to note in the image, as in a Dockerfile."""
        return [
            *self._settings(),
            f"LABEL {PORT_LABEL}={PORT}",
            f"LABEL {RECIPE_LABEL}={self.digest}",
        ]

    def write(self, root: Path) -> None:
        """Put giestack's own files below a folder, and a home as it is at first; raise OSError."""
        for name, text in _files():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        home = root / HOME.lstrip("/")
        home.mkdir(parents=True)
        prepare(home, IN_CONTAINER)

    def _settings(self) -> tuple[str, ...]:
        return (
            f"ENV HOME={HOME} PATH=/usr/local/bin:/usr/bin:/bin:{HOME}/.local/bin",
            "ENV LANG=C.UTF-8 SHELL=/bin/bash",
            # Out of the home, which may be put in place when the server is running already.
            "ENV JUPYTER_RUNTIME_DIR=/tmp/jupyter",
            "USER jovyan",
            f"WORKDIR {HOME}",
            f"EXPOSE {PORT}",
            f"CMD {json.dumps([*LAB, f'--port={PORT}'])}",
        )


def _files() -> Iterator[tuple[str, str]]:
    """Files by their paths in the image, without the slash at the beginning."""
    for name in _MODULES:
        yield f"{_PACKAGES}/giestack/{name}", (_GIESTACK / name).read_text(encoding="utf-8")
    environment = (_GIESTACK / "demo/session_environment.py").read_text(encoding="utf-8")
    # Of the folders that IPython looks into, the one that no package writes to.
    yield "etc/ipython/startup/00-giestack.py", environment
    yield "etc/profile.d/giestack.sh", _SHELL
    # For servers that somebody starts otherwise, too.
    yield "etc/jupyter/jupyter_server_config.json", json.dumps(_nested(QUIET), indent=1)
    asks_nothing = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
    yield "usr/local/share/jupyter/lab/settings/overrides.json", json.dumps(asks_nothing)


def _nested(values: dict[str, object]) -> dict[str, dict[str, object]]:
    """``Class.name`` as Jupyter's JSON has it: the name below the class."""
    found: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        found.setdefault(section, {})[name] = value
    return found
