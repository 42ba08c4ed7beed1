"""What sessions use: memory and CPU time of a process and all its descendants (proc(5))."""

import os
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from giestack.spawner.engine import Stats

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SHORTEST = 1.0
"""Seconds between two looks at CPU time that give a figure worth having."""


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    cpu: int
    resident: int


class Usage:
    """Answers what sessions use; questions that come together share one look at ``/proc``."""

    def __init__(self, in_thread: Callable[..., Deferred[Any]], clock: IReactorTime) -> None:
        self._in_thread = in_thread
        self._clock = clock
        self._waiting: dict[int, list[Deferred[Stats | None]]] = {}
        self._before: dict[int, tuple[float, float]] = {}
        self._looking = False

    def of(self, root: int) -> Deferred[Stats | None]:
        """What the descendants of a process use; None where it is not there."""
        result: Deferred[Stats | None] = Deferred()
        self._waiting.setdefault(root, []).append(result)
        if not self._looking:
            self._looking = True
            self._clock.callLater(0, self._look)
        return result

    def forget(self, root: int) -> None:
        """The process has ended; its number may become another's."""
        self._before.pop(root, None)

    def _look(self) -> None:
        asked, self._waiting = self._waiting, {}
        self._in_thread(measure, frozenset(asked)).addBoth(self._answer, asked)

    def _answer(
        self,
        found: dict[int, tuple[int, float]] | Failure,
        asked: dict[int, list[Deferred[Stats | None]]],
    ) -> None:
        self._looking = bool(self._waiting)
        if self._looking:
            self._clock.callLater(0, self._look)
        for root, waiting in asked.items():
            stats = None
            if not isinstance(found, Failure) and root in found:
                memory, cpu = found[root]
                stats = Stats(memory, self._share(root, cpu))
            for each in waiting:
                if not each.called:
                    each.callback(stats)

    def _share(self, root: int, cpu: float) -> float | None:
        now = self._clock.seconds()
        before = self._before.get(root)
        if before is None:
            self._before[root] = now, cpu
            return None
        seconds, used = now - before[0], cpu - before[1]
        if seconds >= _SHORTEST:
            self._before[root] = now, cpu
        return max(0.0, used / seconds) if seconds > 0 else 0.0


def measure(roots: Collection[int]) -> dict[int, tuple[int, float]]:
    """Return bytes of memory and seconds of CPU time for each of these processes that is there.

    Memory is that of the descendants, what they share counted once (PSS). CPU time is of all
    since the beginning, also of those that have ended. Belongs into a thread.
    """
    table = {pid: found for pid in _pids() if (found := _read(pid)) is not None}
    children = defaultdict(list)
    for pid, found in table.items():
        children[found.parent].append(pid)
    result = {}
    for root in roots:
        if root in table:
            family, unseen = [root], [root]
            while unseen:
                unseen = [child for pid in unseen for child in children[pid]]
                family += unseen
            memory = sum(_memory(pid, table[pid].resident) for pid in family[1:])
            result[root] = memory, sum(table[pid].cpu for pid in family) / _TICKS
    return result


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]
    except OSError:
        return []


def _read(pid: int) -> _Process | None:
    try:
        # Fields are counted from the third, behind the name, which may hold anything.
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        return _Process(int(fields[1]), sum(map(int, fields[11:15])), int(fields[21]) * _PAGE)
    except (OSError, ValueError, IndexError):
        return None


def _memory(pid: int, resident: int) -> int:
    try:
        rollup = (_PROC / str(pid) / "smaps_rollup").read_bytes()
        for line in rollup.split(b"\n"):
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resident
