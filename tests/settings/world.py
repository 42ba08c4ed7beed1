"""A world of texts for configurations: files that are only names, and an environment."""

from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings import unready
from giestack.settings.document import Node, compose
from giestack.settings.load import Loaded, parse
from giestack.settings.problems import Report, SettingsError
from giestack.settings.reading import Kind, Place, World, attempt
from giestack.settings.schema import Settings

FOLDER = Path("/etc/giestack")
UNREADABLE = "/etc/giestack/unreadable"
BINARY = "/etc/giestack/binary"


def world(
    files: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> World:
    """A world whose folder is /etc/giestack and whose files are these, by absolute path."""
    known = {Path(name): text for name, text in (files or {}).items()}

    def read_text(path: Path) -> str:
        if path == Path(UNREADABLE):
            raise PermissionError(13, "Permission denied")
        if path == Path(BINARY):
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        if path not in known:
            raise FileNotFoundError(2, "No such file or directory")
        return known[path]

    return World(FOLDER, environ or {}, read_text, known.__contains__)


def load(
    text: str,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Loaded:
    return parse(text, world(files, environ), overrides)


def settings(
    text: str,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    return load(text, files, environ).settings


def problems(
    text: str,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[str]:
    """What is wrong with a configuration, one line each; nothing wrong: an empty list."""
    try:
        load(text, files, environ)
    except SettingsError as error:
        return [str(problem) for problem in error.problems]
    return []


def warnings(
    text: str,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[str]:
    """What a configuration that can be used is warned about."""
    return [str(warning) for warning in load(text, files, environ).warnings]


def read(
    kind: Kind,
    text: str,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    origin: str | None = None,
) -> tuple[object, list[str]]:
    """What a kind makes of the YAML value `text`, and what it says about it."""
    report = Report()
    node = compose(f"key: {text}", report).value
    assert isinstance(node, dict) and not report.problems, report.problems
    value = node["key"]
    if origin is not None:
        value = Node(value.value, value.text, origin=origin)
    result = attempt(kind, value, Place("key", world(files, environ), report))
    return result, [problem.text for problem in report.problems]


class EverythingThere(SynchronousTestCase):
    """Nothing is refused as missing: for keys whose part may not have arrived."""

    def setUp(self) -> None:
        self.patch(unready, "NOT_YET", {})
