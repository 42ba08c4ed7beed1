"""Old events are forgotten, a portion at a time, so that nobody waits for it."""

from collections.abc import Sequence
from itertools import takewhile

from sqlalchemy import Connection, delete, select

from giestack.chat.store.tables import event, room
from giestack.chat.store.words_index import WordsIndex

PORTION = 500
"""Events that one transaction forgets."""


def rooms_with_old(connection: Connection, before: int) -> Sequence[int]:
    """Return the keys of rooms whose first event is older than a time."""
    first = (
        select(event.c.ts)
        .where(event.c.room == room.c.key)
        .order_by(event.c.seq)
        .limit(1)
        .scalar_subquery()
    )
    return connection.scalars(select(room.c.key).where(first < before).order_by(room.c.key)).all()


def prune(connection: Connection, words: WordsIndex, key: int, before: int) -> int:
    """Forget a room's first events that are older; return how many, `PORTION` at most.

    It ends at the first that is not, whatever comes behind it (nodes' clocks may differ): the
    numbers that are left have no gap.
    """
    query = select(event.c.key, event.c.seq, event.c.ts, event.c.kind, event.c.deleted)
    query = query.add_columns(event.c.text).where(event.c.room == key)
    rows = connection.execute(query.order_by(event.c.seq).limit(PORTION)).all()
    old = list(takewhile(lambda row: row.ts < before, rows))
    words.remove(
        connection, [(row.key, row.text) for row in old if row.kind == "msg" and not row.deleted]
    )
    if old:
        # What belongs to them goes with them.
        connection.execute(delete(event).where(event.c.room == key, event.c.seq <= old[-1].seq))
    return len(old)
