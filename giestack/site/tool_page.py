"""``{prefix}/tools/ID``: asks whether an interactive tool is to be stopped, and has it stopped."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from twisted.web.resource import Resource
from twisted.web.server import Request

from giestack.proxy.decision import Refuse
from giestack.site.amounts import ago
from giestack.site.asked import Answer, Asked
from giestack.site.endpoint import NOT_FOUND, NOT_LOGGED_IN, Endpoint, Nothing, RefusalError
from giestack.site.navigation import navigation
from giestack.site.refusals import RefusalPages
from giestack.site.stopping import Stopping
from giestack.site.tools import Tools
from giestack.visitor import Identity

_NO_ACTION = Refuse(400, "bad-request", "The form does not say what to do with the tool.")


class ToolPages(Nothing):
    """The address above the tools' own pages.

    ``now`` returns the time, aware and in UTC; ``spawning``: whether there are sessions, too.
    """

    def __init__(
        self,
        refusals: RefusalPages,
        tools: Tools,
        stopping: Stopping,
        now: Callable[[], datetime],
        *,
        spawning: bool,
    ) -> None:
        super().__init__(refusals.answer)
        self._refusals = refusals
        self._tools = tools
        self._stopping = stopping
        self._now = now
        self._spawning = spawning

    def getChild(self, path: bytes, request: Request) -> Resource:
        id = path.decode("latin-1")
        reading = {b"GET": partial(self.show, id), b"POST": partial(self.act, id)}
        # Forms come from our own pages alone, whoever else may use the API.
        return Endpoint(reading, self._refusals.answer, frozenset())

    async def show(self, id: str, asked: Asked) -> Answer:
        """Answer GET with the question; 404 for a tool that is not the visitor's."""
        visitor = asked.visitor
        if visitor is None:
            raise RefusalError(NOT_LOGGED_IN)
        tools = await self._tools.of(visitor, asked.seen)
        tool = next((tool for tool in tools if tool.id == id), None)
        if tool is None:
            raise RefusalError(NOT_FOUND)
        links = self._refusals.links
        here = f"{links.prefix}/tools/{tool.id}"
        return self._refusals.look.page(
            200,
            "tool.html",
            links=navigation(links, visitor, here, spawning=self._spawning),
            start=f"{links.prefix}/",
            page=here,
            user=isinstance(visitor, Identity),
            called=tool.called,
            tool=tool,
            age=tool.created and ago(self._now() - tool.created),
        )

    async def act(self, id: str, asked: Asked) -> Answer:
        """Answer POST: stop the tool, then go on with ``303 See Other``."""
        if asked.form.get("action") != "stop":
            raise RefusalError(_NO_ACTION)
        await self._stopping(id, asked.visitor)
        return self._refusals.look.redirect(303, f"{self._refusals.links.prefix}/")
