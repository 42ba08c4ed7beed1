"""Things that are created under a name, also where the engine's answer gets lost."""

from collections.abc import Awaitable, Callable, Mapping

from giestack.docker.api import Api
from giestack.docker.endpoint import Stale
from giestack.docker.errors import DockerError, NotFound, Unreachable
from giestack.docker.request import Request

Find = Callable[[], Awaitable[tuple[str, Mapping[str, str]]]]
"""Looks the name up: id and labels of what has it."""


async def created(
    api: Api, request: Request, labels: Mapping[str, str], find: Find, seconds: float
) -> str:
    """Create something; its id.

    Where the answer is lost it is looked up: what has the name is what was asked for if it has
    all of ``labels``, and there are some. Where nothing has it, and a kept connection was at
    fault, it is asked for once more.
    """
    try:
        return (await api.call(request, seconds=seconds)).text("Id")
    except Unreachable as lost:
        found = await _found(labels, find, lost)
        if found:
            return found
        if not isinstance(lost, Stale):
            raise
    return (await api.call(request, seconds=seconds)).text("Id")


async def _found(labels: Mapping[str, str], find: Find, lost: Unreachable) -> str:
    try:
        identity, has = await find()
    except NotFound:
        return ""
    except DockerError:
        raise lost from None
    # It may have more: a container has those of its image, too.
    return identity if labels and labels.items() <= has.items() else ""
