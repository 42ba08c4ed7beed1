"""Deployments for tests: a configuration's text in, what the doctor looks at out."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from giestack.doctor.check import Check, Finding
from giestack.doctor.deployment import Deployment
from giestack.doctor.runner import looked
from giestack.settings.document import compose
from giestack.settings.galaxy_file import read_galaxy_file
from giestack.settings.load import parse
from giestack.settings.places import http_url
from giestack.settings.problems import Report
from giestack.settings.reading import World

SECRET = "giestack-test-secret-0123456789"
NOW = 1_700_000_000.0
FOLDER = Path("/nowhere")


def deployment(
    text: str = "{}",
    *,
    galaxy: str | None = None,
    folder: Path = FOLDER,
    front: str | None = None,
    environ: Mapping[str, str] | None = None,
    **given: Any,
) -> Deployment:
    """A deployment with this giestack.yml, and this text as Galaxy's ``galaxy.yml``."""
    files = {folder / "galaxy.yml": galaxy or "galaxy: {}"}

    def read(path: Path) -> str:
        return files[path] if path in files else path.read_text(encoding="utf-8")

    world = World(folder, environ or {}, read, lambda path: True)
    overrides = {} if galaxy is None else {"galaxy.config_file": "galaxy.yml"}
    loaded = parse(text, world, overrides)
    given.setdefault("now", lambda: NOW)
    return Deployment(
        settings=loaded.settings,
        warnings=loaded.warnings,
        own=compose(text, Report()),
        galaxy=None if galaxy is None else read_galaxy_file(folder / "galaxy.yml", world, Report()),
        front=None if front is None else http_url(front, "a URL"),
        environ=environ or {},
        **given,
    )


def found(checks: Iterable[Check], id: str) -> list[Finding]:
    """What the check of this id finds."""
    (check,) = [check for check in checks if check.id == id]
    return list(looked(check))


def one(checks: Iterable[Check], id: str) -> Finding:
    """The one thing that it finds."""
    (finding,) = found(checks, id)
    assert "failed with" not in finding.message, finding
    return finding
