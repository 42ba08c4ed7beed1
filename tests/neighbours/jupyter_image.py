"""The demo's image of JupyterLab in an engine of the tests.

It is made by ``make demo-image``'s own recipe, once: what it has made is kept below .prepared/,
until the recipe changes.
"""

import fcntl
import io
import os
import subprocess
from pathlib import Path
from unittest import mock

from giestack.demo.image.build import build
from giestack.demo.image.progress import Progress
from giestack.demo.image.recipe import IMAGE, RECIPE_LABEL, Recipe
from tests.neighbours.docker import Engine

KEPT = Path(__file__).parents[2] / ".prepared"
REPOSITORY = "giestack-test/jupyter"
"""Not the demo's own name: on somebody's engine that one may have more packages in it."""


def jupyter_image(engine: Engine) -> str:
    """The tag of the image, which the engine then has; takes a minute the first time."""
    digest = Recipe().digest
    tag, label = f"{REPOSITORY}:{digest}", f"{RECIPE_LABEL}={digest}"
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "jupyter-image.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not engine.api.has_image(tag, label):
            if engine.api.has_image(IMAGE, label):
                engine.api.must("POST", f"/images/{IMAGE}/tag", repo=REPOSITORY, tag=digest)
            else:
                _bring(engine, tag, KEPT / f"jupyter-image-{digest}.tar")
            _forget_others(engine, tag)
    return tag


def _bring(engine: Engine, tag: str, kept: Path) -> None:
    with mock.patch.dict(os.environ, {"DOCKER_HOST": engine.url}):
        os.environ.pop("DOCKER_TLS_VERIFY", None)
        if not kept.exists():
            build(tag, Recipe(), Progress(io.StringIO()))
            for old in KEPT.glob("jupyter-image-*.tar*"):
                old.unlink()
            written = kept.with_suffix(".tar.new")
            _docker("save", "--output", str(written), tag)
            written.rename(kept)
        else:
            _docker("load", "--quiet", "--input", str(kept))


def _docker(*words: str) -> None:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {words[0]}: {done.stderr}"


def _forget_others(engine: Engine, tag: str) -> None:
    """Remove what former recipes have left, where nothing runs of it."""
    for image in engine.api.must("GET", "/images/json"):
        for other in image["RepoTags"] or ():
            if other.startswith(f"{REPOSITORY}:") and other != tag:
                engine.api.ask("DELETE", f"/images/{other}")
