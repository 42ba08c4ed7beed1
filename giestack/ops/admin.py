"""The admin listener: ``/health``, ``/ready``, ``/metrics``, and the control API's door.

The first three need no token, so nothing in them is secret. Everything is JSON but the metrics;
errors are ``{"error": code, "message": text}``.
"""

import json
from collections.abc import Callable
from hmac import compare_digest
from http import HTTPStatus
from io import BytesIO
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from giestack.ops.health import Readiness
from giestack.ops.metrics import CONTENT_TYPE

LONGEST_BODY = 1024 * 1024
"""Bytes that a request's body may have."""

_JSON = "application/json"
_READING = (b"GET", b"HEAD")


def answer(request: Request, status: int, body: bytes, content_type: str = _JSON) -> None:
    """Send an answer, without its body to HEAD."""
    headers = request.responseHeaders
    # Which server this is, and its version, is nobody's business.
    headers.removeHeader(b"server")
    headers.setRawHeaders(b"content-type", [content_type.encode("ascii")])
    headers.setRawHeaders(b"content-length", [b"%d" % len(body)])
    headers.setRawHeaders(b"cache-control", [b"no-store"])
    headers.setRawHeaders(b"x-content-type-options", [b"nosniff"])
    request.setResponseCode(status, HTTPStatus(status).phrase.encode("ascii"))
    request.write(b"" if request.method == b"HEAD" else body)
    request.finish()


def answer_json(request: Request, status: int, value: object) -> None:
    """Send a value as JSON."""
    answer(request, status, json.dumps(value).encode("ascii") + b"\n")


def answer_error(request: Request, status: int, code: str, message: str) -> None:
    """Send an error as JSON."""
    answer_json(request, status, {"error": code, "message": message})


class _Page(Resource):
    """One address; what is not known, and what is below it, is 404 for every method."""

    _log = Logger()

    def getChild(self, path: bytes, request: Request) -> IResource:
        return _Page()

    def render(self, request: Request) -> int:
        answering = Deferred.fromCoroutine(self._answer(request))
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        answering.addErrback(self._failed, request)
        return NOT_DONE_YET

    def _failed(self, failure: Failure, request: Request) -> None:
        if failure.check(CancelledError):
            return
        self._log.failure("An admin page failed", failure)
        answer_error(request, 500, "internal-error", "An error happened here.")

    async def _answer(self, request: Request) -> None:
        answer_error(request, 404, "not-found", "There is nothing at this address.")


class _ReadPage(_Page):
    """An address that is only read."""

    async def _answer(self, request: Request) -> None:
        if request.method in _READING:
            await self._show(request)
        else:
            request.responseHeaders.setRawHeaders(b"allow", [b"GET, HEAD"])
            answer_error(request, 405, "method-not-allowed", "This address can only be read.")

    async def _show(self, request: Request) -> None: ...


class _Health(_ReadPage):
    async def _show(self, request: Request) -> None:
        answer_json(request, 200, {"status": "ok"})


class _Ready(_ReadPage):
    def __init__(self, readiness: Readiness) -> None:
        super().__init__()
        self._readiness = readiness

    async def _show(self, request: Request) -> None:
        checks = await self._readiness.checks()
        shown = [{"name": c.name, "ok": c.ok, "text": c.text} for c in checks]
        bad = [f"{check.name}: {check.text}" for check in checks if not check.ok]
        if bad:
            error = {"error": "not-ready", "message": "; ".join(bad), "checks": shown}
            answer_json(request, 503, error)
        else:
            answer_json(request, 200, {"status": "ready", "checks": shown})


class _Metrics(_ReadPage):
    def __init__(self, metrics: Callable[[], bytes]) -> None:
        super().__init__()
        self._metrics = metrics

    async def _show(self, request: Request) -> None:
        answer(request, 200, self._metrics(), CONTENT_TYPE)


class _Refused(_Page):
    """Refuses whatever is at an address and below it."""

    isLeaf = True

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__()
        self._refusal = (status, code, message)

    async def _answer(self, request: Request) -> None:
        if self._refusal[0] == 401:
            request.responseHeaders.setRawHeaders(b"www-authenticate", [b'Bearer realm="giestack"'])
        answer_error(request, *self._refusal)


class _Api(_Page):
    """Lets those who know the token through to the control API."""

    def __init__(self, token: str | None, control: IResource | None) -> None:
        super().__init__()
        self.token = token
        self.control = control

    def getChild(self, path: bytes, request: Request) -> IResource:
        if path != b"v1":
            return _Page()
        return self._refusal(request) or self.control or _Page()

    def _refusal(self, request: Request) -> _Page | None:
        if not self.token:
            return _Refused(403, "no-token", "The control API is off: admin.token is not set.")
        given = request.requestHeaders.getRawHeaders(b"authorization", [])
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        known = self.token.encode()
        if scheme.lower() == b"bearer" and compare_digest(token.strip(b" "), known):
            return None
        return _Refused(401, "wrong-token", "This needs “Authorization: Bearer” and the token.")


class _BoundedRequest(Request):
    """A request whose body is kept in memory, and only as far as it is not too large."""

    body_too_large = False

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        assert self.content is not None
        if self.content.tell() + len(data) > LONGEST_BODY:
            self.body_too_large = True
        else:
            self.content.write(data)

    def process(self) -> None:
        if self.body_too_large:
            answer_error(self, 413, "too-large", "The request's body is too large.")
        else:
            super().process()


class AdminSite(Site):
    """The factory of the admin listener's connections.

    ``metrics`` gives the text for ``/metrics``. ``token`` opens the control API; without one it
    answers 403. ``control`` is what is behind ``/api/v1/``.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        *,
        readiness: Readiness,
        metrics: Callable[[], bytes],
        token: str | None = None,
        control: IResource | None = None,
    ) -> None:
        root = _Page()
        root.putChild(b"health", _Health())
        root.putChild(b"ready", _Ready(readiness))
        root.putChild(b"metrics", _Metrics(metrics))
        self._api = _Api(token, control)
        root.putChild(b"api", self._api)
        # Without a reactor, Site would import the global one.
        super().__init__(
            root, requestFactory=_BoundedRequest, parsePOSTFormSubmission=False, reactor=reactor
        )

    def configure(self, token: str | None, control: IResource | None) -> None:
        """Take another token, and have something else behind it, from now on."""
        self._api.token = token
        self._api.control = control

    def log(self, request: Any) -> None:
        """Write nothing: probes come every few seconds, and a target could hold a secret."""
