"""What every kind of value is read with: the place it stands at, and the world around."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from giestack.settings.document import Node, Odd
from giestack.settings.problems import Report, Wrong

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class World:
    """All that a configuration may look at besides its own text.

    :ivar folder: absolute; relative paths start there.
    :ivar environ: environment variables.
    :ivar read_text: a file's text; raises OSError, or ValueError where it is no UTF-8.
    :ivar is_file: whether a file is there.
    """

    folder: Path
    environ: Mapping[str, str]
    read_text: Callable[[Path], str]
    is_file: Callable[[Path], bool]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the configuration a value stands, and where problems go."""

    path: str
    world: World
    report: Report

    def below(self, key: str) -> "Place":
        return replace(self, path=f"{self.path}.{key}" if self.path else key)

    def item(self, number: int) -> "Place":
        return replace(self, path=f"{self.path}[{number}]")

    def problem(self, text: str, node: Node) -> None:
        origin = f" ({node.origin})" if node.origin else ""
        self.report.problem(self.path, text + origin, node.line)

    def file(self, text: str, node: Node) -> Path:
        """A path as it is meant: relative ones start at the configuration's folder."""
        if "\0" in text:
            raise Wrong("is no path: it holds a NUL character")
        return Path(self.world.folder, text)


class Kind(Protocol):
    """Reads a value; raises `Wrong` with what is allowed."""

    def read(self, node: Node, at: Place) -> Any: ...


def shown(text: str) -> str:
    """A value as it appears in a problem: not all of it if long, no password before an @."""
    text = f"…{text[text.rindex('@') :]}" if "@" in text else text
    return repr(text if len(text) <= 60 else f"{text[:57]}…")


def text_of(node: Node, what: str = "a text") -> str:
    """The text of a scalar; numbers count as they are written."""
    match node.value:
        case Odd():
            raise Wrong(node.value.text)
        case bool():
            raise Wrong(f"must be {what}; as a text, yes and no, on and off need quotes")
        case None | list() | dict():
            raise Wrong(f"must be {what}, not {shape(node)}")
        case str():
            return node.value
    return node.text


def shape(node: Node) -> str:
    match node.value:
        case list():
            return "a list"
        case dict():
            return "a section"
        case None:
            return "empty"
        case Odd():
            return "something that YAML alone understands"
    return "a single value"


def attempt(kind: Kind, node: Node, at: Place) -> Any:
    """Read a value, or note the problem and return None."""
    try:
        return kind.read(node, at)
    except Wrong as wrong:
        at.problem(str(wrong), node)
        return None


def revealed(text: str, node: Node, at: Place) -> str:
    """A secret's value: ``file:PATH`` without its last line break, ``${ENV}`` filled in."""
    if node.origin is not None:
        return text
    if text.startswith("file:"):
        path = at.file(text[len("file:") :], node)
        return _read(path, at).removesuffix("\n").removesuffix("\r")
    missing = [name for name in _VARIABLE.findall(text) if name not in at.world.environ]
    if missing:
        raise Wrong(f"the environment has no variable {missing[0]}")
    return _VARIABLE.sub(lambda match: at.world.environ[match[1]], text)


def _read(path: Path, at: Place) -> str:
    try:
        return at.world.read_text(path)
    except OSError as error:
        raise Wrong(f"cannot read {path}: {error.strerror or 'no reason given'}") from None
    except ValueError:
        raise Wrong(f"cannot read {path}: it is no UTF-8 text") from None
