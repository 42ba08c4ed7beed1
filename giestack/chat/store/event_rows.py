"""Events as they are read from the tables."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, literal_column, select

from giestack.chat.store.tables import EVERYBODY, AnySelect, event, mention, person, room
from giestack.chat.wire import Deleted, Edited, Event, Message, Moderated

ROOM = "room"
"""Stands in `Message.mentions` for everybody."""

_author = person.alias("author")
_target = person.alias("target")
_original = event.alias("original")
_is_edit = event.c.kind == literal_column("'edit'")

EVENTS: AnySelect = (
    select(
        event.c.key,
        room.c.id.label("room"),
        event.c.seq,
        event.c.kind,
        event.c.ts,
        _author.c.id.label("user"),
        _author.c.name,
        event.c.text,
        event.c.cid,
        event.c.ref,
        event.c.edited,
        event.c.deleted,
        event.c.impersonated,
        event.c.act,
        event.c.until,
        event.c.seconds,
        event.c.reason,
        _target.c.id.label("target_id"),
        _target.c.name.label("target_name"),
        _original.c.key.label("original"),
        _original.c.text.label("new_text"),
    )
    .join_from(event, room, event.c.room == room.c.key)
    .join(_author, event.c.author == _author.c.key)
    .outerjoin(_target, event.c.target == _target.c.key)
    .outerjoin(
        _original,
        and_(_is_edit, _original.c.room == event.c.room, _original.c.seq == event.c.ref),
    )
)
"""All that `events_of` needs; to be narrowed down and put in order."""

_mentioned = (
    select(mention.c.event, mention.c.person, person.c.id)
    .outerjoin_from(mention, person, mention.c.person == person.c.key)
    .where(mention.c.event.in_(bindparam("keys", expanding=True)))
    .order_by(mention.c.event, mention.c.person)
)


def mentioned_ids(people: Iterable[tuple[int, str | None]]) -> tuple[str, ...]:
    """Return what `Message.mentions` says of some keys and ids: everybody comes last."""
    ids = [id for key, id in people if key != EVERYBODY and id is not None]
    return (*ids, *[ROOM for key, _ in people if key == EVERYBODY])


def events_of(
    connection: Connection, rows: Sequence[Any], *, cids: bool = False
) -> tuple[Event, ...]:
    """Return the events in some rows of `EVENTS`, in their order; ``cids``: with their `cid`."""
    keys = [row.original or row.key for row in rows if row.kind in ("msg", "edit")]
    mentions: dict[int, list[tuple[int, str | None]]] = {}
    if keys:
        for one in connection.execute(_mentioned, {"keys": keys}):
            mentions.setdefault(one.event, []).append((one.person, one.id))
    return tuple(
        _event(row, mentioned_ids(mentions.get(row.original or row.key, ())), cids) for row in rows
    )


def _event(row: Any, mentions: tuple[str, ...], cids: bool) -> Event:
    if row.kind == "mod":
        return _moderated(row)
    shared: dict[str, Any] = {
        "room": row.room,
        "seq": row.seq,
        "ts": row.ts,
        "user": row.user,
        "name": row.name,
        "impersonated": row.impersonated,
    }
    if row.kind == "edit":
        return Edited(**shared, ref=row.ref, text=row.new_text or "", mentions=mentions)
    if row.kind == "del":
        return Deleted(**shared, ref=row.ref, reason=row.reason)
    return Message(
        **shared,
        text=row.text,
        cid=row.cid if cids else None,
        mentions=mentions,
        reply=row.ref,
        edited=row.edited,
        deleted=row.deleted,
    )


def _moderated(row: Any) -> Moderated:
    return Moderated(
        room=row.room,
        seq=row.seq,
        ts=row.ts,
        act=row.act,
        by=row.user,
        by_name=row.name,
        user=row.target_id,
        name=row.target_name,
        until=row.until,
        seconds=row.seconds,
        reason=row.reason,
    )
