"""Text to `Settings`, with every problem at once; pure, given what `World` lets it look at.

The order: giestack's own file, over it what the command line says, under it what Galaxy's file
says; then every key is read by its kind; then what follows from other keys; then what the keys
say together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from giestack.settings.checks import check
from giestack.settings.derive import derive
from giestack.settings.document import NOTHING, Node, compose, lookup, with_node
from giestack.settings.galaxy_defaults import (
    GalaxyDefaults,
    cookie_path_in,
    galaxy_defaults,
    joined,
)
from giestack.settings.galaxy_file import KEY, read_galaxy_file
from giestack.settings.kinds import PathOf, Section
from giestack.settings.problems import Problem, Report, SettingsError, Wrong
from giestack.settings.reading import Place, World, attempt
from giestack.settings.schema import Settings
from giestack.settings.unready import missing_part, refuse_unready

_WHOLE_FILE = Section(Settings)
_COMMAND_LINE = "on the command line"
_PREFIXES = {
    "proxy.prefix": ("giestack",),
    "proxy.gie_prefix": ("gie_proxy",),
    "proxy.interactivetools_prefix": ("interactivetool", "ep"),
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used.

    :ivar warnings: what an administrator should hear at start.
    """

    settings: Settings
    warnings: tuple[Problem, ...]


def parse(text: str, world: World, overrides: Mapping[str, object] | None = None) -> Loaded:
    """Read a configuration; raises `SettingsError` with everything that is wrong.

    `overrides` are the command line's: values (texts, numbers, booleans, lists and mappings of
    them) by path, as ``{"proxy.listen": ["tcp:8000"]}``; they win over the file.
    """
    report = Report()
    own = compose(text, report)
    for path, value in (overrides or {}).items():
        own = with_node(own, path, _node(value))
    place = Place("", world, report)
    galaxy = _galaxy(own, place)
    filled = _filled(own, galaxy, place)
    written: Settings = attempt(_WHOLE_FILE, filled, place)
    settings = derive(written, own, galaxy, world, report)
    check(settings, own, report)
    refuse_unready(written, report)
    problems, warnings = (
        tuple(sorted((_placed(one, filled) for one in found), key=lambda one: one.line or 0))
        for found in (report.problems, report.warnings)
    )
    if problems:
        raise SettingsError(problems, warnings)
    return Loaded(settings, warnings)


def _placed(problem: Problem, root: Node) -> Problem:
    """With the line, or the origin, also for what only a later check has seen."""
    node = lookup(root, problem.path)
    if not problem.path or problem.line is not None:
        return problem
    if node.origin is not None and node.origin not in problem.text:
        return replace(problem, text=f"{problem.text} ({node.origin})")
    return replace(problem, line=node.line)


def _galaxy(own: Node, place: Place) -> GalaxyDefaults | None:
    node = lookup(own, KEY)
    if node.empty:
        return None
    try:
        path = PathOf().read(node, place)
    except Wrong:
        return None  # the key's own kind says it
    file = read_galaxy_file(path, place.world, place.report)
    if file is None:
        return None
    return galaxy_defaults(file, lookup(own, "galaxy.cookie_path"), place)


def _filled(own: Node, galaxy: GalaxyDefaults | None, place: Place) -> Node:
    """The file with what Galaxy's says where it says nothing itself."""
    filled = own
    for path, node in (galaxy.nodes if galaxy else {}).items():
        section = path.partition(".")[0]
        off = section in ("chat", "spawner") and section not in _sections(own)
        if off or node.empty or not lookup(own, path).empty:
            continue
        part = missing_part(path)
        if part is None:
            filled = with_node(filled, path, node)
        else:
            place.report.warn(path, f"this version of giestack has {part} ({node.origin})")
    cookie_path = cookie_path_in(lookup(filled, "galaxy.cookie_path"), place)
    if cookie_path is not None:
        for path, parts in _PREFIXES.items():
            if lookup(filled, path).empty:
                text = joined(cookie_path, *parts)
                filled = with_node(filled, path, Node(text, text, origin="below cookie_path"))
    return filled


def _sections(root: Node) -> Mapping[str, Node]:
    return root.value if isinstance(root.value, dict) else {}


def _node(value: object) -> Node:
    if value is None:
        return NOTHING
    if isinstance(value, (list, tuple)):
        return Node([_node(one) for one in value], origin=_COMMAND_LINE)
    if isinstance(value, Mapping):
        return Node({key: _node(one) for key, one in value.items()}, origin=_COMMAND_LINE)
    text = str(value)
    return Node(value if isinstance(value, bool) else text, text, origin=_COMMAND_LINE)
