"""Galaxy's own configuration file, and the environment that changes it, as Galaxy reads them.

- ``galaxy.yml``: the section ``galaxy:``, beside it ``gravity:`` (Gravity 1.x).
- ``galaxy.ini`` (Galaxy 17.09 and before): the section ``[app:main]``, or ``[galaxy]``, with
  ``%(here)s`` for the folder of the file.
- ``GALAXY_CONFIG_OVERRIDE_<OPTION>`` in the environment wins over the file;
  ``GALAXY_CONFIG_<OPTION>`` counts where the file does not have the option at all.

Unknown options are Galaxy's business. Values keep where they come from, for problems.
"""

import configparser
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from giestack.settings.document import Node, Odd, compose
from giestack.settings.problems import Report
from giestack.settings.reading import World

_OVERRIDE = "GALAXY_CONFIG_OVERRIDE_"
_FILL = "GALAXY_CONFIG_"
KEY = "galaxy.config_file"


@dataclass(frozen=True, slots=True)
class GalaxyFile:
    """What Galaxy would know after reading its configuration.

    :ivar path: of the file.
    :ivar options: Galaxy's options as they are set, none of its defaults.
    :ivar gravity: the section ``gravity:``.
    """

    path: Path
    options: Mapping[str, Node]
    gravity: Mapping[str, Node]


def read_galaxy_file(path: Path, world: World, report: Report) -> GalaxyFile | None:
    """Read Galaxy's file; None and a problem at ``galaxy.config_file`` where that fails."""
    try:
        text = world.read_text(path)
    except OSError as error:
        report.problem(KEY, f"cannot read {path}: {error.strerror or 'no reason given'}")
        return None
    except ValueError:
        report.problem(KEY, f"cannot read {path}: it is no UTF-8 text")
        return None
    suffixes = [suffix for suffix in path.suffixes if suffix != ".sample"]
    match suffixes[-1:]:
        case [".yml" | ".yaml"]:
            sections = _yaml(path, text, report)
        case [".ini"]:
            sections = _ini(path, text, report)
        case _:
            report.problem(KEY, f"must be Galaxy's galaxy.yml or galaxy.ini, not {path}")
            return None
    if sections is None:
        return None
    options, gravity = sections
    return GalaxyFile(path, _with_environment(options, world.environ), gravity)


_Sections = tuple[dict[str, Node], dict[str, Node]]


def _yaml(path: Path, text: str, report: Report) -> _Sections | None:
    own = Report()
    root = compose(text, own, lenient=True).value
    assert isinstance(root, dict)
    for problem in own.problems:
        line = f", line {problem.line}" if problem.line is not None else ""
        report.problem(KEY, f"{path}{line}: {problem.text}")
    if own.problems:
        return None
    if "galaxy" not in root:
        report.problem(KEY, f"{path} has no section 'galaxy:'; is it Galaxy's galaxy.yml?")
        return None
    sections = []
    for name in ("galaxy", "gravity"):
        section = root.get(name, Node(None)).value
        if section is not None and not isinstance(section, dict):
            report.problem(KEY, f"{path}: {name}: must be a section with options")
            return None
        sections.append({key: _told(key, node, path) for key, node in (section or {}).items()})
    return sections[0], sections[1]


def _told(key: str, node: Node, path: Path) -> Node:
    """The same value, below it too, with its origin instead of a line of giestack's file."""
    value = node.value
    if isinstance(value, dict):
        value = {name: _told(f"{key}.{name}", one, path) for name, one in value.items()}
    elif isinstance(value, list):
        value = [_told(key, one, path) for one in value]
    return replace(node, value=value, line=None, origin=f"{key} in {path}, line {node.line}")


def _ini(path: Path, text: str, report: Report) -> _Sections | None:
    parser = configparser.ConfigParser(
        {"here": str(path.parent), "__file__": str(path)}, strict=False, allow_no_value=True
    )
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    try:
        parser.read_string(text.removeprefix("\ufeff"))
    except configparser.Error as error:
        # The messages of configparser quote the line, and the line may hold a secret.
        lines = [number for number, _ in getattr(error, "errors", ())]
        line = getattr(error, "lineno", lines[0] if lines else None)
        report.problem(KEY, f"{path}, line {line}: not an ini file as Galaxy knows them")
        return None
    for section in ("app:main", "galaxy"):
        if parser.has_section(section):
            names = parser.options(section)
            return {name: _ini_value(parser, section, name, path) for name in names}, {}
    report.problem(KEY, f"{path} has no section [app:main]; is it Galaxy's galaxy.ini?")
    return None


def _ini_value(parser: configparser.ConfigParser, section: str, name: str, path: Path) -> Node:
    origin = f"{name} in {path}"
    try:
        value = parser.get(section, name)
    except configparser.InterpolationError:
        return Node(Odd("has a '%' that is not written '%%'"), origin=origin)
    return Node(value, value or "", origin=origin)


def _with_environment(options: Mapping[str, Node], environ: Mapping[str, str]) -> dict[str, Node]:
    found = dict(options)
    for variable, value in sorted(environ.items()):
        node = Node(value, value, origin=f"{variable} in the environment")
        if variable.startswith(_OVERRIDE):
            found[variable.removeprefix(_OVERRIDE).lower()] = node
    for variable, value in sorted(environ.items()):
        if variable.startswith(_FILL) and not variable.startswith(_OVERRIDE):
            node = Node(value, value, origin=f"{variable} in the environment")
            found.setdefault(variable.removeprefix(_FILL).lower(), node)
    return found
