"""A store for tests that keeps everything in memory, and behaves as the real one does.

Its Deferreds have fired when they are returned, unless a test holds them back (`MemoryStore.hold`)
or has it fail (`MemoryStore.down`). Several stores on one `Log` are the nodes of one chat.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal, TypeVar

from twisted.internet.defer import Deferred, fail, succeed

from giestack.chat.storage import (
    Appended,
    AuditRow,
    Draft,
    NewDeletion,
    NewEdit,
    NewMessage,
    NewModeration,
    Page,
    Person,
    Rejected,
    ReportRow,
    RoomRecord,
    Sanction,
    Signal,
    Watcher,
    Who,
)
from giestack.chat.store.words import folded, is_storable, lowered, words
from giestack.chat.wire import (
    Deleted,
    Edited,
    Event,
    Kind,
    Message,
    Moderated,
    RoomState,
    User,
)
from giestack.database import DatabaseUnavailable

T = TypeVar("T")

MOST_UNREAD = 1000


@dataclass
class _Row:
    """A stored event."""

    key: int
    seq: int
    draft: Draft
    text: str = ""
    mentions: tuple[int | None, ...] = ()
    edited: int | None = None
    deleted: bool = False


@dataclass
class _Room:
    key: int
    id: str
    name: str
    kind: Kind
    position: int | None = None
    locked: bool = False
    slow: int = 0
    owner: int | None = None
    pair: tuple[int, ...] = ()
    last: int = 0
    used: int = 0
    rows: dict[int, _Row] = field(default_factory=dict)
    read: dict[int, int] = field(default_factory=dict)


class Log:
    """What all nodes share."""

    def __init__(self) -> None:
        self.epoch = "epoch-1"
        self.keys = count(1)
        self.people: dict[int, Person] = {}
        self.hosts: dict[tuple[str, int], int] = {}
        self.rooms: dict[str, _Room] = {}
        self.cids: dict[tuple[int, str], tuple[_Room, _Row]] = {}
        self.sanctions: dict[tuple[str, int, str | None], Sanction] = {}
        self.reports: list[ReportRow] = []
        self.audit: list[AuditRow] = []
        self.nodes: list[MemoryStore] = []


class MemoryStore:
    """`giestack.chat.storage.Store` in memory.

    :ivar down: a text while the database is "down": everything fails with it.
    :ivar log: what is stored; another store with the same one is another node.
    """

    def __init__(self, log: Log | None = None, now: Callable[[], int] = lambda: 0) -> None:
        self.log = log or Log()
        self.log.nodes.append(self)
        self.epoch = self.log.epoch
        self.down: str | None = None
        self._now = now
        self._watcher: Watcher | None = None
        self._held: list[Callable[[], object]] | None = None

    # For tests.

    def hold(self) -> None:
        """Let every Deferred wait from now on; nothing is done before `release`."""
        self._held = []

    @property
    def holding(self) -> int:
        """How much is held back."""
        return len(self._held or ())

    def release(self) -> None:
        """Do what was held back, in its order."""
        held, self._held = self._held or [], None
        for one in held:
            one()

    def _run(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        if self._held is None:
            return self._done(function, *args)
        later: Deferred[T] = Deferred()
        self._held.append(lambda: self._done(function, *args).chainDeferred(later))
        return later

    def _done(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        if self.down is not None:
            return fail(DatabaseUnavailable(self.down))
        try:
            return succeed(function(*args))
        except Exception:
            return fail()

    # The store itself.

    def open(self) -> Deferred[None]:
        return self._run(lambda: None)

    def close(self) -> Deferred[None]:
        self.release()
        if self in self.log.nodes:
            self.log.nodes.remove(self)
        return succeed(None)

    def watch(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def tell(self, signal: Signal) -> None:
        body = json.loads(json.dumps(signal.body))
        for node in self._others():
            node.signalled(replace(signal, body=body))

    def _others(self) -> list[Watcher]:
        return [one._watcher for one in self.log.nodes if one is not self and one._watcher]

    # People.

    def person(self, who: Who) -> Deferred[Person]:
        def work() -> Person:
            key = self.log.hosts.get((who.host, who.user_id)) or next(self.log.keys)
            self.log.hosts[who.host, who.user_id] = key
            known = self.log.people.get(key, Person(key=key, id=who.id, name=who.name))
            self.log.people[key] = replace(known, id=who.id, name=who.name)
            return self.log.people[key]

        return self._run(work)

    def people(self, ids: Sequence[str]) -> Deferred[Mapping[str, Person]]:
        return self._run(
            lambda: {one.id: one for one in self.log.people.values() if one.id in set(ids)}
        )

    def named(self, prefix: str, room: str | None, limit: int) -> Deferred[Sequence[User]]:
        def work() -> Sequence[User]:
            keys: Iterable[int] = self.log.people
            if room is not None:
                keys = self._room(room).read
            found = [self.log.people[key] for key in keys]
            found = [one for one in found if lowered(one.name).startswith(lowered(prefix))]
            found.sort(key=lambda one: (lowered(one.name), one.key))
            return [one.user for one in found[:limit]]

        return self._run(work)

    def choose(
        self,
        person: Person,
        *,
        opt_in: bool | None = None,
        do_not_disturb: bool | None = None,
        online: bool | None = None,
    ) -> Deferred[Person]:
        def work() -> Person:
            choices = {"opt_in": opt_in, "do_not_disturb": do_not_disturb, "online": online}
            chosen: dict[str, Any] = {k: v for k, v in choices.items() if v is not None}
            self.log.people[person.key] = replace(self.log.people[person.key], **chosen)
            return self.log.people[person.key]

        return self._run(work)

    # Rooms.

    def persist(self, names: Sequence[str]) -> Deferred[None]:
        def work() -> None:
            known = {folded(one.name): one for one in self._public()}
            for one in known.values():
                one.position = None
            wanted: dict[str, str] = {}
            for name in names:
                wanted.setdefault(folded(name), name)
            for position, (key, name) in enumerate(wanted.items()):
                room = known.get(key) or self._made("public", name)
                room.name, room.position = name, position

        return self._run(work)

    def _public(self) -> list[_Room]:
        return [one for one in self.log.rooms.values() if one.kind == "public"]

    def _made(self, kind: Kind, name: str) -> _Room:
        key = next(self.log.keys)
        room = self.log.rooms[f"room-{key}"] = _Room(key, f"room-{key}", name, kind)
        return room

    def room(self, room: str) -> Deferred[RoomRecord | None]:
        return self._run(
            lambda: self._record(self.log.rooms[room]) if room in self.log.rooms else None
        )

    def _room(self, room: str) -> _Room:
        try:
            return self.log.rooms[room]
        except KeyError:
            raise Rejected("noroom", "no such room") from None

    def _record(self, room: _Room) -> RoomRecord:
        owner = self.log.people[room.owner].user if room.owner else None
        return RoomRecord(
            key=room.key,
            id=room.id,
            name=room.name,
            kind=room.kind,
            persistent=room.position is not None,
            locked=room.locked,
            slow=room.slow,
            owner=owner,
            last=room.last,
            members=tuple(self.log.people[key] for key in room.pair),
        )

    def rooms_of(self, person: Person) -> Deferred[Sequence[RoomState]]:
        def work() -> Sequence[RoomState]:
            rooms = self.log.rooms.values()
            persistent = [one for one in rooms if one.position is not None]
            persistent.sort(key=lambda one: one.position or 0)
            own = [one for one in rooms if one.position is None and person.key in one.read]
            own.sort(key=lambda one: (-one.used, -one.key))
            return [self._state(one, person) for one in (*persistent, *own)]

        return self._run(work)

    def state(self, person: Person, room: str) -> Deferred[RoomState]:
        return self._run(lambda: self._state(self._room(room), person))

    def _state(self, room: _Room, person: Person | None) -> RoomState:
        peers = [self.log.people[key] for key in room.pair if person and key != person.key]
        state = RoomState(
            id=room.id,
            name=peers[0].name if peers else room.name,
            kind=room.kind,
            last=room.last,
            persistent=room.position is not None,
            locked=room.locked,
            slow=room.slow,
            owner=self.log.people[room.owner].id if room.owner else None,
            peer=peers[0].user if peers else None,
        )
        if person is None:
            return state
        muted = [
            one.until
            for one in self._in_force()
            if one.act == "mute" and one.person.key == person.key and one.room in (None, room.id)
        ]
        state = replace(state, muted_until=max(muted, default=0))
        if person.key not in room.read:
            return state
        read = room.read[person.key]
        others = [
            row
            for row in room.rows.values()
            if row.seq > read
            and isinstance(row.draft, NewMessage)
            and not row.deleted
            and row.draft.author.key != person.key
        ]
        spoken_to = [row for row in others if {None, person.key} & set(row.mentions)]
        return replace(
            state,
            read=read,
            joined=True,
            unread=min(len(others), MOST_UNREAD),
            mentions=min(len(spoken_to), MOST_UNREAD),
        )

    def public_rooms(self, text: str, limit: int) -> Deferred[Sequence[RoomState]]:
        def work() -> Sequence[RoomState]:
            found = [one for one in self._public() if folded(text) in folded(one.name)]
            found.sort(key=lambda one: (-one.used, -one.key))
            return [self._state(one, None) for one in found[:limit]]

        return self._run(work)

    def create(self, person: Person, kind: Kind, name: str, ts: int) -> Deferred[RoomRecord]:
        def work() -> RoomRecord:
            if kind == "dm":
                raise Rejected("bad", "a room of two is made for two")
            if kind == "public" and folded(name) in [folded(one.name) for one in self._public()]:
                raise Rejected("bad", "there is a room with that name")
            room = self._made(kind, name)
            room.owner, room.used = person.key, ts
            room.read[person.key] = 0
            return self._record(room)

        return self._run(work)

    def direct(self, person: Person, other: Person, ts: int) -> Deferred[RoomRecord]:
        def work() -> RoomRecord:
            if person.key == other.key:
                raise Rejected("bad", "a room of two is for two")
            pair = tuple(sorted((person.key, other.key)))
            found = [one for one in self.log.rooms.values() if one.pair == pair]
            room = found[0] if found else self._made("dm", "")
            if not found:
                room.pair, room.owner, room.used = pair, person.key, ts
            for key in pair:
                room.read.setdefault(key, room.last)
            return self._record(room)

        return self._run(work)

    def join(self, person: Person, room: str, ts: int) -> Deferred[None]:
        def work() -> None:
            found = self._room(room)
            if found.pair and person.key not in found.pair:
                raise Rejected("noroom", "no such room")
            found.read.setdefault(person.key, found.last)

        return self._run(work)

    def leave(self, person: Person, room: str) -> Deferred[None]:
        def work() -> None:
            self._room(room).read.pop(person.key, None)

        return self._run(work)

    def joined(self, person: Person) -> Deferred[frozenset[str]]:
        rooms = self.log.rooms
        return self._run(
            lambda: frozenset(one.id for one in rooms.values() if person.key in one.read)
        )

    def mark(self, person: Person, room: str, seq: int) -> Deferred[RoomState]:
        def work() -> RoomState:
            found = self._room(room)
            if person.key not in found.read:
                raise Rejected("perm", "join the room first")
            found.read[person.key] = max(found.read[person.key], min(seq, found.last))
            return self._state(found, person)

        return self._run(work)

    def set_room(
        self, room: str, *, locked: bool | None = None, slow: int | None = None
    ) -> Deferred[None]:
        def work() -> None:
            found = self._room(room)
            found.locked = found.locked if locked is None else locked
            found.slow = found.slow if slow is None else slow

        return self._run(work)

    # Events.

    def append(self, draft: Draft) -> Deferred[Appended]:
        def work() -> Appended:
            appended = self._append(draft)
            if appended.new:
                for node in self._others():
                    node.moved({appended.event.room: appended.event.seq})
            return appended

        return self._run(work)

    def _append(self, draft: Draft) -> Appended:
        author = self.log.people.get(draft.author.key)
        if author is None:
            raise DatabaseUnavailable("nobody knows the author")
        for text in (getattr(draft, "text", ""), getattr(draft, "cid", "")):
            if not is_storable(text):
                raise Rejected("bad", "the text holds what can't be stored")
        if isinstance(draft, NewMessage):
            before = self.log.cids.get((author.key, draft.cid))
            if before:
                return Appended(self._event(*before), new=False)
        room = self._room(draft.room)
        if isinstance(draft, NewMessage) and draft.reply is not None:
            answered = room.rows.get(draft.reply)
            if answered is None or not self._is_message(answered):
                raise Rejected("bad", "there is no such message to reply to")
        if isinstance(draft, NewEdit | NewDeletion):
            self._change(room, draft)
        room.last += 1
        room.used = draft.ts
        row = room.rows[room.last] = _Row(next(self.log.keys), room.last, draft)
        if isinstance(draft, NewMessage):
            row.text, row.mentions = draft.text, self._mentioned(room, draft)
            self.log.cids[draft.author.key, draft.cid] = (room, row)
        by = getattr(draft, "impersonated_by", None)
        if by is not None:
            self._audit_impersonation(room, row, by)
        return Appended(self._event(room, row))

    def _audit_impersonation(self, room: _Room, row: _Row, by: str) -> None:
        detail = {"seq": row.seq}
        self._keep(
            AuditRow(
                ts=row.draft.ts,
                action="impersonation",
                by=by,
                room=room.id,
                target=row.draft.author.name,
                detail=detail,
            )
        )

    def _change(self, room: _Room, draft: NewEdit | NewDeletion) -> None:
        row = room.rows.get(draft.ref)
        if row is None or not self._is_message(row) or row.deleted:
            raise Rejected("bad", "there is no such message")
        if not (isinstance(draft, NewDeletion) and draft.moderator):
            if row.draft.author.key != draft.author.key:
                raise Rejected("perm", "that message is not yours")
            if row.draft.ts < draft.since:
                raise Rejected("perm", "that message is too old to be changed")
        if isinstance(draft, NewEdit):
            row.text, row.edited = draft.text, draft.ts
            row.mentions = self._mentioned(room, draft)
        else:
            row.text, row.deleted, row.mentions = "", True, ()

    @staticmethod
    def _is_message(row: _Row) -> bool:
        return isinstance(row.draft, NewMessage)

    def _mentioned(self, room: _Room, draft: NewMessage | NewEdit) -> tuple[int | None, ...]:
        keys: Iterable[int] = self.log.people if room.kind == "public" else room.read
        found = [key for key in keys if lowered(self.log.people[key].name) in draft.names]
        return (*sorted(found), *([None] if draft.everybody else []))

    def _event(self, room: _Room, row: _Row, cid: bool = False) -> Event:
        draft = row.draft
        author = self.log.people[draft.author.key]
        if isinstance(draft, NewModeration):
            target = self.log.people[draft.target.key] if draft.target else None
            return Moderated(
                room=room.id,
                seq=row.seq,
                ts=draft.ts,
                act=draft.act,
                by=author.id,
                by_name=author.name,
                user=target.id if target else None,
                name=target.name if target else None,
                until=draft.until,
                seconds=draft.seconds,
                reason=draft.reason,
            )
        shared: dict[str, Any] = {
            "room": room.id,
            "seq": row.seq,
            "ts": draft.ts,
            "user": author.id,
            "name": author.name,
            "impersonated": draft.impersonated_by is not None,
        }
        if isinstance(draft, NewDeletion):
            return Deleted(**shared, ref=draft.ref, reason=draft.reason)
        text = row
        if isinstance(draft, NewEdit):
            text = room.rows.get(draft.ref) or row
        mentions = tuple(
            "room" if key is None else self.log.people[key].id for key in text.mentions
        )
        if isinstance(draft, NewEdit):
            return Edited(**shared, ref=draft.ref, text=text.text, mentions=mentions)
        return Message(
            **shared,
            text=row.text,
            mentions=mentions,
            reply=draft.reply,
            edited=row.edited,
            deleted=row.deleted,
            cid=draft.cid if cid else None,
        )

    def events(
        self,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> Deferred[Page]:
        def work() -> Page:
            found = self._room(room)
            rows = [
                row
                for row in found.rows.values()
                if (after is None or row.seq > after) and (before is None or row.seq < before)
            ]
            some = rows[-limit:] if after is None else rows[:limit]
            return Page(tuple(self._event(found, row) for row in some), more=len(some) < len(rows))

        return self._run(work)

    def search(
        self, person: Person, text: str, room: str | None, before: int | None, limit: int
    ) -> Deferred[Page]:
        def work() -> Page:
            if room is not None and not self._may_read(person, self._room(room)):
                raise Rejected("noroom", "no such room")
            wanted = words(text)
            found = [
                (one, row)
                for one, row in self._messages(lambda one: self._may_read(person, one), room)
                if (before is None or row.key < before) and wanted and _matches(row.text, wanted)
            ]
            found.sort(key=lambda pair: -pair[1].key)
            return self._page(found, limit)

        return self._run(work)

    def export(
        self, person: Person, room: str | None, after: int | None, limit: int
    ) -> Deferred[Page]:
        def work() -> Page:
            if room is not None:
                self._room(room)
            found = [
                (one, row)
                for one, row in self._messages(lambda one: True, room)
                if row.key > (after or 0) and row.draft.author.key == person.key
            ]
            found.sort(key=lambda pair: pair[1].key)
            return self._page(found, limit, cid=True)

        return self._run(work)

    @staticmethod
    def _may_read(person: Person, room: _Room) -> bool:
        return room.kind == "public" or person.key in room.read

    def _messages(
        self, may: Callable[[_Room], bool], room: str | None
    ) -> Iterable[tuple[_Room, _Row]]:
        for one in self.log.rooms.values():
            if may(one) and room in (None, one.id):
                for row in one.rows.values():
                    if isinstance(row.draft, NewMessage) and not row.deleted:
                        yield one, row

    def _page(self, found: list[tuple[_Room, _Row]], limit: int, cid: bool = False) -> Page:
        some, more = found[:limit], len(found) > limit
        return Page(
            tuple(self._event(*one, cid=cid) for one in some),
            next=some[-1][1].key if more else None,
            more=more,
        )

    # Order in the house.

    def _in_force(self) -> list[Sanction]:
        return [
            replace(one, person=self.log.people[one.person.key])
            for one in self.log.sanctions.values()
            if one.until > self._now()
        ]

    def sanctions(self) -> Deferred[Sequence[Sanction]]:
        return self._run(self._in_force)

    def sanction(self, sanction: Sanction) -> Deferred[None]:
        def work() -> None:
            if sanction.room is not None:
                self._room(sanction.room)
            key = (sanction.act, sanction.person.key, sanction.room)
            self.log.sanctions[key] = sanction

        return self._run(work)

    def lift(self, act: Literal["mute", "ban"], person: Person, room: str | None) -> Deferred[None]:
        def work() -> None:
            self.log.sanctions.pop((act, person.key, room), None)

        return self._run(work)

    def report(self, person: Person, room: str, ref: int, reason: str, ts: int) -> Deferred[None]:
        def work() -> None:
            row = self._room(room).rows.get(ref)
            if row is None or not self._is_message(row):
                raise Rejected("bad", "there is no such message")
            known = [
                one
                for one in self.log.reports
                if (one.room, one.ref, one.by.id) == (room, ref, person.id)
            ]
            for one in known:
                self.log.reports.remove(one)
            self.log.reports.append(
                ReportRow(
                    number=known[0].number if known else next(self.log.keys),
                    ts=ts,
                    room=room,
                    ref=ref,
                    by=person.user,
                    author=row.draft.author.user,
                    text="",
                    reason=reason,
                )
            )

        return self._run(work)

    def reports(self, limit: int) -> Deferred[Sequence[ReportRow]]:
        def work() -> Sequence[ReportRow]:
            found = [
                replace(one, text=self.log.rooms[one.room].rows[one.ref].text)
                for one in self.log.reports
                if one.closed_by is None
            ]
            found.sort(key=lambda one: (-one.ts, -one.number))
            return found[:limit]

        return self._run(work)

    def close_report(self, number: int, by: str) -> Deferred[None]:
        def work() -> None:
            for index, one in enumerate(self.log.reports):
                if one.number == number:
                    self.log.reports[index] = replace(one, closed_by=by)
                    return
            raise Rejected("bad", "there is no such report")

        return self._run(work)

    def audit(self, row: AuditRow) -> Deferred[None]:
        return self._run(self._keep, row)

    def _keep(self, row: AuditRow) -> None:
        detail = json.loads(json.dumps(row.detail))
        self.log.audit.append(replace(row, number=len(self.log.audit) + 1, detail=detail))

    def audited(self, limit: int, before: int | None = None) -> Deferred[Sequence[AuditRow]]:
        def work() -> Sequence[AuditRow]:
            rows = [row for row in self.log.audit if before is None or row.number < before]
            return rows[::-1][:limit]

        return self._run(work)

    def prune(self, before: int) -> Deferred[int]:
        return self._run(lambda: sum(self._prune(one, before) for one in self.log.rooms.values()))

    def _prune(self, room: _Room, before: int) -> int:
        old = 0
        for seq, row in list(room.rows.items()):
            if row.draft.ts >= before:
                break
            del room.rows[seq]
            if isinstance(row.draft, NewMessage):
                self.log.cids.pop((row.draft.author.key, row.draft.cid), None)
            self.log.reports = [
                one for one in self.log.reports if (one.room, one.ref) != (room.id, seq)
            ]
            old += 1
        return old


def _matches(text: str, wanted: list[str]) -> bool:
    found = words(text)
    return all(one in found for one in wanted[:-1]) and any(
        one.startswith(wanted[-1]) for one in found
    )
