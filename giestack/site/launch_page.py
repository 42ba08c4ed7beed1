"""``{prefix}/launch``: asks once what to start, then starts it. Galaxy's pages link to it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from giestack.proxy.decision import Refuse
from giestack.settings.spawner_schema import Profile
from giestack.site.asked import LONGEST_FORM, Answer, Asked
from giestack.site.circumstances import circumstances_of
from giestack.site.endpoint import RefusalError
from giestack.site.entitled import refusal_of, user
from giestack.site.launch_form import Form, form_of, refused_form
from giestack.site.navigation import navigation
from giestack.site.refusals import RefusalPages
from giestack.site.session_card import Card, card
from giestack.site.spawning import Spawning
from giestack.spawner.view import ENDED, SessionView, SpawnRefused
from giestack.visitor import Identity

_TOO_LARGE = Refuse(413, "too-large", "The form is larger than any that stands here.")


class LaunchPage:
    """Shows the form of a profile, and starts what it asks for.

    ``now`` returns the time, aware and in UTC.
    """

    def __init__(
        self, refusals: RefusalPages, spawning: Spawning, now: Callable[[], datetime]
    ) -> None:
        self._refusals = refusals
        self._spawning = spawning
        self._now = now
        self._path = f"{refusals.links.prefix}/launch"

    async def show(self, asked: Asked) -> Answer:
        """Answer GET with the form, filled in with what the link has."""
        visitor, given = user(asked.visitor), asked.query
        if "profile" not in given:
            return self._refusals.look.redirect(303, f"{self._refusals.links.prefix}/")
        form = self._form(visitor, given, sent=False)
        if form is None:
            return self._unknown(visitor)
        return self._page(visitor, form, self._present(visitor, form))

    async def submit(self, asked: Asked) -> Answer:
        """Answer POST: start the session and go on to its page; or the form with its faults."""
        visitor = user(asked.visitor)
        if len(asked.body) > LONGEST_FORM:
            raise RefusalError(_TOO_LARGE)
        form = self._form(visitor, asked.form, sent=True)
        if form is None:
            return self._unknown(visitor)
        if form.wrong:
            return self._page(visitor, form)
        try:
            view, _ = self._spawning.request(
                visitor,
                form.profile.name,
                form.name or None,
                form.options,
                circumstances=circumstances_of(asked, form.history_id),
            )
        except SpawnRefused as refused:
            if refused.status == 404:
                return self._unknown(visitor)
            if refused.status != 422:
                raise RefusalError(refusal_of(refused)) from None
            return self._page(visitor, refused_form(form, refused))
        return self._refusals.look.redirect(
            303, f"{self._refusals.links.prefix}/sessions/{view.id}?open=1"
        )

    def _form(self, visitor: Identity, given: Mapping[str, str], *, sent: bool) -> Form | None:
        for profile in self._spawning.profiles(visitor):
            if profile.name == given.get("profile"):
                note, closed = self._spawning.note(profile), self._spawning.closed(profile)
                return form_of(profile, note, given, sent=sent, closed=closed)
        return None

    def _present(self, visitor: Identity, form: Form) -> SessionView | None:
        """The visitor's own session that the form would lead to, if it is there already."""
        name = form.name or form.profile.name
        for view in self._spawning.views(visitor):
            if view.profile.name == form.profile.name and view.name == name:
                return None if view.moment.state in {*ENDED, "stopping"} else view
        return None

    def _page(self, visitor: Identity, form: Form, present: SessionView | None = None) -> Answer:
        return self._answer(422 if form.wrong else 200, visitor, form, present, ())

    def _unknown(self, visitor: Identity) -> Answer:
        return self._answer(404, visitor, None, None, self._spawning.profiles(visitor))

    def _answer(
        self,
        status: int,
        visitor: Identity,
        form: Form | None,
        present: SessionView | None,
        profiles: Sequence[Profile],
    ) -> Answer:
        links = self._refusals.links
        shown: Card | None = None
        if present is not None:
            shown = card(present, links.prefix, self._now(), mine=True)
        return self._refusals.look.page(
            status,
            "launch.html",
            links=navigation(links, visitor, self._path, spawning=True),
            start=f"{links.prefix}/",
            launch=self._path,
            form=form,
            present=shown,
            profiles=profiles,
        )
