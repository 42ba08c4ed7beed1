"""Rooms: who is in, who may, who hears (pure: it sends nothing, and is told the time)."""

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeVar

from giestack.chat import wire
from giestack.chat.frames import written
from giestack.chat.outlet import Batch, framed
from giestack.chat.storage import Rejected, Sanction
from giestack.chat.wire import FOR_EVER, Deleted, Edited, Event, Kind, Message, Role, RoomState

C = TypeVar("C", bound=Hashable)
"""A client: whatever stands for one."""

RING = 200
"""Events of a room that are kept at hand; who has missed more than that is told of a gap."""

RING_BYTES = 256 * 1024
"""Bytes of JSON that they have, about; what is more has to be asked of the store."""

NO_ROOM = "There is no such room."


class Heard:
    """An event as it goes out, made ready once.

    :ivar text: the frame for everybody, as JSON.
    :ivar frame: the same as a WebSocket frame.
    :ivar author: id of whose clients get `own` and `own_frame` instead; "" for none.
    :ivar changes: whether it changes what an earlier one was: what is at hand of that must not
        go out any more, least of all the text of a message that was deleted.
    :ivar moderated: what a moderator has done, where it is that.
    """

    __slots__ = ("author", "changes", "frame", "moderated", "own", "own_frame", "seq", "text")

    def __init__(
        self, seq: int, text: bytes, author: str = "", own: bytes = b"", changes: bool = False
    ) -> None:
        self.seq = seq
        self.text = text
        self.frame = framed(text)
        self.author = author
        self.own = own
        self.own_frame = framed(own) if own else b""
        self.changes = changes
        self.moderated: wire.Moderated | None = None


def batch_for(person: str, events: Sequence[Heard]) -> Batch:
    """What the clients of one person get of some events."""
    texts = [one.own if one.own and one.author == person else one.text for one in events]
    frames = [one.own_frame if one.own and one.author == person else one.frame for one in events]
    return Batch(texts, b"".join(frames))


def heard(event: Event, cid: str | None = None) -> Heard:
    """Make an event ready for everybody who hears it; ``cid`` is for its author's clients."""
    text = written(event)
    if cid is None or not isinstance(event, Message):
        made = Heard(event.seq, text, changes=isinstance(event, (Edited, Deleted)))
        made.moderated = event if isinstance(event, wire.Moderated) else None
        return made
    # The author's differs in one field more: it need not be made a second time.
    own = b'%b,"cid":%b}' % (text[:-1], written(cid))
    return Heard(event.seq, text, event.user, own)


@dataclass(slots=True, eq=False)
class Room(Generic[C]):
    """A room that somebody here has joined.

    :ivar last: number of the last event that went out.
    :ivar hearers: clients that have got everything up to `last`, in the order of coming.
    :ivar changes: counts how often something that went out became something else.
    :ivar resting: whether nobody has asked for it since the last look.
    :ivar seats: all clients that have subscribed, also those that are behind.
    """

    id: str
    name: str
    kind: Kind
    persistent: bool = False
    locked: bool = False
    slow: int = 0
    last: int = 0
    hearers: dict[C, None] = field(default_factory=dict)
    seats: set[C] = field(default_factory=set)
    changes: int = 0
    resting: bool = False
    _recent: deque[Heard] = field(default_factory=deque)
    _recent_bytes: int = 0
    _early: dict[int, Heard] = field(default_factory=dict)

    def accept(self, one: Heard) -> list[Heard]:
        """Take an event that was stored; return what goes out now, in order.

        Events may come in any order and more than once; one that comes before its turn waits
        (see `waits`).
        """
        if one.seq > self.last:
            self._early[one.seq] = one
        out = []
        while (next_one := self._early.pop(self.last + 1, None)) is not None:
            self.last += 1
            if next_one.changes:
                self.rest()
            if next_one.moderated is not None:
                self._heed(next_one.moderated)
            self._keep(next_one)
            out.append(next_one)
        return out

    def _heed(self, one: wire.Moderated) -> None:
        """Be as a moderator wants it; the node that has told others may not have been heard."""
        if one.act in ("lock", "unlock"):
            self.locked = one.act == "lock"
        elif one.act == "slow":
            self.slow = one.seconds or 0

    def _keep(self, one: Heard) -> None:
        recent = self._recent
        recent.append(one)
        self._recent_bytes += len(one.text)
        while len(recent) > RING or self._recent_bytes > RING_BYTES:
            self._recent_bytes -= len(recent.popleft().text)

    def skip_to(self, seq: int) -> None:
        """There is nothing to come up to a number."""
        if seq > self.last:
            self.last = seq
            self.rest()
            for early in [one for one in self._early if one <= seq]:
                del self._early[early]

    @property
    def waits(self) -> bool:
        """Whether events are missing between `last` and some that have come."""
        return bool(self._early)

    def missed(self, after: int) -> Sequence[Heard] | None:
        """What went out after a number; None where that is not at hand any more."""
        count = self.last - after
        if count <= 0:
            return ()
        if count > len(self._recent):
            return None
        return [self._recent[index] for index in range(-count, 0)]

    def rest(self) -> None:
        """Keep nothing at hand: nobody is here, or some of it is not any more what it was."""
        self._recent.clear()
        self._recent_bytes = 0
        self.changes += 1


@dataclass(slots=True)
class Standing:
    """What somebody may, for the moment.

    :ivar person: their id.
    :ivar joined: ids of rooms they have joined.
    :ivar impersonated: whether an administrator acts as this person.
    """

    person: str
    role: Role = "user"
    joined: set[str] = field(default_factory=set)
    impersonated: bool = False

    @property
    def moderates(self) -> bool:
        return self.role != "user" and not self.impersonated


class Rooms(Generic[C]):
    """All rooms that are known here, and who may do what in them."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room[C]] = {}
        self._bans: dict[str, int] = {}
        self._mutes: dict[tuple[str, str | None], int] = {}
        self.impersonation: Literal["deny", "mark", "allow"] = "deny"

    def __iter__(self) -> Iterator[Room[C]]:
        return iter(self._rooms.values())

    def find(self, room: str) -> Room[C] | None:
        """A room by its id, if it is known here."""
        found = self._rooms.get(room)
        if found is not None:
            found.resting = False
        return found

    def forget_resting(self) -> None:
        """Forget rooms that nobody hears or has asked for since this was called last.

        Whoever asks for one again has to look it up.
        """
        for room in tuple(self._rooms.values()):
            if room.seats:
                continue
            if room.resting:
                del self._rooms[room.id]
            room.resting = True

    def know(self, state: RoomState) -> Room[C]:
        """Take in how a room is; its events are counted on from ``last`` where it is new."""
        room = self._rooms.get(state.id)
        if room is None:
            room = self._rooms[state.id] = Room(state.id, state.name, state.kind, last=state.last)
        room.resting = False
        room.name, room.persistent = state.name, state.persistent
        room.locked, room.slow = state.locked, state.slow
        return room

    def sanctions(self, sanctions: Iterable[Sanction]) -> None:
        """Take in all that are in force."""
        self._bans, self._mutes = {}, {}
        for one in sanctions:
            if one.act == "ban":
                self._bans[one.person.id] = one.until
            else:
                self._mutes[one.person.id, one.room] = one.until

    def banned_until(self, person: str, now: int) -> int:
        """Until when somebody may not be here, ms; 0: they may."""
        until = self._bans.get(person, 0)
        return until if until > now else 0

    def muted_until(self, person: str, room: str, now: int) -> int:
        """Until when somebody may not write in a room, ms; 0: they may."""
        until = max(self._mutes.get((person, key), 0) for key in (room, None))
        return until if until > now else 0

    # Who may. Each raises `Rejected`.

    def readable(self, who: Standing, room_id: str) -> Room[C]:
        """A room that somebody has joined, to read in it."""
        room = self.find(room_id)
        if room is None or room_id not in who.joined:
            if room is not None and room.kind == "public":
                raise Rejected("perm", "Join the room first.")
            # Whether an unlisted room is there is nobody's business.
            raise Rejected("perm", "This is none of your rooms.")
        self.public_if_impersonated(who, room.kind)
        return room

    def writable(self, who: Standing, room_id: str, now: int) -> Room[C]:
        """A room that somebody may write in now."""
        room = self.readable(who, room_id)
        self.acts_as_oneself(who)
        until = self.muted_until(who.person, room_id, now)
        if until:
            raise Rejected(
                "muted",
                "A moderator has muted you here"
                + (" for good." if until >= FOR_EVER else " for some time."),
            )
        if room.locked and not who.moderates:
            raise Rejected("perm", "The room is locked: only moderators write here now.")
        return room

    def acts_as_oneself(self, who: Standing) -> None:
        """That somebody may do things under this name at all."""
        if who.impersonated and self.impersonation == "deny":
            raise Rejected("perm", "An administrator who acts as a user may not write here.")

    def public_if_impersonated(self, who: Standing, kind: Kind) -> None:
        """That somebody may look into a room of this kind: a stranger not into private ones."""
        if not self.shows(kind, impersonated=who.impersonated):
            raise Rejected("perm", "An administrator who acts as a user sees public rooms only.")

    def chooses_as_oneself(self, who: Standing) -> None:
        """That somebody may do what nobody sees a mark on: read, leave, choose."""
        if who.impersonated and self.impersonation != "allow":
            raise Rejected("perm", "An administrator who acts as a user changes nothing of theirs.")

    def shows(self, kind: Kind, *, impersonated: bool) -> bool:
        """Whether a client may be told of a room of this kind: a stranger not of private ones."""
        return not impersonated or self.impersonation == "allow" or kind == "public"

    def moderates(self, who: Standing) -> None:
        """That somebody is a moderator."""
        if not who.moderates:
            raise Rejected("perm", "Only moderators may do that.")


def shown(states: Collection[RoomState], who: Standing, rooms: Rooms[C]) -> tuple[RoomState, ...]:
    """The rooms that somebody is told of."""
    return tuple([one for one in states if rooms.shows(one.kind, impersonated=who.impersonated)])


def muted(state: RoomState, rooms: Rooms[C], who: Standing, now: int) -> RoomState:
    """How a room is for somebody, with until when they are muted there."""
    until = rooms.muted_until(who.person, state.id, now)
    return replace(state, muted_until=until) if until else state
