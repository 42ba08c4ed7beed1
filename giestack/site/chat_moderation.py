"""The part of the JSON API with which moderators keep order in the chat."""

from collections.abc import Mapping

from giestack.chat.frames import LARGEST
from giestack.chat.storage import AuditRow, Rejected, ReportRow, Sanction
from giestack.chat.wire import FOR_EVER
from giestack.site.asked import Answer, Asked
from giestack.site.askers import sees_addresses
from giestack.site.chat_asked import json_object, number, text_of, user, whole
from giestack.site.chat_endpoint import speaking
from giestack.site.chatting import Chatting, Sanctioning
from giestack.site.endpoint import Handler
from giestack.site.refusals import RefusalPages
from giestack.visitor import Identity, Operator

MOST_ROWS = 200
HIDDEN = "(address hidden)"

_ACTS: tuple[Sanctioning, ...] = ("mute", "ban")


class ModerationApi:
    """Answers moderators and the operator; each method is one method of one address.

    The chat says who may; e-mail addresses are for administrators only.
    """

    def __init__(self, chat: Chatting, refusals: RefusalPages) -> None:
        self._chat = chat
        self._refusals = refusals

    def answering(self, handler: Handler) -> Handler:
        """One of these methods, with what the chat refuses as answers."""
        return speaking(handler, self._refusals)

    async def audit(self, asked: Asked) -> Answer:
        """Lines of the audit, the newest first: ``?limit=&before=``."""
        by = moderator_of(asked)
        limit, before = number(asked, "limit"), number(asked, "before")
        limit = MOST_ROWS if limit is None else limit
        if not 0 < limit <= MOST_ROWS:
            raise Rejected("bad", f"limit must be 1 to {MOST_ROWS}.")
        rows = await self._chat.audited(by, limit, before)
        told = [described_line(row, addresses=sees_addresses(asked)) for row in rows]
        return self._refusals.look.json(200, told)

    async def reports(self, asked: Asked) -> Answer:
        """Open reports, the newest first."""
        rows = await self._chat.reports(moderator_of(asked), MOST_ROWS)
        return self._refusals.look.json(200, [_described_report(row) for row in rows])

    async def close_report(self, asked: Asked, report: str) -> Answer:
        """Somebody has looked at a report."""
        await self._chat.close_report(moderator_of(asked), whole(report, "the number"))
        return self._refusals.look.json(200, {"closed": int(report)})

    async def sanctions(self, asked: Asked) -> Answer:
        """All sanctions in force."""
        rows = await self._chat.sanctions(moderator_of(asked))
        addresses = sees_addresses(asked)
        told = [_described_sanction(row, addresses=addresses) for row in rows]
        return self._refusals.look.json(200, told)

    async def sanction(self, asked: Asked) -> Answer:
        """Put a sanction in force."""
        by = moderator_of(asked)
        given = json_object(asked)
        act, person = _act(given.get("act")), given.get("user")
        if not isinstance(person, str):
            raise Rejected("bad", "user must be there, and a text.")
        room, until = text_of(given, "room"), given.get("until")
        if until is not None and (type(until) is not int or not 0 < until <= LARGEST):
            raise Rejected("bad", "until must be milliseconds since 1970 UTC.")
        await self._chat.sanction(by, act, person, room, until, text_of(given, "reason") or "")
        told = {"act": act, "user": person, "room": room, "until": until}
        return self._refusals.look.json(201, told)

    async def lift(self, asked: Asked, act: str, person: str) -> Answer:
        """End a sanction: ``DELETE sanctions/ACT/USER``, with ``?room=`` where it is for one."""
        by = moderator_of(asked)
        room = asked.query.get("room") or None
        await self._chat.lift(by, _act(act), person, room)
        return self._refusals.look.json(200, {"lifted": act, "user": person, "room": room})


def moderator_of(asked: Asked) -> Identity | Operator:
    """Who asks: the operator or a user, of whom the chat knows what they may."""
    return asked.operator or user(asked)


def described_line(row: AuditRow, *, addresses: bool) -> dict[str, object]:
    """Describe a line of the audit; without ``addresses`` no e-mail address stands in it."""
    told: dict[str, object] = {
        "number": row.number,
        "ts": row.ts,
        "action": row.action,
        "by": row.by,
        "room": row.room,
        "target": row.target,
        "detail": dict(row.detail),
    }
    return told if addresses else {key: _hidden(key, value) for key, value in told.items()}


def named(by: str, *, addresses: bool) -> str:
    """Whoever did something, as they may be shown."""
    return by if addresses or "@" not in by else HIDDEN


def _hidden(key: str, value: object) -> object:
    if isinstance(value, Mapping):
        return {inner: _hidden(inner, one) for inner, one in value.items()}
    # A reason or a word is what a moderator has written, or has to see.
    if isinstance(value, str) and key not in ("reason", "text", "word"):
        return named(value, addresses=False)
    return value


def _described_report(row: ReportRow) -> dict[str, object]:
    return {
        "number": row.number,
        "ts": row.ts,
        "room": row.room,
        "ref": row.ref,
        "by": {"id": row.by.id, "name": row.by.name},
        "author": {"id": row.author.id, "name": row.author.name},
        "text": row.text,
        "reason": row.reason,
    }


def _described_sanction(row: Sanction, *, addresses: bool) -> dict[str, object]:
    return {
        "act": row.act,
        "user": {"id": row.person.id, "name": row.person.name},
        "room": row.room,
        "until": None if row.until >= FOR_EVER else row.until,
        "by": named(row.by, addresses=addresses),
        "reason": row.reason,
    }


def _act(given: object) -> Sanctioning:
    for act in _ACTS:
        if act == given:
            return act
    raise Rejected("bad", f"act must be one of {', '.join(_ACTS)}.")
