"""Twisted's endpoint descriptions (``tcp:8800:interface=127.0.0.1``), without a reactor.

The syntax is that of `twisted.internet.endpoints.serverFromString`: parts between colons,
``name=value`` for named ones, a backslash before a colon, equals sign or backslash that is
meant literally. Twisted notices a mistake only when it listens; here it is noticed before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from giestack.settings.document import Node
from giestack.settings.places import host
from giestack.settings.problems import Wrong
from giestack.settings.reading import Place, shown, text_of


@dataclass(frozen=True, slots=True)
class Description:
    """An endpoint description taken apart.

    :ivar kind: ``tcp``, ``unix``, ``ssl``, ``tls`` or ``systemd``.
    :ivar values: every argument by its name, positional ones too.
    """

    kind: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        first, *_ = _KINDS[self.kind].positional
        named = (f"{name}={_quote(value)}" for name, value in self.values.items() if name != first)
        return ":".join((self.kind, _quote(self.values[first]), *named))


@dataclass(frozen=True, slots=True)
class _Kind:
    """What Twisted 26.10 takes: positional arguments in order; the first one is needed."""

    positional: tuple[str, ...]
    required: tuple[str, ...] = ()
    paths: frozenset[str] = field(default_factory=frozenset)
    example: str = ""


_KINDS = {
    "tcp": _Kind(("port", "interface", "backlog"), example="tcp:8800:interface=127.0.0.1"),
    "unix": _Kind(
        ("address", "mode", "backlog", "lockfile"),
        paths=frozenset({"address"}),
        example="unix:/run/giestack/proxy.sock:mode=660",
    ),
    "ssl": _Kind(
        (
            "port",
            "privateKey",
            "certKey",
            "sslmethod",
            "interface",
            "backlog",
            "extraCertChain",
            "dhParameters",
        ),
        required=("privateKey",),
        paths=frozenset({"privateKey", "certKey", "extraCertChain", "dhParameters"}),
        example="ssl:8443:privateKey=key.pem:certKey=cert.pem",
    ),
    "tls": _Kind(
        ("path", "port", "backlog", "interface"),
        paths=frozenset({"path"}),
        example="tls:/etc/letsencrypt/live:443",
    ),
    "systemd": _Kind(("domain", "index", "name"), example="systemd:domain=INET:name=proxy"),
}
_LONGEST_SOCKET = 107  # unix(7): sun_path
_FAMILIES = ("INET", "INET6", "UNIX")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint to listen on; paths in it become absolute."""

    def read(self, node: Node, at: Place) -> str:
        text = text_of(node, "an endpoint like tcp:8800")
        if text.isdecimal():
            raise Wrong(f"must be an endpoint, like tcp:{text}, not just a port")
        description = parse(text)
        kind = _KINDS[description.kind]
        values = {
            name: str(at.file(value, node)) if name in kind.paths else value
            for name, value in description.values.items()
        }
        address = values.get("address", "")
        if len(address.encode()) > _LONGEST_SOCKET:
            raise Wrong(f"{address} is too long for a socket: {_LONGEST_SOCKET} bytes are allowed")
        if description.kind == "ssl":
            for name in sorted(kind.paths & values.keys()):
                if not at.world.is_file(at.file(values[name], node)):
                    raise Wrong(f"{name}: there is no file {values[name]}")
        return str(Description(description.kind, values))


def parse(text: str) -> Description:
    """Take a description apart; raises `Wrong` with what is allowed."""
    first, *parts = _split(text)
    prefix = first[0]
    kind = _KINDS.get(prefix)
    if kind is None or len(first) != 1:
        raise Wrong(
            f"must begin with tcp:, unix:, ssl:, tls: or systemd:, like tcp:8800, not {shown(text)}"
        )
    values: dict[str, str] = {}
    positional = list(kind.positional)
    for part in parts:
        if len(part) == 1:
            if not positional:
                raise Wrong(f"has too many parts; it should look like {kind.example}")
            name, value = positional.pop(0), part[0]
        else:
            name, value = part
        if name not in kind.positional:
            near = get_close_matches(name, kind.positional, n=1)
            hint = f"; did you mean {near[0]}?" if near else f", like {kind.example}"
            raise Wrong(f"{prefix}: takes no {shown(name)}{hint}")
        if name in values:
            raise Wrong(f"{prefix}: says {name} twice")
        values[name] = value
    for name in (kind.positional[0], *kind.required):
        if not values.get(name):
            raise Wrong(f"{prefix}: needs a {name}, like {kind.example}")
    _check(prefix, values)
    return Description(prefix, values)


def _check(prefix: str, values: Mapping[str, str]) -> None:
    for name, low, high in (("port", 0, 65535), ("backlog", 1, 65535), ("index", 0, 1024)):
        value = values.get(name)
        if value is not None and not (value.isdecimal() and low <= int(value[:9]) <= high):
            raise Wrong(f"{prefix}: {name} must be a number, {low} to {high}, not {shown(value)}")
    if values.get("interface"):
        try:
            host(values["interface"])
        except Wrong as wrong:
            raise Wrong(f"{prefix}: interface {wrong}") from None
    mode = values.get("mode")
    if mode is not None and not (set(mode) <= set("01234567") and 3 <= len(mode) <= 4):
        raise Wrong(f"{prefix}: mode must be octal, like 660, not {shown(mode)}")
    if values.get("lockfile", "0") not in ("0", "1"):
        raise Wrong(f"{prefix}: lockfile must be 0 or 1, not {shown(values['lockfile'])}")
    if prefix == "systemd":
        if values["domain"] not in _FAMILIES:
            raise Wrong(f"systemd: domain must be {', '.join(_FAMILIES)}")
        if ("index" in values) == ("name" in values):
            raise Wrong("systemd: needs a name= or an index=, and not both")


def _split(text: str) -> list[tuple[str, ...]]:
    """Parts between colons, each one value or a name and a value."""
    parts: list[list[str]] = [[""]]
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            letter = next(letters, "")
            if not letter:
                raise Wrong("ends with a single backslash")
            parts[-1][-1] += letter
        elif letter == ":":
            parts.append([""])
        elif letter == "=" and len(parts[-1]) == 1:
            parts[-1].append("")
        else:
            parts[-1][-1] += letter
    return [tuple(part) for part in parts]


def _quote(value: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\:=" else letter for letter in value)


def escaped(address: str) -> str:
    """An address as an argument of a description: the colons of IPv6 escaped."""
    return _quote(address)
