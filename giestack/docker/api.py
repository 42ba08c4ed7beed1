"""Requests to an engine: the API's version, time limits, and errors in the engine's words."""

import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.web.client import RequestTransmissionFailed, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from giestack.docker.answer import LARGEST, Answer, read, read_some, refusal
from giestack.docker.endpoint import EngineAgent, Stale
from giestack.docker.errors import DockerError, Unreachable
from giestack.docker.lines import Receiver
from giestack.docker.request import Request, produced
from giestack.docker.streams import Stream

OURS = (1, 44)
"""The newest version of Docker's API that is spoken here."""

Tell = Callable[[str, int, float], None]
"""Is told of each call: its kind, the status of the answer (0: none came), seconds."""


T = TypeVar("T")

_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")


class Api:
    """Talks to one engine.

    :ivar version: of the API, as agreed with the engine; "" before the first call.
    """

    def __init__(self, reactor: Any, agent: IAgent, tell: Tell) -> None:
        self.clock = reactor
        self.version = ""
        self._agent = agent
        self._http = HTTPClient(agent)
        self._tell = tell
        self._is_agreed = False
        self._going: set[Deferred[Any]] = set()
        self._streams: set[Stream] = set()
        self._is_closed = False

    async def call(
        self, request: Request, *, seconds: float | None = 10.0, most: int = LARGEST
    ) -> Answer:
        """Ask, and read the whole answer.

        :param seconds: for all of it; None: as long as it takes.
        :param most: bytes of the answer.
        :raises NotFound, Conflict, DockerError: in the engine's words.
        :raises Unreachable: no answer, or none in time.
        """
        started = self.clock.seconds()
        try:
            answer = await self.within(seconds, self._call(request, most))
        except DockerError as error:
            self.told(request.kind, error.status, started)
            raise
        self.told(request.kind, answer.status, started)
        return answer

    async def ping(self, *, seconds: float = 10.0) -> None:
        """Ask whether it is there, and agree on a version anew.

        :raises DockerError: as `call`.
        """
        self._is_agreed = False
        await self.within(seconds, self._agree())

    async def open(self, request: Request, *, is_told: bool = True) -> IResponse:
        """Ask, and return as soon as the answer begins, for whoever reads its body.

        :param is_told: False: whoever reads it tells of the call.

        :raises NotFound, Conflict, DockerError: in the engine's words.
        :raises Unreachable: no answer.
        """
        started = self.clock.seconds()
        try:
            response = await self._open(request)
        except DockerError as error:
            if is_told:
                self.told(request.kind, error.status, started)
            raise
        if is_told:
            self.told(request.kind, response.code, started)
        return response

    def stream(
        self,
        begin: Callable[[Callable[[Any], None]], Awaitable[tuple[IResponse, Receiver]]],
        heard: Callable[[Any], None],
        *,
        quiet: float | None = None,
    ) -> Stream:
        """An answer that goes on; see `Stream`."""
        stream = Stream(self.clock, begin, heard, quiet=quiet)
        if not stream.ended.called:
            self._streams.add(stream)
            stream.ended.addBoth(self._streamed, stream)
        return stream

    async def close(self) -> None:
        """End everything: streams are stopped, calls cancelled, connections closed."""
        self._is_closed = True
        for stream in list(self._streams):
            stream.stop()
        for going in list(self._going):
            going.cancel()
        if isinstance(self._agent, EngineAgent):
            await self._agent.close()

    def _streamed(self, result: Any, stream: Stream) -> Any:
        self._streams.discard(stream)
        return result

    async def within(self, seconds: float | None, doing: Coroutine[Any, Any, T]) -> T:
        """Do something with the engine that is cancelled when its time is over, or at the end.

        :raises Unreachable: its time was over.
        """
        going = Deferred.fromCoroutine(doing)
        if seconds is not None:
            going.addTimeout(seconds, self.clock)
        self._going.add(going)
        try:
            return await going
        except TimeoutError:
            raise Unreachable(f"the engine has not answered within {seconds:g} seconds") from None
        finally:
            self._going.discard(going)

    async def _call(self, request: Request, most: int) -> Answer:
        response = await self._open(request)
        return Answer(response.code, await read(response, most))

    async def _open(self, request: Request) -> IResponse:
        await self._agree()
        try:
            response = await self._send(request, f"/v{self.version}{request.path}")
        except Unreachable:
            self._is_agreed = False  # another engine may answer when one does again
            raise
        if response.code >= 300 and response.code not in request.fine:
            error = refusal(response.code, await read_some(response))
            if "client version" in str(error):
                self._is_agreed = False
            raise error
        return response

    async def _agree(self) -> None:
        """Agree on a version: ours, or the engine's where that is older."""
        if self._is_agreed:
            return
        request = Request(kind="ping", method="GET", path="/_ping")
        started = self.clock.seconds()
        try:
            response = await self._send(request, request.path)
        except Unreachable:
            self.told(request.kind, 0, started)
            raise
        body = await read_some(response)
        self.told(request.kind, response.code, started)
        if response.code != 200:
            raise refusal(response.code, body)
        said = (response.headers.getRawHeaders("Api-Version") or [""])[0]
        found = _VERSION.fullmatch(said)
        if not found:
            raise DockerError(200, "what answers there is no Docker engine: it has no API version")
        major, minor = min(OURS, (int(found[1]), int(found[2])))
        self.version = f"{major}.{minor}"
        self._is_agreed = True

    async def _send(self, request: Request, target: str) -> IResponse:
        if self._is_closed:
            raise Unreachable("the client of this engine is closed")
        if request.about_kept == "avoided" and isinstance(self._agent, EngineAgent):
            self._agent.forget_idle()
        try:
            return await self._send_once(request, target)
        except Stale:
            if request.about_kept != "repeated":
                raise
            return await self._send_once(request, target)

    async def _send_once(self, request: Request, target: str) -> IResponse:
        url = "http://docker" + target
        if request.query:
            url += "?" + urlencode(request.query, doseq=True)
        headers = Headers({name: [value] for name, value in (request.headers or {}).items()})
        body = request.body
        if isinstance(body, Mapping):
            headers.setRawHeaders("Content-Type", ["application/json"])
            body = json.dumps(body).encode()
        data = None if body is None else produced(body)
        try:
            response: IResponse = await self._http.request(
                request.method,
                url,
                headers=headers,
                data=data,
                allow_redirects=False,
                unbuffered=True,
                reactor=self.clock,
            )
        except CancelledError:
            if data is not None:
                data.stop()
            raise
        except (ConnectError, ConnectionClosed, ResponseFailed, RequestTransmissionFailed) as error:
            raise Unreachable(f"the engine gives no answer: {error}") from None
        return response

    def told(self, kind: str, status: int, started: float) -> None:
        """Tell of a call that began at a time of `clock`."""
        self._tell(kind, status, self.clock.seconds() - started)
