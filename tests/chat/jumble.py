"""A store that answers in any order, and readers who check what they hear."""

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from giestack.chat import wire
from giestack.chat.chat import Chat
from giestack.chat.frames import written
from giestack.chat.outlet import Batch
from giestack.visitor import Identity
from tests.chat.memory_store import Log, MemoryStore

_WRITES = frozenset(
    ("append", "choose", "create", "direct", "join", "leave", "mark", "persist", "person", "prune")
)


class _Call:
    """Something that the store was asked: done at one time, and answered at a later one."""

    def __init__(self, name: str, work: Callable[[], Deferred[Any]]) -> None:
        self.writes = name in _WRITES
        self.work = work
        self.done: Deferred[Any] | None = None
        self.answer: Deferred[Any] = Deferred()


class JumbledStore(MemoryStore):
    """Does and answers at any time what it is asked, but writes in order: as threads do.

    :ivar calls: what waits.
    :ivar at_once: whether nothing waits.
    :ivar deaf: how likely another node is not told of something.
    """

    def __init__(self, log: Log, random: Random) -> None:
        super().__init__(log)
        self.calls: list[_Call] = []
        self.at_once = True
        self.deaf = 0.0
        self._random = random

    def _run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        if self.at_once:
            return self._done(function, *args)
        # The method that it was defined in.
        name = function.__qualname__.split(".")[1]
        self.calls.append(call := _Call(name, lambda: self._done(function, *args)))
        return call.answer

    def step(self) -> bool:
        """Do or answer one of the calls; return whether there was one."""
        writes = [one for one in self.calls if one.writes]
        some = [one for one in self.calls if not one.writes] + writes[:1]
        some += [one for one in writes if one.done is None][:1]
        if not some:
            return False
        call = self._random.choice(some)
        if call.done is None:
            call.done = call.work()
        else:
            self.calls.remove(call)
            call.done.chainDeferred(call.answer)
        return True

    def finish(self) -> None:
        """Do and answer all."""
        while self.step():
            pass

    def _others(self) -> list[Any]:
        return [one for one in super()._others() if self._random.random() >= self.deaf]


class Reader:
    """A client that checks what it hears.

    :ivar mistakes: what was wrong.
    :ivar at: number of the last event, by room.
    :ivar unsure: rooms that were left and joined at the same time: either may be the last word.
    :ivar waiting: requests that are not answered yet, by id.
    """

    def __init__(self, who: Identity, chat: Chat, log: Log, clock: Clock) -> None:
        self.chat = chat
        self.mistakes: list[str] = []
        self.at: dict[str, int] = {}
        self.unsure: set[str] = set()
        self.waiting: dict[int, wire.Request] = {}
        self.gone = False
        self._who = who
        self._log = log
        self._clock = clock
        self._closed = False
        self._paused = False
        self._number = 0
        # Rooms that were asked for, with what is known of them already; None: joined.
        self._asked: dict[str, int | None] = {}
        self._first: dict[str, int] = {}
        self._conversation: Any = chat.arrive(who, self)

    @property
    def rooms(self) -> set[str]:
        """Those that it hears or has asked for."""
        return self.at.keys() | self._asked.keys()

    # An outlet.

    def close(self, code: int, reason: str) -> None:
        if not self._closed:
            self._closed = True
            self._clock.callLater(0, self.go)

    def send(self, batch: Batch) -> None:
        if self.gone:
            self.mistakes.append("sent to somebody who has gone")
        for text in batch.texts:
            self._heard(wire.ANSWERS.read(text))

    def _heard(self, frame: Any) -> None:
        if isinstance(frame, wire.Ok):
            self._done(self.waiting.pop(int(frame.id)), frame)
        elif isinstance(frame, wire.Err):
            assert frame.id is not None
            self._refused(self.waiting.pop(int(frame.id)), frame)
        elif isinstance(frame, wire.Gap):
            self._next(frame.room, frame.from_, frame.to)
        elif isinstance(frame, wire.Event):
            self._next(frame.room, frame.seq, frame.seq)
        elif isinstance(frame, wire.Room) and frame.gone:
            self.at.pop(frame.room.id, None)
            if frame.room.id in self._asked:
                self.unsure.add(frame.room.id)

    def _next(self, room: str, first: int, last: int) -> None:
        if room in self.unsure:
            return
        at = self.at.get(room, self._asked.get(room))
        self.at[room] = last
        if at is None:
            if room not in self._asked:
                self.mistakes.append(f"{room}: {first} was not asked for")
            self._first[room] = first
        elif first <= at:
            self.mistakes.append(f"{room}: {first} came again after {at}")
        elif any(seq in self._log.rooms[room].rows for seq in range(at + 1, first)):
            self.mistakes.append(f"{room}: {first} came after {at}")

    def _done(self, request: wire.Request, ok: wire.Ok) -> None:
        if isinstance(request, wire.Join):
            assert ok.room is not None
            del self._asked[request.room]
            self.at.setdefault(request.room, ok.room.last)
            if self._first.pop(request.room, 0) > ok.room.last + 1:
                self.mistakes.append(f"{request.room}: something is missing after {ok.room.last}")
        elif isinstance(request, wire.Resume):
            for room, after in request.rooms.items():
                del self._asked[room]
                if room not in (ok.refused or ()):
                    self.at.setdefault(room, after)
        elif isinstance(request, wire.Leave):
            self.at.pop(request.room, None)

    def _refused(self, request: wire.Request, err: wire.Err) -> None:
        if isinstance(request, (wire.Join, wire.Resume)):
            for room in [request.room] if isinstance(request, wire.Join) else request.rooms:
                del self._asked[room]
            if err.code == "server":
                # It can't tell what it hears now, and would begin anew.
                self._clock.callLater(0, self.go)

    # What it does.

    def ask(self, kind: type, **fields: Any) -> None:
        if self.gone or self._closed:
            return
        self._number += 1
        self.waiting[self._number] = request = kind(id=self._number, **fields)
        if isinstance(request, wire.Join):
            self._asked[request.room] = None
        elif isinstance(request, wire.Resume):
            self._asked |= request.rooms
        self._conversation.received(written(request))

    def say(self, room: str) -> None:
        cid = f"{self._who.user_id}-{id(self)}-{self._number}"
        self.ask(wire.Msg, room=room, text="hi", cid=cid)

    def pause(self) -> None:
        if not self.gone and not self._paused:
            self._paused = True
            self._conversation.pause()

    def read_on(self) -> None:
        if not self.gone and self._paused:
            self._paused = False
            self._conversation.resume()

    def go(self) -> None:
        if not self.gone:
            self.gone = True
            self._conversation.gone()
