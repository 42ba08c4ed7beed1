"""What values may be: each kind reads one node of the document, or says what it must be.

A kind raises `Wrong` for a value as a whole. Lists, mappings and sections report what is wrong
inside them at its own path and go on, so that one run names every problem.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_type_hints

from giestack.settings.document import NOTHING, Node, Odd
from giestack.settings.problems import Wrong
from giestack.settings.reading import Kind, Place, attempt, revealed, shape, shown, text_of

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT])?(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_LARGEST = 2**62
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,18}(\.[0-9]{0,18})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FLAGS = dict.fromkeys(("true", "yes", "on", "1"), True)
_FLAGS |= dict.fromkeys(("false", "no", "off", "0"), False)

LogTarget = Path | Literal["stdout", "syslog", "off"]


def no_entries() -> Mapping[str, Any]:
    """An empty mapping that nobody can write to."""
    return MappingProxyType({})


class _Required:
    """Marks a key that has no default."""


REQUIRED = _Required()


@dataclass(frozen=True, slots=True)
class Text:
    """Any text on one line."""

    def read(self, node: Node, at: Place) -> str:
        text = text_of(node)
        if _CONTROL.search(text):
            raise Wrong("holds a line break or another control character")
        return text


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false; as a text too, which is what environment variables and ini files hold."""

    def read(self, node: Node, at: Place) -> bool:
        if isinstance(node.value, bool):
            return node.value
        text = text_of(node, "true or false")
        if text.lower() not in _FLAGS:
            raise Wrong(f"must be true or false, not {shown(text)}")
        return _FLAGS[text.lower()]


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    low: int
    high: int = 2**53

    def read(self, node: Node, at: Place) -> int:
        text = text_of(node, "a whole number").strip()
        if not _WHOLE.fullmatch(text) or not self.low <= int(text) <= self.high:
            bounds = f"{self.low} or more" if self.high == 2**53 else f"{self.low} to {self.high}"
            raise Wrong(f"must be a whole number, {bounds}, not {shown(text)}")
        return int(text)


@dataclass(frozen=True, slots=True)
class Number:
    """A number, `low` or more, or with `above` more than `low`; times are in seconds."""

    low: float
    above: bool = False
    high: float = math.inf

    def read(self, node: Node, at: Place) -> float:
        text = text_of(node, "a number").strip()
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
        low_enough = number > self.low if self.above else number >= self.low
        if not low_enough or number > self.high:
            bounds = f"more than {self.low:g}" if self.above else f"{self.low:g} or more"
            bounds += "" if self.high == math.inf else f", {self.high:.0f} at most"
            raise Wrong(f"must be a number, {bounds}, not {shown(text)}")
        return number


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes, or with one of K, M, G, T (powers of 1024); 0, or else `low` or more."""

    low: int = 0

    def read(self, node: Node, at: Place) -> int:
        text = text_of(node, "a size").strip()
        match = _SIZE.fullmatch(text) if len(text) < 30 else None
        size = float(match[1]) * _UNITS[(match[2] or "").upper()] if match else math.inf
        if size > _LARGEST or not size.is_integer():
            raise Wrong(f"must be a size in bytes, or like 512M or 20G, not {shown(text)}")
        if 0 < size < self.low:
            raise Wrong(f"must be {self.low} bytes or more, or 0 for no limit, not {shown(text)}")
        return int(size)


class Choice:
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, node: Node, at: Place) -> str:
        text = node.text if isinstance(node.value, bool) else text_of(node, "one word")
        if text not in self.words:
            *most, last = self.words
            raise Wrong(f"must be {', '.join(most)} or {last}, not {shown(text)}")
        return text


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is never shown: as it is, with ``${ENV}`` in it, or ``file:PATH``.

    `low` and `high` bound its length in bytes of UTF-8. With `lines` it may be a whole file, as a
    key is. Values from Galaxy's own file are taken as they are, for Galaxy does the same.
    """

    low: int = 1
    high: int = 4096
    lines: bool = False

    def read(self, node: Node, at: Place) -> str:
        secret = revealed(text_of(node), node, at)
        control = _CONTROL_BUT_LINES if self.lines else _CONTROL
        if node.origin is None and control.search(secret):
            what = "a" if self.lines else "a line break or another"
            raise Wrong(f"holds {what} control character")
        try:
            length = len(secret.encode())
        except UnicodeEncodeError:
            raise Wrong("holds half a character (a lone surrogate)") from None
        if not self.low <= length <= self.high:
            raise Wrong(f"must be {self.low} to {self.high} bytes in UTF-8, and is {length}")
        return secret


@dataclass(frozen=True, slots=True)
class PathOf:
    """A path; with `existing`, of a file that must be there."""

    existing: bool = False

    def read(self, node: Node, at: Place) -> Path:
        path = at.file(text_of(node, "a path"), node)
        if self.existing and not at.world.is_file(path):
            raise Wrong(f"there is no file {path}")
        return path


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log's target: stdout, syslog, off, or a file that relative to data_dir stays in it."""

    def read(self, node: Node, at: Place) -> LogTarget:
        if node.value is False:
            return "off"
        match text_of(node, "a file name, stdout, syslog or off"):
            case "stdout" | "syslog" | "off" as word:
                return word
            case text if "\0" in text or ".." in Path(text).parts:
                raise Wrong(f"must be a file in data_dir, stdout, syslog or off, not {shown(text)}")
            case text:
                return Path(text)


@dataclass(frozen=True, slots=True)
class Anything:
    """Any plain value, for keys whose inside belongs to another system."""

    def read(self, node: Node, at: Place) -> Any:
        match node.value:
            case Odd():
                raise Wrong(node.value.text)
            case list():
                return tuple(attempt(self, one, at.item(n)) for n, one in enumerate(node.value))
            case dict():
                return MapOf(self).read(node, at)
        return node.value


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; with `commas`, also one text with commas, as Galaxy writes lists."""

    kind: Kind
    commas: bool = False

    def read(self, node: Node, at: Place) -> tuple[Any, ...]:
        value = node.value
        if self.commas and isinstance(value, str):
            parts = (part.strip() for part in value.split(","))
            value = [replace(node, value=part, text=part) for part in parts if part]
        if not isinstance(value, list):
            raise Wrong(f"must be a list, like [a, b], not {shape(node)}")
        read = (attempt(self.kind, one, at.item(n)) for n, one in enumerate(value))
        return tuple(one for one in read if one is not None)


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping with free keys."""

    kind: Kind

    def read(self, node: Node, at: Place) -> Mapping[str, Any]:
        if not isinstance(node.value, dict):
            raise Wrong(f"must be a mapping, like {{a: b}}, not {shape(node)}")
        found = {key: attempt(self.kind, one, at.below(key)) for key, one in node.value.items()}
        return MappingProxyType(found)


class Section:
    """A mapping whose keys are the fields of a dataclass."""

    def __init__(self, cls: type[Any]) -> None:
        self.cls = cls
        self.keys = keys_of(cls)

    def read(self, node: Node, at: Place) -> Any:
        given = {} if node.value is None else node.value
        if not isinstance(given, dict):
            raise Wrong(f"must be a section with keys of its own, not {shape(node)}")
        for name, one in given.items():
            if name not in self.keys:
                at.below(name).problem(_unknown(name, tuple(self.keys)), one)
        values: dict[str, Any] = {}
        for name, key in self.keys.items():
            one = given.get(name, NOTHING)
            if one.empty and not (isinstance(key.kind, Section) and name in given):
                if key.required:
                    at.below(name).problem("is missing", node)
                continue
            value = attempt(key.kind, one, at.below(name))
            if value is not None:
                values[name] = value
        return self.cls(**values)


def _unknown(name: str, keys: tuple[str, ...]) -> str:
    near = get_close_matches(name, keys, n=1, cutoff=0.6)
    if near:
        return f"there is no such key; did you mean {near[0]!r}?"
    return f"there is no such key; here can stand {', '.join(keys)}"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a section: what reads it, whether it must be there, and its default."""

    kind: Kind
    required: bool
    default: Any


def keys_of(cls: type[Any]) -> Mapping[str, Key]:
    """The keys of a section's dataclass, in its order."""
    hints = get_type_hints(cls, include_extras=True)
    found: dict[str, Key] = {}
    for one in fields(cls):
        kind, *marks = hints[one.name].__metadata__
        made = one.default_factory
        found[one.name] = Key(kind, REQUIRED in marks, one.default if made is MISSING else made())
    return MappingProxyType(found)
