"""What moderators see and do outside of rooms: on their page, and through the API."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Literal, TypeVar

from twisted.internet.defer import Deferred

from giestack.chat import wire
from giestack.chat.arriving import Arriving
from giestack.chat.auditing import note
from giestack.chat.moderating import Moderating
from giestack.chat.storage import (
    AuditRow,
    NewModeration,
    Person,
    Rejected,
    ReportRow,
    Sanction,
)
from giestack.chat.surroundings import Surroundings
from giestack.visitor import Identity, Operator

T = TypeVar("T")

Moderator = Identity | Operator


class Moderation:
    """Reports, sanctions and the audit.

    Every Deferred fails with `Rejected` ``perm`` for those who are no moderators, and with
    `giestack.database.DatabaseUnavailable`.
    """

    def __init__(self, around: Surroundings, arriving: Arriving, moderating: Moderating) -> None:
        self._around = around
        self._arriving = arriving
        self._moderating = moderating

    def may(self, by: Moderator) -> bool:
        """Whether somebody is a moderator; an administrator who acts as one is not."""
        if isinstance(by, Operator):
            return True
        role = self._arriving.role(by)
        if by.impersonated_by is not None or role == "user":
            return False
        # Else they could lift their own ban; administrators could anyway.
        around = self._around
        return role == "admin" or not around.rooms.banned_until(by.encoded_id, around.now())

    def reports(self, by: Moderator, limit: int = 50) -> Deferred[Sequence[ReportRow]]:
        """Open reports, the newest first."""
        return self._do(by, lambda: self._around.store.reports(limit))

    def close_report(self, by: Moderator, number: int) -> Deferred[None]:
        """A report needs no more attention."""
        return self._do(by, lambda: self._around.store.close_report(number, by.email))

    def sanctions(self, by: Moderator) -> Deferred[Sequence[Sanction]]:
        """All that are in force."""
        return self._do(by, self._around.store.sanctions)

    def audited(
        self, by: Moderator, limit: int = 50, before: int | None = None
    ) -> Deferred[Sequence[AuditRow]]:
        """Lines of the audit, the newest first; those before a number."""
        return self._do(by, lambda: self._around.store.audited(limit, before))

    def rooms_called(self, by: Moderator, rooms: Collection[str]) -> Deferred[Mapping[str, str]]:
        """What rooms are called, by id; talks between two have no name."""
        return self._do(by, lambda: self._rooms_called(rooms))

    async def _rooms_called(self, rooms: Collection[str]) -> Mapping[str, str]:
        found = {}
        for room_id in set(rooms):
            room = self._around.rooms.find(room_id) or await self._around.store.room(room_id)
            if room is not None:
                found[room_id] = "" if room.kind == "dm" else room.name
        return found

    def sanction(
        self,
        by: Moderator,
        act: Literal["mute", "ban"],
        user: str,
        room: str | None,
        until: int | None,
        reason: str,
    ) -> Deferred[None]:
        """Mute or ban somebody; ``until`` None is for ever.

        `Rejected` ``bad`` where there is nobody of that id.
        """
        return self._do(by, lambda: self._sanction(by, act, user, room, until, reason))

    def lift(
        self, by: Moderator, act: Literal["mute", "ban"], user: str, room: str | None
    ) -> Deferred[None]:
        """End a sanction."""
        undone: wire.Act = "unmute" if act == "mute" else "unban"
        return self._do(by, lambda: self._sanction(by, undone, user, room, None, ""))

    def delete(self, by: Identity, room: str, ref: int, reason: str) -> Deferred[None]:
        """Delete a message."""
        return self._do(by, lambda: self._delete(by, room, ref, reason))

    def _do(self, by: Moderator, what: Callable[[], Awaitable[T]]) -> Deferred[T]:
        async def done() -> T:
            if not self.may(by):
                raise Rejected("perm", "Only moderators may do that.")
            return await what()

        return Deferred.fromCoroutine(done())

    async def _sanction(
        self,
        by: Moderator,
        act: wire.Act,
        user: str,
        room: str | None,
        until: int | None,
        why: str,
    ) -> None:
        around = self._around
        target = (await around.store.people([user])).get(user)
        if target is None:
            raise Rejected("bad", "There is nobody of that id.")
        name = by.username or by.email
        await self._moderating.sanction(act, target, room, until, name, why)
        detail: dict[str, object] = {"user": user, "until": until, "reason": why}
        await self._noted(act, by, room, target, detail)
        if room is not None and isinstance(by, Identity):
            # The operator is nobody who could be seen in a room.
            await self._told(by, act, room, target, until, why)

    async def _told(
        self,
        by: Identity,
        act: wire.Act,
        room: str,
        target: Person,
        until: int | None,
        why: str,
    ) -> None:
        person = await self._arriving.person(by)
        known = self._around.rooms.know(await self._around.store.state(person, room))
        await self._moderating.tell(
            known,
            NewModeration(
                room=room,
                author=person,
                ts=self._around.now(),
                act=act,
                target=target,
                until=until,
                reason=why or None,
            ),
        )

    async def _noted(
        self,
        act: wire.Act,
        by: Moderator,
        room: str | None,
        target: Person | None,
        detail: dict[str, object],
    ) -> None:
        name = None if target is None else target.name
        await note(self._around, f"chat-{act}", by, room, name, detail)
        reason = detail.get("reason")
        self._around.audit(f"chat-{act}", by, room=room, target=name, reason=reason)

    async def _delete(self, by: Identity, room: str, ref: int, reason: str) -> None:
        person = await self._arriving.person(by)
        state = await self._around.store.state(person, room)
        known = self._around.rooms.know(state)
        await self._moderating.delete(known, person, ref, reason)
        await self._noted("del", by, room, None, {"ref": ref, "reason": reason})
