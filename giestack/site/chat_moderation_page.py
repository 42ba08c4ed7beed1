"""``{chat}/moderation``: what moderators have to look at, what is in force, what was done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from giestack.chat import wire
from giestack.chat.storage import AuditRow, Rejected, ReportRow, Sanction
from giestack.database import DatabaseUnavailable
from giestack.proxy.decision import Refuse
from giestack.site.amounts import ago, duration
from giestack.site.asked import LONGEST_FORM, Answer, Asked
from giestack.site.askers import sees_addresses
from giestack.site.chat_asked import number, user, whole
from giestack.site.chat_endpoint import STATUSES
from giestack.site.chat_moderation import HIDDEN, described_line, named
from giestack.site.chatting import Chatting
from giestack.site.endpoint import RefusalError
from giestack.site.navigation import Link
from giestack.site.refusals import RefusalPages
from giestack.visitor import Identity

MOST_REPORTS = 100
MOST_LINES = 50

_NOT_MODERATOR = Refuse(403, "not-moderator", "This page is for moderators.")
_NO_ACTION = Refuse(400, "bad-request", "The form does not say what to do.")
_UNAVAILABLE = Refuse(503, "server", "The chat does not answer right now.", retry_after=5)

FOR: Mapping[str, tuple[str, int | None]] = {
    "hour": ("for an hour", 3600),
    "day": ("for a day", 24 * 3600),
    "week": ("for a week", 7 * 24 * 3600),
    "good": ("for good", None),
}
"""How long a sanction may last, by name: for people, and in seconds."""

_DONE: Mapping[str, str] = {
    "chat-mute": "muted",
    "chat-unmute": "unmuted",
    "chat-ban": "banned",
    "chat-unban": "unbanned",
    "chat-slow": "slowed down",
    "chat-lock": "locked",
    "chat-unlock": "unlocked",
    "chat-del": "deleted a message",
}


@dataclass(frozen=True, slots=True)
class ReportCard:
    """A report as the page shows it; ``room`` is what that is called."""

    row: ReportRow
    room: str
    age: str
    when: str


@dataclass(frozen=True, slots=True)
class SanctionLine:
    """A sanction as the page shows it; ``left`` is how long it lasts yet."""

    row: Sanction
    what: str
    left: str
    until: str | None
    by: str
    where: str


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A line of the audit as the page shows it."""

    age: str
    when: str
    what: str
    by: str
    target: str
    room: str
    more: str


class ModerationPage:
    """Renders the page and does what its forms ask for.

    ``path`` is where it stands; ``now`` returns the time, aware and in UTC; ``links`` returns
    those at its head.
    """

    def __init__(
        self,
        chat: Chatting,
        refusals: RefusalPages,
        now: Callable[[], datetime],
        path: str,
        links: Callable[[Identity], list[Link]],
    ) -> None:
        self._chat = chat
        self._refusals = refusals
        self._now = now
        self._path = path
        self._links = links

    async def show(self, asked: Asked) -> Answer:
        """Answer GET; ``?before=`` goes on to older lines of the audit."""
        visitor = self._moderator(asked)
        addresses, now = sees_addresses(asked), self._now()
        try:
            before = number(asked, "before")
            reports = await self._chat.reports(visitor, MOST_REPORTS)
            sanctions = await self._chat.sanctions(visitor)
            lines = await self._chat.audited(visitor, MOST_LINES, before)
            rooms = {row.room for row in reports}
            rooms |= {row.room for row in sanctions if row.room}
            rooms |= {row.room for row in lines if row.room}
            called = await self._chat.rooms_called(visitor, rooms)
        except Rejected as rejected:
            raise _refusal(rejected) from None
        except DatabaseUnavailable:
            raise RefusalError(_UNAVAILABLE) from None
        return self._refusals.look.page(
            200,
            "moderation.html",
            links=self._links(visitor),
            path=self._path,
            reports=[
                ReportCard(row, _named(row.room, called), ago(now - _when(row.ts)), _iso(row.ts))
                for row in reports
            ],
            sanctions=[_sanction_line(row, called, now, addresses) for row in sanctions],
            lines=[_audit_line(row, called, now, addresses) for row in lines],
            older=lines[-1].number if len(lines) == MOST_LINES else None,
            later=before is not None,
            times=[(name, words) for name, (words, _) in FOR.items()],
        )

    async def act(self, asked: Asked) -> Answer:
        """Answer POST: do what the form says, then go on with ``303 See Other``."""
        if len(asked.body) > LONGEST_FORM:
            raise RefusalError(_NO_ACTION)
        visitor, form = self._moderator(asked), asked.form
        try:
            await self._done(visitor, form)
            if form.get("close") and form.get("report"):
                await self._chat.close_report(visitor, whole(form["report"], "report"))
        except Rejected as rejected:
            raise _refusal(rejected) from None
        except DatabaseUnavailable:
            raise RefusalError(_UNAVAILABLE) from None
        return self._refusals.look.redirect(303, self._path)

    async def _done(self, visitor: Identity, form: Mapping[str, str]) -> None:
        action, person, room = form.get("action"), form.get("user", ""), form.get("room") or None
        if action == "delete":
            ref = whole(form.get("ref", ""), "ref")
            await self._chat.delete(visitor, room or "", ref, _reason(form))
        elif action in ("mute", "mute-everywhere"):
            scope = room if action == "mute" else None
            until = self._until(form)
            await self._chat.sanction(visitor, "mute", person, scope, until, _reason(form))
        elif action == "ban":
            until = self._until(form)
            await self._chat.sanction(visitor, "ban", person, None, until, _reason(form))
        elif action == "lift-mute":
            await self._chat.lift(visitor, "mute", person, room)
        elif action == "lift-ban":
            await self._chat.lift(visitor, "ban", person, None)
        elif action == "dismiss":
            await self._chat.close_report(visitor, whole(form.get("report", ""), "report"))
        else:
            raise RefusalError(_NO_ACTION)

    def _moderator(self, asked: Asked) -> Identity:
        visitor = user(asked)
        if not self._chat.moderates(visitor):
            raise RefusalError(_NOT_MODERATOR)
        return visitor

    def _until(self, form: Mapping[str, str]) -> int | None:
        found = FOR.get(form.get("for", ""))
        if found is None:
            raise RefusalError(_NO_ACTION)
        seconds = found[1]
        if seconds is None:
            return None
        return int((self._now() + timedelta(seconds=seconds)).timestamp() * 1000)


def _reason(form: Mapping[str, str]) -> str:
    return form.get("reason", "").strip()


def _refusal(rejected: Rejected) -> RefusalError:
    return RefusalError(Refuse(STATUSES[rejected.code], rejected.code, rejected.message))


def _named(room: str, called: Mapping[str, str]) -> str:
    """What a room is called; talks between two have no name."""
    return called.get(room, room) or "a direct message"


def _sanction_line(
    row: Sanction, called: Mapping[str, str], now: datetime, addresses: bool
) -> SanctionLine:
    left, until = "for good", None
    if row.until < wire.FOR_EVER:
        left = f"{duration((_when(row.until) - now).total_seconds())} left"
        until = _iso(row.until)
    what = "Banned" if row.act == "ban" else "Muted"
    where = "everywhere" if row.room is None else _named(row.room, called)
    return SanctionLine(row, what, left, until, named(row.by, addresses=addresses), where)


def _audit_line(
    row: AuditRow, called: Mapping[str, str], now: datetime, addresses: bool
) -> AuditLine:
    told = described_line(row, addresses=addresses)
    detail = told["detail"]
    assert isinstance(detail, Mapping)
    return AuditLine(
        ago(now - _when(row.ts)),
        _iso(row.ts),
        _DONE.get(row.action, row.action.removeprefix("chat-").replace("-", " ")),
        str(told["by"]),
        str(told["target"] or ""),
        "" if row.room is None else _named(row.room, called),
        ", ".join([f"{key}: {_shown(key, detail[key])}" for key in detail if _worth(key, detail)]),
    )


def _worth(key: str, detail: Mapping[str, object]) -> bool:
    """Whether it says something that does not stand beside it; ids are for programs."""
    return key != "user" and detail[key] not in (None, "", HIDDEN)


def _shown(key: str, value: object) -> object:
    if key != "until" or not isinstance(value, int):
        return value
    return "for good" if value >= wire.FOR_EVER else _when(value).strftime("%Y-%m-%d %H:%M UTC")


def _when(ts: int) -> datetime:
    return datetime.fromtimestamp(ts / 1000, UTC)


def _iso(ts: int) -> str:
    return _when(ts).isoformat(timespec="seconds")
