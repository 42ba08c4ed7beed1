"""Events are added: those that wait, all in one transaction.

Whoever adds to a room has its row locked until the transaction ends, so that numbers have no gap
and are in the order in which others get to see them. Rooms are locked in the order of their keys:
two nodes never wait for each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, tuple_, update

from giestack.chat.storage import (
    Appended,
    Draft,
    NewDeletion,
    NewEdit,
    NewMessage,
    NewModeration,
    Rejected,
)
from giestack.chat.store.event_rows import EVENTS, events_of, mentioned_ids
from giestack.chat.store.reading import no_room
from giestack.chat.store.tables import (
    EVERYBODY,
    audit,
    event,
    is_message,
    member,
    mention,
    person,
    room,
)
from giestack.chat.store.words import is_storable, storable
from giestack.chat.store.words_index import WordsIndex
from giestack.chat.wire import Deleted, Edited, Event, Message, Moderated

Outcome = Appended | Rejected

_rooms = (
    select(room.c.key, room.c.id, room.c.kind, room.c.last)
    .where(room.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(room.c.key)
    .with_for_update(key_share=True)
)
_rooms_moved = (
    update(room)
    .where(room.c.key == bindparam("room_key"))
    .values(last=bindparam("new_last"), used=bindparam("new_used"))
)
_known = EVENTS.where(event.c.cid.in_(bindparam("cids", expanding=True)), is_message)
_known = _known.add_columns(event.c.author)
_named = select(person.c.key, person.c.id, person.c.lower).where(
    person.c.lower.in_(bindparam("names", expanding=True))
)
_members = select(member.c.room, member.c.person).where(
    member.c.room.in_(bindparam("rooms", expanding=True)),
    member.c.person.in_(bindparam("people", expanding=True)),
)
_message = select(event.c.key, event.c.ts, event.c.author, event.c.text, event.c.deleted).where(
    event.c.room == bindparam("room"), event.c.seq == bindparam("seq"), is_message
)
_messages = select(event.c.room, event.c.seq).where(
    tuple_(event.c.room, event.c.seq).in_(bindparam("places", expanding=True)), is_message
)
_changed = update(event).where(event.c.key == bindparam("event_key"))
_mentions_gone = delete(mention).where(mention.c.event == bindparam("event_key"))

_EMPTY = {
    "text": "",
    "cid": None,
    "ref": None,
    "deleted": False,
    "impersonated": False,
    "act": None,
    "target": None,
    "until": None,
    "seconds": None,
    "reason": None,
}


def append(connection: Connection, words: WordsIndex, drafts: Sequence[Draft]) -> Sequence[Outcome]:
    """Store drafts; return what became of each. They are there once the caller has committed.

    What comes out as `Rejected` was not stored, and changes nothing for the others.
    """
    return _Appending(connection, words, drafts).outcomes()


@dataclass(slots=True)
class _Room:
    key: int
    id: str
    kind: str
    last: int
    used: int | None = None


class _Appending:
    """One transaction. Rows are collected and written together, before anything looks for them."""

    def __init__(self, connection: Connection, words: WordsIndex, drafts: Sequence[Draft]) -> None:
        self._connection = connection
        self._words = words
        self._drafts = drafts
        self._keys = iter(words.next_keys(connection, len(drafts)))
        self._rooms = self._locked_rooms()
        self._known = self._known_messages()
        self._answered = self._answered_messages()
        self._named, self._is_member = self._named_people()
        self._rows: list[dict[str, Any]] = []
        self._texts: list[tuple[int, str]] = []
        self._mentions: list[dict[str, Any]] = []
        self._audit: list[dict[str, Any]] = []

    def outcomes(self) -> Sequence[Outcome]:
        found: list[Outcome] = []
        for draft in self._drafts:
            try:
                found.append(self._appended(draft))
            except Rejected as rejected:
                found.append(rejected)
        self._write()
        moved = [
            {"room_key": one.key, "new_last": one.last, "new_used": one.used}
            for one in self._rooms.values()
            if one.used is not None
        ]
        if moved:
            self._connection.execute(_rooms_moved, moved)
        return found

    # What is known before.

    def _locked_rooms(self) -> dict[str, _Room]:
        ids = {storable(draft.room) for draft in self._drafts}
        rows = self._connection.execute(_rooms, {"ids": list(ids)})
        return {row.id: _Room(row.key, row.id, row.kind, row.last) for row in rows}

    def _known_messages(self) -> dict[tuple[int, str], Event]:
        cids = {one.cid for one in self._drafts if isinstance(one, NewMessage)}
        if not cids:
            return {}
        rows = self._connection.execute(_known, {"cids": [storable(cid) for cid in cids]}).all()
        events = events_of(self._connection, rows)
        return {(row.author, row.cid): one for row, one in zip(rows, events, strict=True)}

    def _answered_messages(self) -> set[tuple[int, int]]:
        places = [
            (self._rooms[one.room].key, one.reply)
            for one in self._drafts
            if isinstance(one, NewMessage) and one.reply is not None and one.room in self._rooms
        ]
        rows = self._connection.execute(_messages, {"places": places}) if places else ()
        return {(row.room, row.seq) for row in rows}

    def _named_people(self) -> tuple[dict[str, list[tuple[int, str]]], set[tuple[int, int]]]:
        names = {
            storable(name)
            for one in self._drafts
            if isinstance(one, NewMessage | NewEdit)
            for name in one.names
        }
        if not names:
            return {}, set()
        named: dict[str, list[tuple[int, str]]] = {}
        keys = []
        for row in self._connection.execute(_named, {"names": list(names)}):
            named.setdefault(row.lower, []).append((row.key, row.id))
            keys.append(row.key)
        closed = [one.key for one in self._rooms.values() if one.kind != "public"]
        if not closed or not keys:
            return named, set()
        rows = self._connection.execute(_members, {"rooms": closed, "people": keys})
        return named, {(row.room, row.person) for row in rows}

    # One draft.

    def _appended(self, draft: Draft) -> Appended:
        if isinstance(draft, NewMessage):
            if not is_storable(draft.cid) or not is_storable(draft.text):
                raise Rejected("bad", "the text holds what can't be stored")
            known = self._known.get((draft.author.key, draft.cid))
            if known is not None:
                return Appended(known, new=False)
        found = self._rooms.get(draft.room)
        if found is None:
            raise no_room()
        if isinstance(draft, NewMessage):
            made: Event = self._message(found, draft)
            self._known[draft.author.key, draft.cid] = made
        elif isinstance(draft, NewEdit):
            made = self._edit(found, draft)
        elif isinstance(draft, NewDeletion):
            made = self._deletion(found, draft)
        else:
            made = self._moderation(found, draft)
        return Appended(made)

    def _message(self, found: _Room, draft: NewMessage) -> Message:
        if draft.reply is not None and (found.key, draft.reply) not in self._answered:
            raise Rejected("bad", "there is no such message to reply to")
        values = {"text": draft.text, "cid": draft.cid, "ref": draft.reply}
        key, seq = self._add(found, draft, "msg", values)
        self._texts.append((key, draft.text))
        self._answered.add((found.key, seq))
        return Message(
            **_shared(draft, seq),
            text=draft.text,
            mentions=self._mention(found, draft, key, seq),
            reply=draft.reply,
        )

    def _edit(self, found: _Room, draft: NewEdit) -> Edited:
        if not is_storable(draft.text):
            raise Rejected("bad", "the text holds what can't be stored")
        row = self._own(found, draft)
        self._forget(row)
        self._connection.execute(
            _changed.values(text=draft.text, edited=draft.ts), {"event_key": row.key}
        )
        self._words.add(self._connection, [(row.key, draft.text)])
        mentions = self._mention(found, draft, row.key, draft.ref)
        _, seq = self._add(found, draft, "edit", {"ref": draft.ref})
        return Edited(**_shared(draft, seq), ref=draft.ref, text=draft.text, mentions=mentions)

    def _deletion(self, found: _Room, draft: NewDeletion) -> Deleted:
        row = self._own(found, draft)
        self._forget(row)
        self._connection.execute(_changed.values(text="", deleted=True), {"event_key": row.key})
        reason = None if draft.reason is None else storable(draft.reason)
        _, seq = self._add(found, draft, "del", {"ref": draft.ref, "reason": reason})
        return Deleted(**_shared(draft, seq), ref=draft.ref, reason=reason)

    def _moderation(self, found: _Room, draft: NewModeration) -> Moderated:
        told: dict[str, Any] = {
            "until": draft.until,
            "seconds": draft.seconds,
            "reason": None if draft.reason is None else storable(draft.reason),
        }
        target = draft.target
        values = {**told, "act": draft.act, "target": target.key if target else None}
        _, seq = self._add(found, draft, "mod", values)
        return Moderated(
            room=draft.room,
            seq=seq,
            ts=draft.ts,
            act=draft.act,
            by=draft.author.id,
            by_name=draft.author.name,
            user=target.id if target else None,
            name=target.name if target else None,
            **told,
        )

    # What a draft needs.

    def _original(self, found: _Room, seq: int) -> Any | None:
        """The message with a number, if there is one; also of this transaction."""
        self._write()
        return self._connection.execute(_message, {"room": found.key, "seq": seq}).one_or_none()

    def _own(self, found: _Room, draft: NewEdit | NewDeletion) -> Any:
        row = self._original(found, draft.ref)
        if row is None or row.deleted:
            raise Rejected("bad", "there is no such message")
        if isinstance(draft, NewDeletion) and draft.moderator:
            return row
        if row.author != draft.author.key:
            raise Rejected("perm", "that message is not yours")
        if row.ts < draft.since:
            raise Rejected("perm", "that message is too old to be changed")
        return row

    def _forget(self, row: Any) -> None:
        self._words.remove(self._connection, [(row.key, row.text)])
        self._connection.execute(_mentions_gone, {"event_key": row.key})

    def _add(
        self, found: _Room, draft: Draft, kind: str, values: dict[str, Any]
    ) -> tuple[int, int]:
        key = next(self._keys)
        found.last += 1
        found.used = draft.ts
        by = None if isinstance(draft, NewModeration) else draft.impersonated_by
        self._rows.append(
            {
                **_EMPTY,
                "key": key,
                "room": found.key,
                "seq": found.last,
                "kind": kind,
                "ts": draft.ts,
                "author": draft.author.key,
                "impersonated": by is not None,
                **values,
            }
        )
        if by is not None:
            self._audit.append(_impersonation(draft, found.last, by))
        return key, found.last

    def _mention(
        self, found: _Room, draft: NewMessage | NewEdit, key: int, seq: int
    ) -> tuple[str, ...]:
        people = {
            one: id
            for name in draft.names
            for one, id in self._named.get(name, ())
            if found.kind == "public" or (found.key, one) in self._is_member
        }
        some: list[tuple[int, str | None]] = [*sorted(people.items())]
        if draft.everybody:
            some.append((EVERYBODY, None))
        place = {"event": key, "room": found.key, "seq": seq, "author": draft.author.key}
        self._mentions += [{**place, "person": one} for one, _ in some]
        return mentioned_ids(some)

    def _write(self) -> None:
        _insert(self._connection, event, self._rows)
        self._words.add(self._connection, self._texts)
        _insert(self._connection, mention, self._mentions)
        _insert(self._connection, audit, self._audit)
        self._rows, self._texts, self._mentions, self._audit = [], [], [], []


def _insert(connection: Connection, table: Any, rows: Sequence[Any]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _shared(draft: NewMessage | NewEdit | NewDeletion, seq: int) -> dict[str, Any]:
    return {
        "room": draft.room,
        "seq": seq,
        "ts": draft.ts,
        "user": draft.author.id,
        "name": draft.author.name,
        "impersonated": draft.impersonated_by is not None,
    }


def _impersonation(draft: Draft, seq: int, by: str) -> dict[str, Any]:
    return {
        "ts": draft.ts,
        "action": "impersonation",
        "by": storable(by),
        "room": draft.room,
        "target": storable(draft.author.name),
        "detail": f'{{"seq": {seq}}}',
    }
