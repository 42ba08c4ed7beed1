"""The visitor's start page: who am I, and which interactive tools are mine."""

from collections.abc import Callable
from datetime import datetime, timedelta

from giestack.site.asked import Answer, Asked
from giestack.site.endpoint import NOT_LOGGED_IN, RefusalError
from giestack.site.refusals import RefusalPages
from giestack.site.tools import Tools
from giestack.visitor import Anonymous, Identity

_REFRESH = 5


class StartPage:
    """Renders ``{prefix}/``; ``now`` returns the time, aware and in UTC."""

    def __init__(self, refusals: RefusalPages, tools: Tools, now: Callable[[], datetime]) -> None:
        self._refusals = refusals
        self._tools = tools
        self._now = now

    async def __call__(self, asked: Asked) -> Answer:
        """Answer GET; a visitor without a session is asked to log in."""
        visitor = asked.visitor
        if visitor is None:
            raise RefusalError(NOT_LOGGED_IN)
        tools = await self._tools.of(visitor, asked.seen)
        now = self._now()
        starting = any(tool.state == "starting" for tool in tools)
        links = self._refusals.links
        return self._refusals.look.page(
            200,
            "start.html",
            name=_name(visitor),
            visitor=visitor if isinstance(visitor, Identity) else None,
            login=links.login(asked) if isinstance(visitor, Anonymous) else None,
            tools=[(tool, tool.created and ago(now - tool.created)) for tool in tools],
            galaxy=links.galaxy_url,
            demo=f"{links.prefix}/demo" if links.demo else None,
            refresh=_REFRESH if starting else None,
        )


def _name(visitor: Identity | Anonymous) -> str | None:
    """How to call a visitor; None for one without a name."""
    return (visitor.username or visitor.email) if isinstance(visitor, Identity) else None


def ago(age: timedelta) -> str:
    """Return how long ago something was, in the largest unit that fits."""
    seconds = int(age.total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = seconds // length
        if count > 0:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
