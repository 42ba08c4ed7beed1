"""Sends what a room hears to all who hear it: at once while it is quiet, joined while it is busy.

A system call for each hearer of each message is what a chat mostly costs. So messages that come
within a few milliseconds of each other go out together; the first of them does not wait. The
time doubles, up to `LONGEST`, as long as it catches more than one message, and goes back as soon
as it does not.
"""

from collections.abc import Collection, Sequence
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from giestack.chat.outlet import Batch
from giestack.chat.rooms import Heard, Room, batch_for

LONGEST = 0.005
"""Seconds that a message waits for others at most."""

MOST_BYTES = 16 * 1024
"""Bytes that go out to each hearer at once, about."""

FEW = 4
"""Events that are no more than that, however long they are."""

PER_HEARER = 4e-6
"""About the seconds that sending to one hearer takes."""


class Hearer(Protocol):
    """A client that hears a room.

    :ivar person: id of whose client it is.
    """

    person: str

    def send(self, batch: Batch) -> None: ...
    def __hash__(self) -> int: ...


H = TypeVar("H", bound=Hearer)


class Fanout(Generic[H]):
    """Sends what rooms hear.

    :ivar deliveries: events times hearers so far.
    :ivar waiting: events that wait to go out.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._rooms: dict[str, _Outgoing] = {}
        self.deliveries = 0
        self.waiting = 0

    def send(self, room: Room[H], events: list[Heard]) -> None:
        """Send to the room's hearers, now or in a moment."""
        outgoing = self._rooms.get(room.id)
        if outgoing is None:
            if not room.hearers:
                # Nor does anybody hear it before this was flushed.
                return
            outgoing = self._rooms[room.id] = _Outgoing()
        outgoing.events += events
        self.waiting += len(events)
        if outgoing.call is None:
            wait = max(0.0, outgoing.not_before - self._clock.seconds())
            outgoing.call = self._clock.callLater(wait, self._turn, room)

    def flush(self, room: Room[H]) -> None:
        """Send what waits for a room, so that its hearers have all of it."""
        outgoing = self._rooms.get(room.id)
        if outgoing is None:
            return
        call, outgoing.call = outgoing.call, None
        if call is not None and call.active():
            call.cancel()
        joined = len(outgoing.events) > 1
        if not outgoing.events:
            return
        while outgoing.events:
            self._send_some(room, outgoing)
        self._sent_all(room, outgoing, joined)

    def _turn(self, room: Room[H]) -> None:
        """Send a part of what waits; the others that the reactor serves come between the parts."""
        outgoing = self._rooms[room.id]
        joined = len(outgoing.events) > 1
        self._send_some(room, outgoing)
        if outgoing.events:
            outgoing.wait = LONGEST
            outgoing.call = self._clock.callLater(0, self._turn, room)
            return
        outgoing.call = None
        self._sent_all(room, outgoing, joined)

    def _send_some(self, room: Room[H], outgoing: "_Outgoing") -> None:
        # Who can't take as much is paused after a part of it, and not after all.
        some = portion(outgoing.events)
        outgoing.events = outgoing.events[len(some) :]
        self.waiting -= len(some)
        self.deliveries += len(some) * len(room.hearers)
        send(room.hearers, some)

    def _sent_all(self, room: Room[H], outgoing: "_Outgoing", joined: bool) -> None:
        shortest = len(room.hearers) * PER_HEARER
        wait = outgoing.wait * 2 if joined else outgoing.wait / 2
        outgoing.wait = min(LONGEST, max(shortest, wait))
        outgoing.not_before = self._clock.seconds() + outgoing.wait

    def sent(self, room: Room[H]) -> int:
        """Number of the last event that the room's hearers have got."""
        outgoing = self._rooms.get(room.id)
        return room.last - len(outgoing.events) if outgoing else room.last

    def forget(self, room: Room[H]) -> None:
        """Nobody hears a room any more."""
        self.flush(room)
        self._rooms.pop(room.id, None)

    def stop(self) -> None:
        """Send nothing any more."""
        for outgoing in self._rooms.values():
            if outgoing.call is not None and outgoing.call.active():
                outgoing.call.cancel()
        self._rooms.clear()


class _Outgoing:
    """What waits for one room."""

    __slots__ = ("call", "events", "not_before", "wait")

    def __init__(self) -> None:
        self.events: list[Heard] = []
        self.call: IDelayedCall | None = None
        self.not_before = 0.0
        self.wait = 0.0


def portion(events: list[Heard]) -> list[Heard]:
    """The first of some events: as many as go out at once, one at least."""
    if len(events) <= FEW:
        return events
    size = 0
    for number, event in enumerate(events):
        size += len(event.text)
        if size > MOST_BYTES and number:
            return events[:number]
    return events


def send(hearers: Collection[H], events: Sequence[Heard]) -> None:
    """Send to all of them; the same bytes but for the authors' own clients."""
    common = batch_for("", events)
    authors = {one.author for one in events}
    own: dict[str, Batch] = {}
    for hearer in list(hearers):
        person = hearer.person
        if person not in authors:
            hearer.send(common)
            continue
        if person not in own:
            own[person] = batch_for(person, events)
        hearer.send(own[person])
