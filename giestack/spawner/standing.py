"""What is known of one session, and how that looks from outside."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from giestack.address import Address
from giestack.spawner.admission import Waiting
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.entrance import Entrance
from giestack.spawner.headers import Headers, filled_headers
from giestack.spawner.usage import Usage
from giestack.spawner.view import Moment, SessionView, State
from giestack.spawner.words import message_of

LAUNCHING: frozenset[State] = frozenset(("pulling", "creating", "starting"))
"""States in which an engine is at work, or the program does not answer yet."""

WARNED = 300.0
"""Seconds before the end of its longest life in which the owner of a session is warned."""

_LAST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


@dataclass(slots=True, kw_only=True)
class Standing:
    """All that is known of a session; times are seconds of the clock.

    :ivar launch_as: what is started.
    :ivar usage: when it was used last.
    :ivar since: the last change of the state.
    :ivar path: ``{prefix}/session/ID``, from where visitors find it.
    :ivar message: what its engine says, "" where the state says enough.
    :ivar percent: how far its engine has come with the image.
    :ivar eta: seconds until its engine has the image, where it can tell.
    :ivar reason: why it failed or was stopped.
    :ivar log: its last lines, where it failed.
    :ivar began: the present start, or that of the container it was found in.
    :ivar launching_since: the present start, where that was ours.
    :ivar ready: the first answer.
    :ivar address: where it listens, once its engine has told.
    """

    launch_as: Launch
    usage: Usage
    since: float
    path: str
    state: State = "queued"
    message: str = ""
    percent: float | None = None
    eta: float | None = None
    reason: str = ""
    log: tuple[str, ...] = ()
    began: float | None = None
    launching_since: float | None = None
    ready: float | None = None
    address: Address | None = None
    _entrance: Entrance | None = field(default=None, init=False)

    def change(self, state: State, now: float) -> None:
        """Take note of a state, perhaps the same."""
        self._entrance = None
        if state != self.state:
            self.since = now
            self.message, self.percent, self.eta = "", None, None
        if state == "queued":
            self.reason, self.log = "", ()
            self.began = self.launching_since = self.ready = None
        self.state = state

    @property
    def base(self) -> str:
        """The path below which it was told that visitors see it, without a slash at the end."""
        return self.launch_as.base_url.rstrip("/")

    def path_there(self, path: str) -> str:
        """The path under which the server itself knows a path of its own."""
        return path if self.launch_as.profile.strip_path else self.base + path

    @property
    def end(self) -> float | None:
        """When it is stopped in any case; None: never."""
        lifetime = self.launch_as.profile.max_lifetime
        if not lifetime or self.began is None or self.ready is None:
            return None
        return self.began + lifetime

    @property
    def idle_end(self) -> float | None:
        """When it is stopped unless it is used; None: never."""
        patience = self.launch_as.profile.idle_timeout
        return self.usage.last + patience if patience and self.ready is not None else None

    def moment(self, waiting: Waiting | None, percent: float | None, eta: float | None) -> Moment:
        """How it is now; the arguments are what others know: the queue, and former starts."""
        state = self.state
        if state == "pulling":
            percent, eta = self.percent, self.eta
        elif state == "ready":
            percent, eta = 100.0, 0.0
        probing = state == "starting" and self.address is not None
        title = self.launch_as.profile.title
        return Moment(
            state=state,
            step="probing" if probing else state,
            message=self.message or message_of(state, title, probing, waiting, self.reason),
            percent=percent,
            eta=eta,
            place=waiting.place if waiting else None,
            reason=self.reason,
            log=self.log,
        )

    @property
    def open_entrance(self) -> Entrance | None:
        """The way in while it is ready, always the same object; None while it is not."""
        return self._entrance if self.ready is not None else None

    def entrance(self, moment: Moment) -> Entrance:
        """Make the way in at this moment."""
        prefix = self.path.encode()
        profile = self.launch_as.profile
        address = self.address if self.ready is not None else None
        headers: Headers = ()
        try:
            headers = filled_headers(self.launch_as)
        except EngineError:
            # It was not started like this; whatever has come about, nobody goes there without.
            address = None
        self._entrance = Entrance(
            session_id=self.launch_as.session_id,
            owner=self.launch_as.owner,
            prefix=prefix,
            home=prefix + profile.path.encode(),
            base=self.base.encode(),
            address=address,
            strip_path=profile.strip_path,
            moment=moment,
            use=self.usage,
            headers=headers,
        )
        return self._entrance

    def view(self, moment: Moment, engine: str, note: str, now: float) -> SessionView:
        """Everything at this moment; ``engine`` and ``note`` are those of its engine."""
        launch_as, profile = self.launch_as, self.launch_as.profile
        ready = self.ready is not None
        end = self.end
        return SessionView(
            id=launch_as.session_id,
            profile=profile,
            name=launch_as.name,
            owner=launch_as.owner,
            path=self.path + profile.path,
            engine=engine,
            note=note,
            created=_datetime(launch_as.created),
            moment=moment,
            options=launch_as.options,
            began=_when(self.began),
            ready_since=_when(self.ready),
            last_used=_when(self.usage.last if ready else None),
            idle_end=_when(self.idle_end),
            end=_when(end),
            ending=end is not None and end - now <= WARNED,
        )


def _when(seconds: float | None) -> datetime | None:
    return None if seconds is None else _datetime(seconds)


def _datetime(seconds: float) -> datetime:
    """The time, or the last that there is a date for: a timeout may be any number."""
    return datetime.fromtimestamp(min(max(0.0, seconds), _LAST), UTC)
