"""Events are read: a room's in order, those with some words, one's own."""

from sqlalchemy import Connection, bindparam, or_, select

from giestack.chat.storage import Page, Person, Rejected
from giestack.chat.store.event_rows import EVENTS, events_of
from giestack.chat.store.tables import AnySelect, event, is_shown, member, room
from giestack.chat.store.words import storable
from giestack.chat.store.words_index import WordsIndex

_NEVER = 2**62
_key = select(room.c.key).where(room.c.id == bindparam("id"))
_between = EVENTS.where(
    event.c.room == bindparam("room_key"),
    event.c.seq > bindparam("after"),
    event.c.seq < bindparam("before"),
).limit(bindparam("most"))
_oldest = _between.order_by(event.c.seq)
_newest = _between.order_by(event.c.seq.desc())


def no_room() -> Rejected:
    """Return what is said of a room that there is not, or that nobody is to know of."""
    return Rejected("noroom", "no such room")


def key_of_room(connection: Connection, id: str) -> int:
    """Return a room's key; `Rejected` ``noroom``."""
    key = connection.scalar(_key, {"id": storable(id)})
    if key is None:
        raise no_room()
    return int(key)


def events(
    connection: Connection, id: str, after: int | None, before: int | None, limit: int
) -> Page:
    """See `giestack.chat.storage.Store.events`."""
    place = {
        "room_key": key_of_room(connection, id),
        "after": after or 0,
        "before": _NEVER if before is None else before,
        "most": limit + 1,
    }
    rows = connection.execute(_newest if after is None else _oldest, place).all()
    some = rows[:limit] if after is not None else rows[:limit][::-1]
    return Page(events_of(connection, some), more=len(rows) > limit)


def search(
    connection: Connection,
    words: WordsIndex,
    person: Person,
    text: str,
    id: str | None,
    before: int | None,
    limit: int,
) -> Page:
    """See `giestack.chat.storage.Store.search`."""
    may = select(member.c.room).where(member.c.person == person.key)
    readable = or_(room.c.kind == "public", room.c.key.in_(may))
    query = EVENTS.where(is_shown, readable).order_by(event.c.key.desc())
    if id is not None:
        found = select(room.c.key).where(room.c.id == storable(id), readable)
        key = connection.scalar(found)
        if key is None:
            raise no_room()
        query = query.where(event.c.room == key)
    matches = words.matches(text)
    if matches is None:
        return Page(())
    query = query.where(matches)
    if before is not None:
        query = query.where(event.c.key < before)
    return _page(connection, query, limit)


def export(
    connection: Connection, person: Person, id: str | None, after: int | None, limit: int
) -> Page:
    """See `giestack.chat.storage.Store.export`."""
    query = EVENTS.where(is_shown, event.c.author == person.key, event.c.key > (after or 0))
    if id is not None:
        query = query.where(event.c.room == key_of_room(connection, id))
    return _page(connection, query.order_by(event.c.key), limit, cids=True)


def _page(connection: Connection, query: AnySelect, limit: int, cids: bool = False) -> Page:
    rows = connection.execute(query.limit(limit + 1)).all()
    some, more = rows[:limit], len(rows) > limit
    return Page(
        events_of(connection, some, cids=cids), next=some[-1].key if more else None, more=more
    )
