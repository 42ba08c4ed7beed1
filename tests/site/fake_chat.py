"""The chat as pages and the API see it, in memory: what it answers is set by the test."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from giestack.chat import wire
from giestack.chat.about import About
from giestack.chat.outlet import Outlet
from giestack.chat.storage import (
    AuditRow,
    Page,
    Person,
    Rejected,
    ReportRow,
    Sanction,
)
from giestack.site.chat_files import WidgetFiles
from giestack.visitor import Anonymous, Identity, Operator

FILES = WidgetFiles(
    "0123456789abcdef",
    {
        "widget.js": b"console.log('loader');",
        "page.html": b'<!DOCTYPE html><style>p{}</style><script src="widget.js" defer></script>',
        "view/start.js": b"export const start = 1;",
        "view/chat.css": b"p{}",
        "locale/de.json": b"{}",
        "view/bell.svg": b"<svg/>",
    },
)
MALLORY = Person(key=7, id="cccc41e1fa331b3e", name="mallory")


def message(seq: int = 1, text: str = "hello", **given: Any) -> wire.Message:
    return wire.Message(
        room="r1", seq=seq, ts=1_772_625_600_000, user="f2db", name="alice", text=text, **given
    )


def report(number: int = 1, **given: Any) -> ReportRow:
    return ReportRow(
        number=number,
        ts=1_772_625_540_000,
        room="r1",
        ref=5,
        by=wire.User(id="f2db41e1fa331b3e", name="alice"),
        author=MALLORY.user,
        text=given.pop("text", "buy <b>this</b>"),
        reason=given.pop("reason", "spam"),
        **given,
    )


class Talk:
    """A conversation: what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.when_resumed: Any = None

    def received(self, data: bytes) -> None:
        raise AssertionError("nothing comes by an event stream")

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")
        if self.when_resumed is not None:
            self.when_resumed()

    def gone(self) -> None:
        self.told.append("gone")


class FakeChat:
    """A `giestack.site.chatting.Chatting`.

    :ivar calls: what was asked of it, the visitor's name first.
    :ivar error: what every Deferred fails with, if it is set.
    :ivar closing: how connections are closed at once, if it is set.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.error: Exception | None = None
        self.closing: tuple[int, str] | None = None
        self.outlet: Outlet | None = None
        self.talk = Talk()
        self.said: wire.Ok | wire.Err = wire.Ok(id=0, seq=3, ts=5)
        self.page = Page((message(1), message(2)), more=True)
        self.exports: list[Page | Exception | Deferred[Page]] = []
        self.moderators = {"admin", "bob"}
        self.reported = [report()]
        self.sanctioned = [
            Sanction(
                person=MALLORY,
                act="ban",
                until=wire.FOR_EVER,
                by="admin@example.org",
                reason="spam",
            ),
            Sanction(person=MALLORY, act="mute", until=1_772_629_200_000, room="r1", by="bob"),
        ]
        self.called: dict[str, str] = {}
        self.lines = [
            AuditRow(
                number=9,
                ts=1_772_625_000_000,
                action="chat-ban",
                by="admin@example.org",
                target="mallory",
                detail={"reason": "wrote to x@example.org", "impersonated_by": "b@example.org"},
            )
        ]

    def _answer(self, value: Any, *call: Any) -> Deferred[Any]:
        self.calls.append(call)
        return succeed(value) if self.error is None else fail(self.error)

    def arrive(self, visitor: Identity | Anonymous | None, outlet: Outlet) -> Talk | None:
        return self._opened(outlet, "arrive", getattr(visitor, "username", None))

    def listen(self, visitor: Identity, room: str, after: int, outlet: Outlet) -> Talk | None:
        return self._opened(outlet, "listen", visitor.username, room, after)

    def _opened(self, outlet: Outlet, *call: Any) -> Talk | None:
        self.calls.append(call)
        if self.closing is not None:
            outlet.close(*self.closing)
            return None
        self.outlet = outlet
        return self.talk

    def answer(
        self, visitor: Identity, data: bytes, conn: str | None
    ) -> Deferred[wire.Ok | wire.Err]:
        return self._answer(self.said, "answer", visitor.username, data, conn)

    def events(
        self, visitor: Identity, room: str, after: int | None, before: int | None, limit: int
    ) -> Deferred[Page]:
        return self._answer(self.page, "events", visitor.username, room, after, before, limit)

    def about(self, visitor: Identity) -> Deferred[About]:
        user = wire.User(id=visitor.encoded_id, name=visitor.username or "", role=None)
        if visitor.is_admin:
            user = replace(user, role="admin")
        about = About(user, wire.Choices(online=True), opt_in_needed=True)
        return self._answer(about, "about", visitor.username)

    def choose(self, visitor: Identity, prefs: wire.Prefs) -> Deferred[wire.Choices]:
        chosen = wire.Choices(opt_in=bool(prefs.opt_in))
        return self._answer(chosen, "choose", visitor.username, prefs)

    def exported(self, visitor: Identity, room: str | None, after: int | None) -> Deferred[Page]:
        self.calls.append(("exported", visitor.username, room, after))
        found = self.exports.pop(0)
        if isinstance(found, Deferred):
            return found
        return fail(found) if isinstance(found, Exception) else succeed(found)

    def moderates(self, visitor: Identity) -> bool:
        return visitor.username in self.moderators

    def _act(self, value: Any, by: Identity | Operator, *call: Any) -> Deferred[Any]:
        if isinstance(by, Identity) and not self.moderates(by):
            return fail(Rejected("perm", "Only moderators may do that."))
        return self._answer(value, call[0], by.username, *call[1:])

    def reports(self, by: Identity | Operator, limit: int) -> Deferred[list[ReportRow]]:
        return self._act(self.reported, by, "reports", limit)

    def close_report(self, by: Identity | Operator, number: int) -> Deferred[None]:
        return self._act(None, by, "close_report", number)

    def sanctions(self, by: Identity | Operator) -> Deferred[list[Sanction]]:
        return self._act(self.sanctioned, by, "sanctions")

    def sanction(
        self,
        by: Identity | Operator,
        act: str,
        user: str,
        room: str | None,
        until: int | None,
        reason: str,
    ) -> Deferred[None]:
        return self._act(None, by, "sanction", act, user, room, until, reason)

    def lift(
        self, by: Identity | Operator, act: str, user: str, room: str | None
    ) -> Deferred[None]:
        return self._act(None, by, "lift", act, user, room)

    def rooms_called(
        self, by: Identity | Operator, rooms: Collection[str]
    ) -> Deferred[dict[str, str]]:
        return succeed({one: self.called[one] for one in rooms if one in self.called})

    def delete(self, by: Identity, room: str, ref: int, reason: str) -> Deferred[None]:
        return self._act(None, by, "delete", room, ref, reason)

    def audited(
        self, by: Identity | Operator, limit: int, before: int | None
    ) -> Deferred[list[AuditRow]]:
        return self._act(self.lines, by, "audited", limit, before)
