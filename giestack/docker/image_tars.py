"""Images as archives: saved, loaded, imported, and built from one with a Dockerfile."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.web.iweb import IResponse

from giestack.docker.api import Api
from giestack.docker.errors import DockerError
from giestack.docker.lines import Bytes, Receiver
from giestack.docker.long_work import text_of, worked
from giestack.docker.request import Request, Upload
from giestack.docker.streams import Stream

_TAR = {"Content-Type": "application/x-tar"}
_LOADED = ("Loaded image: ", "Loaded image ID: ")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is to become of a tar with a Dockerfile.

    :ivar name: of the image, as ``repository:tag``.
    :ivar dockerfile: its path within the tar.
    :ivar arguments: values of its ``ARG``.
    """

    name: str
    dockerfile: str
    labels: Mapping[str, str]
    arguments: Mapping[str, str]


def saved(api: Api, references: Sequence[str], received: Callable[[bytes], None]) -> Stream:
    """Images as one tar, piece by piece as it comes."""
    request = Request(
        kind="image save", method="GET", path="/images/get", query={"names": list(references)}
    )

    async def begin(hear: Callable[[bytes], None]) -> tuple[IResponse, Receiver]:
        return await api.open(request), Bytes(hear)

    return api.stream(begin, received)


async def loaded(api: Api, body: Upload, heard: Callable[[str], None]) -> list[str]:
    """Take images from a tar of `saved`; their references or ids."""
    found: list[str] = []

    def told(message: dict[str, Any]) -> None:
        text = text_of(message)
        if text:
            heard(text)
        found.extend(text.removeprefix(start) for start in _LOADED if text.startswith(start))

    request = Request(
        kind="image load", method="POST", path="/images/load", body=body, headers=_TAR
    )
    await worked(api, request, told)
    return found


async def imported(
    api: Api, body: Upload, repository: str, tag: str, changes: Sequence[str]
) -> str:
    """Make an image of a tar of its files; its id."""
    request = Request(
        kind="image import",
        method="POST",
        path="/images/create",
        query={"fromSrc": "-", "repo": repository, "tag": tag, "changes": list(changes)},
        body=body,
        headers=_TAR,
    )
    return await _made(api, request, lambda _: None)


async def built(api: Api, body: Upload, recipe: Recipe, heard: Callable[[str], None]) -> str:
    """Build an image; its id."""
    request = Request(
        kind="image build",
        method="POST",
        path="/build",
        query={
            "t": recipe.name,
            "dockerfile": recipe.dockerfile,
            "labels": json.dumps(dict(recipe.labels)),
            "buildargs": json.dumps(dict(recipe.arguments)),
            "rm": "1",
            "forcerm": "1",
        },
        body=body,
        headers=_TAR,
    )
    return await _made(api, request, heard)


async def _made(api: Api, request: Request, heard: Callable[[str], None]) -> str:
    """The id of an image that a work tells of at its end."""
    found = ""

    def told(message: dict[str, Any]) -> None:
        nonlocal found
        text, extra = text_of(message), message.get("aux")
        if text:
            heard(text)
        if isinstance(extra, Mapping) and isinstance(extra.get("ID"), str):
            found = extra["ID"]
        elif text.startswith("sha256:"):
            found = text

    await worked(api, request, told)
    if not found:
        raise DockerError(500, "the engine has told of no image at the end")
    return found
