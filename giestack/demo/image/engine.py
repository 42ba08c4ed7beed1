"""A Docker engine as Docker's own client reaches it: DOCKER_HOST, contexts, the local socket."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from giestack.demo.image.recipe import RECIPE_LABEL

_NO_CLIENT = "Docker is not installed here. As root: apt-get install docker.io"
_NO_ENGINE = """\
No Docker engine answers{where}: {said}
Is it running (as root: systemctl start docker; without systemd: dockerd), and may you use it (as
root, or as a member of the group docker)? Where there is none: apt-get install docker.io.
DOCKER_HOST names one elsewhere."""
_PATIENCE = 20.0


class EngineError(Exception):
    """The engine did not do what it should; the text says why and what helps."""


def check_engine(environ: Mapping[str, str]) -> str:
    """The version of the engine that answers; raise `EngineError`."""
    if shutil.which("docker") is None:
        raise EngineError(_NO_CLIENT)
    host = environ.get("DOCKER_HOST", "")
    where = f" at {host}" if host else ""
    try:
        asked = _docker("version", "--format", "{{.Server.Version}}", seconds=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise EngineError(_NO_ENGINE.format(where=where, said="it says nothing")) from None
    if asked.returncode:
        raise EngineError(_NO_ENGINE.format(where=where, said=asked.stderr.strip()))
    return asked.stdout.strip()


def stands(tag: str, digest: str) -> bool:
    """Whether the engine has an image made by the recipe with this digest."""
    label = f'{{{{index .Config.Labels "{RECIPE_LABEL}"}}}}'
    asked = _docker("image", "inspect", "--format", label, tag)
    return asked.returncode == 0 and asked.stdout.strip() == digest


def size_of(tag: str) -> int:
    """Bytes of an image that is there."""
    return int(_docker("image", "inspect", "--format", "{{.Size}}", tag).stdout)


def import_image(archive: Path, tag: str, changes: Sequence[str]) -> None:
    """Make a tar file an image, with changes as in a Dockerfile; raise `EngineError`.

    What had that name is removed, unless a container still has it.
    """
    former = _docker("image", "inspect", "--format", "{{.Id}}", tag).stdout.strip()
    words = [word for change in changes for word in ("--change", change)]
    done = _docker("import", *words, str(archive), tag)
    if done.returncode:
        raise EngineError(f"Docker did not take the image: {done.stderr.strip()}")
    if former:
        _docker("image", "rm", former)


def _docker(*words: str, seconds: float | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["docker", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
