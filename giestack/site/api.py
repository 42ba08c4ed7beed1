"""The JSON API below ``{prefix}/api/v1/``, and the same on the admin listener.

Its answers are JSON, whatever the client prefers, or streams.
"""

from collections.abc import Callable
from functools import partial

from twisted.web.resource import Resource
from twisted.web.server import Request

from giestack.proxy.decision import Refuse
from giestack.site.admin_api import AdminApi
from giestack.site.asked import Answer, Asked
from giestack.site.chat_moderation import ModerationApi
from giestack.site.chatting import Chatting
from giestack.site.endpoint import (
    NOT_LOGGED_IN,
    Door,
    Endpoint,
    Handler,
    Nothing,
    Refusal,
    RefusalError,
    admin_door,
    front_door,
)
from giestack.site.operations import Operations
from giestack.site.refusals import RefusalPages
from giestack.site.session_api import SessionApi
from giestack.site.spawning import Spawning
from giestack.site.stopping import Stopping
from giestack.site.streams import Streams
from giestack.site.tools import Tool, Tools
from giestack.visitor import Identity


class Api:
    """Answers the API.

    ``origins`` are the origins, in lower case, whose pages may change things beside our own.
    There are no sessions without ``spawning``, no routes and connections without
    ``operations``, and no order to keep without ``chat``: their addresses are unknown then.
    Without ``stopping`` tools are only listed.
    """

    def __init__(
        self,
        refusals: RefusalPages,
        tools: Tools,
        origins: frozenset[bytes],
        *,
        streams: Streams,
        spawning: Spawning | None = None,
        operations: Operations | None = None,
        chat: Chatting | None = None,
        stopping: Stopping | None = None,
    ) -> None:
        self._refusals = refusals
        self._tools = tools
        self._origins = origins
        self._streams = streams
        self._spawning = spawning
        self._operations = operations
        self._chat = chat
        self._stopping = stopping

    def resource(self) -> Resource:
        """Return the resource to put at ``{prefix}/api``."""
        root = Nothing(self._refuse)
        base = f"{self._refusals.links.prefix}/api/v1"
        root.putChild(b"v1", self._version_1(base, self._origins, front_door))
        return root

    def control(self) -> Resource:
        """Return the resource to put at ``/api/v1`` of the admin listener.

        Who comes there has shown a token that no browser sends by itself: it is the operator,
        who is no user, and whose requests need no Origin.
        """
        return self._version_1("/api/v1", None, admin_door)

    def _version_1(self, base: str, origins: frozenset[bytes] | None, door: Door) -> Resource:
        put = _Tree(self._refuse, origins, door)
        put.at("whoami", {b"GET": self.whoami})
        put.at("entry_points", {b"GET": self.entry_points}, partial(self._tool, put))
        if self._spawning is not None:
            sessions = SessionApi(self._spawning, self._refusals, self._streams, f"{base}/sessions")
            put.at("profiles", {b"GET": sessions.profiles})
            put.at(
                "sessions",
                {b"GET": sessions.own, b"POST": sessions.request},
                partial(_session, put, sessions),
            )
            put.at("admin/sessions", {b"GET": sessions.all})
        if self._operations is not None:
            admin = AdminApi(self._operations, self._refusals, self._streams)
            put.at("admin/routes", {b"GET": admin.routes})
            put.at("admin/connections", {b"GET": admin.connections})
            put.at("admin/drain", {b"POST": admin.drain})
        if self._chat is not None:
            _moderation(put, ModerationApi(self._chat, self._refusals))
        return put.root

    async def whoami(self, asked: Asked) -> Answer:
        """Say which user asks; an anonymous visitor is none."""
        visitor = asked.visitor
        if not isinstance(visitor, Identity):
            raise RefusalError(NOT_LOGGED_IN)
        return self._refusals.look.json(
            200,
            {
                "id": visitor.encoded_id,
                "username": visitor.username,
                "email": visitor.email,
                "is_admin": visitor.is_admin,
                "host": visitor.host,
                "impersonated": visitor.impersonated_by is not None,
            },
        )

    async def entry_points(self, asked: Asked) -> Answer:
        """List the interactive tools of the user, or of the anonymous visitor's session."""
        if asked.visitor is None:
            raise RefusalError(NOT_LOGGED_IN)
        tools = await self._tools.of(asked.visitor, asked.seen)
        return self._refusals.look.json(200, [_described(tool) for tool in tools])

    def _tool(self, put: "_Tree", id: str) -> Endpoint:
        """The address of one interactive tool, should there be one of that id."""
        stopping = self._stopping
        if stopping is None:
            return put.endpoint({})

        async def stop(asked: Asked) -> Answer:
            await stopping(id, asked.visitor)
            return self._refusals.look.json(202, {"id": id, "state": "stopping"})

        return put.endpoint({b"DELETE": stop})

    def _refuse(self, refuse: Refuse, asked: Asked) -> Answer:
        return self._refusals.json(refuse)


class _Tree:
    """Addresses that have the same rules.

    :ivar root: above all of them; nothing itself.
    """

    def __init__(self, refusal: Refusal, origins: frozenset[bytes] | None, door: Door) -> None:
        self._refusal = refusal
        self._origins = origins
        self._door = door
        self.root = Nothing(refusal, door)

    def at(
        self,
        path: str,
        handlers: dict[bytes, Handler],
        member: Callable[[str], Resource] | None = None,
    ) -> None:
        """Put an address into the tree; ``member`` makes those below it, one segment each."""
        above: Resource = self.root
        *folders, name = path.encode().split(b"/")
        for folder in folders:
            if folder not in above.children:
                above.putChild(folder, Nothing(self._refusal, self._door))
            above = above.children[folder]
        if member is None:
            above.putChild(name, self.endpoint(handlers))
        else:
            above.putChild(name, self.collection(handlers, member))

    def collection(
        self, handlers: dict[bytes, Handler], member: Callable[[str], Resource]
    ) -> Endpoint:
        return _Collection(handlers, self._refusal, self._origins, self._door, member)

    def endpoint(self, handlers: dict[bytes, Handler]) -> Endpoint:
        return Endpoint(handlers, self._refusal, self._origins, self._door)


class _Collection(Endpoint):
    """An address with members below it."""

    def __init__(
        self,
        handlers: dict[bytes, Handler],
        refusal: Refusal,
        origins: frozenset[bytes] | None,
        door: Door,
        member: Callable[[str], Resource],
    ) -> None:
        super().__init__(handlers, refusal, origins, door)
        self._member = member

    def getChild(self, path: bytes, request: Request) -> Resource:
        return self._member(path.decode("latin-1")) if path else super().getChild(path, request)


def _session(put: _Tree, sessions: SessionApi, session_id: str) -> Resource:
    """The addresses of one session, should there be one of that id."""

    one = put.endpoint(
        {
            b"GET": partial(sessions.show, session_id=session_id),
            b"DELETE": partial(sessions.stop, session_id=session_id),
        }
    )
    below: dict[bytes, tuple[bytes, Handler]] = {
        b"restart": (b"POST", partial(sessions.restart, session_id=session_id)),
        b"logs": (b"GET", partial(sessions.logs, session_id=session_id)),
        b"events": (b"GET", partial(sessions.events, session_id=session_id)),
    }
    for name, (method, answer) in below.items():
        one.putChild(name, put.endpoint({method: answer}))
    return one


def _moderation(put: _Tree, moderation: ModerationApi) -> None:
    """The addresses with which order is kept in the chat."""
    answering = moderation.answering

    def report(number: str) -> Resource:
        one = put.endpoint({})
        close = partial(moderation.close_report, report=number)
        one.putChild(b"close", put.endpoint({b"POST": answering(close)}))
        return one

    def sanctions_of(act: str) -> Resource:
        return put.collection(
            {},
            lambda person: put.endpoint(
                {b"DELETE": answering(partial(moderation.lift, act=act, person=person))}
            ),
        )

    put.at("admin/chat/audit", {b"GET": answering(moderation.audit)})
    put.at("admin/chat/reports", {b"GET": answering(moderation.reports)}, report)
    put.at(
        "admin/chat/sanctions",
        {b"GET": answering(moderation.sanctions), b"POST": answering(moderation.sanction)},
        sanctions_of,
    )


def _described(tool: Tool) -> dict[str, object]:
    return {
        "id": tool.id,
        "name": tool.name,
        "label": tool.label,
        "state": tool.state,
        "url": tool.url,
        "created": None if tool.created is None else tool.created.isoformat(timespec="seconds"),
    }
