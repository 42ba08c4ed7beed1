"""Who may start now, and who waits: limits per user and in total, in the order of asking."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many sessions may be there at a time; 0 is no limit.

    :ivar per_user: of one user.
    :ivar total: of everybody.
    """

    per_user: int = 3
    total: int = 50


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where a session stands in the queue.

    :ivar place: 1 is the next to be started.
    :ivar own_limit: whether it waits for another session of the same user to end.
    """

    place: int
    own_limit: bool


def admitted(limits: Limits, there: Iterable[str], queue: Mapping[str, str]) -> list[str]:
    """Return the ids of those in the queue for which there is room, in order.

    :param there: the owner of each session that takes up room, by their key.
    :param queue: the owner of each waiting session by its id, in the order of asking.

    Somebody who has as many as they may does not hold up those behind them.
    """
    room = Counter(there)
    total = room.total()
    found = []
    for session_id, owner in queue.items():
        if limits.total and total >= limits.total:
            break
        if limits.per_user and room[owner] >= limits.per_user:
            continue
        room[owner] += 1
        total += 1
        found.append(session_id)
    return found


def places(limits: Limits, there: Iterable[str], queue: Mapping[str, str]) -> dict[str, Waiting]:
    """Return where each session of the queue stands; the arguments are as in `admitted`.

    Sessions that wait for another one of their owner to end come after all others.
    """
    room = Counter(there)
    next_ones, later = [], []
    for session_id, owner in queue.items():
        if limits.per_user and room[owner] >= limits.per_user:
            later.append(session_id)
        else:
            room[owner] += 1
            next_ones.append(session_id)
    order = [(session_id, False) for session_id in next_ones]
    order += [(session_id, True) for session_id in later]
    return {
        session_id: Waiting(place, own_limit)
        for place, (session_id, own_limit) in enumerate(order, 1)
    }
