"""A session in the words of the pages: values for the templates, worked out from its view."""

import re
from dataclasses import dataclass
from datetime import datetime

from giestack.site.amounts import ago, duration, ordinal, size
from giestack.spawner.engine import Stats
from giestack.spawner.options import options_of
from giestack.spawner.view import ENDED, SessionView, State

_WORDS: dict[State, tuple[str, str]] = {
    "queued": ("Waiting", "starting"),
    "pulling": ("Starting", "starting"),
    "creating": ("Starting", "starting"),
    "starting": ("Starting", "starting"),
    "ready": ("Running", "running"),
    "stopping": ("Stopping", "starting"),
    "stopped": ("Stopped", "stopped"),
    "failed": ("Failed", "failed"),
}
STATE_WORDS = {state: word for state, (word, _) in _WORDS.items()}
"""What people read for each state."""

_STEPS: tuple[tuple[State, str], ...] = (
    ("queued", "Wait for a place"),
    ("pulling", "Fetch the image"),
    ("creating", "Prepare"),
    ("starting", "Start"),
    ("ready", "Ready"),
)
# What a terminal would take for colours and cursor moves, and what else has no picture.
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


@dataclass(frozen=True, slots=True)
class Share:
    """How much of something is used.

    :ivar text: for people.
    :ivar part: 0 to 1 of what there is; None where there is no limit.
    """

    text: str
    part: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a start; ``standing`` is ``done``, ``current`` or ``later``."""

    title: str
    standing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a page shows of a session.

    :ivar title: of its profile.
    :ivar name: what its owner calls it; "" where that is only the profile's name.
    :ivar called: both in one, for buttons and titles.
    :ivar word: its state; `sort` is the style of that word.
    :ivar page: the path of its own page; ``logs`` of its log, ``events`` of its event stream.
    :ivar mine: whether the visitor is its owner.
    :ivar age: when it was asked for; ``old`` is the same without "ago".
    :ivar left: what will end it, and when; "" while nothing will.
    :ivar idle: how long it has not been used; "" while that does not count.
    """

    view: SessionView
    title: str
    name: str
    called: str
    word: str
    sort: str
    page: str
    logs: str
    events: str
    mine: bool
    age: str
    old: str
    left: str
    idle: str
    memory: Share | None
    cpu: Share | None

    @property
    def running(self) -> bool:
        return self.view.moment.state == "ready"

    @property
    def ended(self) -> bool:
        return self.view.moment.state in ENDED

    @property
    def leaving(self) -> bool:
        return self.view.moment.state == "stopping"

    @property
    def place(self) -> str:
        """Where it stands in the queue; "" where it does not."""
        place = self.view.moment.place
        return "" if place is None else f"{ordinal(place)} in the queue"

    @property
    def log(self) -> str:
        return "\n".join(map(printable, self.view.moment.log))


def card(
    view: SessionView, prefix: str, now: datetime, *, mine: bool, stats: Stats | None = None
) -> Card:
    """Return what pages below ``prefix`` show of a session; ``stats``: what it uses now."""
    title = view.profile.title or view.profile.name
    name = "" if view.name in (view.profile.name, title) else view.name
    word, sort = _WORDS[view.moment.state]
    page = f"{prefix}/sessions/{view.id}"
    used = view.moment.state == "ready" and view.last_used is not None
    return Card(
        view=view,
        title=title,
        name=name,
        called=f"{title} – {name}" if name else title,
        word=word,
        sort=sort,
        page=page,
        logs=f"{page}/logs",
        events=f"{prefix}/api/v1/sessions/{view.id}/events",
        mine=mine,
        age=ago(now - view.created),
        old=duration(_seconds(view.created, now)),
        left=_left(view, now),
        idle=duration(_seconds(view.last_used, now)) if used else "",
        memory=_memory(view, stats),
        cpu=_cpu(view, stats),
    )


def steps(view: SessionView) -> list[Step]:
    """Return the steps of a start; none where nothing is being started."""
    state = view.moment.state
    if state == "stopping" or state in ENDED:
        return []
    shown = [
        step for step in _STEPS if step[0] in (state, "queued", "creating", "starting", "ready")
    ]
    now = [name for name, _ in shown].index(state)
    standings = ["done"] * now + ["current"] + ["later"] * len(shown)
    return [Step(title, standing) for (_, title), standing in zip(shown, standings, strict=False)]


def elapsed(view: SessionView, now: datetime) -> int:
    """Return for how many seconds a session has been starting, or waiting to."""
    return max(0, int(_seconds(view.began or view.created, now)))


def chosen_words(view: SessionView) -> list[tuple[str, str]]:
    """Return the options that were chosen, title and choice, in the words of the form."""
    said = []
    for option in options_of(view.profile.options):
        value = view.options.get(option.name, "")
        if isinstance(value, bool):
            words = "yes" if value else "no"
        else:
            words = option.choices.get(str(value), str(value))
        if words:
            said.append((option.title, words))
    return said


def printable(line: str) -> str:
    """Return a line of a log without what only a terminal understands."""
    return _CONTROL.sub("", line)


def _seconds(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else (now - since).total_seconds()


def _left(view: SessionView, now: datetime) -> str:
    if view.moment.state != "ready":
        return ""
    idle_end, end = view.idle_end, view.end
    if end is not None and (view.ending or idle_end is None or end <= idle_end):
        return f"Ends in {duration((end - now).total_seconds())}"
    if idle_end is not None:
        return f"Stops in {duration((idle_end - now).total_seconds())} unless it is used"
    return ""


def _memory(view: SessionView, stats: Stats | None) -> Share | None:
    if stats is None:
        return None
    limit = view.profile.memory
    if not limit:
        return Share(size(stats.memory), None)
    return Share(f"{size(stats.memory)} of {size(limit)}", min(1.0, stats.memory / limit))


def _cpu(view: SessionView, stats: Stats | None) -> Share | None:
    if stats is None or stats.cpu is None:
        return None
    cores = view.profile.cpus
    part = stats.cpu / (cores or 1.0)
    many = "" if cores in (0, 1) else f" of {cores:g} cores"
    return Share(f"{part:.0%}{many}", min(1.0, part) if cores else None)
