"""Images of an engine."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from twisted.web.iweb import IBodyProducer

from giestack.docker.api import Api
from giestack.docker.credentials import Credentials
from giestack.docker.errors import DockerError
from giestack.docker.image_tars import Recipe, built, imported, loaded, saved
from giestack.docker.long_work import worked
from giestack.docker.pull_progress import Pulled, PullProgress
from giestack.docker.references import BadReference, Reference, parsed
from giestack.docker.request import Request, filtered
from giestack.docker.streams import Stream

_COMMIT = 600.0
_Texts = list[str]  # "list" is a method below


def _tell_nobody(text: str) -> None:
    """Nobody wants to hear of it."""


class Images:
    """Images of an engine, by reference or id; failures as those of containers.

    Where an answer that began well says later that it failed, the failure is a `DockerError` of
    the status that stands there, else of 500.
    """

    def __init__(self, api: Api, credentials: Credentials | None = None) -> None:
        self._api = api
        self._credentials = credentials

    async def inspect(self, reference: str) -> dict[str, Any]:
        """All that the engine knows of it."""
        request = Request(
            kind="image inspect", method="GET", path=f"/images/{_path(reference)}/json"
        )
        return (await self._api.call(request)).object()

    async def list(
        self, *, labels: Sequence[str] = (), references: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Images in short.

        :param labels: ``NAME`` or ``NAME=VALUE``, all of which they have.
        :param references: patterns, one of which they have; empty: any.
        """
        request = Request(
            kind="image list",
            method="GET",
            path="/images/json",
            query=filtered({"label": labels, "reference": references}),
        )
        return (await self._api.call(request, seconds=30.0)).objects()

    async def pull(self, reference: str, heard: Callable[[Pulled], None]) -> None:
        """Fetch an image; cancelling it ends it, unless somebody else waits for the same.

        :param heard: is told how far it has come.
        :raises DockerError: the registry does not give it, in its words.
        """
        image = _parsed(reference)
        if image.is_id:
            raise DockerError(400, f"{reference} is an id: that can't be pulled")
        headers = {}
        if self._credentials is not None:
            who = await self._credentials.for_image(reference)
            headers = {"X-Registry-Auth": who} if who else {}
        request = Request(
            kind="image pull",
            method="POST",
            path="/images/create",
            query={"fromImage": image.name, "tag": image.version},
            headers=headers,
            kept="repeated",
        )
        progress = PullProgress()

        def told(message: dict[str, Any]) -> None:
            pulled = progress.heard(message)
            if pulled is not None:
                heard(pulled)

        if not await worked(self._api, request, told):
            await self.inspect(reference)

    async def commit(
        self,
        container: str,
        repository: str,
        tag: str,
        *,
        comment: str = "",
        author: str = "",
        changes: Sequence[str] = (),
    ) -> str:
        """Save a container, which is paused meanwhile, as an image; its id.

        :param changes: instructions of a Dockerfile, as ``LABEL a=b``.
        """
        request = Request(
            kind="image commit",
            method="POST",
            path="/commit",
            query={
                "container": container,
                "repo": repository,
                "tag": tag,
                "comment": comment,
                "author": author,
                "changes": list(changes),
                "pause": "1",
            },
            body={},
            kept="repeated",
        )
        return (await self._api.call(request, seconds=_COMMIT)).text("Id")

    def save(self, references: Sequence[str], received: Callable[[bytes], None]) -> Stream:
        """Images as one tar, piece by piece as it comes; see `Stream.pause`."""
        return saved(self._api, references, received)

    async def load(
        self, body: IBodyProducer | bytes, heard: Callable[[str], None] = _tell_nobody
    ) -> _Texts:
        """Take images from a tar that `save` made; their references or ids.

        :param heard: is told what the engine says meanwhile.
        """
        return await loaded(self._api, body, heard)

    async def import_(
        self,
        body: IBodyProducer | bytes,
        repository: str,
        tag: str,
        *,
        changes: Sequence[str] = (),
    ) -> str:
        """Make an image of a tar of its files; its id.

        :param changes: instructions of a Dockerfile, as ``LABEL a=b``.
        """
        return await imported(self._api, body, repository, tag, changes)

    async def build(
        self,
        body: IBodyProducer | bytes,
        name: str,
        heard: Callable[[str], None] = _tell_nobody,
        *,
        dockerfile: str = "Dockerfile",
        labels: Mapping[str, str] | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> str:
        """Build an image from a tar with a Dockerfile; its id.

        :param name: as ``repository:tag``.
        :param heard: is told each line that the build prints.
        :param dockerfile: its path within the tar.
        :param arguments: values of the Dockerfile's ``ARG``.
        """
        recipe = Recipe(name, dockerfile, labels or {}, arguments or {})
        return await built(self._api, body, recipe, heard)

    async def tag(self, reference: str, repository: str, tag: str) -> None:
        """Give an image one more name."""
        request = Request(
            kind="image tag",
            method="POST",
            path=f"/images/{_path(reference)}/tag",
            query={"repo": repository, "tag": tag},
            kept="repeated",
        )
        await self._api.call(request)

    async def remove(self, reference: str, *, force: bool = False) -> None:
        """Take a name from an image, and remove it where that was the last one.

        :raises NotFound: there is none.
        :raises Conflict: a container has it.
        """
        request = Request(
            kind="image remove",
            method="DELETE",
            path=f"/images/{_path(reference)}",
            query={"force": "1" if force else "0"},
        )
        await self._api.call(request, seconds=60.0)


def _parsed(reference: str) -> Reference:
    try:
        return parsed(reference)
    except BadReference as bad:
        raise DockerError(400, str(bad)) from None


def _path(reference: str) -> str:
    return quote(reference, safe="/:@")
