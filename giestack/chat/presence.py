"""Who is here, told as what has changed, once a second at most (pure: it is told the time).

A room with more people than a list can show is told their number only, so what goes out does not
grow with the square of the people who come. Who leaves and comes back at once, as at each new
page of a site, has not left.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from giestack.chat.outlet import Batch, batch
from giestack.chat.wire import Presence, User

MOST_SHOWN = 200
"""People whose names are told."""

FEW = 20
"""Where there are no more people than that, whoever comes is told of those who are there now."""

LEAVES_AFTER = 3_000
"""Milliseconds after which somebody who has no connection any more has left."""

NODE_EXPIRES = 60_000
"""Milliseconds after which the people of another node that says nothing are gone."""

NAMED_AGAIN = 2
"""Beats of another node within which it names again who is there."""


@dataclass(slots=True)
class _Room:
    """One room: connections by person here, people by other nodes, and what was told of it.

    People of other nodes have the node's beat in which they were named last.

    :ivar changed: whether there is something to tell here.
    :ivar moved: whether there is something to tell other nodes.
    """

    here: Counter[str] = field(default_factory=Counter)
    names: dict[str, User] = field(default_factory=dict)
    leaving: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, dict[str, tuple[User, int]]] = field(default_factory=dict)
    told: dict[str, User] = field(default_factory=dict)
    told_here: dict[str, User] = field(default_factory=dict)
    first: Batch | None = None
    changed: bool = False
    moved: bool = False

    def now_here(self) -> dict[str, User]:
        """Those who are here by this node, or have just left it."""
        return {
            one: user for one, user in self.names.items() if self.here[one] or one in self.leaving
        }

    def everybody(self) -> dict[str, User]:
        found = self.now_here()
        for people in self.elsewhere.values():
            for one, (user, _) in people.items():
                found.setdefault(one, user)
        return found

    def forget(self, node: str, before: int) -> None:
        """Forget whom a node has not named since a beat."""
        people = self.elsewhere.get(node, {})
        for one in [one for one, (_, beat) in people.items() if beat < before]:
            del people[one]
            self.changed = True
        if not people:
            self.elsewhere.pop(node, None)


class People:
    """Who is in which room, by this node and others."""

    def __init__(self) -> None:
        self._rooms: dict[str, _Room] = {}
        self._heard: dict[str, int] = {}
        self._beats: dict[str, int] = {}

    def enter(self, room_id: str, user: User) -> None:
        """A connection of somebody's has come into a room."""
        room = self._rooms.setdefault(room_id, _Room())
        room.here[user.id] += 1
        room.names[user.id] = user
        room.leaving.pop(user.id, None)
        room.changed = room.moved = True

    def leave(self, room_id: str, person: str, now: int) -> None:
        """A connection that had come in is there no more."""
        room = self._rooms.get(room_id)
        if room is None or not room.here[person]:
            return
        room.here[person] -= 1
        if not room.here[person]:
            del room.here[person]
            room.leaving[person] = now + LEAVES_AFTER

    def those_in(self, room_id: str) -> Presence:
        """Everybody in a room, for somebody who has just come."""
        room = self._rooms.get(room_id, _Room())
        everybody = room.everybody()
        return Presence(
            room=room_id,
            count=len(everybody),
            join=tuple(list(everybody.values())[:MOST_SHOWN]),
        )

    def first(self, room_id: str) -> Batch:
        """The same, ready to be sent.

        In a crowd it is as it was for the first who has come since `changes` were told: what has
        happened meanwhile is among the next ones. So a thousand who come back at once don't each
        have a thousand put into words.
        """
        room = self._rooms.get(room_id, _Room())
        if room.first is None or len(room.names) <= FEW:
            room.first = batch(self.those_in(room_id))
        return room.first

    def ids_in(self, room_id: str) -> frozenset[str]:
        """Ids of everybody in a room."""
        return frozenset(self._rooms.get(room_id, _Room()).everybody())

    def changes(self, now: int) -> list[Presence]:
        """What to tell each room now; empty where nothing has changed."""
        found = []
        for room_id, room in list(self._rooms.items()):
            for person in [one for one, when in room.leaving.items() if when <= now]:
                del room.leaving[person], room.names[person]
                room.changed = room.moved = True
            if room.changed:
                room.changed, room.first = False, None
                told = _difference(room_id, room.told, room.everybody())
                room.told = room.everybody()
                if told is not None:
                    found.append(told)
            # Other nodes are to be told first that the last one has left: see `news`.
            if not (room.here or room.leaving or room.elsewhere or room.told_here):
                del self._rooms[room_id]
        return found

    # Other nodes.

    def news(self) -> list[tuple[str, Sequence[User], Sequence[str]]]:
        """For other nodes: room, who has come by this one and who has left since the last time."""
        found: list[tuple[str, Sequence[User], Sequence[str]]] = []
        for room_id, room in self._rooms.items():
            if not room.moved:
                continue
            room.moved = False
            here = room.now_here()
            come = [user for one, user in here.items() if one not in room.told_here]
            left = [one for one in room.told_here if one not in here]
            room.told_here = here
            if come or left:
                found.append((room_id, come, left))
        return found

    def all_here(self) -> list[tuple[str, Sequence[User]]]:
        """For a node that has just come: everybody who is here by this one, by room."""
        return [(room_id, list(room.now_here().values())) for room_id, room in self._rooms.items()]

    def elsewhere(
        self, node: str, room_id: str, come: Iterable[User], left: Collection[str], now: int
    ) -> None:
        """Another node says who has come and left there."""
        self._heard[node] = now
        beat = self._beats.setdefault(node, 0)
        room = self._rooms.setdefault(room_id, _Room())
        people = room.elsewhere.setdefault(node, {})
        people |= {user.id: (user, beat) for user in come}
        for person in left:
            people.pop(person, None)
        if not people:
            del room.elsewhere[node]
        room.changed = True

    def alive(self, node: str, now: int) -> None:
        """Another node begins to name all who are there.

        It may not have been heard when somebody left: who was named neither this time nor the
        time before is there no more.
        """
        self._heard[node] = now
        beat = self._beats[node] = self._beats.get(node, 0) + 1
        for room in self._rooms.values():
            room.forget(node, beat - NAMED_AGAIN)

    def forget(self, node: str) -> None:
        """Another node has stopped, or begins anew."""
        self._heard.pop(node, None)
        beat = self._beats.pop(node, 0)
        for room in self._rooms.values():
            room.forget(node, beat + 1)

    def expire(self, now: int) -> None:
        """Forget nodes that have said nothing for a minute."""
        for node in [one for one, when in self._heard.items() if when + NODE_EXPIRES <= now]:
            self.forget(node)


def _difference(
    room_id: str, before: Mapping[str, User], after: Mapping[str, User]
) -> Presence | None:
    join = tuple([user for one, user in after.items() if one not in before])
    leave = tuple([one for one in before if one not in after])
    if not join and not leave:
        return None
    if len(after) > MOST_SHOWN:
        join, leave = (), ()
    return Presence(room=room_id, count=len(after), join=join[:MOST_SHOWN], leave=leave)
