"""Rooms as one person sees them: what is unread, who the other one is, who is muted."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    distinct,
    func,
    literal_column,
    select,
    union,
)

from giestack.chat.storage import Person
from giestack.chat.store.reading import no_room
from giestack.chat.store.tables import (
    EVERYBODY,
    AnySelect,
    event,
    is_public,
    is_shown,
    member,
    mention,
    person,
    room,
    sanction,
)
from giestack.chat.store.words import folded, storable
from giestack.chat.wire import RoomState, User

MOST_UNREAD = 1000
"""No more messages are counted."""

NOBODY = -1
"""The key of whoever has joined nothing."""

_owner = person.alias("owner")
_peer = person.alias("peer")


def states(connection: Connection, key: int, now: int, query: AnySelect) -> Sequence[RoomState]:
    """Return the rooms of a query that `seen_by` began, as person ``key`` sees them."""
    rows = connection.execute(query).all()
    muted = _muted(connection, key, now) if rows and key != NOBODY else {}
    return [_state(row, max(muted.get(row.id, 0), muted.get("", 0))) for row in rows]


def state(connection: Connection, key: int, now: int, id: str) -> RoomState:
    """Return one room as person ``key`` sees it; `Rejected` ``noroom``."""
    found = states(connection, key, now, seen_by(key).where(room.c.id == storable(id)))
    if not found:
        raise no_room()
    return found[0]


def rooms_of(connection: Connection, one: Person, now: int) -> Sequence[RoomState]:
    """See `giestack.chat.storage.Store.rooms_of`."""
    # With OR instead, all rooms of the house would be read.
    some = union(
        select(room.c.key).where(room.c.position.is_not(None)),
        select(member.c.room).where(member.c.person == one.key),
    )
    query = seen_by(one.key).where(room.c.key.in_(some))
    # Not every database has numbers before no number.
    place = func.coalesce(room.c.position, literal_column("2000000000"))
    return states(
        connection, one.key, now, query.order_by(place, room.c.used.desc(), room.c.key.desc())
    )


def public_rooms(connection: Connection, text: str, limit: int) -> Sequence[RoomState]:
    """See `giestack.chat.storage.Store.public_rooms`."""
    query = seen_by(NOBODY).where(is_public, room.c.folded.contains(folded(text), autoescape=True))
    query = query.order_by(room.c.used.desc(), room.c.key.desc()).limit(limit)
    return states(connection, NOBODY, 0, query)


def seen_by(key: int) -> AnySelect:
    """Return a query of rooms as `states` needs it, to be narrowed down and put in order."""
    other = case((room.c.first == key, room.c.second), else_=room.c.first)
    joined = and_(member.c.room == room.c.key, member.c.person == key)
    return (
        select(
            room.c.id,
            room.c.name,
            room.c.kind,
            room.c.last,
            room.c.position,
            room.c.locked,
            room.c.slow,
            _owner.c.id.label("owner"),
            _peer.c.id.label("peer"),
            _peer.c.name.label("peer_name"),
            member.c.read,
            _unread(key).label("unread"),
            _mentions(key).label("mentions"),
        )
        .outerjoin_from(room, member, joined)
        .outerjoin(_owner, _owner.c.key == room.c.owner)
        .outerjoin(_peer, _peer.c.key == other)
    )


def _unread(key: int) -> ColumnElement[int]:
    some = (
        select(literal_column("1"))
        .where(
            event.c.room == member.c.room,
            event.c.seq > member.c.read,
            event.c.author != key,
            is_shown,
        )
        .limit(MOST_UNREAD)
        .correlate(member)
        .subquery()
    )
    return select(func.count()).select_from(some).scalar_subquery()


def _mentions(key: int) -> ColumnElement[int]:
    return (
        select(func.count(distinct(mention.c.seq)))
        .where(
            mention.c.person.in_((EVERYBODY, key)),
            mention.c.room == member.c.room,
            mention.c.seq > member.c.read,
            mention.c.author != key,
        )
        .correlate(member)
        .scalar_subquery()
    )


def _muted(connection: Connection, key: int, now: int) -> dict[str, int]:
    """Until when somebody is muted, by id of the room; "" is everywhere."""
    found = select(sanction.c.room, sanction.c.until).where(
        sanction.c.act == "mute", sanction.c.person == key, sanction.c.until > now
    )
    return {row.room: row.until for row in connection.execute(found)}


def _state(row: Any, muted_until: int) -> RoomState:
    is_dm = row.kind == "dm" and row.peer is not None
    return RoomState(
        id=row.id,
        name=row.peer_name if is_dm else row.name,
        kind=row.kind,
        last=row.last,
        read=row.read or 0,
        unread=row.unread,
        mentions=min(row.mentions, MOST_UNREAD),
        joined=row.read is not None,
        persistent=row.position is not None,
        locked=row.locked,
        slow=row.slow,
        owner=row.owner,
        peer=User(id=row.peer, name=row.peer_name) if is_dm else None,
        muted_until=muted_until,
    )
