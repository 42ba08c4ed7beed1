"""``{prefix}/sessions/ID``: how a session gets on, what it is, its log; and what is done to it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from twisted.web.resource import Resource
from twisted.web.server import Request

from giestack.proxy.decision import Refuse
from giestack.site.amounts import duration
from giestack.site.asked import LONGEST_FORM, Answer, Asked
from giestack.site.endpoint import Endpoint, Nothing, RefusalError
from giestack.site.entitled import NOT_OWNER, refusal_of, session_of, unavailable
from giestack.site.navigation import navigation
from giestack.site.refusals import RefusalPages
from giestack.site.session_card import card, chosen_words, elapsed, printable, steps
from giestack.site.spawning import Spawning
from giestack.spawner.engine import EngineError
from giestack.spawner.view import ENDED, SpawnRefused

_NO_ACTION = Refuse(400, "bad-request", "The form does not say what to do with the session.")
_LINES = 200
_REFRESH = 3


class SessionPages(Nothing):
    """The address above the sessions' own pages.

    ``now`` returns the time, aware and in UTC.
    """

    def __init__(
        self, refusals: RefusalPages, spawning: Spawning, now: Callable[[], datetime]
    ) -> None:
        super().__init__(refusals.answer)
        self._refusals = refusals
        self._spawning = spawning
        self._now = now

    def getChild(self, path: bytes, request: Request) -> Resource:
        asked_for = path.decode("latin-1")
        reading = {b"GET": partial(self.show, asked_for), b"POST": partial(self.act, asked_for)}
        # Forms come from our own pages alone, whoever else may use the API.
        one = Endpoint(reading, self._refusals.answer, frozenset())
        one.putChild(
            b"logs", Endpoint({b"GET": partial(self.logs, asked_for)}, self._refusals.answer)
        )
        return one

    async def show(self, session_id: str, asked: Asked) -> Answer:
        """Answer GET of a session's page.

        Who has waited for it here (``?open=1``) is sent on into the session once it is ready.
        """
        identity, view = session_of(self._spawning, asked.visitor, session_id)
        ready, mine = view.moment.state == "ready", view.owner.is_(identity)
        look, links = self._refusals.look, self._refusals.links
        if ready and mine and "open" in asked.query:
            return look.redirect(303, view.path)
        used = await self._spawning.stats([view.id]) if ready else {}
        now = self._now()
        shown = card(view, links.prefix, now, mine=mine, stats=used.get(view.id))
        starting = not (ready or shown.ended)
        return look.page(
            200,
            "session.html",
            links=navigation(links, identity, shown.page, spawning=True),
            start=f"{links.prefix}/",
            session=shown,
            steps=steps(view),
            elapsed=elapsed(view, now),
            waited=duration(elapsed(view, now)),
            eta=None if view.moment.eta is None else duration(max(1.0, view.moment.eta)),
            options=chosen_words(view),
            refresh=_REFRESH if starting else None,
        )

    async def logs(self, session_id: str, asked: Asked) -> Answer:
        """Answer GET of the log's page."""
        identity, view = session_of(self._spawning, asked.visitor, session_id)
        try:
            lines = await self._spawning.logs(view.id, _LINES)
        except EngineError as error:
            raise RefusalError(unavailable(error)) from error
        links = self._refusals.links
        shown = card(view, links.prefix, self._now(), mine=view.owner.is_(identity))
        return self._refusals.look.page(
            200,
            "logs.html",
            links=navigation(links, identity, shown.logs, spawning=True),
            session=shown,
            lines="".join(f"{printable(line)}\n" for line in lines),
            count=_LINES,
            stream=f"{links.prefix}/api/v1/sessions/{view.id}/logs?follow=1&tail={_LINES}",
        )

    async def act(self, session_id: str, asked: Asked) -> Answer:
        """Answer POST: do what the form says, then go on with ``303 See Other``."""
        if len(asked.body) > LONGEST_FORM:
            raise RefusalError(_NO_ACTION)
        identity, view = session_of(self._spawning, asked.visitor, session_id)
        prefix = self._refusals.links.prefix
        action = asked.form.get("action")
        if action == "restart":
            if not view.owner.is_(identity):
                raise RefusalError(NOT_OWNER)
            try:
                self._spawning.restart(view.id, identity)
            except SpawnRefused as refused:
                raise RefusalError(refusal_of(refused)) from None
            return self._refusals.look.redirect(303, f"{prefix}/sessions/{view.id}?open=1")
        if action not in ("stop", "dismiss"):
            raise RefusalError(_NO_ACTION)
        # An old page must not end what has been started again since.
        if action == "stop" or view.moment.state in ENDED:
            self._spawning.stop(view.id, identity)
        back = "admin" if asked.form.get("back") == "admin" else ""
        return self._refusals.look.redirect(303, f"{prefix}/{back}")
