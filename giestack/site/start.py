"""The visitor's start page: who am I, what can I start, which sessions and tools are mine."""

from collections.abc import Callable
from datetime import datetime

from giestack.site.amounts import ago
from giestack.site.asked import Answer, Asked
from giestack.site.endpoint import NOT_LOGGED_IN, RefusalError
from giestack.site.launch_form import Form, form_of
from giestack.site.navigation import navigation
from giestack.site.refusals import RefusalPages
from giestack.site.session_card import Card, card
from giestack.site.spawning import Spawning
from giestack.site.tools import Tools
from giestack.visitor import Anonymous, Identity

_REFRESH = 5


class StartPage:
    """Renders ``{prefix}/``; ``now`` returns the time, aware and in UTC.

    ``spawning`` is None where the spawner is off; ``stops`` says whether tools can be stopped.
    """

    def __init__(
        self,
        refusals: RefusalPages,
        tools: Tools,
        now: Callable[[], datetime],
        spawning: Spawning | None = None,
        *,
        stops: bool = False,
    ) -> None:
        self._refusals = refusals
        self._tools = tools
        self._now = now
        self._spawning = spawning
        self._stops = stops

    async def __call__(self, asked: Asked) -> Answer:
        """Answer GET; a visitor without a session is asked to log in."""
        visitor = asked.visitor
        if visitor is None:
            raise RefusalError(NOT_LOGGED_IN)
        tools = await self._tools.of(visitor, asked.seen)
        cards = await self._cards(visitor)
        now = self._now()
        changing = any(tool.state == "starting" for tool in tools)
        changing = changing or any(not (one.running or one.ended) for one in cards)
        links = self._refusals.links
        here, spawning = f"{links.prefix}/", self._spawning is not None
        return self._refusals.look.page(
            200,
            "start.html",
            name=_name(visitor),
            visitor=visitor if isinstance(visitor, Identity) else None,
            login=links.login(asked) if isinstance(visitor, Anonymous) else None,
            tools=[(tool, tool.created and ago(now - tool.created)) for tool in tools],
            galaxy=links.galaxy_url,
            demo=f"{links.prefix}/demo" if links.demo else None,
            refresh=_REFRESH if changing else None,
            links=navigation(links, visitor, here, spawning=spawning),
            spawning=spawning,
            forms=self._forms(visitor),
            sessions=cards,
            launch=f"{links.prefix}/launch",
            stopping=f"{links.prefix}/tools" if self._stops else None,
        )

    def _forms(self, visitor: Identity | Anonymous) -> list[Form]:
        spawning = self._spawning
        if spawning is None or not isinstance(visitor, Identity):
            return []
        return [
            form_of(
                profile, spawning.note(profile), {}, sent=False, closed=spawning.closed(profile)
            )
            for profile in spawning.profiles(visitor)
        ]

    async def _cards(self, visitor: Identity | Anonymous) -> list[Card]:
        if self._spawning is None or not isinstance(visitor, Identity):
            return []
        views = self._spawning.views(visitor)
        used = await self._spawning.stats([v.id for v in views if v.moment.state == "ready"])
        now, prefix = self._now(), self._refusals.links.prefix
        return [card(view, prefix, now, mine=True, stats=used.get(view.id)) for view in views]


def _name(visitor: Identity | Anonymous) -> str | None:
    """How to call a visitor; None for one without a name."""
    return (visitor.username or visitor.email) if isinstance(visitor, Identity) else None
