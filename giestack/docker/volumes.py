"""Named volumes of an engine."""

from collections.abc import Mapping, Sequence
from typing import Any

from giestack.docker.api import Api
from giestack.docker.request import Request, filtered, segment

_SECONDS = 30.0


class Volumes:
    """Volumes of an engine, by name; failures as those of containers."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(
        self,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Create a volume, or find the one of that name; what the engine knows of it.

        One that was there keeps its own labels.
        """
        request = Request(
            kind="volume create",
            method="POST",
            path="/volumes/create",
            body={
                "Name": name,
                "Driver": "local",
                "DriverOpts": dict(options or {}),
                "Labels": dict(labels or {}),
            },
            kept="repeated",
        )
        return (await self._api.call(request, seconds=_SECONDS)).object()

    async def inspect(self, name: str) -> dict[str, Any]:
        """All that the engine knows of it."""
        request = Request(kind="volume inspect", method="GET", path=f"/volumes/{segment(name)}")
        return (await self._api.call(request)).object()

    async def list(self, labels: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Volumes that have all these labels, ``NAME`` or ``NAME=VALUE``."""
        request = Request(
            kind="volume list", method="GET", path="/volumes", query=filtered({"label": labels})
        )
        found = (await self._api.call(request, seconds=_SECONDS)).object().get("Volumes") or []
        return [one for one in found if isinstance(one, dict)]

    async def remove(self, name: str, force: bool = False) -> None:
        """Remove it; one that is gone is fine.

        :raises Conflict: a container has it.
        """
        request = Request(
            kind="volume remove",
            method="DELETE",
            path=f"/volumes/{segment(name)}",
            query={"force": "1" if force else "0"},
            fine=(404,),
        )
        await self._api.call(request, seconds=_SECONDS)
