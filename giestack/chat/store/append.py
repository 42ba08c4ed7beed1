"""Events are added: those that wait, all in one transaction.

Whoever adds to a room has its row locked until the transaction ends, so that numbers have no gap
and are in the order in which others get to see them. Rooms are locked in the order of their keys:
two nodes never wait for each other.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from giestack.chat.storage import (
    Appended,
    Draft,
    NewDeletion,
    NewEdit,
    NewMessage,
    NewModeration,
    Rejected,
)
from giestack.chat.store.event_rows import mentioned_ids
from giestack.chat.store.lookups import (
    LockedRoom,
    answered_messages,
    locked_rooms,
    named_people,
    stored_messages,
)
from giestack.chat.store.reading import no_room
from giestack.chat.store.tables import (
    EVERYBODY,
    audit,
    event,
    is_message,
    mention,
    room,
)
from giestack.chat.store.words import is_storable, storable
from giestack.chat.store.words_index import WordsIndex
from giestack.chat.wire import Deleted, Edited, Event, Message, Moderated

Outcome = Appended | Rejected

_rooms_moved = (
    update(room)
    .where(room.c.key == bindparam("room_key"))
    .values(last=bindparam("new_last"), used=bindparam("new_used"))
)
_message = select(event.c.key, event.c.ts, event.c.author, event.c.text, event.c.deleted).where(
    event.c.room == bindparam("room"), event.c.seq == bindparam("seq"), is_message
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


class _Appending:
    """One transaction. Rows are collected and written together, before anything looks for them."""

    def __init__(self, connection: Connection, words: WordsIndex, drafts: Sequence[Draft]) -> None:
        self._connection = connection
        self._words = words
        self._drafts = drafts
        self._keys = iter(words.next_keys(connection, len(drafts)))
        self._rooms = locked_rooms(connection, drafts)
        self._known = stored_messages(connection, drafts)
        self._answered = answered_messages(connection, self._rooms, drafts)
        self._named = named_people(connection, self._rooms, drafts)
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

    def _message(self, found: LockedRoom, draft: NewMessage) -> Message:
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

    def _edit(self, found: LockedRoom, draft: NewEdit) -> Edited:
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

    def _deletion(self, found: LockedRoom, draft: NewDeletion) -> Deleted:
        row = self._own(found, draft)
        self._forget(row)
        self._connection.execute(_changed.values(text="", deleted=True), {"event_key": row.key})
        reason = None if draft.reason is None else storable(draft.reason)
        _, seq = self._add(found, draft, "del", {"ref": draft.ref, "reason": reason})
        return Deleted(**_shared(draft, seq), ref=draft.ref, reason=reason)

    def _moderation(self, found: LockedRoom, draft: NewModeration) -> Moderated:
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

    def _original(self, found: LockedRoom, seq: int) -> Any | None:
        """The message with a number, if there is one; also of this transaction."""
        self._write()
        return self._connection.execute(_message, {"room": found.key, "seq": seq}).one_or_none()

    def _own(self, found: LockedRoom, draft: NewEdit | NewDeletion) -> Any:
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
        self, found: LockedRoom, draft: Draft, kind: str, values: dict[str, Any]
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
        self, found: LockedRoom, draft: NewMessage | NewEdit, key: int, seq: int
    ) -> tuple[str, ...]:
        some: list[tuple[int, str | None]] = [*self._named.who_are(draft.names, found)]
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
