"""``{prefix}/admin``: all sessions, for administrators."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from giestack.site.asked import Answer, Asked
from giestack.site.entitled import administrator
from giestack.site.navigation import navigation
from giestack.site.refusals import RefusalPages
from giestack.site.session_card import STATE_WORDS, card
from giestack.site.spawning import Spawning
from giestack.spawner.view import SessionView

MOST = 300
"""Sessions that one page shows."""


class AdminPage:
    """Renders the page; ``now`` returns the time, aware and in UTC."""

    def __init__(
        self, refusals: RefusalPages, spawning: Spawning, now: Callable[[], datetime]
    ) -> None:
        self._refusals = refusals
        self._spawning = spawning
        self._now = now

    async def __call__(self, asked: Asked) -> Answer:
        """Answer GET; ``?filter=`` has words that must all occur in what is shown."""
        identity = administrator(asked.visitor)
        wanted = asked.query.get("filter", "")
        every = self._spawning.views()
        found = [view for view in every if _matches(view, wanted.casefold().split())]
        views = found[:MOST]
        used = await self._spawning.stats([v.id for v in views if v.moment.state == "ready"])
        links, now = self._refusals.links, self._now()
        path = f"{links.prefix}/admin"
        return self._refusals.look.page(
            200,
            "admin.html",
            links=navigation(links, identity, path, spawning=True),
            path=path,
            filter=wanted,
            totals=Counter(STATE_WORDS[view.moment.state] for view in every).most_common(),
            count=len(every),
            found=len(found),
            sessions=[
                card(
                    view,
                    links.prefix,
                    now,
                    mine=view.owner.is_(identity),
                    stats=used.get(view.id),
                )
                for view in views
            ],
        )


def _matches(view: SessionView, words: list[str]) -> bool:
    owner, profile = view.owner, view.profile
    text = "\n".join(
        (
            owner.username or "",
            owner.email,
            profile.name,
            profile.title,
            view.name,
            view.engine,
            view.id,
            view.moment.state,
            STATE_WORDS[view.moment.state],
        )
    ).casefold()
    return all(word in text for word in words)
