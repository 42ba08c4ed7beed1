"""Asks a starting Jupyter server whether it is ready, and whether it lets strangers in."""

from twisted.internet.interfaces import IReactorTime
from twisted.web.client import readBody
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from giestack.demo.jupyter_config import LabPlace

_SECONDS = 5.0
# It needs a login, while /api alone tells everybody the server's version.
_PATH = "api/status"


class OpenToAll(Exception):
    """The server answers requests that did not come through giestack."""


class LabProbe:
    """Asks by HTTP; ``agent`` is `twisted.web.client.Agent` or alike, ``clock`` bounds it."""

    def __init__(self, agent: IAgent, clock: IReactorTime) -> None:
        self._agent = agent
        self._clock = clock

    async def ready(self, place: LabPlace) -> bool:
        """Tell whether the server answers by now; raise `OpenToAll` where it answers anybody."""
        if await self._status(place, {place.header: [place.base.rstrip("/")]}) != 200:
            return False
        if await self._status(place, {}) not in (401, 403):
            raise OpenToAll
        return True

    async def _status(self, place: LabPlace, headers: dict[str, list[str]]) -> int:
        """Return the answer's status; 0 where there is none."""
        asked = self._agent.request(b"GET", place.url(_PATH).encode(), Headers(headers), None)
        try:
            response = await asked.addTimeout(_SECONDS, self._clock)
            await readBody(response).addTimeout(_SECONDS, self._clock)
        except Exception:
            # Refused, reset, too late, no HTTP: all of them mean "not yet".
            return 0
        status: int = response.code
        return status
