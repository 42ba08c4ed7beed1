"""Requests: which part of the chat carries out which."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.logger import Logger

from giestack.chat import wire
from giestack.chat.auditing import impersonation
from giestack.chat.choosing import Choosing
from giestack.chat.client import Asker
from giestack.chat.fairness import Fairness
from giestack.chat.looking import Looking
from giestack.chat.membership import Membership
from giestack.chat.moderating import Moderating
from giestack.chat.rooms import NO_ROOM
from giestack.chat.storage import Rejected
from giestack.chat.surroundings import Surroundings
from giestack.chat.talking import Talking
from giestack.database import DatabaseUnavailable

Carry = Callable[[Asker, Any], Awaitable[wire.Ok]]

QUIET = 30.0
"""Seconds between two lines in the log about the same trouble."""

IN_ORDER = (wire.Join, wire.Leave, wire.Create, wire.Resume, wire.Prefs)
"""Requests that are over before the next one of the same client is looked at."""

LOOKING = (wire.Hist, wire.Search, wire.Export, wire.Rooms, wire.People)
"""Requests that have the store look for much."""

_UNAVAILABLE = "The chat can't be reached right now; nothing was stored. Please try again."


class Requests:
    """Carries out requests.

    :ivar refused: how many were not carried out, by code.
    :ivar done: how many were, by name of the frame.
    :ivar fairness: how much people may ask for.
    """

    _log = Logger()

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._quiet_until = 0.0
        self.talking = Talking(around)
        self.looking = Looking(around)
        self.membership = Membership(around)
        self.moderating = Moderating(around)
        self.choosing = Choosing(around)
        self.fairness = Fairness(around.seconds)
        self.refused: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self._carry: dict[type, Carry] = {
            wire.Msg: self.talking.msg,
            wire.Edit: self.talking.edit,
            wire.Del: self.talking.delete,
            wire.Typing: self._typing,
            wire.Hist: self.looking.hist,
            wire.Search: self.looking.search,
            wire.Export: self.looking.export,
            wire.Rooms: self.looking.rooms,
            wire.People: self.looking.people,
            wire.Read: self.looking.read,
            wire.Join: self.membership.join,
            wire.Leave: self.membership.leave,
            wire.Create: self.membership.create,
            wire.Resume: self.membership.resume,
            wire.Mod: self.moderating.mod,
            wire.Report: self.moderating.report,
            wire.Prefs: self.choosing.prefs,
        }

    async def answer(self, asker: Asker, request: wire.Request) -> wire.Ok | wire.Err:
        """Carry out a request; whatever goes wrong is its answer.

        What it changes is asked for before this waits for anything, where the room is known
        here: so requests of one client are carried out in the order they came in.
        """
        try:
            return await self.carried(asker, request)
        except Rejected as rejected:
            if asker.standing.impersonated and rejected.code == "perm":
                await self._denied(asker, request)
            # Whether a room is there or is hidden must not be told apart.
            message = NO_ROOM if rejected.code == "noroom" else rejected.message
            return self.err(request.id, rejected.code, message, rejected.retry_ms)
        except DatabaseUnavailable as error:
            now = self._around.seconds()
            if now >= self._quiet_until:
                self._quiet_until = now + QUIET
                self._log.error("requests can't be carried out: {why}", why=str(error))
            return self.err(request.id, "server", _UNAVAILABLE, 2000)

    async def carried(self, asker: Asker, request: wire.Request) -> wire.Ok:
        """Carry out a request; raises `Rejected` and `DatabaseUnavailable`."""
        with self.fairness.asking(asker.person.id):
            await self._room_known(asker, getattr(request, "room", None))
            if isinstance(request, LOOKING):
                async with self.fairness.looking(asker):
                    ok = await self._carry[type(request)](asker, request)
            else:
                ok = await self._carry[type(request)](asker, request)
        name = type(request).__name__.lower()
        self.done[name] = self.done.get(name, 0) + 1
        return ok

    async def _denied(self, asker: Asker, request: wire.Request) -> None:
        """Note that an administrator has tried; once for each kind of request."""
        what = type(request).__name__.lower()
        if what in asker.denied:
            return
        asker.denied.add(what)
        self._around.audit("chat-impersonation-denied", asker.identity, request=what)
        room = getattr(request, "room", None)
        try:
            await impersonation(self._around, asker, room, {"denied": what})
        except DatabaseUnavailable:
            # The other audit has it.
            asker.denied.discard(what)

    def err(
        self, request_id: wire.Id | None, code: wire.Code, message: str, retry_ms: int | None = None
    ) -> wire.Err:
        """A refusal, counted."""
        self.refused[code] = self.refused.get(code, 0) + 1
        return wire.Err(id=request_id, code=code, message=message, retry_ms=retry_ms)

    async def _room_known(self, asker: Asker, room_id: str | None) -> None:
        """Have a room at hand that somebody has joined and nobody was in for long."""
        around = self._around
        if room_id in asker.standing.joined and around.rooms.find(room_id) is None:
            around.rooms.know(await around.store.state(asker.person, room_id))

    async def _typing(self, asker: Asker, request: wire.Typing) -> wire.Ok:
        self.talking.typing(asker, request)
        return wire.Ok(id=request.id if request.id is not None else "")
