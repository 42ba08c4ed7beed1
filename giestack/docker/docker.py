"""A Docker engine, or one that speaks its API."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.web.iweb import IAgent, IResponse

from giestack.docker.api import Api, Tell
from giestack.docker.containers import Containers
from giestack.docker.credentials import Credentials
from giestack.docker.images import Images
from giestack.docker.lines import JsonLines, Receiver
from giestack.docker.networks import Networks
from giestack.docker.request import Request, filtered
from giestack.docker.streams import Stream
from giestack.docker.volumes import Volumes


def _tell_nobody(kind: str, status: int, seconds: float) -> None:
    """Calls are not counted."""


class Docker:
    """One engine.

    Failures are `DockerError`. Coroutines may be cancelled, which ends their connection.
    """

    def __init__(
        self,
        reactor: Any,
        agent: IAgent,
        *,
        tell: Tell = _tell_nobody,
        credentials: Credentials | None = None,
    ) -> None:
        """
        :param agent: sends to this engine; see `giestack.docker.endpoint.agent_for`.
        :param tell: is told of each call.
        :param credentials: for pulls; None: as nobody.
        """
        self._api = Api(reactor, agent, tell)
        self.containers = Containers(self._api)
        self.images = Images(self._api, credentials)
        self.networks = Networks(self._api)
        self.volumes = Volumes(self._api)

    @property
    def version(self) -> str:
        """Of the API, as agreed with the engine; "" before the first call."""
        return self._api.version

    async def ping(self) -> None:
        """Find out whether it is there."""
        await self._api.ping()

    async def info(self) -> dict[str, Any]:
        """What the engine says of itself and its host."""
        request = Request(kind="info", method="GET", path="/info")
        return (await self._api.call(request, seconds=30.0)).object()

    def events(
        self,
        heard: Callable[[dict[str, Any]], None],
        *,
        filters: Mapping[str, Sequence[str]] | None = None,
        since: str = "",
    ) -> Stream:
        """Call ``heard`` with each event.

        :param filters: as Docker's, for example ``{"label": ["a=b"]}``.
        :param since: seconds since the epoch, with a fraction of nine digits if need be; what
            happened from then on is told first. "": from now on.
        """
        query = filtered(filters or {})
        if since:
            query["since"] = since
        request = Request(kind="events", method="GET", path="/events", query=query)

        async def begin(hear: Callable[[dict[str, Any]], None]) -> tuple[IResponse, Receiver]:
            return await self._api.open(request), JsonLines(hear)

        return self._api.stream(begin, heard)

    async def close(self) -> None:
        """End all streams, calls and connections; returns when they are gone."""
        await self._api.close()
