"""Launches and removals of small containers: giestack's Docker client beside docker-py."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.ending import say
from bench.processes import Failed
from tests.neighbours.docker_api import DockerApi
from tests.neighbours.tools_image import have_tools_image

OURS, THEIRS = "giestack", "docker-py"
_COUNT, _AT_ONCE = 25, 8
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Launches:
    """What was measured of each client, by its name.

    :ivar count: launches in one go.
    :ivar each: seconds of launches.
    :ivar seconds: of all launches and removals of one go.
    """

    count: int = _COUNT
    each: dict[str, list[float]] = field(default_factory=lambda: {OURS: [], THEIRS: []})
    seconds: dict[str, list[float]] = field(default_factory=lambda: {OURS: [], THEIRS: []})


def measure_launches(
    found: Launches, engine: DockerApi, python: Path, marker: str, goes: int
) -> None:
    """Let the two clients take turns; ``python`` has docker-py."""
    image = have_tools_image(engine)
    given = (str(engine.socket), image, marker, str(_COUNT), str(_AT_ONCE))
    commands = {
        OURS: (sys.executable, "-m", "bench.launches", *given),
        THEIRS: (str(python), str(_ROOT / "bench" / "launches_docker_py.py"), *given),
    }
    for number in range(goes):
        for name, command in commands.items():
            say(f"launches, {number + 1} of {goes}: {name}")
            told = _said(command)
            found.each[name].extend(told["launches"])
            found.seconds[name].append(told["seconds"])


def _said(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)} failed: {done.stderr[-2000:].strip()}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told
