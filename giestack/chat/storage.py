"""What the chat asks of its store, in the chat's own words (values and one Protocol).

A person and a room have two names: ``key``, a number, is the store's own, and ``id`` is the text
that clients see. Times are milliseconds since 1970 UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from twisted.internet.defer import Deferred

from giestack.chat.wire import Act, Choices, Code, Event, Kind, RoomState, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Somebody as their host application knows them.

    :ivar host: "galaxy" or "openbis"; with ``user_id`` it names a person for ever.
    :ivar id: the id that others see, as the host shows it in its own API.
    :ivar name: the public name, cleaned (see `giestack.chat.names`).
    """

    host: str
    user_id: int
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has been here.

    :ivar opt_in: None: has never chosen.
    """

    key: int
    id: str
    name: str
    opt_in: bool | None = None
    do_not_disturb: bool = False
    online: bool = False

    @property
    def user(self) -> User:
        return User(id=self.id, name=self.name)

    @property
    def choices(self) -> Choices:
        return Choices(
            do_not_disturb=self.do_not_disturb, online=self.online, opt_in=bool(self.opt_in)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRecord:
    """A room as it is kept.

    :ivar persistent: whether the configuration has it now.
    :ivar last: number of its last event.
    :ivar members: in a ``dm`` its two people, else nobody: whoever joined is asked for by room.
    """

    key: int
    id: str
    name: str
    kind: Kind
    persistent: bool = False
    locked: bool = False
    slow: int = 0
    owner: User | None = None
    last: int = 0
    members: tuple[Person, ...] = ()


class Rejected(Exception):
    """What was asked for can't be done, and nothing was; carries what the client is told.

    :ivar retry_ms: when it is worth trying again; None: never.
    """

    def __init__(self, code: Code, message: str, retry_ms: int | None = None) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.retry_ms = retry_ms


# What is to be added to a room.


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message, checked and filtered.

    :ivar names: names that the text mentions, in lower case.
    :ivar everybody: whether it mentions the whole room.
    :ivar impersonated_by: who acts as the author: their e-mail, for the audit only.
    """

    room: str
    author: Person
    ts: int
    cid: str
    text: str
    reply: int | None = None
    names: tuple[str, ...] = ()
    everybody: bool = False
    impersonated_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEdit:
    """Another text for one's own message ``ref``, if that is not older than ``since``."""

    room: str
    author: Person
    ts: int
    ref: int
    text: str
    since: int
    names: tuple[str, ...] = ()
    everybody: bool = False
    impersonated_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeletion:
    """The end of message ``ref``: the author's own, not older than ``since``, or as moderator."""

    room: str
    author: Person
    ts: int
    ref: int
    since: int
    moderator: bool = False
    reason: str | None = None
    impersonated_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModeration:
    """An act of a moderator that is told in a room; `Store.sanction` and others carry it out."""

    room: str
    author: Person
    ts: int
    act: Act
    target: Person | None = None
    until: int | None = None
    seconds: int | None = None
    reason: str | None = None


Draft = NewMessage | NewEdit | NewDeletion | NewModeration


@dataclass(frozen=True, slots=True)
class Appended:
    """An event that is stored for good.

    :ivar event: without a `cid`.
    :ivar new: False where it was stored before, under the same `cid`.
    """

    event: Event
    new: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanction:
    """Somebody may not write (``mute``) or not be here (``ban``) until a time.

    :ivar room: id of the room that a ``mute`` is for; None: everywhere.
    """

    person: Person
    act: Literal["mute", "ban"]
    until: int
    room: str | None = None
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One line of the audit: who did what to whom; names and e-mails are as they were then.

    :ivar number: its place in the audit, given by the store.
    """

    number: int = 0
    ts: int
    action: str
    by: str
    room: str | None = None
    target: str | None = None
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A report that moderators are to look at."""

    number: int
    ts: int
    room: str
    ref: int
    by: User
    author: User
    text: str
    reason: str
    closed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some events and where to go on: ``next`` is None at the end."""

    events: tuple[Event, ...]
    next: int | None = None
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Something for the other nodes, which may get lost: who is here, who writes, what was read.

    :ivar kind: what it is about; the chat's own words.
    :ivar node: who says it.
    :ivar body: JSON; not longer than 7,000 bytes in UTF-8 with the rest.
    """

    kind: str
    node: str
    body: Mapping[str, object]


class Watcher(Protocol):
    """Is told what other nodes have done; on one node alone nothing ever comes."""

    def moved(self, rooms: Mapping[str, int]) -> None:
        """Rooms have events up to these numbers, by room id; what is known may be told again."""

    def signalled(self, signal: Signal) -> None:
        """Another node has said something."""


class Store(Protocol):
    """Where everything is kept.

    Each Deferred fails with `giestack.database.DatabaseUnavailable` where the store can't be
    used right now (a full disk, a server that is down): then nothing of it was stored.
    """

    epoch: str
    """Names the log: another one where it was begun anew."""

    def open(self) -> Deferred[None]:
        """Make the schema, or bring it up to date, after a backup. Before anything else."""

    def close(self) -> Deferred[None]:
        """Store what was accepted, and let go."""

    def watch(self, watcher: Watcher) -> None:
        """Tell of other nodes from now on."""

    def tell(self, signal: Signal) -> None:
        """Tell other nodes, if there are any; may get lost."""

    # People.

    def person(self, who: Who) -> Deferred[Person]:
        """Find somebody, or add them; their id and name are from now on as they are here."""

    def people(self, ids: Sequence[str]) -> Deferred[Mapping[str, Person]]:
        """Find people by the ids that clients use."""

    def named(self, prefix: str, room: str | None, limit: int) -> Deferred[Sequence[User]]:
        """Those whose name begins so (case does not count): a room's members, or all."""

    def choose(
        self,
        person: Person,
        *,
        opt_in: bool | None = None,
        do_not_disturb: bool | None = None,
        online: bool | None = None,
    ) -> Deferred[Person]:
        """Keep what somebody has chosen; None leaves a choice as it is."""

    # Rooms.

    def persist(self, names: Sequence[str]) -> Deferred[None]:
        """Make these the persistent rooms, in this order; others are persistent no longer."""

    def room(self, room: str) -> Deferred[RoomRecord | None]:
        """A room by its id."""

    def rooms_of(self, person: Person) -> Deferred[Sequence[RoomState]]:
        """The persistent rooms in their order, then those the person has joined, by use."""

    def state(self, person: Person, room: str) -> Deferred[RoomState]:
        """A room as one person sees it; `Rejected` ``noroom``."""

    def public_rooms(self, text: str, limit: int) -> Deferred[Sequence[RoomState]]:
        """Public rooms whose name holds a text, the most lively first."""

    def create(self, person: Person, kind: Kind, name: str, ts: int) -> Deferred[RoomRecord]:
        """Make a room, joined by who makes it; `Rejected` where a public one has that name."""

    def direct(self, person: Person, other: Person, ts: int) -> Deferred[RoomRecord]:
        """The room of two people, made if there is none; both have joined it."""

    def join(self, person: Person, room: str, ts: int) -> Deferred[None]:
        """Join; what was said before counts as read. Joining twice changes nothing."""

    def leave(self, person: Person, room: str) -> Deferred[None]:
        """Leave; nobody is left in an unlisted room: it stays, for those who know its id."""

    def joined(self, person: Person) -> Deferred[frozenset[str]]:
        """Ids of the rooms that somebody has joined."""

    def mark(self, person: Person, room: str, seq: int) -> Deferred[RoomState]:
        """Read up to ``seq``, never back, never past the last event."""

    def set_room(
        self, room: str, *, locked: bool | None = None, slow: int | None = None
    ) -> Deferred[None]:
        """Change a room."""

    # Events.

    def append(self, draft: Draft) -> Deferred[Appended]:
        """Store an event with the room's next number; fires once it is there for good.

        Several that wait are stored together. `Rejected` with ``noroom``, or ``bad`` where
        ``ref`` or ``reply`` names nothing that it may name, or ``perm`` where it is too late.
        """

    def events(
        self,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> Deferred[Page]:
        """Events in order: the first ``limit`` after a number, or the last before one (or all)."""

    def search(
        self, person: Person, text: str, room: str | None, before: int | None, limit: int
    ) -> Deferred[Page]:
        """Messages with all these words in rooms the person may read, newest first."""

    def export(
        self, person: Person, room: str | None, after: int | None, limit: int
    ) -> Deferred[Page]:
        """A person's own messages that are not deleted, oldest first; with their `cid`."""

    # Order in the house.

    def sanctions(self) -> Deferred[Sequence[Sanction]]:
        """All that have not ended."""

    def sanction(self, sanction: Sanction) -> Deferred[None]:
        """Put in force, instead of one that is the same but for time and reason."""

    def lift(self, act: Literal["mute", "ban"], person: Person, room: str | None) -> Deferred[None]:
        """End a sanction, if there is one."""

    def report(self, person: Person, room: str, ref: int, reason: str, ts: int) -> Deferred[None]:
        """Keep a report of a message; the same person's second one of it replaces the first."""

    def reports(self, limit: int) -> Deferred[Sequence[ReportRow]]:
        """Open reports, the newest first."""

    def close_report(self, number: int, by: str) -> Deferred[None]:
        """A moderator has looked at it."""

    def audit(self, row: AuditRow) -> Deferred[None]:
        """Keep a line of the audit."""

    def audited(self, limit: int, before: int | None = None) -> Deferred[Sequence[AuditRow]]:
        """Lines of the audit, the newest first; those before a number."""

    def prune(self, before: int) -> Deferred[int]:
        """Forget what is older; returns how many events went. Numbers go on as they were."""
