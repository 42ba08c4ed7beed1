"""What people say: messages, their edits and deletions, and who is writing."""

from typing import NoReturn

from giestack.chat.auditing import impersonation, note
from giestack.chat.client import Asker, Client
from giestack.chat.mentions import mentions
from giestack.chat.names import is_invisible
from giestack.chat.outlet import batch
from giestack.chat.rooms import Room, heard
from giestack.chat.storage import (
    Appended,
    NewDeletion,
    NewEdit,
    NewMessage,
    Rejected,
)
from giestack.chat.surroundings import Surroundings
from giestack.chat.wire import Del, Edit, Message, Msg, Ok, Typing, Writing
from giestack.chat.word_filter import Denied

LONGEST_CID = 64
TYPING_EVERY = 2.5
"""Seconds between two signs that somebody is writing, of one person in one room."""


class Talking:
    """Carries out what is said; each method raises `Rejected`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def msg(self, asker: Asker, said: Msg) -> Ok:
        """Say something in a room."""
        around = self._around
        now = around.now()
        room = around.rooms.writable(asker.standing, said.room, now)
        if not 0 < len(said.cid) <= LONGEST_CID:
            raise Rejected("bad", f"cid must have 1 to {LONGEST_CID} characters")
        text = self._checked(said.text)
        self._in_time(asker, room)
        spoken = mentions(text)
        appended = await around.store.append(
            NewMessage(
                room=room.id,
                author=asker.person,
                ts=now,
                cid=said.cid,
                text=text,
                reply=said.reply,
                names=spoken.names,
                everybody=spoken.everybody,
                impersonated_by=self._marked(asker),
            )
        )
        self.stored(room, appended, said.cid)
        return await self._done(asker, said.id, appended)

    async def edit(self, asker: Asker, said: Edit) -> Ok:
        """Give one's own message another text."""
        around = self._around
        now = around.now()
        room = around.rooms.writable(asker.standing, said.room, now)
        text = self._checked(said.text)
        self._at_rate(asker)
        spoken = mentions(text)
        appended = await around.store.append(
            NewEdit(
                room=room.id,
                author=asker.person,
                ts=now,
                ref=said.ref,
                text=text,
                since=around.rules.since(now),
                names=spoken.names,
                everybody=spoken.everybody,
                impersonated_by=self._marked(asker),
            )
        )
        self.stored(room, appended)
        return await self._done(asker, said.id, appended)

    async def delete(self, asker: Asker, said: Del) -> Ok:
        """Delete one's own message, or as a moderator anybody's."""
        around = self._around
        now = around.now()
        room = around.rooms.readable(asker.standing, said.room)
        around.rooms.acts_as_oneself(asker.standing)
        self._at_rate(asker)
        moderator = asker.standing.moderates
        whose = await self._author(room.id, said.ref) if moderator else None
        appended = await around.store.append(
            NewDeletion(
                room=room.id,
                author=asker.person,
                ts=now,
                ref=said.ref,
                since=around.rules.since(now),
                moderator=moderator,
                reason=said.reason if moderator else None,
                impersonated_by=self._marked(asker),
            )
        )
        self.stored(room, appended)
        if whose is not None and whose.user != asker.person.id:
            detail = {"ref": said.ref, "reason": said.reason}
            await note(around, "chat-del", asker.identity, room.id, whose.name, detail)
            around.audit("chat-del", asker.identity, room=room.id, target=whose.name)
        return await self._done(asker, said.id, appended)

    async def _author(self, room: str, ref: int) -> Message | None:
        """The message that a number names, if it names one."""
        page = await self._around.store.events(room, after=ref - 1, limit=1)
        found = page.events[0] if page.events else None
        return found if isinstance(found, Message) and found.seq == ref else None

    def typing(self, asker: Asker, said: Typing) -> None:
        """Tell the others that somebody is writing; said too often it goes no further."""
        around = self._around
        room = around.rooms.writable(asker.standing, said.room, around.now())
        key = ("typing", room.id, asker.person.id)
        if around.slow.take(key, TYPING_EVERY, around.seconds()):
            return
        writing = Writing(room=room.id, user=asker.person.id, name=asker.person.name)
        self.writes(room, writing)
        around.tell("typing", {"room": room.id, "user": asker.person.id, "name": asker.person.name})

    def writes(self, room: Room[Client], writing: Writing) -> None:
        """Tell those who hear a room that somebody is writing; who is behind is not told."""
        told = batch(writing)
        for client in list(room.hearers):
            if client.person != writing.user:
                client.send(told)

    def stored(self, room: Room[Client], appended: Appended, cid: str | None = None) -> None:
        """Bring an event that is stored to all who hear its room."""
        if appended.new:
            self._around.hearing.happened(room, heard(appended.event, cid))

    async def _done(self, asker: Asker, request_id: str | int, appended: Appended) -> Ok:
        around, event = self._around, appended.event
        if appended.new and asker.standing.impersonated:
            around.audit("chat-impersonated", asker.identity, room=event.room, seq=event.seq)
            if not self._marked(asker):
                # Else the store has noted it together with the event.
                await impersonation(around, asker, event.room, {"seq": event.seq})
        return Ok(id=request_id, seq=event.seq, ts=event.ts)

    def _marked(self, asker: Asker) -> str | None:
        """Who acts as the author, where everybody is to see that somebody does."""
        by = asker.identity.impersonated_by
        return by if self._around.rules.impersonation == "mark" else None

    def _checked(self, text: str) -> str:
        """The text as it may be said."""
        most = self._around.rules.length
        if all(one.isspace() or is_invisible(one) for one in text):
            raise Rejected("bad", "There is nothing in this message.")
        if most and len(text) > most:
            raise Rejected("len", f"A message has {most} characters at most; this has {len(text)}.")
        checked = self._around.filter.check(text)
        if isinstance(checked, Denied):
            raise Rejected("filter", "There is a word in this message that is not allowed here.")
        return checked

    def _in_time(self, asker: Asker, room: Room[Client]) -> None:
        around = self._around
        now = around.seconds()
        slow = 0 if asker.standing.moderates else room.slow
        key = (room.id, asker.person.id)
        if slow:
            wait = around.slow.wait(key, slow, now)
            if wait:
                _too_fast(wait, f"One message in {slow} seconds is allowed in this room.")
        self._at_rate(asker)
        if slow:
            around.slow.take(key, slow, now)

    def _at_rate(self, asker: Asker) -> None:
        wait = self._around.rates.take(asker.person.id, self._around.seconds())
        if wait:
            _too_fast(wait, "You are writing too fast.")


def _too_fast(retry_ms: int, message: str) -> NoReturn:
    raise Rejected("rate", message, retry_ms)
