"""What people look for: history, search, rooms, each other; and how far they have read."""

from collections.abc import Sequence

from giestack.chat.client import Asker, Client
from giestack.chat.outlet import batch
from giestack.chat.rooms import muted
from giestack.chat.storage import Rejected
from giestack.chat.surroundings import Surroundings
from giestack.chat.wire import (
    MOST_EVENTS,
    Event,
    Export,
    Hist,
    Marked,
    Ok,
    People,
    Read,
    Rooms,
    Search,
)

LONGEST_SEARCH = 200
MOST_FOUND = 50
MOST_BYTES = 256 * 1024
"""Bytes of text in a page of events, about."""


def fitting(events: Sequence[Event], *, newest: bool) -> tuple[Event, ...]:
    """As many of some events as fit into an answer, from one end; one at least."""
    size = 0
    for number, event in enumerate(reversed(events) if newest else events):
        size += len(getattr(event, "text", "").encode())
        if size > MOST_BYTES and number:
            return tuple(events[-number:] if newest else events[:number])
    return tuple(events)


class Looking:
    """Carries out what changes nothing for others; each method raises `Rejected`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def hist(self, asker: Asker, asked: Hist) -> Ok:
        """Events of a room, in order."""
        around = self._around
        room = around.rooms.readable(asker.standing, asked.room)
        if asked.before is not None and asked.after is not None:
            raise Rejected("bad", "before or after, not both")
        if not 0 < asked.limit <= MOST_EVENTS:
            raise Rejected("bad", f"limit must be 1 to {MOST_EVENTS}")
        page = await around.store.events(
            room.id, after=asked.after, before=asked.before, limit=asked.limit
        )
        events = fitting(page.events, newest=asked.after is None)
        return Ok(id=asked.id, events=events, more=page.more or len(events) < len(page.events))

    async def search(self, asker: Asker, asked: Search) -> Ok:
        """Messages by their words."""
        around = self._around
        if asked.room is not None:
            around.rooms.readable(asker.standing, asked.room)
        around.rooms.public_if_impersonated(
            asker.standing, "dm" if asked.room is None else "public"
        )
        if not asked.text.strip():
            raise Rejected("bad", "There is nothing to look for.")
        if len(asked.text) > LONGEST_SEARCH:
            raise Rejected("len", f"{LONGEST_SEARCH} characters are searched for at most.")
        limit = min(max(asked.limit, 1), MOST_EVENTS)
        page = await around.store.search(asker.person, asked.text, asked.room, asked.before, limit)
        return Ok(id=asked.id, events=page.events, next=page.next)

    async def export(self, asker: Asker, asked: Export) -> Ok:
        """One's own messages."""
        around = self._around
        around.rooms.public_if_impersonated(asker.standing, "dm")
        page = await around.store.export(asker.person, asked.room, asked.after, MOST_EVENTS)
        return Ok(id=asked.id, events=page.events, next=page.next)

    async def rooms(self, asker: Asker, asked: Rooms) -> Ok:
        """Public rooms."""
        states = await self._around.store.public_rooms(asked.text[:LONGEST_SEARCH], MOST_FOUND)
        joined = asker.standing.joined
        return Ok(id=asked.id, rooms=tuple([s for s in states if s.id not in joined]))

    async def people(self, asker: Asker, asked: People) -> Ok:
        """People by the beginning of their name."""
        around = self._around
        if asked.room is not None:
            around.rooms.readable(asker.standing, asked.room)
        found = await around.store.named(asked.text[:LONGEST_SEARCH], asked.room, MOST_FOUND)
        if around.rules.opt_in:
            # Everybody who ever saw the widget is known; the others are nobody's business.
            known = await around.store.people([one.id for one in found])
            found = [one for one in found if one.id in known and known[one.id].opt_in]
        return Ok(id=asked.id, people=tuple(found))

    async def read(self, asker: Asker, asked: Read) -> Ok:
        """Remember how far a room was read, and tell the person's other clients."""
        around = self._around
        around.rooms.readable(asker.standing, asked.room)
        around.rooms.chooses_as_oneself(asker.standing)
        state = await around.store.mark(asker.person, asked.room, asked.seq)
        state = muted(state, around.rooms, asker.standing, around.now())
        marked = Marked(room=state.id, seq=state.read, unread=state.unread, mentions=state.mentions)
        self.marked(asker.person.id, marked, asker.client)
        around.tell(
            "read",
            {
                "person": asker.person.id,
                "room": state.id,
                "seq": state.read,
                "unread": state.unread,
                "mentions": state.mentions,
            },
        )
        return Ok(id=asked.id, unread=state.unread, mentions=state.mentions)

    def marked(self, person: str, marked: Marked, but: Client | None = None) -> None:
        """Tell a person's clients, but for the one that has asked for it."""
        rooms, participant = self._around.rooms, self._around.participants.get(person)
        room, told = rooms.find(marked.room), batch(marked)
        kind = "dm" if room is None else room.kind
        for client in participant.clients if participant else ():
            if client is not but and rooms.shows(kind, impersonated=client.impersonated):
                client.send(told)
