"""YAML text to a tree of nodes that know their line, and nothing else that can go wrong.

PyYAML's SafeLoader does the scanning and resolving (YAML 1.1). Objects are not constructed
by it: numbers in unusual notation (octal, sexagesimal, ``1_000``), unknown tags and keys that
are no text become an `Odd` value, which every key refuses in words.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import yaml

from giestack.settings.problems import Report

_DEEPEST = 40
_MOST_NODES = 50_000  # far above any configuration; aliases of aliases of aliases stop here
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]*")
_QUOTED = re.compile(r"(['\"])(?!<)(.{2,}?)\1")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Which tag is not said: it may be a secret that should have been in quotes.
_TAGGED = "has a YAML tag (it begins with '!'), which means nothing here; a text needs quotes"
_STEP = re.compile(r"[^.\[\]]+")
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Odd:
    """A value that is well-formed YAML but that no key may have; says why."""

    text: str


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a configuration.

    :ivar value: what it means.
    :ivar text: how a scalar is written; empty for lists and mappings.
    :ivar line: from 1; None for values that do not stand in giestack's own file.
    :ivar origin: where such a value comes from, in words; None for giestack's own file.
    """

    value: "Odd | bool | int | float | str | list[Node] | dict[str, Node] | None"
    text: str = ""
    line: int | None = None
    origin: str | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is written there, which means the default."""
        return self.value is None or self.value == ""


NOTHING = Node(None)


def compose(text: str, report: Report, lenient: bool = False) -> Node:
    """Read a YAML document; its top level is expected to be a mapping.

    Problems go to `report`; what could not be read is left out. An empty document is an empty
    mapping. `lenient` is for other programs' files: of a key that stands there twice the last
    one counts, as it does for them, and keys that are no text are passed over.
    """
    try:
        top = _compose_one(text.removeprefix("\ufeff"))
        root = NOTHING if top is None else _Builder(report, lenient).build(top, "")
    except yaml.YAMLError as error:
        report.problem("", *_explain(error))
        return Node({})
    except RecursionError:
        report.problem("", "nested too deeply to be a configuration")
        return Node({})
    if root.value is None:
        return Node({})
    if not isinstance(root.value, dict):
        report.problem("", "the file must hold sections like 'proxy:', each with its keys", 1)
        return Node({})
    return root


def _compose_one(text: str) -> yaml.Node | None:
    loader = yaml.SafeLoader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
        return node
    finally:
        loader.dispose()


def _explain(error: yaml.YAMLError) -> tuple[str, int | None]:
    """One line for a syntax error, without the text that it stumbled over."""
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return "not YAML: it holds a character that no text file has", None
    said = ", ".join(part for part in (error.context, error.problem) if part)
    said = _QUOTED.sub("'…'", said.replace("\n", " "))
    hint = "a value that begins with one of * & ! % @ ` or holds ': ' needs quotes"
    return f"not YAML at column {mark.column + 1}: {said}; {hint}", mark.line + 1


class _Builder:
    """Turns PyYAML's nodes into ours, within bounds."""

    def __init__(self, report: Report, lenient: bool) -> None:
        self._report = report
        self._lenient = lenient
        self._left = _MOST_NODES
        self._open: set[int] = set()

    def build(self, node: yaml.Node, path: str) -> Node:
        line = node.start_mark.line + 1
        self._left -= 1
        if self._left < 0 or len(self._open) >= _DEEPEST or id(node) in self._open:
            return Node(Odd("goes on without end, or nearly: look at its aliases"), line=line)
        if isinstance(node, yaml.ScalarNode):
            return Node(_scalar(node), node.value, line)
        self._open.add(id(node))
        try:
            if not _known(node.tag):
                return Node(Odd(_TAGGED), line=line)
            if isinstance(node, yaml.SequenceNode):
                items = enumerate(node.value)
                return Node([self.build(item, f"{path}[{n}]") for n, item in items], line=line)
            assert isinstance(node, yaml.MappingNode)
            return Node(self._mapping(node, path), line=line)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: str) -> "dict[str, Node]":
        found: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                if not self._lenient:
                    self._report.problem(path, "a key must be a single word", line)
                continue
            below = f"{path}.{key.value}" if path else key.value
            if key.tag == _MERGE:
                for source in self._merged(value, path):
                    merged = {**source, **merged}
            elif key.value in found and not self._lenient:
                first = found[key.value].line
                self._report.problem(below, f"stands here twice, first on line {first}", line)
            else:
                found[key.value] = replace(self.build(value, below), line=line)
        return {**merged, **found}

    def _merged(self, node: yaml.Node, path: str) -> "Iterator[Mapping[str, Node]]":
        built = self.build(node, path)
        for one in built.value if isinstance(built.value, list) else [built]:
            if isinstance(one.value, dict):
                yield one.value
            elif not self._lenient:
                self._report.problem(path, "'<<' takes a mapping or a list of them", one.line)


def _known(tag: str) -> bool:
    return tag in ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")


def _scalar(node: yaml.ScalarNode) -> Odd | bool | int | float | str | None:
    text: str = node.value
    if _SURROGATE.search(text):
        return Odd("holds half a character (a lone surrogate)")
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "null":
            return None
        case "str" | "timestamp" | "value" | "merge":
            return text
        case "bool" if text.lower() in yaml.SafeLoader.bool_values:
            return yaml.SafeLoader.bool_values[text.lower()]
        case "int" if _INTEGER.fullmatch(text) and len(text) <= 18:
            return int(text)
        case "float" if _DECIMAL.fullmatch(text):
            return float(text)
        case "int" | "float":
            return Odd("is a number in unusual notation; for a text, put it in quotes")
    return Odd(_TAGGED)


def lookup(root: Node, path: str) -> Node:
    """The node at ``proxy.services[0].path``; an empty one where nothing stands there."""
    node = root
    for step in _STEP.findall(path):
        inside = node.value
        if isinstance(inside, dict):
            node = inside.get(step, NOTHING)
        elif isinstance(inside, list) and step.isdecimal() and int(step) < len(inside):
            node = inside[int(step)]
        else:
            return NOTHING
    return node


def with_node(root: Node, path: str, node: Node) -> Node:
    """The same tree with another node at a path; what is no mapping on the way stays as it is."""
    name, _, rest = path.partition(".")
    if root.value is not None and not isinstance(root.value, dict):
        return root
    found = dict(root.value or {})
    found[name] = with_node(found.get(name, NOTHING), rest, node) if rest else node
    return replace(root, value=found)
