"""A program that says things in three rooms as fast as it can, until somebody kills it.

It tells what it has begun to send and what was acknowledged. Imported before it is forked, so
that a round of `tests.chat.store.kills` takes no second.
"""

from itertools import count

from twisted.internet.defer import Deferred, gatherResults

from giestack.chat.storage import NewEdit, NewMessage, Who
from giestack.chat.store.store import ChatStore

ROOMS = ("one", "two", "three")
_AT_A_TIME = 40
_EDITS_EVERY = 10


async def prepared(store):
    """Open a store; return who speaks and the ids of the rooms."""
    await store.open()
    ann = await store.person(Who(host="galaxy", user_id=1, id="ann", name="Ann"))
    await store.persist(ROOMS)
    return ann, [one.id for one in await store.rooms_of(ann)]


def run(url, mark, again, pipe):
    """Send ``again`` first, pairs of cid and number of a room, then new messages.

    Into ``pipe`` go ``("sent", cid, room)`` before and ``("stored", cid, room, seq)`` after.
    """
    from twisted.internet import reactor  # noqa: TID251 - this is a whole process

    store = ChatStore(url, reactor)
    numbers = count()

    async def say(author, rooms, cid, number):
        pipe.send(("sent", cid, number))
        appended = await store.append(
            NewMessage(room=rooms[number], author=author, ts=1, cid=cid, text=f"text {cid}")
        )
        pipe.send(("stored", cid, number, appended.event.seq))
        return appended.event.seq

    async def keep_on(author, rooms):
        while True:
            n = next(numbers)
            seq = await say(author, rooms, f"{mark}-{n}", n % len(rooms))
            if n % _EDITS_EVERY == 0:
                room, cid = rooms[n % len(rooms)], f"{mark}-{n}"
                await store.append(
                    NewEdit(
                        room=room, author=author, ts=2, ref=seq, text=f"text {cid} changed", since=0
                    )
                )

    async def main():
        author, rooms = await prepared(store)
        await gatherResults([Deferred.fromCoroutine(say(author, rooms, *one)) for one in again])
        await gatherResults(
            [Deferred.fromCoroutine(keep_on(author, rooms)) for _ in range(_AT_A_TIME)]
        )

    def failed(failure):
        pipe.send(("failed", failure.getTraceback()))

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(main()).addErrback(failed))
    reactor.run()
