"""All addresses of the chat but the WebSocket, as one tree: below the own prefix, or alone."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request

from giestack.proxy.decision import Refuse
from giestack.site.asked import Answer, Asked
from giestack.site.chat_api import ChatApi
from giestack.site.chat_endpoint import ChatEndpoint
from giestack.site.chat_files import ChatPage, Loader, StaticFiles, WidgetFiles
from giestack.site.chat_moderation_page import ModerationPage
from giestack.site.chatting import Chatting
from giestack.site.endpoint import Endpoint, Handler, Nothing, OwnSite, RefusalError
from giestack.site.navigation import Link, navigation
from giestack.site.refusals import RefusalPages
from giestack.site.streams import Streams
from giestack.visitor import Identity

_NO_WEBSOCKET = Refuse(426, "upgrade-required", "Only WebSockets are spoken at this address.")


class ChatSite:
    """Makes the trees.

    ``origins`` are the origins, in lower case, whose pages may read and write beside our own.
    ``now`` returns the time, aware and in UTC; ``spawning``: whether there are sessions.
    """

    def __init__(
        self,
        chat: Chatting,
        refusals: RefusalPages,
        files: WidgetFiles,
        streams: Streams,
        now: Callable[[], datetime],
        origins: frozenset[bytes],
        *,
        spawning: bool = False,
    ) -> None:
        self._chat = chat
        self._refusals = refusals
        self._files = files
        self._streams = streams
        self._now = now
        self._origins = origins
        self._spawning = spawning

    def resource(self, base: str) -> Resource:
        """Return the tree that stands at the path ``base`` (no slash at its end; may be empty)."""
        refusals, files = self._refusals, self._files
        top = self._public(partial(self._to_page, base))
        top.putChild(b"", self._public(ChatPage(files, refusals.links.galaxy_origin)))
        top.putChild(b"widget.js", self._public(Loader(files)))
        top.putChild(b"static", StaticFiles(files, refusals.answer))
        top.putChild(b"ws", self._public(_only_websockets))
        api = ChatApi(self._chat, refusals, self._streams, files)
        top.putChild(b"whoami", self._personal({b"GET": api.whoami}))
        below = Nothing(refusals.answer)
        below.putChild(b"prefs", self._personal({b"POST": api.prefs}))
        below.putChild(b"stream", self._personal({b"GET": api.stream}))
        below.putChild(b"requests", self._personal({b"POST": api.requests}))
        below.putChild(b"export", self._personal({b"GET": api.export}))
        below.putChild(b"rooms", _Rooms(api, self._personal, refusals))
        top.putChild(b"api", below)
        path = f"{base}/moderation"
        links = partial(self._links, base, path)
        page = ModerationPage(self._chat, refusals, self._now, path, links)
        # Forms come from our own pages alone, whoever else may use the API.
        moderation = Endpoint({b"GET": page.show, b"POST": page.act}, refusals.answer, frozenset())
        top.putChild(b"moderation", moderation)
        return top

    def _public(self, handler: Handler) -> Endpoint:
        return Endpoint({b"GET": handler}, self._refusals.answer)

    def _personal(self, handlers: dict[bytes, Handler]) -> ChatEndpoint:
        return ChatEndpoint(handlers, self._refusals, self._origins)

    def _links(self, base: str, path: str, visitor: Identity) -> list[Link]:
        """The links at the head of the page at ``path``."""
        if not base:
            # Nothing of giestack but the chat is on that listener.
            return [Link("/", "Chat"), Link(path, "Moderation", True)]
        return navigation(self._refusals.links, visitor, path, spawning=self._spawning)

    async def _to_page(self, base: str, asked: Asked) -> Answer:
        return self._refusals.look.redirect(301, f"{base}/")


class _Rooms(Nothing):
    """The address above the rooms'."""

    def __init__(
        self,
        api: ChatApi,
        personal: Callable[[dict[bytes, Handler]], ChatEndpoint],
        refusals: RefusalPages,
    ) -> None:
        super().__init__(refusals.answer)
        self._api = api
        self._personal = personal

    def getChild(self, path: bytes, request: Request) -> Resource:
        room = Nothing(self._refusal)
        name = path.decode("utf-8", "replace")
        events, say = partial(self._api.events, room=name), partial(self._api.say, room=name)
        room.putChild(b"events", self._personal({b"GET": events}))
        room.putChild(b"messages", self._personal({b"POST": say}))
        return room


async def _only_websockets(asked: Asked) -> Answer:
    raise RefusalError(_NO_WEBSOCKET)


def make_chat_site(reactor: Any, site: ChatSite) -> OwnSite:
    """Return the Site for `giestack.proxy.local.OwnPages` where there is the chat alone.

    ``reactor`` is an `IReactorTime`.
    """
    return OwnSite(site.resource(""), reactor)
