"""Other nodes on the same store: what is told there and here, beside the events themselves.

Whatever is told may get lost. Who is here is told anew every `BEAT` seconds; sanctions, choices
and rooms are in the store, and are read anew from there every minute.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from giestack.chat.requests import Requests
from giestack.chat.storage import Signal
from giestack.chat.surroundings import Surroundings
from giestack.chat.wire import Marked, Reported, User, Writing
from giestack.database import DatabaseUnavailable

BEAT = 20.0
"""Seconds between two signs of life."""

MANY = 40
"""People that one signal names."""


class Nodes:
    """Takes in what other nodes say: a `giestack.chat.storage.Watcher`; and says who is here."""

    _log = Logger()

    def __init__(self, around: Surroundings, requests: Requests) -> None:
        self._around = around
        self._requests = requests
        self._take: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "typing": self._typing,
            "read": self._read,
            "prefs": self._person_changed,
            "invited": self._invited,
            "left": self._left,
            "room": self._room,
            "sanctions": lambda _: requests.moderating.refresh(),
            "report": lambda body: requests.moderating.reported(Reported(**body)),
        }

    # What is told there.

    def begin(self) -> None:
        """Ask who is there."""
        self._around.tell("hello", {})

    def end(self) -> None:
        """Say that nobody is here any more."""
        self._around.tell("bye", {})

    def beat(self) -> None:
        """Say who is here, all of them."""
        self._around.tell("alive", {})
        for room, users in self._around.people.all_here():
            self._people(room, users, ())

    def changes(self) -> None:
        """Say who has come and left here."""
        for room, come, left in self._around.people.news():
            self._people(room, come, left)

    def _people(self, room: str, come: Sequence[User], left: Sequence[str]) -> None:
        for start in range(0, max(len(come), len(left)), MANY):
            some = come[start : start + MANY]
            self._around.tell(
                "people",
                {
                    "room": room,
                    "come": [[one.id, one.name, one.role] for one in some],
                    "left": list(left[start : start + MANY]),
                },
            )

    # What is told here.

    def moved(self, rooms: Mapping[str, int]) -> None:
        """Another node has stored events."""
        for room_id, last in rooms.items():
            room = self._around.rooms.find(room_id)
            if room is not None:
                self._around.hearing.moved(room, last)

    def signalled(self, signal: Signal) -> None:
        """Another node has said something; what is not understood is passed over."""
        try:
            self._signalled(signal)
        except (KeyError, TypeError, ValueError):
            self._log.warn("another node said something odd: {kind}", kind=signal.kind)

    def _signalled(self, signal: Signal) -> None:
        people, now, body = self._around.people, self._around.milliseconds(), signal.body
        if signal.kind == "hello":
            self.beat()
        elif signal.kind == "bye":
            people.forget(signal.node)
        elif signal.kind == "people":
            come = [User(id=id, name=name, role=role) for id, name, role in _listed(body["come"])]
            left = _listed(body["left"])
            people.elsewhere(signal.node, str(body["room"]), come, left, now)
        elif signal.kind == "alive":
            people.alive(signal.node, now)
        elif signal.kind in self._take:
            taken = self._take[signal.kind](body)
            if taken is not None:
                Deferred.fromCoroutine(taken).addErrback(self._failed)

    def _failed(self, failure: Any) -> None:
        if failure.check(DatabaseUnavailable) is None:
            self._log.failure("what another node said could not be taken in", failure)

    def _typing(self, body: Mapping[str, Any]) -> None:
        room = self._around.rooms.find(body["room"])
        if room is not None:
            writing = Writing(room=room.id, user=body["user"], name=body["name"])
            self._requests.talking.writes(room, writing)

    def _read(self, body: Mapping[str, Any]) -> None:
        fields = {key: body[key] for key in ("room", "seq", "unread", "mentions")}
        self._requests.looking.marked(body["person"], Marked(**fields))

    async def _person_changed(self, body: Mapping[str, Any]) -> None:
        found = await self._around.store.people([body["person"]])
        for person in found.values():
            self._requests.choosing.chosen(person)

    async def _invited(self, body: Mapping[str, Any]) -> None:
        await self._requests.membership.invited(body["person"], body["room"])

    async def _left(self, body: Mapping[str, Any]) -> None:
        around = self._around
        room = around.rooms.find(body["room"])
        participant = around.participants.get(body["person"])
        if room is not None and participant is not None:
            state = await around.store.state(participant.person, room.id)
            self._requests.membership.left(body["person"], room, state)

    def _room(self, body: Mapping[str, Any]) -> None:
        room = self._around.rooms.find(body["room"])
        if room is not None:
            room.locked, room.slow = bool(body["locked"]), int(body["slow"])


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("must be a list")
    return value
