"""Rooms as one person sees them: what is unread, who the other one is, who is muted."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    and_,
    bindparam,
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

# Statements are made once: making one costs more than asking it.
_me = bindparam("me", type_=BigInteger)

_unread = (
    select(func.count())
    .select_from(
        select(literal_column("1"))
        .where(
            event.c.room == member.c.room,
            event.c.seq > member.c.read,
            event.c.author != _me,
            is_shown,
        )
        .limit(MOST_UNREAD)
        .correlate(member)
        .subquery()
    )
    .scalar_subquery()
)
_mentions = (
    select(func.count(distinct(mention.c.seq)))
    .where(
        mention.c.person.in_([literal_column(str(EVERYBODY)), _me]),
        mention.c.room == member.c.room,
        mention.c.seq > member.c.read,
        mention.c.author != _me,
    )
    .correlate(member)
    .scalar_subquery()
)
_seen = (
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
        _unread.label("unread"),
        _mentions.label("mentions"),
    )
    .outerjoin_from(room, member, and_(member.c.room == room.c.key, member.c.person == _me))
    .outerjoin(_owner, _owner.c.key == room.c.owner)
    .outerjoin(_peer, _peer.c.key == case((room.c.first == _me, room.c.second), else_=room.c.first))
)
_one = _seen.where(room.c.id == bindparam("id"))
_own = _seen.where(
    # With OR instead, all rooms of the house would be read.
    room.c.key.in_(
        union(
            select(room.c.key).where(room.c.position.is_not(None)),
            select(member.c.room).where(member.c.person == _me),
        )
    )
).order_by(
    # Not every database has numbers before no number.
    func.coalesce(room.c.position, literal_column("2000000000")),
    room.c.used.desc(),
    room.c.key.desc(),
)
_mutes = select(sanction.c.room, sanction.c.until).where(
    sanction.c.act == "mute", sanction.c.person == _me, sanction.c.until > bindparam("now")
)


def state(connection: Connection, key: int, now: int, id: str) -> RoomState:
    """Return one room as person ``key`` sees it; `Rejected` ``noroom``."""
    found = _states(connection, key, now, _one, id=storable(id))
    if not found:
        raise no_room()
    return found[0]


def rooms_of(connection: Connection, one: Person, now: int) -> Sequence[RoomState]:
    """See `giestack.chat.storage.Store.rooms_of`."""
    return _states(connection, one.key, now, _own)


def public_rooms(connection: Connection, text: str, limit: int) -> Sequence[RoomState]:
    """See `giestack.chat.storage.Store.public_rooms`."""
    query = _seen.where(is_public, room.c.folded.contains(folded(text), autoescape=True))
    query = query.order_by(room.c.used.desc(), room.c.key.desc()).limit(limit)
    return _states(connection, NOBODY, 0, query)


def _states(
    connection: Connection, key: int, now: int, query: AnySelect, **more: object
) -> Sequence[RoomState]:
    """Return the rooms of a query that `_seen` began, as person ``key`` sees them."""
    rows = connection.execute(query, {"me": key, **more}).all()
    muted = _muted(connection, key, now) if rows and key != NOBODY else {}
    return [_state(row, max(muted.get(row.id, 0), muted.get("", 0))) for row in rows]


def _muted(connection: Connection, key: int, now: int) -> dict[str, int]:
    """Until when somebody is muted, by id of the room; "" is everywhere."""
    found = connection.execute(_mutes, {"me": key, "now": now})
    return {row.room: row.until for row in found}


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
