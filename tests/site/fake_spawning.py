"""The spawner as pages and the API see it, in memory: what it holds is set by the test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred, succeed

from giestack.settings.spawner_schema import Profile
from giestack.site.spawning import NOWHERE
from giestack.spawner.engine import Circumstances, Stats
from giestack.spawner.options import chosen, options_of
from giestack.spawner.owner import owner_of
from giestack.spawner.view import (
    ENDED,
    Moment,
    SessionView,
    SpawnRefused,
    State,
    bad_option,
    unknown_profile,
)
from giestack.visitor import Identity, Operator
from tests.site.conversation import ALICE, NOW

BOB = Identity("galaxy", 13, "bbbb41e1fa331b3e", "bob", "bob@example.org", False, 7, "key-of-bob")

JUPYTER = Profile(
    name="jupyter",
    title="JupyterLab",
    description="Notebooks for Python, R and Julia",
    options={
        "interface": {
            "title": "Interface",
            "description": "What opens first",
            "choices": {"lab": "JupyterLab", "tree": "Classic notebook"},
        },
        "rows": {"title": "Rows", "type": "integer", "default": 100, "low": 1, "high": 10000},
        "debug": {"type": "boolean"},
        "greeting": {"title": "Greeting", "type": "text", "default": "hello"},
    },
)
PLAIN = Profile(name="rstudio")
FOR_ADMINS = Profile(name="lab", title="Laboratory", admin_only=True)

MOMENTS: dict[State, Moment] = {
    "queued": Moment(
        state="queued", step="queued", message="Waiting for a place: 2nd in the queue", place=2
    ),
    "pulling": Moment(
        state="pulling",
        step="pulling",
        message="Pulling the image: 12 of 48 MB",
        percent=12.5,
        eta=30.0,
    ),
    "creating": Moment(
        state="creating", step="creating", message="Preparing your home", percent=40.0, eta=4.0
    ),
    "starting": Moment(
        state="starting", step="probing", message="Waiting for its first answer", percent=80.0
    ),
    "ready": Moment(state="ready", step="ready", message="Ready", percent=100.0),
    "stopping": Moment(state="stopping", step="stopping", message="Stopping"),
    "stopped": Moment(
        state="stopped", step="stopped", message="Stopped", reason="It was idle for an hour."
    ),
    "failed": Moment(
        state="failed",
        step="failed",
        message="It did not start",
        reason="exit status 1",
        log=("Traceback (most recent call last):", "OSError: no <space> left"),
    ),
}
"""A moment of each state."""


def session(
    state: State = "ready",
    owner: Identity = ALICE,
    id: str = "s1",
    profile: Profile = JUPYTER,
    **given: Any,
) -> SessionView:
    """A session in some state; ``given`` are other fields of `SessionView`."""
    values: dict[str, Any] = {
        "name": profile.name,
        "path": f"/giestack/session/{id}{profile.path}",
        "engine": "local",
        "note": "no isolation",
        "created": NOW - timedelta(minutes=10),
        "moment": MOMENTS[state],
    }
    if state != "queued":
        values["began"] = NOW - timedelta(minutes=9)
    if state == "ready":
        values["ready_since"] = NOW - timedelta(minutes=8)
        values["last_used"] = NOW - timedelta(minutes=5)
        values["idle_end"] = NOW + timedelta(minutes=55)
        values["end"] = NOW + timedelta(hours=8)
    values.update(given)
    return SessionView(id=id, profile=profile, owner=owner_of(owner), **values)


def of_every_state(owner: Identity = ALICE) -> list[SessionView]:
    """A session in each state; its id and its name are the state's."""
    return [session(state, owner, id=state, name=state) for state in MOMENTS]


class FakeSpawning:
    """A `giestack.site.spawning.Spawning`.

    :ivar offered: the profiles, in their order.
    :ivar calls: what was asked for that changes something: (method, arguments...).
    :ivar circumstances: those of each `request`.
    :ivar closed_for: what `closed` answers, by the profile's name.
    :ivar knows_all: as `giestack.site.spawning.Spawning` says.
    :ivar refusal: raised by the next `request` or `restart`, then forgotten.
    :ivar lines: what each session has printed.
    :ivar used: what `stats` answers.
    :ivar waiting: what `stats` and `logs` answer instead, should it be set.
    :ivar subscribers: (changed, end) of each session's subscribers.
    :ivar followers: (line, end) of each session's followers.
    """

    def __init__(self, *views: SessionView) -> None:
        self.offered: list[Profile] = [JUPYTER, PLAIN, FOR_ADMINS]
        self.sessions: dict[str, SessionView] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.circumstances: list[Circumstances] = []
        self.closed_for: dict[str, str] = {}
        self.knows_all = True
        self.refusal: SpawnRefused | None = None
        self.lines: dict[str, list[str]] = {}
        self.used: dict[str, Stats] = {}
        self.waiting: Deferred[Any] | None = None
        self.subscribers: dict[str, list[tuple[Callable[[Moment], None], Callable[[], None]]]] = {}
        self.followers: dict[str, list[tuple[Callable[[str], None], Callable[[], None]]]] = {}
        for view in views:
            self.add(view)

    # What the test does.

    def add(self, view: SessionView) -> None:
        """Have a session, or have it in another way."""
        self.sessions[view.id] = view

    def become(self, session_id: str, moment: Moment | State) -> None:
        """A session's moment changes; a state is as in `MOMENTS`."""
        if isinstance(moment, str):
            moment = MOMENTS[moment]
        self.sessions[session_id] = replace(self.sessions[session_id], moment=moment)
        for changed, _ in list(self.subscribers.get(session_id, ())):
            changed(moment)

    def say(self, session_id: str, *lines: str) -> None:
        """A session prints something."""
        self.lines.setdefault(session_id, []).extend(lines)
        for line in lines:
            for hear, _ in list(self.followers.get(session_id, ())):
                hear(line)

    def fall_silent(self, session_id: str) -> None:
        """Nothing more is printed."""
        for _, end in self.followers.pop(session_id, []):
            end()

    def forget(self, session_id: str) -> None:
        """A session is gone."""
        self.sessions.pop(session_id, None)
        self.fall_silent(session_id)
        for _, end in self.subscribers.pop(session_id, []):
            end()

    @property
    def listeners(self) -> int:
        """How many subscribe and follow."""
        subscribed = sum(map(len, self.subscribers.values()))
        return subscribed + sum(map(len, self.followers.values()))

    # What pages and the API ask.

    def profiles(self, visitor: Identity) -> Sequence[Profile]:
        return [p for p in self.offered if visitor.is_admin or not p.admin_only]

    def note(self, profile: Profile) -> str:
        return "no isolation" if profile is JUPYTER else ""

    def closed(self, profile: Profile) -> str:
        return self.closed_for.get(profile.name, "")

    def request(
        self,
        visitor: Identity,
        profile: str,
        name: str | None,
        options: Mapping[str, object],
        *,
        circumstances: Circumstances = NOWHERE,
    ) -> tuple[SessionView, bool]:
        self._refuse()
        found = {p.name: p for p in self.profiles(visitor)}.get(profile)
        if found is None:
            raise unknown_profile(profile)
        name = name.strip() if name else ""
        if len(name) > 100 or not name.isprintable():
            raise bad_option("name", "The name must be one line of 100 characters.")
        options = chosen(options_of(found.options), options)
        self.calls.append(("request", visitor, profile, name or None, options))
        self.circumstances.append(circumstances)
        name = name or found.name
        for view in self.views(visitor):
            if view.profile.name == profile and view.name == name:
                if view.moment.state in ENDED:
                    self.become(view.id, "queued")
                return self.sessions[view.id], False
        number = len(self.sessions) + 1
        view = session("queued", visitor, id=f"new{number}", profile=found, name=name, created=NOW)
        self.add(view)
        return view, True

    def view(self, session_id: str) -> SessionView | None:
        return self.sessions.get(session_id)

    def views(self, visitor: Identity | None = None) -> Sequence[SessionView]:
        return [
            view
            for view in sorted(self.sessions.values(), key=lambda v: v.created, reverse=True)
            if visitor is None or view.owner.is_(visitor)
        ]

    def stop(self, session_id: str, by: Identity | Operator) -> None:
        self.calls.append(("stop", session_id, by))
        view = self.sessions.get(session_id)
        if view is None:
            return
        if view.moment.state in ENDED:
            self.forget(session_id)
        elif view.moment.state != "stopping":
            self.become(session_id, "stopping")

    def restart(self, session_id: str, by: Identity) -> None:
        self._refuse()
        self.calls.append(("restart", session_id, by))
        self.become(session_id, "starting")

    def subscribe(
        self, session_id: str, changed: Callable[[Moment], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        changed(self.sessions[session_id].moment)
        return _listening(self.subscribers.setdefault(session_id, []), (changed, end))

    def logs(self, session_id: str, tail: int) -> Deferred[Sequence[str]]:
        return self.waiting or succeed(self._last(session_id, tail))

    def follow(
        self, session_id: str, tail: int, line: Callable[[str], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        for one in self._last(session_id, tail):
            line(one)
        return _listening(self.followers.setdefault(session_id, []), (line, end))

    def stats(self, session_ids: Sequence[str]) -> Deferred[Mapping[str, Stats]]:
        found = {id: self.used[id] for id in session_ids if id in self.used}
        return self.waiting or succeed(found)

    def _last(self, session_id: str, tail: int) -> list[str]:
        return self.lines.get(session_id, [])[-tail:] if tail else []

    def _refuse(self) -> None:
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            raise refusal


def _listening(listeners: list[Any], one: Any) -> Callable[[], None]:
    """Add a listener; returns what removes it, any number of times."""
    listeners.append(one)

    def leave() -> None:
        listeners[:] = [other for other in listeners if other is not one]

    return leave
