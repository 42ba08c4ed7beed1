"""What those who carry out requests share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from giestack.chat.client import Client, Participant
from giestack.chat.hearing import Hearing
from giestack.chat.presence import People
from giestack.chat.rates import Rates, SlowMode
from giestack.chat.rooms import Rooms
from giestack.chat.rules import Rules
from giestack.chat.storage import Store
from giestack.chat.word_filter import WordFilter
from giestack.visitor import Identity, Operator


class Audit(Protocol):
    """Takes note of what somebody did; ``fields`` hold no secret."""

    def __call__(self, event: str, who: Identity | Operator | None, **fields: object) -> None: ...


class Looks:
    """Looks at what the store has about people, which something may have changed meanwhile."""

    def __init__(self) -> None:
        self._looks: dict[str, list[Look]] = {}

    def __len__(self) -> int:
        return len(self._looks)

    @contextmanager
    def at(self, person: str) -> Iterator["Look"]:
        """While somebody is looked up, by id."""
        look = Look()
        looks = self._looks.setdefault(person, [])
        looks.append(look)
        try:
            yield look
        finally:
            looks.remove(look)
            if not looks:
                del self._looks[person]

    def changed(self, person: str) -> None:
        """Something about somebody is not any more what it was."""
        for look in self._looks.get(person, ()):
            look.stale = True


class Look:
    """One of them.

    :ivar stale: whether it has to be done again.
    """

    __slots__ = ("stale",)

    def __init__(self) -> None:
        self.stale = False


@dataclass(slots=True)
class Surroundings:
    """Everything that is the same for all who are here.

    :ivar now: the time, ms since 1970 UTC.
    :ivar seconds: a clock that is never set, for rates.
    :ivar participants: those with a client here, by person's id.
    :ivar later: calls something in the next turn of the reactor.
    :ivar tell: tells other nodes; kind and body of a `giestack.chat.storage.Signal`.
    """

    store: Store
    rules: Rules
    rooms: Rooms[Client]
    hearing: Hearing
    people: People
    now: Callable[[], int]
    seconds: Callable[[], float]
    audit: Audit
    later: Callable[[Callable[[], None]], object]
    tell: Callable[[str, dict[str, object]], None]
    participants: dict[str, Participant] = field(default_factory=dict)
    rates: Rates = field(default_factory=lambda: Rates(0, 0))
    slow: SlowMode = field(default_factory=SlowMode)
    filter: WordFilter = field(default_factory=WordFilter)
    looks: Looks = field(default_factory=Looks)

    def milliseconds(self) -> int:
        """The same as `seconds`, for who is here: nobody stays because a clock was set."""
        return round(self.seconds() * 1000)

    def configure(self, rules: Rules) -> None:
        """Go by other rules from now on."""
        self.rules = rules
        self.rates.limit(rules.rate, rules.burst)
        self.filter = WordFilter(rules.deny, rules.mask)
        self.rooms.impersonation = rules.impersonation
