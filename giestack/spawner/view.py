"""What others see of a session: values for pages, the API and the event stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from giestack.settings.spawner_schema import Profile
from giestack.spawner.owner import Owner

State = Literal[
    "queued", "pulling", "creating", "starting", "ready", "stopping", "stopped", "failed"
]
STATES: tuple[State, ...] = get_args(State)
"""All of them, in the order of a life."""

ENDED: frozenset[State] = frozenset(("stopped", "failed"))
"""States in which nothing of a session runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How a session is at one moment; also what the event stream sends.

    :ivar step: what is being done, a word: a state, or ``probing`` while it does not answer yet.
    :ivar percent: 0 to 100 of the whole start, where it can be told.
    :ivar message: the same for people.
    :ivar eta: seconds until it is ready, as former starts suggest.
    :ivar place: in the queue, 1 is the next; None where it is not queued.
    :ivar reason: why it failed or was stopped, for people; "" otherwise.
    :ivar log: the last lines that it printed, where it failed.
    """

    state: State
    step: str
    message: str
    percent: float | None = None
    eta: float | None = None
    place: int | None = None
    reason: str = ""
    log: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A session as others see it.

    :ivar id: lower-case letters and digits; not a secret, but hard to guess.
    :ivar name: what the owner calls it; the profile's name where they gave none.
    :ivar path: where visitors enter it: ``{prefix}/session/ID{profile.path}``.
    :ivar engine: name of the engine that runs it.
    :ivar note: what owners should know about that engine, for example "no isolation".
    :ivar options: what the owner chose, a value for each of the profile's options.
    :ivar created: when it was asked for, aware, in UTC; the other times are the same.
    :ivar began: when the present start began; None while queued.
    :ivar ready_since: None while it is not ready.
    :ivar last_used: None while it is not ready.
    :ivar idle_end: when it is stopped unless it is used again; None: never.
    :ivar end: when it is stopped in any case; None: never.
    :ivar ending: whether its end is so near that the owner should be warned.
    """

    id: str
    profile: Profile
    name: str
    owner: Owner
    path: str
    engine: str
    note: str
    created: datetime
    moment: Moment
    options: Mapping[str, object] = field(default_factory=dict)
    began: datetime | None = None
    ready_since: datetime | None = None
    last_used: datetime | None = None
    idle_end: datetime | None = None
    end: datetime | None = None
    ending: bool = False


class SpawnRefused(Exception):
    """A request about sessions that can't be granted.

    :ivar status: the HTTP status that says so.
    :ivar code: the API's word for it.
    :ivar field: the option that is wrong, or "".
    """

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field


def unknown_profile(name: str) -> SpawnRefused:
    """There is no such profile, or it is not for this visitor: the same answer."""
    return SpawnRefused(404, "no-such-profile", f"There is no profile “{name}”.")


def bad_option(field: str, message: str) -> SpawnRefused:
    """An option has a value that it can't have."""
    return SpawnRefused(422, "bad-options", message, field)
