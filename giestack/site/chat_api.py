"""The chat over HTTP: who one is, what one chooses, and the fallback for WebSockets.

An event stream brings exactly the frames of a WebSocket, and each request comes by a POST. For
programs there are a room's events as pages and as a stream, and messages to a room.
"""

import json
from collections.abc import Callable
from dataclasses import asdict

from giestack.chat import wire
from giestack.chat.frames import written
from giestack.chat.outlet import Conversation, Outlet
from giestack.chat.storage import Rejected
from giestack.proxy.decision import Refuse
from giestack.site.asked import Answer, Asked, Stream
from giestack.site.chat_asked import body, json_object, number, user, whole
from giestack.site.chat_endpoint import refused, turned_away, with_fields
from giestack.site.chat_files import WidgetFiles
from giestack.site.chat_streams import EVENTS, FORMATS, ExportedMessages, Format, FrameEvents
from giestack.site.chatting import Chatting
from giestack.site.endpoint import NOT_LOGGED_IN, RefusalError
from giestack.site.refusals import RefusalPages
from giestack.site.streams import Streams
from giestack.visitor import Identity

_Begin = Callable[[Outlet], Conversation | None]

_NO_STREAM = Refuse(410, "no-such-connection", "There is no event stream of yours of that name.")


class ChatApi:
    """Answers; each method is one method of one address.

    Where the widget's ``files`` are is told relative to the chat's root: a front may have put
    that anywhere.
    """

    def __init__(
        self, chat: Chatting, refusals: RefusalPages, streams: Streams, files: WidgetFiles
    ) -> None:
        self._chat = chat
        self._refusals = refusals
        self._streams = streams
        self._static = f"static/{files.version}"
        self._languages = files.languages

    async def whoami(self, asked: Asked) -> Answer:
        """Say who asks, and what they are here."""
        links, look = self._refusals.links, self._refusals.look
        rest = {
            "galaxy_url": links.galaxy_url,
            "static": self._static,
            "languages": self._languages,
        }
        if not isinstance(asked.visitor, Identity):
            refusal = self._refusals.json(NOT_LOGGED_IN)
            said = {"error": NOT_LOGGED_IN.code, "message": NOT_LOGGED_IN.message, **rest}
            said["login"] = links.login_page
            return Answer(401, refusal.headers, json.dumps(said).encode())
        about = await self._chat.about(asked.visitor)
        return look.json(
            200,
            {
                "id": about.user.id,
                "name": about.user.name,
                "role": about.user.role or "user",
                "opt_in_needed": about.opt_in_needed,
                "prefs": asdict(about.prefs),
                "impersonated": about.impersonated,
                "banned_until": about.banned_until,
                **rest,
            },
        )

    async def prefs(self, asked: Asked) -> Answer:
        """Keep what somebody chooses."""
        visitor = user(asked)
        try:
            prefs = wire.REQUESTS.read_object({**json_object(asked), "t": "prefs", "id": 0})
        except ValueError as error:
            raise Rejected("bad", str(error)) from None
        choices = await self._chat.choose(visitor, prefs)
        return self._refusals.look.json(200, {"prefs": asdict(choices)})

    async def stream(self, asked: Asked) -> Answer | Stream:
        """A conversation, as a stream of events."""
        return self._conversation(
            asked, FrameEvents(), lambda outlet: self._chat.arrive(asked.visitor, outlet)
        )

    async def requests(self, asked: Asked) -> Answer:
        """Carry out one request; what comes of it is a frame too, and the status is 200."""
        visitor = user(asked)
        try:
            answer = await self._chat.answer(visitor, body(asked), asked.query.get("conn"))
        except LookupError:
            raise RefusalError(_NO_STREAM) from None
        return self._json(200, written(answer))

    async def events(self, asked: Asked, room: str) -> Answer | Stream:
        """A page of a room's events; or all of them as a stream, for those who accept that."""
        visitor = user(asked)
        after, before = number(asked, "after"), number(asked, "before")
        accept = b",".join(asked.headers.getRawHeaders(b"accept") or [])
        if b"text/event-stream" in accept.lower():
            # An EventSource that comes back says so, and its address is still the first one.
            last = (asked.single(b"last-event-id") or b"").decode("latin-1")
            since = whole(last, "Last-Event-ID") if last else after or 0
            return self._conversation(
                asked,
                FrameEvents(numbered=True),
                lambda outlet: self._chat.listen(visitor, room, since, outlet),
            )
        limit = number(asked, "limit")
        page = await self._chat.events(visitor, room, after, before, 50 if limit is None else limit)
        events = b",".join([written(event) for event in page.events])
        more = b"true" if page.more else b"false"
        return self._json(200, b'{"events":[%b],"more":%b}' % (events, more))

    async def say(self, asked: Asked, room: str) -> Answer:
        """Say something in a room."""
        visitor = user(asked)
        frame = {**json_object(asked), "t": "msg", "id": 0, "room": room}
        answer = await self._chat.answer(visitor, json.dumps(frame).encode(), None)
        if isinstance(answer, wire.Err):
            return refused(self._refusals, answer.code, answer.message, answer.retry_ms)
        return self._refusals.look.json(201, {"seq": answer.seq, "ts": answer.ts})

    async def export(self, asked: Asked) -> Answer | Stream:
        """One's own messages, as a file."""
        visitor = user(asked)
        room = asked.query.get("room") or None
        form = _form(asked)
        first = await self._chat.exported(visitor, room, None)
        source = ExportedMessages(
            first, lambda after: self._chat.exported(visitor, room, after), form
        )
        content_type, name = FORMATS[form]
        disposition = f'attachment; filename="{name}"'
        stream = self._streams.answer(source, content_type, _whose(visitor))
        return with_fields(stream, (b"Content-Disposition", disposition.encode()))

    def _conversation(self, asked: Asked, source: FrameEvents, begin: _Begin) -> Answer | Stream:
        stream = self._streams.answer(source, EVENTS, _whose(asked.visitor))
        if asked.method == b"HEAD":
            return stream
        if not source.open(begin):
            code, reason = source.closed or (wire.CLOSE_RESTART, "restart")
            return self._turned_away(code, reason)
        return stream

    def _turned_away(self, code: int, reason: str) -> Answer:
        if code == wire.CLOSE_NOT_LOGGED_IN:
            return self._refusals.json(NOT_LOGGED_IN)
        return turned_away(self._refusals, code, reason)

    def _json(self, status: int, body: bytes) -> Answer:
        return Answer(status, self._refusals.look.json(status, None).headers, body + b"\n")


def _whose(visitor: object) -> tuple[str, str, int]:
    """Whose stream it is; the chat's are not counted with others."""
    if isinstance(visitor, Identity):
        return "chat", visitor.host, visitor.user_id
    return "chat", "", 0


def _form(asked: Asked) -> Format:
    text = asked.query.get("format", "jsonl")
    for form in FORMATS:
        if form == text:
            return form
    raise Rejected("bad", f"format must be one of {', '.join(FORMATS)}.")
