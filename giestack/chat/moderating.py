"""What moderators do, and what they are told."""

from dataclasses import replace
from typing import Literal

from giestack.chat.auditing import note
from giestack.chat.client import Asker, Client
from giestack.chat.outlet import batch
from giestack.chat.rooms import Room, heard
from giestack.chat.storage import (
    NewDeletion,
    NewModeration,
    Person,
    Rejected,
    Sanction,
)
from giestack.chat.surroundings import Surroundings
from giestack.chat.wire import (
    CLOSE_FORBIDDEN,
    FOR_EVER,
    Act,
    Event,
    Mod,
    Ok,
    Report,
    Reported,
)
from giestack.chat.wire import Room as RoomChanged

LONGEST_REASON = 500
LONGEST_SLOW = 24 * 60 * 60
ACTS = {"mute": "mute", "unmute": "mute", "ban": "ban", "unban": "ban"}


class Moderating:
    """Carries out what moderators do; each method raises `Rejected`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._asked = self._answered = 0

    async def mod(self, asker: Asker, asked: Mod) -> Ok:
        """Act as a moderator."""
        around = self._around
        around.rooms.moderates(asker.standing)
        if asked.reason is not None and len(asked.reason) > LONGEST_REASON:
            raise Rejected("len", f"A reason has {LONGEST_REASON} characters at most.")
        if asked.until is not None and asked.until <= around.now():
            raise Rejected("bad", "until is over (it is milliseconds since 1970 UTC)")
        room = None if asked.room is None else await self._room(asker, asked.room)
        if asked.act == "del":
            return await self._delete(asker, asked, room)
        target: Person | None = None
        if asked.act in ACTS:
            target = await self._target(asked)
            await self.sanction(
                asked.act, target, asked.room, asked.until, asker.person.name, asked.reason or ""
            )
        else:
            await self._set(asked, room)
        return await self._told(asker, asked, room, target)

    async def _room(self, asker: Asker, room_id: str) -> Room[Client]:
        """A room in which a moderator acts: one they have joined, or a public one."""
        around = self._around
        state = await around.store.state(asker.person, room_id)
        if state.kind != "public" and not state.joined:
            raise Rejected("noroom", "There is no such room.")
        return around.rooms.know(state)

    async def _target(self, asked: Mod) -> Person:
        if asked.user is None:
            raise Rejected("bad", "user is missing")
        target = (await self._around.store.people([asked.user])).get(asked.user)
        if target is None:
            raise Rejected("bad", "There is nobody of that id.")
        return target

    async def sanction(
        self,
        act: Act,
        target: Person,
        room: str | None,
        until: int | None,
        by: str,
        reason: str,
    ) -> None:
        """Put a sanction in force, or lift it; here and on other nodes."""
        around = self._around
        kind: Literal["mute", "ban"] = "mute" if ACTS[act] == "mute" else "ban"
        scope = room if kind == "mute" else None
        if act == kind:
            ends = FOR_EVER if until is None else until
            await around.store.sanction(
                Sanction(person=target, act=kind, until=ends, room=scope, by=by, reason=reason)
            )
        else:
            await around.store.lift(kind, target, scope)
        await self.refresh()
        around.tell("sanctions", {})

    async def refresh(self) -> None:
        """Take in all sanctions: send those away who are banned, and tell those who are muted."""
        around = self._around
        self._asked += 1
        asked = self._asked
        sanctions = await around.store.sanctions()
        if asked < self._answered:
            # Who asked later was answered before: this is what was, not what is.
            return
        self._answered = asked
        before = self._muted()
        around.rooms.sanctions(sanctions)
        after = self._muted()
        for person, room_id in before.keys() | after.keys():
            if before.get((person, room_id)) != after.get((person, room_id)):
                await self._tell_muted(person, room_id)
        for participant in tuple(around.participants.values()):
            if around.rooms.banned_until(participant.person.id, around.now()):
                for client in tuple(participant.clients):
                    client.close(CLOSE_FORBIDDEN, "banned")

    def _muted(self) -> dict[tuple[str, str], int]:
        """Until when people who are here are muted in rooms that they hear."""
        around, now = self._around, self._around.now()
        return {
            (person, room.id): until
            for person, participant in around.participants.items()
            for client in participant.clients
            for room in client.rooms
            if (until := around.rooms.muted_until(person, room.id, now))
        }

    async def _tell_muted(self, person: str, room_id: str) -> None:
        """Tell somebody's clients how a room is for them now."""
        around = self._around
        participant = around.participants.get(person)
        if participant is None:
            return
        state = await around.store.state(participant.person, room_id)
        until = around.rooms.muted_until(person, room_id, around.now())
        told = batch(RoomChanged(room=replace(state, muted_until=until)))
        for client in tuple(participant.clients):
            client.send(told)

    async def _set(self, asked: Mod, room: Room[Client] | None) -> None:
        around = self._around
        if room is None:
            raise Rejected("bad", "room is missing")
        if asked.act == "slow":
            if asked.seconds is None or asked.seconds > LONGEST_SLOW:
                raise Rejected("bad", f"seconds must be 0 to {LONGEST_SLOW}")
            await around.store.set_room(room.id, slow=asked.seconds)
            room.slow = asked.seconds
        else:
            await around.store.set_room(room.id, locked=asked.act == "lock")
            room.locked = asked.act == "lock"
        around.tell("room", {"room": room.id, "locked": room.locked, "slow": room.slow})

    async def _delete(self, asker: Asker, asked: Mod, room: Room[Client] | None) -> Ok:
        if room is None or asked.ref is None:
            raise Rejected("bad", "room and ref are needed")
        event = await self.delete(room, asker.person, asked.ref, asked.reason)
        await self._noted(asker, asked, None)
        return Ok(id=asked.id, seq=event.seq, ts=event.ts)

    async def delete(self, room: Room[Client], by: Person, ref: int, reason: str | None) -> Event:
        """Delete anybody's message."""
        draft = NewDeletion(
            room=room.id,
            author=by,
            ts=self._around.now(),
            ref=ref,
            since=0,
            moderator=True,
            reason=reason,
        )
        return await self.tell(room, draft)

    async def _told(
        self, asker: Asker, asked: Mod, room: Room[Client] | None, target: Person | None
    ) -> Ok:
        """Write it down, and tell those in the room."""
        await self._noted(asker, asked, target)
        if room is None:
            return Ok(id=asked.id)
        event = await self.tell(
            room,
            NewModeration(
                room=room.id,
                author=asker.person,
                ts=self._around.now(),
                act=asked.act,
                target=target,
                until=asked.until,
                seconds=asked.seconds if asked.act == "slow" else None,
                reason=asked.reason,
            ),
        )
        return Ok(id=asked.id, seq=event.seq, ts=event.ts)

    async def tell(self, room: Room[Client], act: NewModeration | NewDeletion) -> Event:
        """Tell those in a room what was done."""
        appended = await self._around.store.append(act)
        self._around.hearing.happened(room, heard(appended.event))
        return appended.event

    async def _noted(self, asker: Asker, asked: Mod, target: Person | None) -> None:
        name = None if target is None else target.name
        detail: dict[str, object] = {
            key: value
            for key in ("until", "seconds", "ref", "reason", "user")
            if (value := getattr(asked, key)) is not None
        }
        await note(self._around, f"chat-{asked.act}", asker.identity, asked.room, name, detail)
        self._around.audit(
            f"chat-{asked.act}", asker.identity, room=asked.room, target=name, reason=asked.reason
        )

    async def report(self, asker: Asker, asked: Report) -> Ok:
        """Tell moderators of a message."""
        around = self._around
        around.rooms.readable(asker.standing, asked.room)
        around.rooms.acts_as_oneself(asker.standing)
        if len(asked.reason) > LONGEST_REASON:
            raise Rejected("len", f"A reason has {LONGEST_REASON} characters at most.")
        wait = around.rates.take(asker.person.id, around.seconds())
        if wait:
            raise Rejected("rate", "You are reporting too fast.", wait)
        await around.store.report(asker.person, asked.room, asked.ref, asked.reason, around.now())
        around.audit("chat-report", asker.identity, room=asked.room, seq=asked.ref)
        reported = Reported(
            room=asked.room,
            ref=asked.ref,
            user=asker.person.id,
            name=asker.person.name,
            reason=asked.reason,
        )
        self.reported(reported)
        around.tell(
            "report",
            {
                "room": reported.room,
                "ref": reported.ref,
                "user": reported.user,
                "name": reported.name,
                "reason": reported.reason,
            },
        )
        return Ok(id=asked.id)

    def reported(self, reported: Reported) -> None:
        """Tell the moderators who are here."""
        told = batch(reported)
        for participant in self._around.participants.values():
            if participant.role != "user":
                for client in participant.clients:
                    if not client.impersonated:
                        client.send(told)
