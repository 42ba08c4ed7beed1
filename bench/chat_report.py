"""What is printed of the chats: a table of medians, the rounds one by one, and the bars."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.chat_contenders import GIESTACK
from bench.chat_packages import FLASK, WS
from bench.ending import Promise
from bench.report import simple_table

MORE = 5.0
"""How many times the deliveries of each other chat giestack's must make."""

AS_LATE_AS_WS = 4.0
"""How many times the p99 of Node's `ws` giestack's may be; eventlet's it may not reach."""

IDLE, HELD, PAGE = 12.0, 10_000, 20.0
"""kB for an idle connection; how many are held; ms for 99 of 100 pages of the proxy meanwhile."""

BUSY = 0.9
"""Above this part of its core the load itself may be what is slow."""


@dataclass(slots=True)
class Result:
    """Everything measured of one chat, one value per round.

    :ivar capacity: thousands of deliveries per second in the last good step.
    :ivar per_cpu: thousands of them per second of the server's CPU, which a busy machine leaves
        as it is, nearly.
    :ivar load: the part of its core that the load has used then.
    :ivar p50: at 60,000 deliveries/s half of them are made within these ms.
    :ivar p99: 99 of 100 are.
    :ivar delivery: CPU µs of the server for one of them.
    :ivar core: the part of its core that the server has used for that.
    :ivar stored: ms for half of the messages to be acknowledged then; none where nothing is.
    :ivar idle: kB for an idle connection.
    :ivar connects: seconds for 2,000 of them.
    :ivar arrival: CPU ms of the server for one of them.
    """

    capacity: list[float] = field(default_factory=list)
    per_cpu: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    delivery: list[float] = field(default_factory=list)
    core: list[float] = field(default_factory=list)
    stored: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    connects: list[float] = field(default_factory=list)
    arrival: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Extras:
    """What is measured of giestack alone.

    :ivar pages: ms of pages of the proxy while people chat at half of the chat's capacity.
    :ivar quiet: the same while nobody does.
    :ivar held: how many idle connections were still there in the end; None: was not asked for.
    """

    pages: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    held: int | None = None


_COLUMNS = {
    "capacity": ("capacity", "1000/s", 0),
    "per_cpu": ("capacity", "1000/CPU s", 0),
    "p50": ("p50", "ms", 1),
    "p99": ("p99", "ms", 1),
    "delivery": ("delivery", "CPU µs", 2),
    "core": ("core", "part", 2),
    "stored": ("ok", "ms", 1),
    "idle": ("idle", "kB", 1),
    "connects": ("connects", "s", 2),
    "arrival": ("connect", "CPU ms", 2),
}


def table(results: Mapping[str, Result], versions: Mapping[str, str]) -> list[str]:
    """The medians of what was measured, as a simple table of reStructuredText."""
    columns = {
        column: known
        for column, known in _COLUMNS.items()
        if any(getattr(result, column) for result in results.values())
    }
    rows = [
        ["", *(name for name, _, _ in columns.values())],
        ["", *(unit for _, unit, _ in columns.values())],
    ]
    for name, result in results.items():
        cells = [f"{name} {versions[name]}"]
        for column, (_, _, digits) in columns.items():
            values = getattr(result, column)
            cells.append(f"{median(values):,.{digits}f}" if values else "–")
        rows.append(cells)
    return simple_table(rows)


def spread(results: Mapping[str, Result]) -> list[str]:
    """The rounds one by one, for those who doubt the medians."""
    lines = []
    for name, result in results.items():
        for column, (what, unit, digits) in _COLUMNS.items():
            values: Sequence[float] = getattr(result, column)
            if len(values) > 1:
                every = "  ".join(f"{value:,.{digits}f}" for value in values)
                lines.append(f"{name:20} {what + ', ' + unit:18} {every}")
    return lines


def limited(results: Mapping[str, Result]) -> Iterator[str]:
    """Where the load has been too busy itself to ask for more."""
    for name, result in results.items():
        if result.load and median(result.load) > BUSY:
            part = f"{median(result.load):.0%} of its own core"
            yield f"the load has used {part} at the capacity of {name}: it is at least that"


def promises(results: Mapping[str, Result], extras: Extras) -> list[Promise]:
    """How giestack's chat compares, as far as it was measured."""
    found = []
    ours = results.get(GIESTACK, Result())
    for name in (FLASK, WS):
        theirs = results.get(name, Result())
        if ours.capacity and theirs.capacity:
            ratio = median(ours.capacity) / median(theirs.capacity)
            text = f"capacity: {ratio:.1f} × {name}, at least {MORE:.0f} × is promised"
            found.append(Promise(text, ratio >= MORE))
        if ours.p99 and theirs.p99:
            ratio, most = median(ours.p99) / median(theirs.p99), AS_LATE_AS_WS
            if name == FLASK:
                most = 1.0
            text = f"p99 at 60,000/s: {ratio:.2f} × {name}, at most {most:.0f} × is promised"
            found.append(Promise(text, ratio <= most))
    if ours.idle:
        kilobytes = median(ours.idle)
        text = f"an idle connection: {kilobytes:.1f} kB, at most {IDLE:.0f} are promised"
        found.append(Promise(text, kilobytes <= IDLE))
    if extras.held is not None:
        text = f"idle connections held: {extras.held:,}, {HELD:,} are promised"
        found.append(Promise(text, extras.held >= HELD))
    if extras.pages:
        ms = part_of(extras.pages, 0.99)
        text = f"pages at half of the chat's capacity: p99 {ms:.1f} ms, at most {PAGE:.0f} ms"
        found.append(Promise(f"{text} is promised", ms <= PAGE))
    return found


def pages(extras: Extras) -> Iterator[str]:
    """How long pages of the proxy took."""
    for what, values in (("while people chat", extras.pages), ("quiet", extras.quiet)):
        if values:
            p50, p99 = part_of(values, 0.5), part_of(values, 0.99)
            figures = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {max(values):.1f} ms"
            yield f"pages of the proxy, {what}: {figures} of {len(values):,}"


def part_of(values: Sequence[float], part: float) -> float:
    """Within how much the given part of the values is."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]
