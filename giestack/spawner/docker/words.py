"""What is said to people about a Docker engine."""

from collections.abc import Iterator
from contextlib import contextmanager

from giestack.docker.errors import DockerError, Unreachable
from giestack.spawner.engine import EngineError
from giestack.spawner.words import on_one_line

_LONGEST = 500
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size_shown(size: float) -> str:
    """``512 MB``; a kB is 1024 bytes, as in the settings."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    return f"{size:.1f}".removesuffix(".0") + f" {_UNITS[unit]}"


def said(error: DockerError) -> str:
    """An engine's own words, as the end of a sentence, with its mark."""
    text = on_one_line(str(error)).strip().rstrip(".") or f"it answers with status {error.status}"
    if len(text) > _LONGEST:
        return text[:_LONGEST] + " …"
    return text if text.endswith(("?", "!")) else f"{text}."


def trouble_of(name: str, error: DockerError) -> str:
    """What keeps the engine of this name from working; the client knows what may help."""
    if isinstance(error, Unreachable):
        # The client says the same, with the address before it.
        why = said(error).replace(" can't be reached: ", ": ", 1)
        return f"The Docker engine “{name}” cannot be reached: {why}"
    return f"The Docker engine “{name}” does not work: {said(error)}"


@contextmanager
def in_words(name: str, doing: str) -> Iterator[None]:
    """Make an `EngineError` of what goes wrong with the engine of this name.

    :param doing: what it refuses, as in ``to start the container``.
    """
    try:
        yield
    except Unreachable as error:
        raise EngineError(trouble_of(name, error)) from None
    except DockerError as error:
        raise EngineError(f"The Docker engine “{name}” refuses {doing}: {said(error)}") from None
