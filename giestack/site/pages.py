"""All own pages below one prefix, as a twisted.web Site."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from twisted.web.resource import Resource

from giestack.site.admin_page import AdminPage
from giestack.site.api import Api
from giestack.site.asked import Answer, Asked
from giestack.site.chat_resource import ChatSite
from giestack.site.demo import DemoPage
from giestack.site.endpoint import Endpoint, Handler, Nothing, OwnSite
from giestack.site.launch_page import LaunchPage
from giestack.site.refusals import RefusalPages
from giestack.site.session_page import SessionPages
from giestack.site.spawning import Spawning
from giestack.site.start import StartPage
from giestack.site.stopping import Stopping
from giestack.site.streams import Streams
from giestack.site.tool_page import ToolPages
from giestack.site.tools import Tools


def make_site(
    reactor: Any,
    refusals: RefusalPages,
    tools: Tools,
    now: Callable[[], datetime],
    *,
    origins: frozenset[bytes] = frozenset(),
    demo: DemoPage | None = None,
    spawning: Spawning | None = None,
    api: Api | None = None,
    chat: ChatSite | None = None,
    doctor: Resource | None = None,
    stopping: Stopping | None = None,
) -> OwnSite:
    """Return the Site for `giestack.proxy.local.OwnPages`.

    ``reactor`` is an `IReactorTime`; ``now`` the time, aware and in UTC; ``origins`` are the
    origins, in lower case, whose pages may change things through the API, beside our own.
    ``spawning`` is the spawner, ``chat`` the chat, where they are on; ``api`` is what programs
    use. Without ``stopping`` no tool can be stopped here.
    """

    def endpoint(handlers: dict[bytes, Handler]) -> Endpoint:
        return Endpoint(handlers, refusals.answer)

    async def to_start(asked: Asked) -> Answer:
        return refusals.look.redirect(301, f"{refusals.links.prefix}/")

    top = endpoint({b"GET": to_start})
    stops, spawns = stopping is not None, spawning is not None
    start = StartPage(refusals, tools, now, spawning, stops=stops)
    top.putChild(b"", endpoint({b"GET": start}))
    api = api or Api(refusals, tools, origins, streams=Streams(reactor), spawning=spawning)
    top.putChild(b"api", api.resource())
    if stopping is not None:
        asks = ToolPages(refusals, tools, stopping, now, spawning=spawns)
        top.putChild(b"tools", asks)
    if spawning is not None:
        launch = LaunchPage(refusals, spawning, now)
        ask = {b"GET": launch.show, b"POST": launch.submit}
        # Forms come from our own pages alone, whoever else may use the API.
        top.putChild(b"launch", Endpoint(ask, refusals.answer, frozenset()))
        top.putChild(b"sessions", SessionPages(refusals, spawning, now))
        top.putChild(b"admin", endpoint({b"GET": AdminPage(refusals, spawning, now)}))
    if chat is not None:
        top.putChild(b"chat", chat.resource(f"{refusals.links.prefix}/chat"))
    if doctor is not None:
        top.putChild(b"doctor", doctor)
    if demo is not None:
        top.putChild(b"demo", endpoint({b"GET": demo.show, b"POST": demo.submit}))
    root: Resource = top
    for segment in reversed(refusals.links.prefix.encode().split(b"/")[1:]):
        above = Nothing(refusals.answer)
        above.putChild(segment, root)
        root = above
    return OwnSite(root, reactor)
