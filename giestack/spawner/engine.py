"""What the spawner asks of an engine: something that runs programs for people, and ends them.

An engine knows a session by its id alone. It is told what to start and to stop; it tells what
ended by itself. It decides nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from twisted.internet.defer import Deferred

from giestack.address import Address
from giestack.settings.spawner_schema import Profile
from giestack.spawner.owner import Owner

Step = Literal["pulling", "creating", "starting"]
"""What an engine does between the request to start and the address."""


class EngineError(Exception):
    """An engine could not do what it was asked for; the text is for the session's owner.

    It says what went wrong and, where it is known, what helps; it holds no secret.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Where a wish for a session came from, as far as its program may want to know.

    :ivar history_id: Galaxy's id of the history that is worked on, as Galaxy shows it.
    :ivar remote_host: address of the visitor.
    :ivar origin: ``scheme://host[:port]`` under which the visitor sees giestack.
    """

    history_id: str = ""
    remote_host: str = ""
    origin: str = ""


def base_url_of(prefix: str, session_id: str, own_host: bool) -> str:
    """The path below which visitors see a new session, with a slash at the end.

    That is ``{prefix}/session/ID/``, with giestack's own prefix; all of a host of its own.
    """
    return "/" if own_host else f"{prefix}/session/{session_id}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What is to be started.

    :ivar session_id: lower-case letters and digits.
    :ivar profile: with its templates as they are written.
    :ivar name: what the owner calls it.
    :ivar options: what the owner chose, checked, a value for each of the profile's options.
    :ivar base_url: the path below which visitors see it, see `base_url_of`.
    :ivar galaxy_url: with a slash at the end; "" where it is not known.
    :ivar env: what hooks add to the profile's environment.
    :ivar api_key: the owner's key to Galaxy's API, where the profile wants it.
    :ivar created: seconds since the epoch when it was asked for.
    """

    session_id: str
    owner: Owner
    profile: Profile
    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    base_url: str = "/"
    galaxy_url: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_key: str = field(default="", repr=False)
    circumstances: Circumstances = Circumstances()
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a start has come.

    :ivar message: for the owner, a sentence or less.
    :ivar percent: 0 to 100 within the step, where it is known.
    :ivar eta: seconds until the step is done, where that can be told.
    """

    step: Step
    message: str
    percent: float | None = None
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a session ended by itself.

    :ivar status: exit status as a shell gives it (128 and more: by a signal); None: unknown.
    :ivar reason: the same for people, for example ``killed by signal 9`` or ``out of memory``.
    """

    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A session that an engine has, whoever started it.

    :ivar launch: as it was; the profile is the present one of that name.
    :ivar address: where it listens; None where it does not run.
    :ivar started: seconds since the epoch when it was started; None where that is not known.
    """

    launch: Launch
    address: Address | None
    started: float | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """What a session uses now.

    :ivar memory: bytes.
    :ivar cpu: CPU time per time since the last question, 1.0 is one core; None at the first.
    """

    memory: int
    cpu: float | None


@dataclass(frozen=True, slots=True)
class Room:
    """What an engine has for all its sessions together.

    :ivar memory: bytes; None: as much as anybody wants.
    :ivar gpus: how many it can hand out.
    """

    memory: int | None = None
    gpus: int = 0


class Engine(Protocol):
    """Runs sessions.

    Every Deferred may be cancelled. Failures are `EngineError`; anything else is a bug.

    :ivar name: as configured.
    :ivar note: what owners should know about it, for example that there is no isolation; "".
    :ivar lives_on: whether sessions go on without giestack, so that they are found again.
    :ivar trouble: what keeps it from starting anything just now, in words with the remedy; "".
    :ivar room: as far as it is known by now.
    """

    @property
    def name(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def lives_on(self) -> bool: ...
    @property
    def trouble(self) -> str: ...
    @property
    def room(self) -> Room: ...

    def configure(self, profiles: Sequence[Profile]) -> None:
        """The profiles that there are from now on, also before it is opened."""

    def reserve(self, profile: Profile, options: Mapping[str, object]) -> str:
        """The id under which a session of this profile is there soonest, to be started next.

        "" where nothing was made ready for it. Whoever has got an id starts it or stops it.
        """

    def open(self, ended: Callable[[str, Ended], None]) -> Deferred[Sequence[Found]]:
        """Take up work; the sessions that are there already.

        From now on ``ended`` is called with the id of each session that ends without having
        been stopped, once, also of one whose start has not returned yet.
        """

    def close(self) -> Deferred[None]:
        """Give up work. Sessions that can live without giestack go on, others end."""

    def start(self, launch: Launch, progress: Callable[[Progress], None]) -> Deferred[Address]:
        """Start a session; fires with where it will listen, which need not answer yet.

        What a failed or cancelled start has left is removed by `stop`.
        """

    def answered(self, session_id: str) -> None:
        """A session answers for the first time: whoever waits for its start may go on."""

    def stop(self, session_id: str, grace: float) -> Deferred[None]:
        """End a session, by force after so many seconds, and remove what belongs to it alone.

        Fires when nothing of it is left; its logs are gone then. A session that is not there is
        no failure. Volumes and homes stay.
        """

    def sessions(self) -> Deferred[Sequence[Found]]:
        """All sessions that the engine has, running or not."""

    def logs(self, session_id: str, tail: int) -> Deferred[Sequence[str]]:
        """The last lines that a session has printed; empty where there is none of that id."""

    def follow(
        self, session_id: str, tail: int, line: Callable[[str], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """Call ``line`` with the last lines and each further one, ``end`` once there are no more.

        Returns what to call to hear no more; neither is called after that.
        """

    def stats(self, session_id: str) -> Deferred[Stats | None]:
        """What a session uses now; None where it does not run."""

    def troubles(self, profiles: Sequence[Profile]) -> Deferred[Sequence[str]]:
        """What would keep these profiles from starting, in words with the remedy; empty: nothing.

        For readiness checks; asks with little effort, and never fails.
        """
