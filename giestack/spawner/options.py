"""The options of a profile: what people may choose in its form, read from the configuration.

``options`` of a profile is a map from a name to how it is asked for::

    options:
      interface: {title: Interface, choices: {lab: JupyterLab, tree: Classic notebook}}
      rows: {title: Rows, type: integer, default: 100, low: 1, high: 10000}
      debug: {type: boolean}
      greeting: {title: Greeting, type: text, default: hello}

In `command` and `env` the choice stands for ``{options.NAME}``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from giestack.spawner.view import SpawnRefused, bad_option

LONGEST_TEXT = 500
"""Characters that a text may have."""

Value = str | int | bool
Kind = Literal["choice", "text", "integer", "boolean"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_LARGEST = 10**18
_KEYS: Mapping[Kind, set[str]] = {
    "choice": {"title", "description", "type", "default", "choices"},
    "text": {"title", "description", "type", "default"},
    "integer": {"title", "description", "type", "default", "low", "high"},
    "boolean": {"title", "description", "type", "default"},
}
_TRUE = {"true", "1", "on", "yes"}
_FALSE = {"false", "0", "off", "no", ""}


class BadOption(Exception):
    """The configuration of an option is wrong.

    :ivar path: the key below ``options``, as ``rows.low``.
    :ivar text: what is wrong with it.
    """

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path = path
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing to choose.

    :ivar title: for people; empty in the configuration: the name.
    :ivar choices: value and words for it, in order; empty but for ``choice``.
    """

    name: str
    kind: Kind
    title: str
    description: str
    default: Value
    choices: Mapping[str, str] = field(default_factory=dict)
    low: int | None = None
    high: int | None = None

    def read(self, value: object) -> Value:
        """Check a value from JSON or from a form; raise `SpawnRefused` (422)."""
        if self.kind == "boolean":
            return self._boolean(value)
        if self.kind == "integer":
            return self._integer(value)
        if not isinstance(value, str):
            raise bad_option(self.name, f"{self.title} must be a text.")
        if self.kind == "choice":
            if value not in self.choices:
                allowed = ", ".join(self.choices)
                raise bad_option(self.name, f"{self.title} must be one of: {allowed}.")
        elif len(value) > LONGEST_TEXT or not value.isprintable():
            raise bad_option(
                self.name, f"{self.title} must be one line of {LONGEST_TEXT} characters at most."
            )
        return value

    def _boolean(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
            return value.lower() in _TRUE
        raise bad_option(self.name, f"{self.title} must be true or false.")

    def _integer(self, value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _LARGEST:
            raise bad_option(self.name, f"{self.title} must be a whole number.")
        if self.low is not None and value < self.low:
            raise bad_option(self.name, f"{self.title} must be at least {self.low}.")
        if self.high is not None and value > self.high:
            raise bad_option(self.name, f"{self.title} must be at most {self.high}.")
        return value


def options_of(configured: Mapping[str, object]) -> tuple[Option, ...]:
    """Read the options of a profile; raise `BadOption` with the name of the one that is wrong."""
    return tuple(_option(name, given) for name, given in configured.items())


def chosen(options: tuple[Option, ...], given: Mapping[str, object]) -> dict[str, Value]:
    """What a visitor chose, with the defaults for the rest; raise `SpawnRefused` (422)."""
    known = {option.name for option in options}
    for name in given:
        if name not in known:
            raise bad_option(name[:40], f"There is no option “{name[:40]}”.")
    return {
        option.name: option.read(given[option.name]) if option.name in given else option.default
        for option in options
    }


def still_chosen(options: tuple[Option, ...], before: Mapping[str, object]) -> dict[str, Value]:
    """What was chosen when the profile may have had other options: what is not allowed any more
    becomes the default."""
    found = {option.name: option.default for option in options}
    for option in options:
        try:
            found[option.name] = option.read(before[option.name])
        except (KeyError, SpawnRefused):
            pass
    return found


def _option(name: str, given: object) -> Option:
    if not _NAME.fullmatch(name):
        raise BadOption(
            name, "a name has up to 41 lower-case letters, digits and _, and a letter first"
        )
    if not isinstance(given, Mapping):
        raise BadOption(name, f"must be a mapping, for example {{title: {name}, type: text}}")
    kind = _kind(name, given)
    for key in given:
        if key not in _KEYS[kind]:
            known = ", ".join(sorted(_KEYS[kind]))
            raise BadOption(
                f"{name}.{key}", f"there is no such key for type {kind}; here can stand {known}"
            )
    choices = _choices(name, given.get("choices")) if kind == "choice" else {}
    low, high = _bound(name, given, "low"), _bound(name, given, "high")
    if low is not None and high is not None and low > high:
        raise BadOption(f"{name}.low", f"must not be more than high, {high}")
    smallest = min(0, high or 0) if low is None else low
    first: Mapping[Kind, Value] = {
        "choice": next(iter(choices), ""),
        "integer": smallest,
        "boolean": False,
        "text": "",
    }
    option = Option(
        name=name,
        kind=kind,
        title=_words(name, given, "title") or name,
        description=_words(name, given, "description"),
        default=first[kind],
        choices=choices,
        low=low,
        high=high,
    )
    return _with_default(option, given.get("default"))


def _kind(name: str, given: Mapping[object, object]) -> Kind:
    said = given.get("type")
    if said is None:
        return "choice" if "choices" in given else "text"
    for kind in _KEYS:
        if said == kind:
            return kind
    raise BadOption(f"{name}.type", f"must be one of {', '.join(_KEYS)}")


def _with_default(option: Option, default: object) -> Option:
    if default is None:
        return option
    if option.kind in ("choice", "text"):
        default = _scalar(f"{option.name}.default", default)
    try:
        return replace(option, default=option.read(default))
    except SpawnRefused as refused:
        raise BadOption(f"{option.name}.default", str(refused)) from None


def _choices(name: str, given: object) -> dict[str, str]:
    path = f"{name}.choices"
    found: dict[str, str] = {}
    if isinstance(given, list | tuple):
        found = {_scalar(path, choice): _scalar(path, choice) for choice in given}
    elif isinstance(given, Mapping):
        found = {_scalar(path, choice): _scalar(path, words) for choice, words in given.items()}
    if not found:
        raise BadOption(path, "must be a list, or a mapping from value to words, and not empty")
    return found


def _words(name: str, given: Mapping[object, object], key: str) -> str:
    return "" if given.get(key) is None else _scalar(f"{name}.{key}", given[key])


def _scalar(path: str, value: object) -> str:
    """A text or number as a text on one line."""
    if isinstance(value, bool):
        raise BadOption(path, "must be a text; yes and no, on and off need quotes")
    if not isinstance(value, str | int | float) or not str(value).isprintable():
        raise BadOption(path, "must be a text on one line")
    return str(value)


def _bound(name: str, given: Mapping[object, object], key: str) -> int | None:
    bound = given.get(key)
    if bound is not None and (not isinstance(bound, int) or isinstance(bound, bool)):
        raise BadOption(f"{name}.{key}", "must be a whole number")
    if bound is not None and abs(bound) >= _LARGEST:
        raise BadOption(f"{name}.{key}", "must have 18 digits at most")
    return bound
