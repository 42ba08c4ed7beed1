"""Makes the SQLite file of one version of the store's schema, to be kept for later versions.

Run ``python -m tests.chat.store.file_of_version FILE`` with the giestack of that version.
"""

import os
import sqlite3
import sys
from contextlib import closing

from sqlalchemy import Connection

from giestack.chat.storage import (
    AuditRow,
    NewDeletion,
    NewEdit,
    NewMessage,
    NewModeration,
    Sanction,
    Who,
)
from giestack.chat.store import order, people, room_states, rooms
from giestack.chat.store.append import append
from giestack.chat.store.engines import open_engines
from giestack.chat.store.upgrades import upgrade
from giestack.chat.wire import FOR_EVER
from giestack.database import ask


def main(path: str) -> None:
    """Make the file; it must not be there yet."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("VACUUM")
    engines = open_engines("sqlite:///" + os.path.abspath(path))
    upgrade(engines)

    def fill(connection: Connection) -> None:
        ann, bob = [
            people.keep(connection, Who(host="galaxy", user_id=n, id=f"id-{name}", name=name))
            for n, name in enumerate(("Ann", "Bob"), 1)
        ]
        rooms.persist(connection, ["NGS"])
        lab = rooms.create(connection, ann, "unlisted", "Lab", 10)
        dm = rooms.direct(connection, ann, bob, 11)
        ngs = room_states.public_rooms(connection, "", 1)[0].id
        for one in (ann, bob):
            rooms.join(connection, one, ngs, 12)
        say = [
            NewMessage(room=room, author=one, ts=100 + n, cid=f"c{n}", text=text, names=names)
            for n, (room, one, text, names) in enumerate(
                [
                    (ngs, ann, "Which aligner for long reads, @bob?", ("bob",)),
                    (ngs, bob, "minimap2 😀", ()),
                    (ngs, ann, "Café at four", ()),
                    (ngs, bob, "something rude", ()),
                    (lab.id, ann, "a note", ()),
                    (dm.id, bob, "psst", ()),
                ]
            )
        ]
        append(
            connection,
            engines.words,
            [
                *say,
                NewEdit(room=ngs, author=ann, ts=200, ref=3, text="Café at five", since=0),
                NewDeletion(
                    room=ngs, author=ann, ts=201, ref=4, since=0, moderator=True, reason="rude"
                ),
                NewModeration(room=ngs, author=ann, ts=202, act="mute", target=bob, until=FOR_EVER),
            ],
        )
        rooms.mark(connection, bob, ngs, 1)
        order.sanction(connection, Sanction(person=bob, act="mute", until=FOR_EVER, room=lab.id))
        order.report(connection, bob, ngs, 1, "why not", 300)
        order.audit(connection, AuditRow(ts=202, action="mute", by="ann@example.org", detail={}))
        connection.commit()

    ask(engines.write, fill)
    engines.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
