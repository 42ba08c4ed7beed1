"""Coming into rooms and leaving them."""

from giestack.chat.client import Asker, Client, Participant
from giestack.chat.names import LONGEST_ROOM, cleaned
from giestack.chat.outlet import batch
from giestack.chat.rooms import NO_ROOM, muted
from giestack.chat.rooms import Room as KnownRoom
from giestack.chat.storage import Rejected
from giestack.chat.surroundings import Surroundings
from giestack.chat.wire import Create, Join, Leave, Ok, Resume, Room, RoomState

MOST_ROOMS = 500
"""Rooms that one person may have joined."""

MOST_REFUSED = 100
"""Rooms that are looked up for one request though there are none that one may know of."""


class Membership:
    """Carries out what has to do with being in a room; each method raises `Rejected`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def join(self, asker: Asker, asked: Join) -> Ok:
        """Join a room and hear it from now on."""
        around = self._around
        state = await around.store.state(asker.person, asked.room)
        if state.kind == "dm" and not state.joined:
            raise Rejected("noroom", NO_ROOM)
        around.rooms.public_if_impersonated(asker.standing, state.kind)
        if state.joined:
            # Whoever did that may not have been heard here.
            self._joined(asker, state)
        else:
            around.rooms.acts_as_oneself(asker.standing)
            state = await self._enter(asker, state)
        await self._hear(asker, state, state.last)
        return Ok(id=asked.id, room=self.shown(asker, state))

    async def resume(self, asker: Asker, asked: Resume) -> Ok:
        """Hear rooms from where one was; public ones that one has not joined are joined."""
        around = self._around
        refused: list[str] = []
        for room_id, seq in asked.rooms.items():
            if len(refused) >= MOST_REFUSED and room_id not in asker.standing.joined:
                refused.append(room_id)
                continue
            try:
                if room_id not in asker.standing.joined or around.rooms.find(room_id) is None:
                    state = await around.store.state(asker.person, room_id)
                    if not state.joined and state.kind != "public":
                        raise Rejected("noroom", NO_ROOM)
                    around.rooms.public_if_impersonated(asker.standing, state.kind)
                    if state.joined:
                        self._joined(asker, state)
                    else:
                        around.rooms.acts_as_oneself(asker.standing)
                        state = await self._enter(asker, state)
                room = around.rooms.readable(asker.standing, room_id)
            except Rejected as rejected:
                if len(asked.rooms) == 1:
                    raise
                if rejected.code not in ("noroom", "perm"):
                    raise
                refused.append(room_id)
                continue
            if asker.client is not None:
                await self._seat(asker, asker.client, room, seq)
        return Ok(id=asked.id, refused=tuple(refused) or None)

    async def leave(self, asker: Asker, asked: Leave) -> Ok:
        """Leave a room with all clients."""
        around = self._around
        room = around.rooms.readable(asker.standing, asked.room)
        around.rooms.chooses_as_oneself(asker.standing)
        if room.kind == "dm":
            raise Rejected("perm", "A talk between two people stays with both.")
        await around.store.leave(asker.person, room.id)
        state = await around.store.state(asker.person, room.id)
        self.left(asker.person.id, room, state, asker.client)
        around.tell("left", {"person": asker.person.id, "room": room.id})
        return Ok(id=asked.id, room=state)

    async def create(self, asker: Asker, asked: Create) -> Ok:
        """Make a room, or find the one with somebody."""
        around = self._around
        around.rooms.acts_as_oneself(asker.standing)
        wait = around.rates.take(asker.person.id, around.seconds())
        if wait:
            raise Rejected("rate", "You are making rooms too fast.", wait)
        if asked.kind == "dm":
            return await self._direct(asker, asked)
        # Cleaning takes time: of what is far too long the beginning is enough to see that.
        name = cleaned(asked.name[: 8 * LONGEST_ROOM])
        if not name:
            raise Rejected("bad", "A room needs a name.")
        if len(name) > LONGEST_ROOM or len(asked.name) > 8 * LONGEST_ROOM:
            raise Rejected("len", f"A room's name has {LONGEST_ROOM} characters at most.")
        if not isinstance(around.filter.check(name), str):
            raise Rejected("filter", "There is a word in this name that is not allowed here.")
        self._not_too_many(asker)
        record = await around.store.create(asker.person, asked.kind, name, around.now())
        around.audit("chat-room-created", asker.identity, room=record.id, kind=asked.kind)
        state = await around.store.state(asker.person, record.id)
        self._joined(asker, state)
        await self._hear(asker, state, 0)
        return Ok(id=asked.id, room=self.shown(asker, state))

    async def _direct(self, asker: Asker, asked: Create) -> Ok:
        around = self._around
        wanted = asked.user or ""
        other = (await around.store.people([wanted])).get(wanted)
        away = other is None or (around.rules.opt_in and not other.opt_in)
        if other is None or away or other.id == asker.person.id:
            raise Rejected("bad", "There is nobody of that id to talk to.")
        record = await around.store.direct(asker.person, other, around.now())
        state = await around.store.state(asker.person, record.id)
        new = state.id not in asker.standing.joined
        self._joined(asker, state)
        await self._hear(asker, state, state.last)
        if new:
            await self.invited(other.id, record.id)
            around.tell("invited", {"person": other.id, "room": record.id})
        return Ok(id=asked.id, room=self.shown(asker, state))

    async def invited(self, person: str, room_id: str) -> None:
        """Somebody is in a room by what another one did: tell their clients."""
        around = self._around
        around.looks.changed(person)
        participant = around.participants.get(person)
        if participant is None:
            return
        state = await around.store.state(participant.person, room_id)
        around.rooms.know(state)
        participant.joined.add(room_id)
        self._tell(participant, Room(room=state))

    def left(
        self, person: str, room: KnownRoom[Client], state: RoomState, but: Client | None = None
    ) -> None:
        """Somebody is in a room no more: tell their clients, but for the one that knows."""
        self._around.looks.changed(person)
        participant = self._around.participants.get(person)
        if participant is None:
            return
        participant.joined.discard(room.id)
        for client in participant.clients:
            self.unseat(client, room)
        self._tell(participant, Room(room=state, gone=True), but)

    def unseat(self, client: Client, room: KnownRoom[Client]) -> None:
        """A client hears a room no more."""
        if client in room.seats:
            self._around.people.leave(room.id, client.person, self._around.milliseconds())
            self._around.hearing.unfollow(client, room)

    def shown(self, asker: Asker, state: RoomState) -> RoomState:
        """A room as its reader is told of it."""
        return muted(state, self._around.rooms, asker.standing, self._around.now())

    async def _enter(self, asker: Asker, state: RoomState) -> RoomState:
        self._not_too_many(asker)
        await self._around.store.join(asker.person, state.id, self._around.now())
        state = await self._around.store.state(asker.person, state.id)
        self._joined(asker, state)
        return state

    def _not_too_many(self, asker: Asker) -> None:
        if len(asker.standing.joined) >= MOST_ROOMS:
            raise Rejected("perm", f"You are in {MOST_ROOMS} rooms: leave one first.")

    def _joined(self, asker: Asker, state: RoomState) -> None:
        self._around.rooms.know(state)
        if state.id in asker.standing.joined:
            return
        asker.standing.joined.add(state.id)
        self._around.looks.changed(asker.person.id)
        self._around.tell("invited", {"person": asker.person.id, "room": state.id})
        self._tell(asker.participant, Room(room=state), asker.client)

    def _tell(self, participant: Participant, frame: Room, but: Client | None = None) -> None:
        """Tell somebody's clients, but for one."""
        told, rooms = batch(frame), self._around.rooms
        for client in participant.clients:
            shown = rooms.shows(frame.room.kind, impersonated=client.impersonated)
            if shown and client is not but:
                client.send(told)

    async def _hear(self, asker: Asker, state: RoomState, after: int) -> None:
        room = self._around.rooms.know(state)
        if asker.client is not None and asker.client not in room.seats:
            await self._seat(asker, asker.client, room, after)

    async def _seat(
        self, asker: Asker, client: Client, room: KnownRoom[Client], after: int
    ) -> None:
        around = self._around
        if client.gone:
            # It went while something was looked up: nobody would take it out again.
            return
        if client not in room.seats:
            around.people.enter(room.id, asker.participant.user)
            client.send(around.people.first(room.id))
        try:
            await around.hearing.follow(client, room, after)
        except Exception:
            # Asked again it begins anew; what only half hears a room looks like one that does.
            self.unseat(client, room)
            raise
