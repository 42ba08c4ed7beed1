"""What moderators do, and what they are told."""

from typing import Literal

from giestack.chat.client import Asker, Client
from giestack.chat.outlet import batch
from giestack.chat.rooms import Room, heard
from giestack.chat.storage import (
    AuditRow,
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
from giestack.visitor import Identity, Operator

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
        """Take in all sanctions, and send those away who are banned."""
        around = self._around
        self._asked += 1
        asked = self._asked
        sanctions = await around.store.sanctions()
        if asked < self._answered:
            # Who asked later was answered before: this is what was, not what is.
            return
        self._answered = asked
        around.rooms.sanctions(sanctions)
        for participant in tuple(around.participants.values()):
            if around.rooms.banned_until(participant.person.id, around.now()):
                for client in tuple(participant.clients):
                    client.close(CLOSE_FORBIDDEN, "banned")

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
        around = self._around
        appended = await around.store.append(
            NewDeletion(
                room=room.id,
                author=by,
                ts=around.now(),
                ref=ref,
                since=0,
                moderator=True,
                reason=reason,
            )
        )
        around.hearing.happened(room, heard(appended.event))
        return appended.event

    async def _told(
        self, asker: Asker, asked: Mod, room: Room[Client] | None, target: Person | None
    ) -> Ok:
        """Write it down, and tell those in the room."""
        around = self._around
        await self._noted(asker, asked, target)
        if room is None:
            return Ok(id=asked.id)
        appended = await around.store.append(
            NewModeration(
                room=room.id,
                author=asker.person,
                ts=around.now(),
                act=asked.act,
                target=target,
                until=asked.until,
                seconds=asked.seconds if asked.act == "slow" else None,
                reason=asked.reason,
            )
        )
        around.hearing.happened(room, heard(appended.event))
        return Ok(id=asked.id, seq=appended.event.seq, ts=appended.event.ts)

    async def _noted(self, asker: Asker, asked: Mod, target: Person | None) -> None:
        name = None if target is None else target.name
        detail: dict[str, object] = {
            key: value
            for key in ("until", "seconds", "ref", "reason", "user")
            if (value := getattr(asked, key)) is not None
        }
        await self.note(f"chat-{asked.act}", asker.identity, asked.room, name, detail)
        self._around.audit(
            f"chat-{asked.act}", asker.identity, room=asked.room, target=name, reason=asked.reason
        )

    async def note(
        self,
        action: str,
        by: Identity | Operator,
        room: str | None,
        target: str | None,
        detail: dict[str, object],
    ) -> None:
        """Keep a line in the store's audit."""
        around = self._around
        await around.store.audit(
            AuditRow(
                ts=around.now(),
                action=action,
                by=by.username or by.email,
                room=room,
                target=target,
                detail={**detail, "by_email": by.email},
            )
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
