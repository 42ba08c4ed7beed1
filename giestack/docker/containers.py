"""Containers of an engine."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from giestack.docker.answer import LARGEST, Answer
from giestack.docker.api import Api
from giestack.docker.creation import created
from giestack.docker.endpoint import Stale
from giestack.docker.errors import Conflict
from giestack.docker.execution import Executed, executed
from giestack.docker.logs import followed, last_lines
from giestack.docker.request import Kept, Query, Request, filtered, segment
from giestack.docker.streams import Stream

_Texts = list[str]  # "list" is a method below


class Containers:
    """Containers of an engine, by id or name.

    Each method fails with `NotFound`, `Conflict` or `DockerError` in the engine's words, and
    with `Unreachable` where no answer came in time. Times are seconds.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(self, name: str, body: Mapping[str, Any], *, seconds: float = 60.0) -> str:
        """Create a container; its id.

        Where the answer was lost it is looked up by name: it is the one asked for if it has all
        the labels of ``body``, and ``body`` has some.

        :raises NotFound: the image is missing.
        :raises Conflict: the name is taken.
        """
        request = Request(
            kind="container create",
            method="POST",
            path="/containers/create",
            query={"name": name},
            body=body,
            kept="told",
        )

        async def find() -> tuple[str, Mapping[str, str]]:
            found = await self.inspect(name)
            return str(found.get("Id")), (found.get("Config") or {}).get("Labels") or {}

        return await created(self._api, request, body.get("Labels") or {}, find, seconds)

    async def start(self, container: str, *, seconds: float = 60.0) -> None:
        """Start it; one that runs already is fine."""
        await self._post("start", container, seconds=seconds, fine=(304,), kept="repeated")

    async def stop(self, container: str, grace: float) -> None:
        """End it, by force after so many seconds; one that does not run is fine."""
        wait = max(0, math.ceil(grace))
        query = {"t": str(wait)}
        seconds = wait + 10.0
        await self._post("stop", container, query, seconds=seconds, fine=(304,), kept="repeated")

    async def kill(self, container: str, signal: str = "KILL") -> None:
        """Send a signal.

        :raises Conflict: it does not run.
        """
        await self._post("kill", container, {"signal": signal}, seconds=30.0)

    async def pause(self, container: str) -> None:
        """Stop its processes where they are.

        :raises Conflict: it does not run, or is paused already.
        """
        await self._freeze("pause", container, True)

    async def unpause(self, container: str) -> None:
        """Let its processes go on.

        :raises DockerError: it is not paused.
        """
        await self._freeze("unpause", container, False)

    async def _freeze(self, what: str, container: str, wanted: bool) -> None:
        try:
            await self._post(what, container, seconds=30.0, kept="told")
        except Stale:
            state = (await self.inspect(container)).get("State") or {}
            if state.get("Paused") != wanted:
                await self._post(what, container, seconds=30.0)

    async def wait(self, container: str) -> int:
        """Wait until it does not run, however long that takes; its exit status."""
        answer = await self._post("wait", container, seconds=None, kept="repeated")
        return answer.number("StatusCode")

    async def rename(self, container: str, name: str) -> None:
        """Give it another name.

        :raises Conflict: that is taken.
        """
        await self._post("rename", container, {"name": name})

    async def remove(self, container: str, *, force: bool = True, volumes: bool = False) -> None:
        """Remove it; one that is gone, or that is being removed, is fine.

        :param force: also where it runs.
        :param volumes: and its volumes that have no name.
        """
        request = Request(
            kind="container remove",
            method="DELETE",
            path=f"/containers/{segment(container)}",
            query={"force": "1" if force else "0", "v": "1" if volumes else "0"},
            fine=(404,),
        )
        try:
            await self._api.call(request, seconds=60.0)
        except Conflict as conflict:
            if "in progress" not in str(conflict):
                raise

    async def inspect(self, container: str) -> dict[str, Any]:
        """All that the engine knows of it."""
        return (await self._get("inspect", container, "json")).object()

    async def list(
        self, *, labels: Sequence[str] = (), names: Sequence[str] = (), all: bool = True
    ) -> list[dict[str, Any]]:
        """Containers in short.

        :param labels: ``NAME`` or ``NAME=VALUE``, all of which they have.
        :param names: one of which they have; empty: any.
        :param all: also those that do not run.
        """
        request = Request(
            kind="container list",
            method="GET",
            path="/containers/json",
            query={"all": "1" if all else "0", **filtered({"label": labels, "name": names})},
        )
        found = (await self._api.call(request, seconds=30.0)).objects()
        if not names:
            return found
        # Docker takes a name for a pattern that is to be found anywhere.
        wanted = {f"/{name}" for name in names}
        return [one for one in found if not wanted.isdisjoint(one.get("Names") or ())]

    async def update(self, container: str, body: Mapping[str, Any]) -> None:
        """Change its limits."""
        await self._post("update", container, body=body, seconds=30.0, kept="repeated")

    async def logs(self, container: str, tail: int) -> _Texts:
        """The last lines that it printed, both streams in the order in which they came."""
        return await last_lines(self._api, container, tail)

    def follow(self, container: str, tail: int, line: Callable[[str], None]) -> Stream:
        """Call ``line`` with the last lines and each further one until the container ends."""
        return followed(self._api, container, tail, line)

    async def stats(self, container: str) -> dict[str, Any]:
        """What it uses now: one reading, without the one a second before it."""
        query = {"stream": "0", "one-shot": "1"}
        return (await self._get("stats", container, "stats", query)).object()

    async def put_archive(self, container: str, path: str, tar: bytes) -> None:
        """Unpack a tar in a folder of it, which is there already.

        :raises NotFound: no such container or folder.
        """
        request = Request(
            kind="container put archive",
            method="PUT",
            path=f"/containers/{segment(container)}/archive",
            query={"path": path},
            body=tar,
            headers={"Content-Type": "application/x-tar"},
        )
        await self._api.call(request, seconds=60.0)

    async def get_archive(self, container: str, path: str, *, most: int = LARGEST) -> bytes:
        """A file or folder of it, as a tar of at most so many bytes.

        :raises NotFound: no such container or path.
        """
        query = {"path": path}
        answer = await self._get(
            "get archive", container, "archive", query, seconds=60.0, most=most
        )
        return answer.body

    async def execute(
        self,
        container: str,
        command: Sequence[str],
        *,
        user: str = "",
        env: Sequence[str] = (),
        seconds: float = 60.0,
    ) -> Executed:
        """Run a command in it.

        After ``seconds`` it is given up, and goes on: Docker can't end it.

        :param env: ``NAME=VALUE`` each.
        :raises Conflict: the container does not run, or is paused.
        """
        return await executed(self._api, container, command, user=user, env=env, seconds=seconds)

    async def _get(
        self,
        what: str,
        container: str,
        path: str,
        query: Query | None = None,
        *,
        seconds: float = 10.0,
        most: int = LARGEST,
    ) -> Answer:
        request = Request(
            kind=f"container {what}",
            method="GET",
            path=f"/containers/{segment(container)}/{path}",
            query=query,
        )
        return await self._api.call(request, seconds=seconds, most=most)

    async def _post(
        self,
        what: str,
        container: str,
        query: Query | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        seconds: float | None = 10.0,
        fine: Sequence[int] = (),
        kept: Kept = "avoided",
    ) -> Answer:
        request = Request(
            kind=f"container {what}",
            method="POST",
            path=f"/containers/{segment(container)}/{what}",
            query=query,
            body=body,
            fine=fine,
            kept=kept,
        )
        return await self._api.call(request, seconds=seconds)
