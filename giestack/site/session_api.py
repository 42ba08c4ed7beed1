"""The part of the API that is about spawned sessions."""

import re
from collections.abc import Sequence
from dataclasses import replace

from giestack.site.asked import Answer, Asked, Stream
from giestack.site.askers import administrator_of, sees_addresses, session_of, user_of
from giestack.site.circumstances import circumstances_of, options_with_image
from giestack.site.endpoint import RefusalError
from giestack.site.entitled import NOT_OWNER, refusal_of, unavailable
from giestack.site.refusals import RefusalPages
from giestack.site.session_json import described_profile, described_session
from giestack.site.session_request import wanted
from giestack.site.session_streams import (
    EVENTS,
    LINES,
    MOST_LINES,
    FollowedLines,
    MomentEvents,
    as_lines,
)
from giestack.site.spawning import Spawning
from giestack.site.streams import Streams, text_fields
from giestack.spawner.engine import EngineError
from giestack.spawner.view import Moment, SessionView, SpawnRefused, bad_option
from giestack.visitor import Identity

TAIL = 100
"""Lines of a log where nobody says how many."""

_STOPPING = Moment(state="stopping", step="stopping", message="Stopping")
_TO_END = {"ready": False, "end": True}
_FOLLOW = {"0": False, "false": False, "1": True, "true": True}


class SessionApi:
    """Answers what is asked about sessions; each method is one method of one address.

    ``collection`` is the path of all sessions, ``{prefix}/api/v1/sessions``.
    """

    def __init__(
        self, spawning: Spawning, refusals: RefusalPages, streams: Streams, collection: str
    ) -> None:
        self._spawning = spawning
        self._refusals = refusals
        self._streams = streams
        self._collection = collection

    async def profiles(self, asked: Asked) -> Answer:
        """List what the user may start."""
        offered = self._spawning.profiles(user_of(asked))
        told = [
            described_profile(one, self._spawning.note(one), self._spawning.closed(one))
            for one in offered
        ]
        return self._refusals.look.json(200, told)

    async def own(self, asked: Asked) -> Answer:
        """List the user's sessions; for the operator, who has none, all of them."""
        if asked.operator is not None:
            return await self.all(asked)
        return await self._list(self._spawning.views(user_of(asked)), asked)

    async def all(self, asked: Asked) -> Answer:
        """List everybody's sessions, for administrators."""
        administrator_of(asked)
        return await self._list(self._spawning.views(), asked)

    async def request(self, asked: Asked) -> Answer:
        """Start a session (201), or join the one of that profile and name (200)."""
        user = user_of(asked)
        try:
            want = wanted(asked.body)
            offered = self._spawning.profiles(user)
            profile = next((one for one in offered if one.name == want.profile), None)
            view, new = self._spawning.request(
                user,
                want.profile,
                want.name,
                options_with_image(profile, want.image, want.options),
                circumstances=circumstances_of(asked, want.history_id),
            )
        except SpawnRefused as refused:
            return self._refused(refused)
        if not new:
            return self._told(200, view, asked)
        location = f"{self._collection}/{view.id}".encode()
        return self._told(201, view, asked, (b"Location", location))

    async def show(self, asked: Asked, session_id: str) -> Answer:
        """Show one session, with what it uses now."""
        view = session_of(self._spawning, asked, session_id)[1]
        stats = await self._spawning.stats([session_id])
        view = self._spawning.view(session_id) or view
        told = described_session(
            view, self._collection, stats.get(session_id), email=sees_addresses(asked)
        )
        return self._refusals.look.json(200, told)

    async def stop(self, asked: Asked, session_id: str) -> Answer:
        """Stop a session and forget it."""
        by, view = session_of(self._spawning, asked, session_id)
        self._spawning.stop(session_id, by)
        # One that had ended is gone at once.
        view = self._spawning.view(session_id) or replace(view, moment=_STOPPING)
        return self._told(202, view, asked)

    async def restart(self, asked: Asked, session_id: str) -> Answer:
        """Start a session again; its owner may."""
        user = user_of(asked)
        view = session_of(self._spawning, asked, session_id)[1]
        if not view.owner.is_(user):
            raise RefusalError(NOT_OWNER)
        try:
            self._spawning.restart(session_id, user)
        except SpawnRefused as refused:
            return self._refused(refused)
        return self._told(202, self._spawning.view(session_id) or view, asked)

    async def logs(self, asked: Asked, session_id: str) -> Answer | Stream:
        """What a session has printed; with ``follow`` what it prints from now on, too."""
        session_of(self._spawning, asked, session_id)
        try:
            tail, follow = _tail(asked), _follow(asked)
        except SpawnRefused as refused:
            return self._refused(refused)
        if follow:
            source = FollowedLines(self._spawning, session_id, tail)
            return self._streams.answer(source, LINES, _whose(asked))
        try:
            lines = await self._spawning.logs(session_id, tail)
        except EngineError as error:
            raise RefusalError(unavailable(error)) from error
        return Answer(200, text_fields(LINES), as_lines(lines))

    async def events(self, asked: Asked, session_id: str) -> Answer | Stream:
        """Stream the session's moments; see `giestack.site.session_streams.MomentEvents`."""
        view = session_of(self._spawning, asked, session_id)[1]
        try:
            to_end = _to_end(asked)
        except SpawnRefused as refused:
            return self._refused(refused)
        source = MomentEvents(self._spawning, view, to_end=to_end)
        return self._streams.answer(source, EVENTS, _whose(asked))

    async def _list(self, views: Sequence[SessionView], asked: Asked) -> Answer:
        email = sees_addresses(asked)
        stats = await self._spawning.stats([view.id for view in views])
        told = [
            described_session(view, self._collection, stats.get(view.id), email=email)
            for view in views
        ]
        return self._refusals.look.json(200, told)

    def _told(
        self, status: int, view: SessionView, asked: Asked, *headers: tuple[bytes, bytes]
    ) -> Answer:
        told = described_session(view, self._collection, email=sees_addresses(asked))
        return self._refusals.look.json(status, told, *headers)

    def _refused(self, refused: SpawnRefused) -> Answer:
        if not refused.field:
            raise RefusalError(refusal_of(refused)) from refused
        told = {"error": refused.code, "message": str(refused), "field": refused.field}
        return self._refusals.look.json(refused.status, told)


def _tail(asked: Asked) -> int:
    given = asked.query.get("tail", str(TAIL))
    if not re.fullmatch(r"[0-9]{1,4}", given) or int(given) > MOST_LINES:
        raise bad_option("tail", f"“tail” must be a number from 0 to {MOST_LINES}.")
    return int(given)


def _follow(asked: Asked) -> bool:
    given = asked.query.get("follow", "0")
    if given not in _FOLLOW:
        raise bad_option("follow", "“follow” must be 0 or 1.")
    return _FOLLOW[given]


def _whose(asked: Asked) -> object:
    visitor = asked.visitor
    return (visitor.host, visitor.user_id) if isinstance(visitor, Identity) else asked.operator


def _to_end(asked: Asked) -> bool:
    given = asked.query.get("until", "ready")
    if given not in _TO_END:
        raise bad_option("until", "“until” must be “ready” or “end”.")
    return _TO_END[given]
