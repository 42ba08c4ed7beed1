"""One client of somebody's: a connection that hears rooms."""

from dataclasses import dataclass, field

from twisted.internet.defer import Deferred

from giestack.chat.outlet import Batch, Outlet
from giestack.chat.rooms import Room, Standing
from giestack.chat.storage import Person
from giestack.chat.wire import Role, User
from giestack.visitor import Identity

TRY_LATER = 1013
"""The close code where the store can't be reached (registered for RFC 6455)."""


@dataclass(slots=True, eq=False)
class Participant:
    """Somebody who takes part, by all of their clients here.

    :ivar joined: ids of the rooms they have joined.
    """

    person: Person
    role: Role
    joined: set[str]
    clients: set["Client"] = field(default_factory=set)

    @property
    def user(self) -> User:
        """As others see them; plain users have no role there."""
        role = None if self.role == "user" else self.role
        return User(id=self.person.id, name=self.person.name, role=role)


@dataclass(slots=True, eq=False)
class Asker:
    """Who asks for something, and by which client; without one: by a request over HTTP.

    :ivar standing: what they may; it shares ``joined`` with the participant.
    :ivar denied: what an administrator who acts as them has tried in vain.
    """

    identity: Identity
    participant: Participant
    standing: Standing
    client: "Client | None" = None
    denied: set[str] = field(default_factory=set)

    @property
    def person(self) -> Person:
        return self.participant.person


class Client:
    """One connection.

    :ivar person: id of whose it is.
    :ivar conn: names the connection, for requests that come another way.
    :ivar rooms: those it hears, live or behind.
    :ivar behind: up to which number it has got the rooms it does not hear live.
    :ivar catching_up: the rooms that are being sent what it has missed.
    :ivar impersonated: whether an administrator sits there who acts as the person.
    :ivar paused: whether it reads too slowly for more.
    """

    __slots__ = (
        "_outlet",
        "_waiting",
        "behind",
        "catching_up",
        "conn",
        "gone",
        "impersonated",
        "paused",
        "person",
        "rooms",
    )

    def __init__(self, outlet: Outlet, person: str, conn: str) -> None:
        self.person = person
        self.conn = conn
        self.rooms: set[Room[Client]] = set()
        self.behind: dict[Room[Client], int] = {}
        self.catching_up: dict[Room[Client], list[Deferred[None]]] = {}
        self.paused = False
        self.gone = False
        self.impersonated = False
        self._outlet = outlet
        self._waiting: list[Deferred[None]] = []

    def send(self, batch: Batch) -> None:
        """Write, also to a paused one: it is for its owner to stop."""
        self._outlet.send(batch)

    def close(self, code: int, reason: str) -> None:
        """End the connection."""
        if not self.gone:
            self._outlet.close(code, reason)

    def readable(self) -> Deferred[None]:
        """Fires when the client has caught up with reading, or is gone."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def wake(self) -> None:
        """Let those go on who wait for `readable`."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)
