"""Parts of the contract that this version does not have yet: asked for, they are refused.

Shrink the table when a part arrives; nothing else has to change.
"""

from collections.abc import Iterator
from typing import Any

from giestack.settings.problems import Report
from giestack.settings.schema import Settings

NOT_YET = {
    "openbis": "no openBIS yet; remove the section",
    "proxy.hub_api": "no configurable-http-proxy API yet; remove the section",
    "spawner.gie_plugins_directory": "no profiles of GIE plugins yet; remove the key",
    "spawner.images": "no images saved from sessions yet; remove the section",
    "spawner.profiles[].groups": "no profiles for groups yet; remove the key",
}
"""Keys that must have their default; ``[]`` stands for each entry of a list."""


def missing_part(path: str) -> str | None:
    """What this version lacks for a key, in words; None: nothing."""
    return next(
        (text for key, text in NOT_YET.items() if path == key or path.startswith(f"{key}.")), None
    )


def refuse_unready(given: Settings, report: Report) -> None:
    """Note a problem for everything that was asked for and is not there yet.

    `given` is the configuration as it is written.
    """
    for pattern, text in NOT_YET.items():
        for path, value, default in _values(given, pattern):
            if value != default:
                report.problem(path, f"this version of giestack has {text}")


def _values(section: Any, pattern: str, above: str = "") -> Iterator[tuple[str, object, object]]:
    """(path, value, default) of every key that the pattern stands for."""
    name, _, rest = pattern.partition(".")
    key = name.removesuffix("[]")
    value, path = getattr(section, key), f"{above}{key}"
    if not rest:
        yield path, value, getattr(type(section)(), key)
    elif key != name:
        for number, one in enumerate(value):
            yield from _values(one, rest, f"{path}[{number}].")
    elif value is not None:
        yield from _values(value, rest, f"{path}.")
