"""Sanctions, reports and the audit."""

import json
from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from giestack.chat.storage import AuditRow, Person, Rejected, ReportRow, Sanction
from giestack.chat.store.people import person_of
from giestack.chat.store.reading import key_of_room
from giestack.chat.store.tables import audit as audit_table
from giestack.chat.store.tables import event, is_message, person, room
from giestack.chat.store.tables import report as report_table
from giestack.chat.store.tables import sanction as sanction_table
from giestack.chat.store.words import storable
from giestack.chat.wire import User

_by = person.alias("by")
_author = person.alias("author")


def sanctions(connection: Connection, now: int) -> Sequence[Sanction]:
    """See `giestack.chat.storage.Store.sanctions`."""
    table = sanction_table
    query = select(person, table).join_from(table, person, table.c.person == person.c.key)
    query = query.where(table.c.until > now).order_by(person.c.key, table.c.act, table.c.room)
    return [
        Sanction(
            person=person_of(row),
            act=row.act,
            until=row.until,
            room=row.room or None,
            by=row.by,
            reason=row.reason,
        )
        for row in connection.execute(query)
    ]


def sanction(connection: Connection, one: Sanction) -> None:
    """See `giestack.chat.storage.Store.sanction`."""
    if one.room is not None:
        key_of_room(connection, one.room)
    lift(connection, one.act, one.person, one.room)
    values = {"until": one.until, "by": storable(one.by), "reason": storable(one.reason)}
    its_key = {"act": one.act, "person": one.person.key, "room": one.room or ""}
    connection.execute(insert(sanction_table).values({**its_key, **values}))


def lift(
    connection: Connection, act: Literal["mute", "ban"], one: Person, room_id: str | None
) -> None:
    """See `giestack.chat.storage.Store.lift`."""
    table = sanction_table
    its_row = (
        table.c.act == act,
        table.c.person == one.key,
        table.c.room == storable(room_id or ""),
    )
    connection.execute(delete(table).where(*its_row))


def report(
    connection: Connection, one: Person, room_id: str, ref: int, reason: str, ts: int
) -> None:
    """See `giestack.chat.storage.Store.report`."""
    room_key = key_of_room(connection, room_id)
    its_message = (event.c.room == room_key, event.c.seq == ref, is_message)
    key = connection.scalar(select(event.c.key).where(*its_message))
    if key is None:
        raise Rejected("bad", "there is no such message")
    table = report_table
    values = {"ts": ts, "reason": storable(reason), "closed_by": None}
    again = update(table).where(table.c.event == key, table.c.by == one.key).values(values)
    if not connection.execute(again).rowcount:
        connection.execute(insert(table).values({"event": key, "by": one.key, **values}))


def reports(connection: Connection, limit: int) -> Sequence[ReportRow]:
    """See `giestack.chat.storage.Store.reports`."""
    table = report_table
    query = (
        select(
            table,
            room.c.id.label("room"),
            event.c.seq,
            event.c.text,
            _by.c.id.label("by_id"),
            _by.c.name.label("by_name"),
            _author.c.id.label("author_id"),
            _author.c.name.label("author_name"),
        )
        .join_from(table, event, table.c.event == event.c.key)
        .join(room, event.c.room == room.c.key)
        .join(_by, table.c.by == _by.c.key)
        .join(_author, event.c.author == _author.c.key)
        .where(table.c.closed_by.is_(None))
        .order_by(table.c.ts.desc(), table.c.number.desc())
    )
    return [
        ReportRow(
            number=row.number,
            ts=row.ts,
            room=row.room,
            ref=row.seq,
            by=User(id=row.by_id, name=row.by_name),
            author=User(id=row.author_id, name=row.author_name),
            text=row.text,
            reason=row.reason,
        )
        for row in connection.execute(query.limit(limit))
    ]


def close_report(connection: Connection, number: int, by: str) -> None:
    """See `giestack.chat.storage.Store.close_report`; `Rejected` where there is none."""
    its_row = report_table.c.number == number
    closed = update(report_table).where(its_row).values(closed_by=storable(by))
    if not connection.execute(closed).rowcount:
        raise Rejected("bad", "there is no such report")


def audit(connection: Connection, row: AuditRow) -> None:
    """See `giestack.chat.storage.Store.audit`."""
    connection.execute(
        insert(audit_table).values(
            ts=row.ts,
            action=row.action,
            by=storable(row.by),
            room=row.room,
            target=None if row.target is None else storable(row.target),
            # ASCII: what no database takes is escaped.
            detail=json.dumps(dict(row.detail)),
        )
    )


def audited(connection: Connection, limit: int, before: int | None) -> Sequence[AuditRow]:
    """See `giestack.chat.storage.Store.audited`."""
    table = audit_table
    query = select(table).order_by(table.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.number < before)
    return [
        AuditRow(
            number=row.number,
            ts=row.ts,
            action=row.action,
            by=row.by,
            room=row.room,
            target=row.target,
            detail=json.loads(row.detail),
        )
        for row in connection.execute(query)
    ]
