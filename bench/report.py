"""What is printed at the end: tables, ratios and the machine they were measured on."""

import os
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import twisted
from bench.contenders import CHP, GIESTACK, GX, NGINX
from bench.ending import Promise
from bench.processes import said_by

BARS = {GX: 0.2, CHP: 0.6, NGINX: 2.5}
"""How much CPU giestack may take for a request, as a part of what another proxy takes."""

SECONDS = (["", "median", "99 %", "longest", "count"], ["", "ms", "ms", "ms", ""])
"""The heading above `row_of`."""


@dataclass(slots=True)
class Result:
    """Everything measured of one proxy, one value per round.

    :ivar request: CPU µs for a request.
    :ivar per_second: requests answered per second.
    :ivar p99: 99 of 100 requests were answered within these ms.
    :ivar memory: MB in memory after the requests.
    :ivar download: CPU ms for 10 MiB to the client.
    :ivar upload: CPU ms for 10 MiB to the backend.
    :ivar echo: CPU µs for 128 bytes to the backend and back, through a tunnel.
    :ivar tunnel: kB for an idle tunnel.
    :ivar kept: MB more in memory when the tunnels are gone than before they were opened.
    """

    request: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    download: list[float] = field(default_factory=list)
    upload: list[float] = field(default_factory=list)
    echo: list[float] = field(default_factory=list)
    tunnel: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)


_COLUMNS = {
    "request": ("request", "CPU µs", 1),
    "per_second": ("requests", "per s", 0),
    "p99": ("99 %", "ms", 1),
    "memory": ("memory", "MB", 0),
    "download": ("download", "CPU ms", 1),
    "upload": ("upload", "CPU ms", 1),
    "echo": ("echo", "CPU µs", 1),
    "tunnel": ("tunnel", "kB", 1),
    "kept": ("kept", "MB", 1),
}


def table(results: Mapping[str, Result], versions: Mapping[str, str]) -> list[str]:
    """The medians as a simple table of reStructuredText, which reads well as it is."""
    rows = [
        ["", *(name for name, _, _ in _COLUMNS.values())],
        ["", *(unit for _, unit, _ in _COLUMNS.values())],
    ]
    for name, result in results.items():
        cells = [f"{name} {versions[name]}"]
        for column, (_, _, digits) in _COLUMNS.items():
            values = getattr(result, column)
            cells.append(f"{median(values):,.{digits}f}" if values else "–")
        rows.append(cells)
    return simple_table(rows)


def simple_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """A simple table of reStructuredText; the first two rows are its heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = "  ".join("=" * width for width in widths)
    lines = [
        "  ".join(
            # In a heading of two lines, one further in than the other would be a quotation.
            cell.ljust(width) if column == 0 or number < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for number, row in enumerate(rows)
    ]
    # An empty first cell would be taken for the line above going on.
    lines[0] = "\\" + lines[0][1:]
    return [rule, *lines[:2], rule, *lines[2:], rule]


def ratios(results: Mapping[str, Result]) -> list[Promise]:
    """How giestack's CPU per request compares."""
    ours = results.get(GIESTACK, Result()).request
    promises = []
    for name, bar in BARS.items():
        theirs = results.get(name, Result()).request
        if ours and theirs:
            ratio = median(ours) / median(theirs)
            text = f"CPU per request: {ratio:.2f} × {name}, at most {bar} × is promised"
            promises.append(Promise(text, ratio <= bar))
    return promises


def row_of(name: str, values: Sequence[float], digits: int) -> list[str]:
    """A row of a table of seconds, in ms: median, the 99th of 100, the longest, how many."""
    figures = (median(values), late(values), max(values))
    return [name, *(f"{value * 1e3:,.{digits}f}" for value in figures), str(len(values))]


def late(values: Sequence[float]) -> float:
    """The seconds within which 99 of 100 were over."""
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[98]


def spread(results: Mapping[str, Result]) -> list[str]:
    """The rounds one by one, for those who doubt the medians."""
    lines = []
    for name, result in results.items():
        for column, (what, unit, digits) in _COLUMNS.items():
            values: Sequence[float] = getattr(result, column)
            if len(values) > 1:
                every = "  ".join(f"{value:,.{digits}f}" for value in values)
                lines.append(f"{name:24} {what + ', ' + unit:18} {every}")
    return lines


def machine(node: Path | None) -> str:
    """What it was measured on, in one paragraph."""
    model = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    facts = [
        f"{os.cpu_count()} cores ({model})",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"Twisted {twisted.__version__}",
    ]
    if node is not None:
        facts.append(f"Node {said_by(node, '--version').lstrip('v')}")
    wrk = re.search(r"[0-9][0-9.]+", said_by("wrk", "-v")) if shutil.which("wrk") else None
    if wrk:
        facts.append(f"wrk {wrk[0]}")
    return ", ".join(facts)
