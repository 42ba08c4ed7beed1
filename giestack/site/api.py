"""The JSON API below ``{prefix}/api/v1/``. Its answers are JSON, whatever the client prefers."""

from twisted.web.resource import Resource
from twisted.web.server import Request

from giestack.proxy.decision import Refuse
from giestack.site.asked import Answer, Asked
from giestack.site.endpoint import NOT_LOGGED_IN, Endpoint, Handler, Nothing, Refusal, RefusalError
from giestack.site.refusals import RefusalPages
from giestack.site.tools import Tool, Tools
from giestack.visitor import Identity


class Api:
    """Answers the API; pages of ``origins`` may change things beside our own (lower case)."""

    def __init__(self, refusals: RefusalPages, tools: Tools, origins: frozenset[bytes]) -> None:
        self._refusals = refusals
        self._tools = tools
        self._origins = origins

    def resource(self) -> Resource:
        """Return the resource to put at ``{prefix}/api``."""
        root, version = Nothing(self._refuse), Nothing(self._refuse)
        root.putChild(b"v1", version)
        version.putChild(b"whoami", self._endpoint({b"GET": self.whoami}))
        one = self._endpoint({})
        version.putChild(
            b"entry_points",
            _Collection({b"GET": self.entry_points}, self._refuse, self._origins, one),
        )
        return root

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

    def _endpoint(self, handlers: dict[bytes, Handler]) -> Endpoint:
        return Endpoint(handlers, self._refuse, self._origins)

    def _refuse(self, refuse: Refuse, asked: Asked) -> Answer:
        return self._refusals.json(refuse)


class _Collection(Endpoint):
    """An address with members below it, ``one`` for each of them."""

    def __init__(
        self,
        handlers: dict[bytes, Handler],
        refusal: Refusal,
        origins: frozenset[bytes],
        one: Resource,
    ) -> None:
        super().__init__(handlers, refusal, origins)
        self._one = one

    def getChild(self, path: bytes, request: Request) -> Resource:
        return self._one if path else super().getChild(path, request)


def _described(tool: Tool) -> dict[str, object]:
    return {
        "id": tool.id,
        "name": tool.name,
        "label": tool.label,
        "state": tool.state,
        "url": tool.url,
        "created": None if tool.created is None else tool.created.isoformat(timespec="seconds"),
    }
