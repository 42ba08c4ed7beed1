"""People: found by their host's number, by id, by the beginning of their name."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from giestack.chat.storage import Person, Who
from giestack.chat.store.reading import key_of_room
from giestack.chat.store.tables import member
from giestack.chat.store.tables import person as table
from giestack.chat.store.words import lowered, storable
from giestack.chat.wire import User

_BEYOND = "\U0010ffff"
_who = select(table).where(
    table.c.host == bindparam("their_host"), table.c.user_id == bindparam("their_user_id")
)


def person_of(row: Any) -> Person:
    """Return the person in a row of their table."""
    return Person(
        key=row.key,
        id=row.id,
        name=row.name,
        opt_in=row.opt_in,
        do_not_disturb=row.do_not_disturb,
        online=row.online,
    )


def known(connection: Connection, who: Who) -> Person | None:
    """Return somebody who is stored just as they are now."""
    row = connection.execute(_who, _host(who)).one_or_none()
    if row is None or (row.id, row.name) != (storable(who.id), storable(who.name)):
        return None
    return person_of(row)


def keep(connection: Connection, who: Who) -> Person:
    """See `giestack.chat.storage.Store.person`."""
    values = {"id": storable(who.id), "name": storable(who.name), "lower": lowered(who.name)}
    is_them = (table.c.host == who.host, table.c.user_id == who.user_id)
    if not connection.execute(update(table).where(*is_them).values(values)).rowcount:
        choices = {"opt_in": None, "do_not_disturb": False, "online": False}
        host = {"host": who.host, "user_id": who.user_id}
        connection.execute(insert(table).values({**host, **values, **choices}))
    return person_of(connection.execute(_who, _host(who)).one())


def _host(who: Who) -> dict[str, Any]:
    return {"their_host": who.host, "their_user_id": who.user_id}


def people(connection: Connection, ids: Sequence[str]) -> Mapping[str, Person]:
    """See `giestack.chat.storage.Store.people`; of two with the same id it is the newer one."""
    wanted = select(table).where(table.c.id.in_([storable(id) for id in ids]))
    return {row.id: person_of(row) for row in connection.execute(wanted.order_by(table.c.key))}


def named(connection: Connection, prefix: str, room: str | None, limit: int) -> Sequence[User]:
    """See `giestack.chat.storage.Store.named`."""
    first = lowered(prefix)
    query = select(table).where(table.c.lower >= first, table.c.lower < first + _BEYOND)
    if room is not None:
        query = query.join(member, member.c.person == table.c.key)
        query = query.where(member.c.room == key_of_room(connection, room))
    query = query.order_by(table.c.lower, table.c.key).limit(limit)
    return [User(id=row.id, name=row.name) for row in connection.execute(query)]


def choose(connection: Connection, person: Person, chosen: Mapping[str, bool]) -> Person:
    """See `giestack.chat.storage.Store.choose`."""
    is_them = table.c.key == person.key
    if chosen:
        connection.execute(update(table).where(is_them).values(dict(chosen)))
    return person_of(connection.execute(select(table).where(is_them)).one())
