"""How frames are read from JSON and written to it: one rule per kind of field (pure)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from types import UnionType
from typing import (
    Any,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

T = TypeVar("T")

LARGEST = 2**53 - 1
"""The largest whole number that JSON's readers agree on (RFC 8259 section 6)."""

Read = Callable[[Any], Any]


class WireError(ValueError):
    """What arrived is no frame that is known here.

    :ivar id: the request's own id, where that much could be read; else None.
    :ivar message: what is wrong with it, for the program that has sent it.
    """

    def __init__(self, message: str, id: str | int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.id = id


_NAMES: dict[type, str] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def frame(name: str) -> Callable[[type[T]], type[T]]:
    """Make a class a frozen dataclass, and a frame that is called ``name`` in ``t``.

    A field whose name no JSON has (``from_``) loses its underscore there.
    """

    def decorate(kind: type[T]) -> type[T]:
        made = dataclass(frozen=True, slots=True, kw_only=True)(kind)
        _NAMES[made] = name
        return made

    return decorate


class Vocabulary:
    """Some frames that may arrive."""

    def __init__(self, *kinds: type) -> None:
        self._kinds = {_NAMES[kind]: (kind, _fields(kind)) for kind in kinds}

    @property
    def names(self) -> frozenset[str]:
        """What may stand in ``t``."""
        return frozenset(self._kinds)

    def read(self, data: bytes | str) -> Any:
        """Return the frame in one message.

        Fields that are not known are passed over, so that newer programs can talk to this one;
        null is the same as a field that is not there.

        :raises WireError: for anything else than one frame of this vocabulary, whatever it is.
        """
        found = _object(data)
        request_id = found.get("id")
        if not _is_id(request_id):
            request_id = None
        try:
            return self.read_object(found)
        except ValueError as error:
            raise WireError(str(error), request_id) from None

    def read_object(self, found: Mapping[str, Any]) -> Any:
        """As `read`, of an object that was JSON; raises ValueError with what is wrong."""
        name = found.get("t")
        if not isinstance(name, str) or name not in self._kinds:
            raise ValueError("no such frame")
        kind, known = self._kinds[name]
        return _made(kind, known, found)


def written(value: Any) -> bytes:
    """Return a frame as one JSON object; what is None is left out, and False where it is usual."""
    return _compact(_plain(value))


def _compact(value: object) -> bytes:
    return _encode(value).encode()


_AS_THEY_ARE = frozenset((str, int, bool))


def _plain(value: Any) -> Any:
    kind: Any = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if is_dataclass(kind):
        found = {"t": _NAMES[kind]} if kind in _NAMES else {}
        for key, name, usual in _WRITTEN.get(kind) or _written_fields(kind):
            inner = getattr(value, name)
            # Choices that are not made are None, and False is one.
            if inner is not None and not (inner is False and usual is False):
                found[key] = inner if type(inner) in _AS_THEY_ARE else _plain(inner)
        return found
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value


_WRITTEN: dict[Any, list[tuple[str, str, Any]]] = {}


def _written_fields(kind: Any) -> list[tuple[str, str, Any]]:
    """For each field: its name in JSON and here, and its default."""
    found = _WRITTEN[kind] = [(_key(one), one.name, one.default) for one in fields(kind)]
    return found


def _key(one: Field[Any]) -> str:
    return one.name.rstrip("_")


def _object(data: bytes | str) -> dict[str, Any]:
    try:
        text = data.decode() if isinstance(data, bytes) else data
        found = _decode(text)
        # Half of a surrogate pair can be written in JSON, and nowhere be passed on.
        text.encode()
    except (ValueError, RecursionError):
        raise WireError("not JSON in UTF-8") from None
    if not isinstance(found, dict):
        raise WireError("not a JSON object")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


# Made once: making them costs more than a message.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode = json.JSONDecoder(parse_constant=_no_number).decode


_Fields = list[tuple[str, str, Read, bool]]


def _fields(kind: type) -> _Fields:
    """For each field: its name in JSON and here, what reads it, whether it must be there."""
    hints = get_type_hints(kind)
    return [
        (
            _key(one),
            one.name,
            _reader(hints[one.name]),
            one.default is MISSING and one.default_factory is MISSING,
        )
        for one in fields(kind)
    ]


def _made(kind: type, known: _Fields, found: Mapping[str, Any]) -> Any:
    values = {}
    for key, name, read, required in known:
        value = found.get(key)
        if value is not None:
            try:
                values[name] = read(value)
            except ValueError as error:
                raise ValueError(f"{key} {error}") from None
        elif required:
            raise ValueError(f"{key} is missing")
    return kind(**values)


def _reader(hint: Any) -> Read:
    """What reads a value of a type; raises ValueError with what is wrong."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        some = [one for one in inner if one is not type(None)]
        if set(some) == {str, int}:
            return _id
        return _reader(some[0]) if len(some) == 1 else _tagged(Vocabulary(*some))
    if origin is Literal:
        return _choice(inner)
    if origin is tuple:
        return _list_of(_reader(inner[0]))
    if origin in (dict, Mapping):
        return _mapping_of(_reader(inner[1]))
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return _nested(hint)
    return _PLAIN[hint]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if "\0" in value:
        raise ValueError("must not hold NUL")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be whole characters") from None
    return value


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise ValueError("must be a whole number from 0")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _is_id(value: Any) -> bool:
    try:
        _id(value)
    except ValueError:
        return False
    return True


def _id(value: Any) -> str | int:
    if type(value) is int:
        return _number(value)
    if len(_text(value)) > 64:
        raise ValueError("must not be longer than 64 characters")
    return str(value)


def _choice(allowed: tuple[Any, ...]) -> Read:
    def read(value: Any) -> Any:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return read


def _list_of(read: Read) -> Read:
    def read_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError("must be a list")
        return tuple([read(one) for one in value])

    return read_all


def _mapping_of(read: Read) -> Read:
    def read_all(value: Any) -> dict[str, Any]:
        return {_text(key): read(one) for key, one in _mapping(value).items()}

    return read_all


def _nested(kind: type) -> Read:
    known = _fields(kind)

    def read(value: Any) -> Any:
        return _made(kind, known, _mapping(value))

    return read


def _tagged(vocabulary: Vocabulary) -> Read:
    def read(value: Any) -> Any:
        return vocabulary.read_object(_mapping(value))

    return read


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


_PLAIN: dict[Any, Read] = {str: _text, int: _number, bool: _boolean}
