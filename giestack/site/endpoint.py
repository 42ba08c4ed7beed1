"""One address of the own pages: calls an ``async`` function and sends what it answers.

Everything that can go wrong on the way becomes an answer here and nowhere else.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_CONTENT, NOT_MODIFIED, HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from giestack.database import DatabaseUnavailable
from giestack.proxy.decision import Refuse
from giestack.proxy.local import LocalTransport
from giestack.proxy.seen import Seen
from giestack.site.asked import LONGEST_FORM, Answer, Asked, Stream
from giestack.visitor import Operator

Handler = Callable[[Asked], Awaitable[Answer | Stream]]
"""Answers one method of one address; may raise `RefusalError` and `DatabaseUnavailable`."""

Door = Callable[[Request], Asked]
"""Reads a request; knows who it comes from by the way it came in."""

Refusal = Callable[[Refuse, Asked], Answer]
"""Renders a refusal."""

NOT_FOUND = Refuse(404, "no-such-route", "There is nothing at this address.")
NOT_LOGGED_IN = Refuse(401, "not-logged-in", "Please log in to see this page.")
_UNAVAILABLE = Refuse(
    503, "identity-unavailable", "Galaxy’s database does not answer right now.", retry_after=5
)
_FAILED = Refuse(500, "internal-error", "An error happened here.")
_FOREIGN = Refuse(
    403,
    "foreign-origin",
    "A request that changes something needs the field “X-Giestack: 1” or an allowed Origin.",
)
_WRONG_METHOD = Refuse(405, "method-not-allowed", "This method does nothing at this address.")
_READING = (b"GET", b"HEAD")


class RefusalError(Exception):
    """Ends a handler with a refusal."""

    def __init__(self, refuse: Refuse) -> None:
        super().__init__(refuse.status, refuse.code)
        self.refuse = refuse


class Endpoint(Resource):
    """An address with a handler for each method it knows; HEAD is answered like GET.

    ``refusal`` renders refusals. Where ``origins`` is given, requests that change something
    need ``X-Giestack: 1``, an Origin of the host they were sent to, or one of ``origins``
    (lower case). ``door`` is the way in: the front door, where it is not given.
    """

    _log = Logger()

    def __init__(
        self,
        handlers: Mapping[bytes, Handler],
        refusal: Refusal,
        origins: frozenset[bytes] | None = None,
        door: Door | None = None,
    ) -> None:
        super().__init__()
        self._handlers = dict(handlers)
        if b"GET" in handlers:
            self._handlers[b"HEAD"] = handlers[b"GET"]
        self._refusal = refusal
        self._origins = origins
        self._door = door or front_door

    def getChild(self, path: bytes, request: Request) -> Resource:
        return Nothing(self._refusal, self._door)

    def render(self, request: Request) -> int:
        asked = self._door(request)
        answering = Deferred.fromCoroutine(self._answer(asked))
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        answering.addCallback(_send, request)
        answering.addErrback(self._unsent, request)
        return NOT_DONE_YET

    async def _answer(self, asked: Asked) -> Answer | Stream:
        try:
            handler = self._handlers.get(asked.method)
            if handler is None:
                return self._wrong_method(asked)
            if self._origins is not None and not _may_write(asked, self._origins):
                return self._refusal(_FOREIGN, asked)
            return await handler(asked)
        except RefusalError as error:
            return self._refusal(error.refuse, asked)
        except DatabaseUnavailable as error:
            self._log.warn("an own page could not ask the database: {reason}", reason=str(error))
            return self._refusal(_UNAVAILABLE, asked)
        except CancelledError:
            raise
        except Exception:
            self._log.failure("an own page failed")
            return self._refusal(_FAILED, asked)

    def _wrong_method(self, asked: Asked) -> Answer:
        answer = self._refusal(_WRONG_METHOD, asked)
        allow = (b"Allow", b", ".join(sorted(self._handlers)))
        return Answer(answer.status, (*answer.headers, allow), answer.body)

    def _unsent(self, failure: Failure, request: Request) -> None:
        if failure.check(CancelledError) is None:
            self._log.failure("an answer could not be sent", failure)
            # Nobody is to wait for the rest of it.
            if request.channel is not None:
                request.channel.loseConnection()


class Nothing(Endpoint):
    """An address at which there is nothing, with any method."""

    def __init__(self, refusal: Refusal, door: Door | None = None) -> None:
        super().__init__({}, refusal, door=door)

    async def _answer(self, asked: Asked) -> Answer:
        return self._refusal(NOT_FOUND, asked)


def front_door(request: Request) -> Asked:
    """Read a request that came through `giestack.proxy.local.OwnPages`."""
    transport = cast(LocalTransport, request.channel.transport)
    accept = b",".join(request.requestHeaders.getRawHeaders(b"accept") or [])
    assert request.content is not None
    return Asked(
        request.method,
        request.uri,
        b"text/html" in accept.lower(),
        transport.seen,
        transport.visitor,
        request.requestHeaders,
        request.content.read(LONGEST_FORM + 1),
    )


def admin_door(request: Request) -> Asked:
    """Read a request that came through the admin listener, where the token has been checked."""
    assert request.content is not None
    return Asked(
        request.method,
        request.uri,
        False,
        Seen(b"", b"http", b"", b""),
        None,
        request.requestHeaders,
        request.content.read(LONGEST_FORM + 1),
        Operator(),
    )


def _send(answer: Answer | Stream, request: Request) -> None:
    request.setResponseCode(answer.status)
    # Which server this is, and its version, is nobody's business.
    request.responseHeaders.removeHeader(b"server")
    for name, value in answer.headers:
        request.responseHeaders.addRawHeader(name, value)
    if isinstance(answer, Answer):
        _send_whole(answer, request)
    elif request.method == b"HEAD":
        request.finish()
    else:
        answer.begin(request)


def _send_whole(answer: Answer, request: Request) -> None:
    if answer.status not in (NO_CONTENT, NOT_MODIFIED):
        # There it must not be, or would be the length of what is not sent (RFC 9110 section 8.6).
        request.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(answer.body)])
    gone: list[Failure] = []
    request.notifyFinish().addErrback(gone.append)
    request.write(answer.body)
    # The exchange knows the length and has let go of this end with the last byte of the body.
    if not gone:
        request.finish()


def own_or_trusted(asked: Asked, origins: frozenset[bytes]) -> bool:
    """Whether a request names one Origin: the host it was sent to, or one of ``origins``."""
    origin = (asked.single(b"origin") or b"").lower()
    if origin in origins:
        return True
    scheme, _, host = origin.partition(b"://")
    if scheme not in (b"http", b"https") or not host or not asked.seen.may_have_page(scheme):
        return False
    # A front may tell the host without its port.
    own = asked.seen.host.lower()
    if not own:
        return False
    return own == host or (own == asked.seen.host_name and own == re.sub(rb":[0-9]+\Z", b"", host))


def _may_write(asked: Asked, origins: frozenset[bytes]) -> bool:
    if asked.method in _READING or asked.single(b"x-giestack") == b"1":
        return True
    return own_or_trusted(asked, origins)


class _Channel(HTTPChannel):
    """The front door has its own limits and has kept them; these must not be narrower."""

    MAX_LENGTH = totalHeadersSize = 1 << 24


class _Request(Request):
    """Keeps as much of the body as is read, in memory: Twisted would keep all of it on the disk."""

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        assert self.content is not None
        self.content.write(data[: LONGEST_FORM + 1 - self.content.tell()])


class OwnSite(Site):
    """A Site for `giestack.proxy.local.OwnPages`: no time-outs, no forms, no global reactor.

    ``reactor`` is an `IReactorTime`.
    """

    # Twisted's own choice would look for HTTP/2 first.
    protocol: Any = _Channel

    def __init__(self, root: Resource, reactor: Any) -> None:
        super().__init__(
            root,
            requestFactory=_Request,
            timeout=None,
            reactor=reactor,
            parsePOSTFormSubmission=False,
        )
