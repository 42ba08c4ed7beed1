"""What a transaction that adds events has to know before: one question for all of its drafts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, tuple_

from giestack.chat.storage import Draft, NewEdit, NewMessage
from giestack.chat.store.event_rows import EVENTS, events_of
from giestack.chat.store.tables import event, is_message, member, person, room
from giestack.chat.store.words import storable
from giestack.chat.wire import Event

_rooms = (
    select(room.c.key, room.c.id, room.c.kind, room.c.last)
    .where(room.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(room.c.key)
    .with_for_update(key_share=True)
)
_stored = EVENTS.where(event.c.cid.in_(bindparam("cids", expanding=True)), is_message)
_stored = _stored.add_columns(event.c.author)
_named = select(person.c.key, person.c.id, person.c.lower).where(
    person.c.lower.in_(bindparam("names", expanding=True))
)
_members = select(member.c.room, member.c.person).where(
    member.c.room.in_(bindparam("rooms", expanding=True)),
    member.c.person.in_(bindparam("people", expanding=True)),
)
_answered = select(event.c.room, event.c.seq).where(
    tuple_(event.c.room, event.c.seq).in_(bindparam("places", expanding=True)), is_message
)


@dataclass(slots=True)
class LockedRoom:
    """A room that nobody else adds to; ``used``: when this transaction has, if it has."""

    key: int
    id: str
    kind: str
    last: int
    used: int | None = None


def locked_rooms(connection: Connection, drafts: Sequence[Draft]) -> dict[str, LockedRoom]:
    """Lock the rooms of drafts, in the order of their keys, and return those there are."""
    ids = {storable(draft.room) for draft in drafts}
    rows = connection.execute(_rooms, {"ids": list(ids)})
    return {row.id: LockedRoom(row.key, row.id, row.kind, row.last) for row in rows}


def stored_messages(
    connection: Connection, drafts: Sequence[Draft]
) -> dict[tuple[int, str], Event]:
    """Return messages that were stored before, by the author's key and `cid`."""
    cids = {storable(one.cid) for one in drafts if isinstance(one, NewMessage)}
    if not cids:
        return {}
    rows = connection.execute(_stored, {"cids": list(cids)}).all()
    events = events_of(connection, rows)
    return {(row.author, row.cid): one for row, one in zip(rows, events, strict=True)}


def answered_messages(
    connection: Connection, rooms: Mapping[str, LockedRoom], drafts: Sequence[Draft]
) -> set[tuple[int, int]]:
    """Return those that are answered and are there, as keys of rooms with numbers."""
    places = [
        (rooms[one.room].key, one.reply)
        for one in drafts
        if isinstance(one, NewMessage) and one.reply is not None and one.room in rooms
    ]
    rows = connection.execute(_answered, {"places": places}) if places else ()
    return {(row.room, row.seq) for row in rows}


@dataclass(frozen=True, slots=True)
class Named:
    """People by the names that drafts mention, and which of them are in the closed rooms."""

    by_name: Mapping[str, Sequence[tuple[int, str]]]
    members: frozenset[tuple[int, int]]

    def who_are(self, names: Iterable[str], where: LockedRoom) -> list[tuple[int, str]]:
        """Return keys and ids of those in a room who are called so; all are in a public one."""
        found = {
            key: id
            for name in names
            for key, id in self.by_name.get(name, ())
            if where.kind == "public" or (where.key, key) in self.members
        }
        return sorted(found.items())


def named_people(
    connection: Connection, rooms: Mapping[str, LockedRoom], drafts: Sequence[Draft]
) -> Named:
    """Return whom drafts mention."""
    names = {
        storable(name)
        for one in drafts
        if isinstance(one, NewMessage | NewEdit)
        for name in one.names
    }
    by_name: dict[str, list[tuple[int, str]]] = {}
    keys = []
    for row in connection.execute(_named, {"names": list(names)}) if names else ():
        by_name.setdefault(row.lower, []).append((row.key, row.id))
        keys.append(row.key)
    closed = [one.key for one in rooms.values() if one.kind != "public"]
    some = {"rooms": closed, "people": keys}
    rows = connection.execute(_members, some) if closed and keys else ()
    return Named(by_name, frozenset((row.room, row.person) for row in rows))
