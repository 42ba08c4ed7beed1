"""Networks of an engine."""

from collections.abc import Mapping, Sequence
from typing import Any

from giestack.docker.api import Api
from giestack.docker.creation import created
from giestack.docker.errors import Conflict, DockerError
from giestack.docker.request import Request, filtered, segment

_SECONDS = 30.0


class Networks:
    """Networks of an engine, by id or name; failures as those of containers."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Create a network; its id.

        Where the answer was lost it is looked up by name: it is the one asked for if it has all
        the labels of ``body``, and ``body`` has some.

        :raises Conflict: there is one of that name.
        """
        request = Request(
            kind="network create",
            method="POST",
            path="/networks/create",
            body={**body, "Name": name, "CheckDuplicate": True},
            kept="told",
        )

        async def find() -> tuple[str, Mapping[str, str]]:
            found = await self.inspect(name)
            return str(found.get("Id")), found.get("Labels") or {}

        return await created(self._api, request, body.get("Labels") or {}, find, _SECONDS)

    async def inspect(self, network: str) -> dict[str, Any]:
        """All that the engine knows of it."""
        request = Request(
            kind="network inspect", method="GET", path=f"/networks/{segment(network)}"
        )
        return (await self._api.call(request)).object()

    async def list(self, labels: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Networks that have all these labels, ``NAME`` or ``NAME=VALUE``."""
        request = Request(
            kind="network list", method="GET", path="/networks", query=filtered({"label": labels})
        )
        return (await self._api.call(request, seconds=_SECONDS)).objects()

    async def remove(self, network: str) -> None:
        """Remove it; one that is gone is fine.

        :raises Conflict: a container is connected to it.
        """
        request = Request(
            kind="network remove",
            method="DELETE",
            path=f"/networks/{segment(network)}",
            fine=(404,),
        )
        try:
            await self._api.call(request, seconds=_SECONDS)
        except DockerError as error:
            if "active endpoints" in str(error):  # told as 403
                raise Conflict(str(error)) from None
            raise

    async def connect(
        self, network: str, container: str, *, config: Mapping[str, Any] | None = None
    ) -> None:
        """Connect a container to it; ``config`` is Docker's EndpointConfig."""
        request = Request(
            kind="network connect",
            method="POST",
            path=f"/networks/{segment(network)}/connect",
            body={"Container": container, "EndpointConfig": dict(config or {})},
        )
        await self._api.call(request, seconds=_SECONDS)

    async def disconnect(self, network: str, container: str, *, force: bool = False) -> None:
        """Take a container off it."""
        request = Request(
            kind="network disconnect",
            method="POST",
            path=f"/networks/{segment(network)}/disconnect",
            body={"Container": container, "Force": force},
        )
        await self._api.call(request, seconds=_SECONDS)
