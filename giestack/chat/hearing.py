"""Who hears a room, and how somebody who has missed something gets to hear it."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.chat.client import TRY_LATER, Client
from giestack.chat.fanout import Fanout
from giestack.chat.outlet import batch
from giestack.chat.rooms import RING, Heard, Room, batch_for, heard
from giestack.chat.storage import Store
from giestack.chat.wire import CLOSE_TOO_SLOW, Gap
from giestack.database import DatabaseUnavailable

AT_ONCE = 32 * 1024
"""Bytes that are sent to somebody who catches up, before they have to have read them."""

KEPT = 256 * 1024
"""Bytes that are kept of what was looked up for somebody who reads slowly."""

SLOW = 30
"""Looks at who reads too slowly, one a second, after which they are sent away."""


class Hearing:
    """Brings events to those who hear rooms; each gets all of them, in order, once.

    A client hears a room live, or it is *behind* (it reads too slowly, or has just come) and is
    sent what it has missed from what is at hand, or from the store. What is missing of a room
    here, because another node has stored it, is fetched first.

    :ivar slow: who does not read now, and how many looks at them have found that.
    :ivar gaps: how often somebody had missed too much to be sent it.
    """

    _log = Logger()

    def __init__(self, store: Store, fanout: Fanout[Client]) -> None:
        self._store = store
        self._fanout = fanout
        self._fetching: dict[Room[Client], int] = {}
        self.slow: dict[Client, int] = {}
        self.gaps = 0

    def happened(self, room: Room[Client], event: Heard) -> None:
        """An event of the room was stored."""
        out = room.accept(event)
        if out:
            self._fanout.send(room, out)
        if room.waits:
            self.moved(room, event.seq)

    def moved(self, room: Room[Client], last: int) -> None:
        """Fetch what was stored up to ``last`` and has not come here."""
        if room in self._fetching:
            # What is being fetched may have been read before that was stored.
            self._fetching[room] = max(last, self._fetching[room])
        elif last > room.last:
            self._fetching[room] = last
            fetching = Deferred.fromCoroutine(self._fetch(room, last))
            fetching.addErrback(self._not_fetched)
            fetching.addBoth(lambda _: self._fetching.pop(room))

    def _not_fetched(self, failure: Failure) -> None:
        # The next event, or the next look at all rooms, has us try again.
        if failure.check(DatabaseUnavailable) is None:
            self._log.failure("a room could not be brought up to date", failure)
        else:
            self._log.warn("events could not be fetched: {reason}", reason=str(failure.value))

    async def _fetch(self, room: Room[Client], last: int) -> None:
        while room.last < max(last, told := self._fetching.get(room, 0)) or room.waits:
            before = room.last
            page = await self._store.events(room.id, after=before, limit=RING)
            if page.events and page.events[0].seq > before + 1:
                # Those between were forgotten for their age, or are not to be seen yet.
                room.skip_to(page.events[0].seq - 1)
            for event in page.events:
                out = room.accept(heard(event))
                if out:
                    self._fanout.send(room, out)
            if room.last == before and self._fetching.get(room, 0) == told:
                return

    async def follow(self, client: Client, room: Room[Client], after: int) -> None:
        """Send what came after a number, or a `Gap`; from then on the client hears the room."""
        room.seats.add(client)
        client.rooms.add(room)
        room.hearers.pop(client, None)
        client.behind[room] = after
        await self._caught_up(client, room)

    def unfollow(self, client: Client, room: Room[Client]) -> None:
        """The client hears the room no more."""
        room.seats.discard(client)
        client.rooms.discard(room)
        room.hearers.pop(client, None)
        client.behind.pop(room, None)
        if not room.seats:
            self._fanout.forget(room)
            room.rest()

    def pause(self, client: Client) -> None:
        """The client reads too slowly: keep in mind what it has got, and send it no more."""
        client.paused = True
        self.slow[client] = 0
        for room in client.rooms:
            if room.hearers.pop(client, 0) is None:
                client.behind[room] = self._fanout.sent(room)

    def resume(self, client: Client) -> None:
        """The client reads again."""
        client.paused = False
        self.slow.pop(client, None)
        client.wake()
        for room in tuple(client.behind):
            if room not in client.catching_up:
                catching_up = Deferred.fromCoroutine(self._caught_up(client, room))
                catching_up.addErrback(self._not_caught_up, client)

    def gone(self, client: Client) -> None:
        """The client is there no more."""
        self.slow.pop(client, None)
        client.wake()

    def look_at_the_slow(self) -> None:
        """Send those away who have not read for too long; to be called once a second."""
        for client, looks in tuple(self.slow.items()):
            self.slow[client] = looks + 1
            if looks >= SLOW:
                client.close(CLOSE_TOO_SLOW, "did not read for too long")

    def _not_caught_up(self, failure: Failure, client: Client) -> None:
        if failure.check(DatabaseUnavailable) is None:
            self._log.failure("a client could not catch up", failure)
        # Nobody asked for it, so nobody would ask again: it would hear nothing for ever.
        client.close(TRY_LATER, "the chat can't be reached right now")

    async def _caught_up(self, client: Client, room: Room[Client]) -> None:
        others = client.catching_up.get(room)
        if others is not None:
            # It goes on from where the client is behind now.
            waiting: Deferred[None] = Deferred()
            others.append(waiting)
            await waiting
            return
        others = client.catching_up[room] = []
        came: Failure | None = None
        try:
            await self._catch_up(client, room)
        except Exception:
            came = Failure()
            raise
        finally:
            del client.catching_up[room]
            for one in others:
                one.callback(came)

    async def _catch_up(self, client: Client, room: Room[Client]) -> None:
        kept: Sequence[Heard] = ()
        changes = room.changes
        while not client.gone and room in client.behind:
            if client.paused:
                await client.readable()
                continue
            self._fanout.flush(room)
            after = client.behind[room]
            if after > room.last:
                # It was at a node that knew more.
                await self._fetch(room, after)
                if client.behind.get(room) == after > room.last:
                    # There is no such number.
                    client.behind[room] = room.last
                continue
            missed: Sequence[Heard] | None = kept
            if not kept or changes != room.changes:
                changes = room.changes
                missed = await self._missed(room, after)
                if changes != room.changes:
                    # What was looked up is not any more what it says.
                    continue
            kept = ()
            if client.gone or client.paused or client.behind.get(room) != after:
                continue
            if missed is None:
                self.gaps += 1
                client.send(batch(Gap(room=room.id, from_=after + 1, to=room.last)))
                client.behind[room] = room.last
            elif missed:
                some = _portion(missed, AT_ONCE)
                client.send(batch_for(client.person, some))
                client.behind[room] = some[-1].seq
                # What is not sent yet need not be asked for again, unless that is much.
                kept = _portion(missed[len(some) :], KEPT)
            elif after == room.last:
                del client.behind[room]
                room.hearers[client] = None
            else:
                # All that was missed was forgotten for its age.
                client.behind[room] = room.last

    async def _missed(self, room: Room[Client], after: int) -> Sequence[Heard] | None:
        """What somebody has missed; None: too much."""
        found = room.missed(after)
        if found is not None or room.last - after > RING:
            return found
        last = room.last
        page = await self._store.events(room.id, after=after, limit=RING)
        return [heard(event) for event in page.events if event.seq <= last]


def _portion(events: Sequence[Heard], most: int) -> Sequence[Heard]:
    """As many as have so many bytes; one at least."""
    size = 0
    for number, event in enumerate(events):
        size += len(event.text)
        if size > most:
            return events[: max(number, 1)]
    return events
