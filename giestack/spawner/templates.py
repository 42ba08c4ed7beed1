"""Templates in a profile: ``{user}``, ``{base_url}`` and the like in command, env, headers…"""

import re
from collections.abc import Mapping

from giestack.spawner.engine import Launch

NAMES = frozenset(
    (
        "user",
        "username",
        "user_id",
        "email",
        "session_id",
        "base_url",
        "base_path",
        "galaxy_url",
        "port",
        "socket",
    )
)
"""What may stand in braces, beside ``options.NAME`` and, in env, ``secrets.NAME``.

Braces around anything else are just text.

``base_path`` is ``base_url`` without the slash at its end, as some programs want it.
"""

OF_OWNER = frozenset(("user", "username", "user_id", "email"))
"""The names among them that are not known before it is known whose a session is."""

SECRET = "secrets."
"""Before the name of one of the profile's secrets."""

_OPTION = "options."
_HOLE = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_.-]+)?)\}")


def values_of(launch: Launch, *, port: int | None = None, socket: str = "") -> dict[str, str]:
    """What each name stands for in one launch; ``port`` and ``socket`` where it is to listen."""
    owner = launch.owner
    values = {
        "user": owner.key,
        "username": owner.username or owner.key,
        "user_id": owner.encoded_id,
        "email": owner.email,
        "session_id": launch.session_id,
        "base_url": launch.base_url,
        "base_path": launch.base_url.rstrip("/"),
        "galaxy_url": launch.galaxy_url,
        "port": "" if port is None else str(port),
        "socket": socket,
    }
    for name, value in launch.options.items():
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        values[f"options.{name}"] = shown
    return values


def secrets_of(launch: Launch) -> dict[str, str]:
    """What the names of secrets stand for, where they may."""
    return {f"{SECRET}{name}": value for name, value in launch.profile.secrets.items()}


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put the values in, once: what a value holds is never taken for a template."""
    return _HOLE.sub(lambda hole: values.get(hole[1], hole[0]), text)


def names_in(text: str) -> list[str]:
    """The names in braces that will be filled in, or should be."""
    return [
        name for name in _HOLE.findall(text) if name in NAMES or name.startswith((_OPTION, SECRET))
    ]


def is_of_owner(text: str) -> bool:
    """Whether a text must not be filled in before it is known whose a session is, and what they
    have chosen. Nobody's session has secrets."""
    return any(name in OF_OWNER or name.startswith((_OPTION, SECRET)) for name in names_in(text))


def unknown_names(text: str, options: frozenset[str]) -> list[str]:
    """The names ``options.NAME`` in braces that are none of the profile's options.

    Other words in braces are left alone: they may be meant for the program.
    """
    return [
        name
        for name in _HOLE.findall(text)
        if name.startswith(_OPTION) and name.removeprefix(_OPTION) not in options
    ]
