"""One address of the chat's: what is answered to pages of other origins, and how it refuses.

With a cookie only pages of the host itself and of trusted origins may read and write here
(Fetch standard, section 3.2); to a page of any other origin every such address says 403.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

from giestack.chat import wire
from giestack.chat.storage import Rejected
from giestack.database import DatabaseUnavailable
from giestack.proxy.decision import Refuse
from giestack.site.asked import Answer, Asked, Stream
from giestack.site.endpoint import Endpoint, Handler, Nothing, own_or_trusted
from giestack.site.refusals import RefusalPages

_log = Logger()

FOREIGN = Refuse(403, "foreign-origin", "This request was sent by a page of another site.")

STATUSES: Mapping[wire.Code, int] = {
    "auth": 401,
    "perm": 403,
    "muted": 403,
    "filter": 403,
    "rate": 429,
    "len": 413,
    "noroom": 404,
    "bad": 400,
    "server": 503,
}
"""What the codes of the chat's refusals are as HTTP statuses."""

_CODES: Mapping[int, wire.Code] = {
    wire.CLOSE_NOT_LOGGED_IN: "auth",
    wire.CLOSE_FORBIDDEN: "perm",
    wire.CLOSE_FLOOD: "rate",
    wire.CLOSE_TOO_BIG: "len",
}
_SOON_MS = 2000
_MAY_BE_SENT = b"Content-Type, Last-Event-ID, X-Giestack"
_VARY = (b"Vary", b"Origin")
_ALLOWED_FOR = b"600"


class ChatEndpoint(Endpoint):
    """An address with a handler for each method it knows.

    Handlers may raise what those of `Endpoint` do, and `Rejected`; all refusals are JSON.
    ``origins`` are the trusted ones, in lower case.
    """

    def __init__(
        self,
        handlers: Mapping[bytes, Handler],
        refusals: RefusalPages,
        origins: frozenset[bytes],
    ) -> None:
        super().__init__(
            {method: speaking(handler, refusals) for method, handler in handlers.items()},
            lambda refuse, asked: refusals.json(refuse),
            origins,
        )
        self._refusals = refusals
        self._trusted = origins

    def getChild(self, path: bytes, request: Request) -> Resource:
        return Nothing(self._refusal)

    async def _answer(self, asked: Asked) -> Answer | Stream:
        if not asked.headers.hasHeader(b"origin"):
            if _is_of_another_page(asked):
                return with_fields(self._refusals.json(FOREIGN), _VARY)
            return with_fields(await super()._answer(asked), _VARY)
        if not own_or_trusted(asked, self._trusted):
            return with_fields(self._refusals.json(FOREIGN), _VARY)
        if asked.method == b"OPTIONS":
            answer: Answer | Stream = Answer(204, self._preflight())
        else:
            answer = await super()._answer(asked)
        return with_fields(
            answer,
            _VARY,
            (b"Access-Control-Allow-Origin", asked.single(b"origin") or b""),
            (b"Access-Control-Allow-Credentials", b"true"),
            (b"Access-Control-Expose-Headers", b"Retry-After, Content-Disposition"),
        )

    def _preflight(self) -> tuple[tuple[bytes, bytes], ...]:
        return (
            (b"Access-Control-Allow-Methods", b", ".join(sorted(self._handlers))),
            (b"Access-Control-Allow-Headers", _MAY_BE_SENT),
            (b"Access-Control-Max-Age", _ALLOWED_FOR),
        )


def _is_of_another_page(asked: Asked) -> bool:
    """Whether a page of another site has a browser ask, as for a picture, without Origin.

    It could not read the answer, but would keep a stream open in its visitor's name (Fetch
    Metadata Request Headers, W3C; programs and older browsers send none).
    """
    return (
        asked.single(b"sec-fetch-mode") == b"no-cors"
        and asked.single(b"sec-fetch-site") != b"same-origin"
    )


def speaking(handler: Handler, refusals: RefusalPages) -> Handler:
    """Return the same handler, with what the chat refuses as answers."""

    async def handle(asked: Asked) -> Answer | Stream:
        try:
            return await handler(asked)
        except Rejected as rejected:
            return refused(refusals, rejected.code, rejected.message, rejected.retry_ms)
        except DatabaseUnavailable as error:
            _log.warn("the chat’s store can’t be asked: {reason}", reason=str(error))
            return refused(refusals, "server", "The chat does not answer right now.", _SOON_MS)

    return handle


def refused(
    refusals: RefusalPages, code: wire.Code, message: str, retry_ms: int | None = None
) -> Answer:
    """Return what the chat has refused as an answer; ``code`` decides on its status."""
    status = STATUSES[code]
    if code == "server" and retry_ms is None:
        retry_ms = _SOON_MS
    fields = refusals.json(Refuse(status, code, message)).headers
    said: dict[str, object] = {"error": code, "message": message}
    if retry_ms is not None:
        said["retry_ms"] = retry_ms
        fields = (
            *[field for field in fields if field[0] != b"Retry-After"],
            (b"Retry-After", b"%d" % max(1, ceil(retry_ms / 1000))),
        )
    return replace(refusals.look.json(status, said), headers=fields)


def turned_away(refusals: RefusalPages, code: int, reason: str) -> Answer:
    """Return what stands for one of the chat's close codes before anything was sent."""
    return refused(
        refusals,
        _CODES.get(code, "server"),
        reason,
        _SOON_MS if code == wire.CLOSE_FLOOD else None,
    )


def with_fields(answer: Answer | Stream, *fields: tuple[bytes, bytes]) -> Answer | Stream:
    """Return an answer with further header fields."""
    return replace(answer, headers=(*answer.headers, *fields))
