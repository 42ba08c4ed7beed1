"""What a session's program is told with every request: the profile's ``headers``, filled in."""

import re

from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.templates import fill, names_in, values_of

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[\t -~\xa0-\xff]*")

Headers = tuple[tuple[bytes, bytes], ...]


def filled_headers(launch: Launch) -> Headers:
    """Return the header fields, names as they are written, values in Latin-1.

    Raises `EngineError` where a value can't stand in a header: with a line end in it, it would
    be more than one.
    """
    values = values_of(launch)
    return tuple(
        _field(launch, name, text, values) for name, text in launch.profile.headers.items()
    )


def _field(launch: Launch, name: str, text: str, values: dict[str, str]) -> tuple[bytes, bytes]:
    value = fill(text, values)
    if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        wrong = [one for one in names_in(text) if not _VALUE.fullmatch(values.get(one, ""))]
        what = " and ".join(f"{{{one}}}" for one in wrong) or "its value"
        title = launch.profile.title or launch.profile.name
        raise EngineError(
            f"{title} is told {what} in the header “{name[:100]}”, and it has a character that no "
            "header can hold: Latin letters and signs on one line can."
        )
    return name.encode(), value.strip(" \t").encode("latin-1")
