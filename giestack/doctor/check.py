"""What a check is, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]

GROUPS = (
    "configuration",
    "Galaxy",
    "maps",
    "front",
    "names and certificates",
    "Docker",
    "chat",
    "this machine",
)
"""The groups of checks, in the order in which they are told."""

SECONDS = 8.0
"""What a check may take."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has found.

    :ivar message: how it is, in words; one line.
    :ivar remedy: what helps, in one sentence; "" where nothing is needed.
    """

    status: Status
    message: str
    remedy: str = ""


def ok(message: str) -> Finding:
    """All is well."""
    return Finding("ok", message)


def warn(message: str, remedy: str) -> Finding:
    """It works, but not as it should, or nobody can tell."""
    return Finding("warn", message, remedy)


def fail(message: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding("fail", message, remedy)


class CannotTell(Exception):
    """A check that can't find out; the text says why, in words and without secrets.

    :ivar remedy: what would let it find out.
    """

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Check:
    """One question about a deployment.

    :ivar id: stable, for programs: the group's word, a dot, and what is asked.
    :ivar group: one of `GROUPS`.
    :ivar words: what is looked at, while one waits for it.
    :ivar look: gives what was found; nothing where the question makes no sense for this
        deployment. It may wait, and raise `CannotTell`.
    :ivar seconds: after which nobody waits for it any more; 10 at most.
    """

    id: str
    group: str
    words: str
    look: Callable[[], Iterable[Finding]]
    seconds: float = SECONDS


@dataclass(frozen=True, slots=True)
class Result:
    """A finding with the check that it comes from, and how many seconds that took."""

    check: Check
    finding: Finding
    seconds: float
