"""Who may start now and where, and who waits: by limits and by what engines have."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from giestack.spawner.engine import Room

Lack = Literal["", "own", "total", "memory", "gpus", "engine"]
"""What a session waits for: another one of its owner or of anybody to end, or its engine."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many sessions may be there at a time; 0 is no limit.

    :ivar per_user: of one user.
    :ivar total: of everybody.
    """

    per_user: int = 3
    total: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a session takes up.

    :ivar owner: their key.
    :ivar memory: the most it may use, bytes; 0: without limit, which nobody can count.
    :ivar engine: the one it is on, or is best started on; "" where it does not matter.
    """

    owner: str
    memory: int = 0
    gpus: int = 0
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where a session stands in the queue.

    :ivar place: 1 is the next to be started.
    :ivar lack: what it waits for; "" for those before it.
    """

    place: int
    lack: Lack = ""

    @property
    def own_limit(self) -> bool:
        """Whether it waits for another session of the same user to end."""
        return self.lack == "own"


@dataclass(slots=True)
class _Engine:
    """What is left of an engine."""

    memory: float
    gpus: int
    sessions: int = 0

    def take(self, need: Need) -> None:
        self.memory -= need.memory
        self.gpus -= need.gpus
        self.sessions += 1


@dataclass(slots=True)
class _Site:
    """What is left of everything, while those in the queue take their part one by one.

    :ivar short: what somebody waits for who came earlier: nobody may take that away again.
    """

    limits: Limits
    owners: Counter[str]
    engines: dict[str, _Engine]
    short: set[Lack] = field(default_factory=set)

    def lack(self, need: Need) -> tuple[Lack, str]:
        """What keeps a session from starting, or the engine for it."""
        if self.limits.per_user and self.owners[need.owner] >= self.limits.per_user:
            return "own", ""
        if self.limits.total and self.owners.total() >= self.limits.total:
            return "total", ""
        if not self.engines:
            return "engine", ""
        fitting = [name for name, one in self.engines.items() if one.gpus >= need.gpus]
        if not fitting or (need.gpus and "gpus" in self.short):
            return "gpus", ""
        fitting = [name for name in fitting if self.engines[name].memory >= need.memory]
        if not fitting or (need.memory and "memory" in self.short):
            return "memory", ""
        if need.engine in fitting:
            return "", need.engine
        return "", min(fitting, key=lambda name: self.engines[name].sessions)

    def take(self, need: Need, engine: str) -> None:
        self.owners[need.owner] += 1
        if engine in self.engines:
            self.engines[engine].take(need)


def _site(limits: Limits, there: Iterable[Need], rooms: Mapping[str, Room]) -> _Site:
    engines = {
        name: _Engine(inf if room.memory is None else room.memory, room.gpus)
        for name, room in rooms.items()
    }
    site = _Site(limits, Counter(), engines)
    for need in there:
        site.take(need, need.engine)
    return site


def _walk(
    limits: Limits,
    there: Iterable[Need],
    queue: Mapping[str, Need],
    rooms: Mapping[str, Room],
) -> Iterator[tuple[str, Lack, str]]:
    """Let those in the queue take their part in order: id, what it lacks, its engine if nothing."""
    site = _site(limits, there, rooms)
    for session_id, need in queue.items():
        lack, engine = site.lack(need)
        if lack == "":
            site.take(need, engine)
        elif lack != "own":
            site.short.add(lack)
        yield session_id, lack, engine


def admitted(
    limits: Limits,
    there: Iterable[Need],
    queue: Mapping[str, Need],
    rooms: Mapping[str, Room],
) -> dict[str, str]:
    """Return the engine for each of those in the queue that may start now, by id, in order.

    :param there: the sessions that take up room.
    :param queue: those that wait, in the order of asking.
    :param rooms: what each engine has that takes new sessions, before `there` is taken off.

    Somebody who has as many as they may does not hold up those behind them. Who waits for memory
    or a GPU holds up only those who want of the same, so that small ones don't take for ever
    what a large one waits for.
    """
    walk = _walk(limits, there, queue, rooms)
    return {session_id: engine for session_id, lack, engine in walk if lack == ""}


def places(
    limits: Limits,
    there: Iterable[Need],
    queue: Mapping[str, Need],
    rooms: Mapping[str, Room],
) -> dict[str, Waiting]:
    """Return where each session of the queue stands; the arguments are as in `admitted`.

    Sessions that wait for another one of their owner to end, or to start first, come after all
    others.
    """
    there = list(there)
    owned = Counter(need.owner for need in there)
    next_ones: list[tuple[str, Lack]] = []
    later: list[tuple[str, Lack]] = []
    for session_id, lack, _ in _walk(limits, there, queue, rooms):
        owner = queue[session_id].owner
        if lack == "own" or (lack and 0 < limits.per_user <= owned[owner]):
            later.append((session_id, "own"))
        else:
            owned[owner] += 1
            next_ones.append((session_id, lack))
    order = enumerate(next_ones + later, 1)
    return {session_id: Waiting(place, lack) for place, (session_id, lack) in order}


def too_large(need: Need, rooms: Mapping[str, Room]) -> Lack:
    """What no engine could ever give to a session, even with nothing else there; "" for nothing."""
    if not rooms:
        return ""
    fitting = [room for room in rooms.values() if room.gpus >= need.gpus]
    if not fitting:
        return "gpus"
    if all(room.memory is not None and room.memory < need.memory for room in fitting):
        return "memory"
    return ""
