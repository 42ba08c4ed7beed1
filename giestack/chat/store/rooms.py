"""Rooms: made, found, joined, left, read, changed."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, case, delete, insert, select, update

from giestack.chat.storage import Person, Rejected, RoomRecord
from giestack.chat.store.people import person_of
from giestack.chat.store.reading import key_of_room, no_room
from giestack.chat.store.tables import is_public, member, person
from giestack.chat.store.tables import room as table
from giestack.chat.store.words import folded, storable
from giestack.chat.wire import Kind, User

_owner = person.alias("owner")
_by_id = select(table).where(table.c.id == bindparam("room_id"))
_is_membership = (
    member.c.room == bindparam("room_key"),
    member.c.person == bindparam("person_key"),
)
_read = select(member.c.read).where(*_is_membership)
# Never back, also where another node has marked more in this moment.
_forward = (
    update(member)
    .where(*_is_membership)
    .values(
        read=case(
            (member.c.read < bindparam("up_to"), bindparam("up_to", type_=BigInteger)),
            else_=member.c.read,
        )
    )
)


def persist(connection: Connection, names: Sequence[str]) -> None:
    """See `giestack.chat.storage.Store.persist`."""
    wanted: dict[str, str] = {}
    for name in names:
        wanted.setdefault(folded(name), storable(name))
    stays = table.c.folded.not_in(list(wanted)) & table.c.position.is_not(None)
    connection.execute(update(table).where(stays).values(position=None))
    for position, (key, name) in enumerate(wanted.items()):
        values = {"name": name, "position": position}
        same = update(table).where(is_public, table.c.folded == key).values(values)
        if not connection.execute(same).rowcount:
            _make(connection, kind="public", **values)


def _make(connection: Connection, **values: Any) -> int:
    made = {
        "id": secrets.token_urlsafe(12),
        "name": "",
        "locked": False,
        "slow": 0,
        "last": 0,
        "used": 0,
        **values,
    }
    made["folded"] = folded(made["name"])
    key = connection.execute(insert(table).values(made)).inserted_primary_key
    assert key is not None
    return int(key[0])


def record(connection: Connection, id: str) -> RoomRecord | None:
    """See `giestack.chat.storage.Store.room`."""
    return _record(connection, table.c.id == storable(id))


def _record(connection: Connection, condition: Any) -> RoomRecord | None:
    query = select(table, _owner.c.id.label("owner_id"), _owner.c.name.label("owner_name"))
    query = query.outerjoin_from(table, _owner, _owner.c.key == table.c.owner)
    row = connection.execute(query.where(condition)).one_or_none()
    if row is None:
        return None
    pair = [key for key in (row.first, row.second) if key is not None]
    people = select(person).where(person.c.key.in_(pair)).order_by(person.c.key)
    return RoomRecord(
        key=row.key,
        id=row.id,
        name=row.name,
        kind=row.kind,
        persistent=row.position is not None,
        locked=row.locked,
        slow=row.slow,
        owner=None if row.owner is None else User(id=row.owner_id, name=row.owner_name),
        last=row.last,
        members=tuple(person_of(one) for one in connection.execute(people)) if pair else (),
    )


def create(connection: Connection, one: Person, kind: Kind, name: str, ts: int) -> RoomRecord:
    """See `giestack.chat.storage.Store.create`."""
    if kind == "dm":
        raise Rejected("bad", "a room of two is made for two")
    same = select(table.c.key).where(is_public, table.c.folded == folded(name))
    if kind == "public" and connection.scalar(same) is not None:
        raise Rejected("bad", "there is a room with that name")
    key = _make(connection, kind=kind, name=storable(name), owner=one.key, used=ts)
    _join(connection, key, one, 0, ts)
    return _made(connection, key)


def direct(connection: Connection, one: Person, other: Person, ts: int) -> RoomRecord:
    """See `giestack.chat.storage.Store.direct`."""
    if one.key == other.key:
        raise Rejected("bad", "a room of two is for two")
    first, second = sorted((one.key, other.key))
    same = select(table.c.key, table.c.last)
    found = connection.execute(
        same.where(table.c.first == first, table.c.second == second)
    ).one_or_none()
    last = found.last if found else 0
    key = found.key if found else None
    if key is None:
        pair = {"first": first, "second": second}
        key = _make(connection, kind="dm", owner=one.key, used=ts, **pair)
    for each in (one, other):
        _join(connection, key, each, last, ts)
    return _made(connection, key)


def _made(connection: Connection, key: int) -> RoomRecord:
    made = _record(connection, table.c.key == key)
    assert made is not None
    return made


def join(connection: Connection, one: Person, id: str, ts: int) -> None:
    """See `giestack.chat.storage.Store.join`."""
    row = connection.execute(_by_id, {"room_id": storable(id)}).one_or_none()
    if row is None or (row.kind == "dm" and one.key not in (row.first, row.second)):
        raise no_room()
    _join(connection, row.key, one, row.last, ts)


def _join(connection: Connection, key: int, one: Person, read: int, ts: int) -> None:
    if connection.scalar(_read, {"room_key": key, "person_key": one.key}) is None:
        values = {"room": key, "person": one.key, "read": read, "joined": ts}
        connection.execute(insert(member), values)


def leave(connection: Connection, one: Person, id: str) -> None:
    """See `giestack.chat.storage.Store.leave`."""
    its_row = (member.c.room == key_of_room(connection, id), member.c.person == one.key)
    connection.execute(delete(member).where(*its_row))


def joined(connection: Connection, one: Person) -> frozenset[str]:
    """See `giestack.chat.storage.Store.joined`."""
    query = select(table.c.id).join_from(table, member, member.c.room == table.c.key)
    return frozenset(connection.scalars(query.where(member.c.person == one.key)))


def mark(connection: Connection, one: Person, id: str, seq: int) -> None:
    """See `giestack.chat.storage.Store.mark`; the state is read afterwards."""
    row = connection.execute(_by_id, {"room_id": storable(id)}).one_or_none()
    if row is None:
        raise no_room()
    its_row = {"room_key": row.key, "person_key": one.key}
    if not connection.execute(_forward, {**its_row, "up_to": min(seq, row.last)}).rowcount:
        raise Rejected("perm", "join the room first")


def change(connection: Connection, id: str, values: Mapping[str, Any]) -> None:
    """See `giestack.chat.storage.Store.set_room`."""
    key = key_of_room(connection, id)
    if values:
        connection.execute(update(table).where(table.c.key == key).values(dict(values)))
