"""The part of the API with which administrators look at the proxy itself, and drain it."""

from dataclasses import asdict

from giestack.site.asked import Answer, Asked
from giestack.site.askers import administrator_of
from giestack.site.operations import Operations
from giestack.site.refusals import RefusalPages
from giestack.site.streams import Streams


class AdminApi:
    """Answers administrators; each method is one method of one address."""

    def __init__(self, operations: Operations, refusals: RefusalPages, streams: Streams) -> None:
        self._operations = operations
        self._refusals = refusals
        self._streams = streams

    async def routes(self, asked: Asked) -> Answer:
        """List all routes, without their tokens."""
        administrator_of(asked)
        told = [asdict(row) for row in self._operations.routes()]
        return self._refusals.look.json(200, told)

    async def connections(self, asked: Asked) -> Answer:
        """Count the connections, and the streams that run on them."""
        administrator_of(asked)
        told = {**asdict(self._operations.connections()), "streams": self._streams.open}
        return self._refusals.look.json(200, told)

    async def drain(self, asked: Asked) -> Answer:
        """Take no new visitors from now on."""
        administrator_of(asked)
        self._operations.drain()
        return self._refusals.look.json(202, {"draining": True})
