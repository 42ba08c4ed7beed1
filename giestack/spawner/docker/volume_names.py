"""What a profile's volumes become: which volume or folder of the host is mounted where.

``"home-{user}": /home/jovyan`` is a volume of Docker's for each user, ``/srv/data: /data:ro`` a
folder of the engine's host that can only be read.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from giestack.spawner.docker.environment import SECRETS_FOLDER
from giestack.spawner.docker.labels import Names
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.templates import fill, names_in, values_of

IN_SOURCES = frozenset(("user", "user_id", "session_id"))
"""What may stand in braces in a source, beside choices: what never changes hands."""

HIDDEN = (
    *("/proc", "/sys", "/dev", "/etc", "/run", "/var/run", "/boot"),
    *("/var/lib/docker", "/var/lib/containerd", "/var/lib/containers"),
)
"""Folders of the host that no session sees, with all that is above or below them."""

_volume_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,199}").fullmatch
_key = re.compile(r"[a-z]+-[0-9]+").fullmatch
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwxyz0123456789")
_NOT_BEHIND_A_HOLE = re.compile(r"\}[A-Za-z0-9{]")
_OWN_TARGETS = ("/proc", "/sys", "/dev/pts", SECRETS_FOLDER, f"/var{SECRETS_FOLDER}")
_MODES = {":ro": True, ":rw": False}


class BadVolume(Exception):
    """A volume can't be mounted; the text says why, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that a container sees at a path of its own.

    :ivar source: the name of a volume, or the path of a folder of the engine's host.
    :ivar target: absolute path in the container.
    :ivar filled: whether a new volume is first filled with what the image has there.
    """

    source: str
    target: str
    read_only: bool = False
    filled: bool = True

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of the engine's host, and no volume."""
        return self.source.startswith("/")

    def described(self) -> dict[str, object]:
        """As Docker wants it in ``HostConfig.Mounts``."""
        found: dict[str, object] = {
            "Type": "bind" if self.is_folder else "volume",
            "Source": self.source,
            "Target": self.target,
            "ReadOnly": self.read_only,
        }
        if not self.is_folder and not self.filled:
            found["VolumeOptions"] = {"NoCopy": True}
        return found


def escaped(text: str) -> str:
    """A text as a part of a volume's name, or of a path: other texts become other parts.

    ASCII letters and digits stay, but for ``X``, which stands before the two digits of each byte
    of everything else. No part holds a ``-``, ``_``, ``.`` or ``/``, so that parts with one of
    these between them can't be taken for others.
    """
    data = text.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if byte in _PLAIN else f"X{byte:02x}" for byte in data) or "X"


def check_volume(
    source: str, target: str, *, choices: Iterable[str] = (), hidden: Sequence[str] = ()
) -> None:
    """Raise `BadVolume` for what no session may mount, as far as its templates show.

    :param choices: names of the options that may stand in a source.
    :param hidden: folders and sockets of the host that no session sees, beside `HIDDEN`.
    """
    allowed = IN_SOURCES | {f"options.{name}" for name in choices}
    for name in names_in(source):
        if name not in allowed:
            raise BadVolume(_not_allowed(name))
    if _NOT_BEHIND_A_HOLE.search(source):
        raise BadVolume(
            f"{source!r} must have '-', '_', '.' or '/' behind each }}: else one user's number "
            "and what follows could be another's"
        )
    _check_form(fill(source, dict.fromkeys(allowed, "xx")))
    _check_hidden(source, hidden)
    _split_target(target)


def mounts_of(launch: Launch, *, names: Names, hidden: Sequence[str] = ()) -> list[Mount]:
    """What a session's container mounts of its profile's volumes.

    :param hidden: folders and sockets of the engine's host that no session sees: giestack's
        own, and the engine's socket.
    :raises EngineError: it must not, or two want the same place.
    """
    values = values_of(launch, port=launch.profile.port)
    parts = {name: part for name, value in values.items() if (part := _part(name, value))}
    found: dict[str, Mount] = {}
    for source, target in launch.profile.volumes.items():
        try:
            mount = _mount(fill(source, parts), fill(target, values), names, hidden)
            if mount.target in found:
                raise BadVolume(f"two volumes want to be at {mount.target}")
        except BadVolume as bad:
            raise EngineError(
                f"The volume {source} of this profile can't be used: {bad}."
            ) from None
        found[mount.target] = mount
    return list(found.values())


def secrets_mount(names: Names, session_id: str) -> Mount:
    """The volume with the secrets of a session."""
    return Mount(names.secrets(session_id), SECRETS_FOLDER, filled=False)


def lies_in(inner: str, outer: str) -> bool:
    """Whether a path is another one or below it, where braces may stand for anything."""
    ones, others = _segments(inner), _segments(outer)
    return len(ones) >= len(others) and all(
        one == other or "{" in one + other for one, other in zip(ones, others, strict=False)
    )


def _part(name: str, value: str) -> str:
    """What a name stands for in a source; "" where it must not be there."""
    if name == "user":
        return value if _key(value) else escaped(value)
    return escaped(value) if name in IN_SOURCES or name.startswith("options.") else ""


def _mount(source: str, target: str, names: Names, hidden: Sequence[str]) -> Mount:
    _check_form(source)
    _check_hidden(source, hidden)
    if source.startswith(f"{names.network}-"):
        raise BadVolume(f"names that begin with {names.network}- are giestack's own")
    path, read_only = _split_target(target)
    return Mount(source, path, read_only)


def _check_form(source: str) -> None:
    if not source.startswith("/"):
        if not _volume_name(source):
            raise BadVolume(
                f"{source!r} must be the name of a volume, of 2 to 200 letters, digits, '-', '_' "
                "and '.', or the absolute path of a folder"
            )
        return
    whole = source == posixpath.normpath(source) and not source.startswith("//")
    if not source.isprintable() or not whole:
        raise BadVolume(f"{source!r} must be a path without '.', '..' or '//' in it")


def _check_hidden(source: str, hidden: Sequence[str]) -> None:
    """What a folder of the host must not be, hold or lie in; braces stand for anything."""
    if not source.startswith("/"):
        return
    if source == "/":
        raise BadVolume("/ is all of the host")
    for folder in (*HIDDEN, *map(posixpath.normpath, hidden)):
        if lies_in(source, folder):
            raise BadVolume(f"{source} lies in {folder}, which no session may see")
        if lies_in(folder, source):
            raise BadVolume(f"{source} holds {folder}, which no session may see")


def _split_target(text: str) -> tuple[str, bool]:
    path, read_only = text, False
    if text[-3:] in _MODES:
        path, read_only = text[:-3], _MODES[text[-3:]]
    if not path.startswith("/") or ":" in path or not path.isprintable():
        raise BadVolume(f"{text!r} must be an absolute path in the container, or that and ':ro'")
    if {".", ".."} & set(path.split("/")):
        raise BadVolume(f"{text!r} must be a path without '.' and '..'")
    path = posixpath.normpath(f"/{path.strip('/')}")
    if path == "/" or any(lies_in(path, own) or lies_in(own, path) for own in _OWN_TARGETS):
        raise BadVolume(f"{path} can't be mounted over: a container needs what is there")
    return path, read_only


def _not_allowed(name: str) -> str:
    if name in ("username", "email"):
        return (
            f"{{{name}}} can change hands, and the files with it: use {{user}}, which is the "
            "host's number of the user"
        )
    if name.startswith("options."):
        return f"{{{name}}} is no choice: only options with choices can stand in a source"
    known = ", ".join(f"{{{one}}}" for one in sorted(IN_SOURCES))
    return f"{{{name}}} can't stand in a source; {known} and choices can"


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]
