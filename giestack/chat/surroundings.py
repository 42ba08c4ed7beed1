"""What those who carry out requests share."""

from collections.abc import Callable
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

    def configure(self, rules: Rules) -> None:
        """Go by other rules from now on."""
        self.rules = rules
        self.rates.limit(rules.rate, rules.burst)
        self.filter = WordFilter(rules.deny, rules.mask)
        self.rooms.impersonation = rules.impersonation
