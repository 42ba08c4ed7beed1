"""What a profile allows a program to use, as limits of Linux (setrlimit(2)).

They hold for each process by itself, but the number of processes, which Linux counts for the
whole user: what runs already is added to it, and root has no such limit.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import EngineError

NICE = 10
"""Sessions let giestack itself go first."""

NAMES = frozenset(
    (
        "core",
        "cpu",
        "data",
        "fsize",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    )
)
"""Docker's names of what can be limited here; ``locks`` means nothing to Linux any more."""

_PROC = Path("/proc")


def reaper_options(profile: Profile, tasks: int) -> list[str]:
    """Return what `giestack.spawner.process.reaper` is told of a profile's limits.

    ``tasks`` is what `tasks_of_user` says. Raises `EngineError` where a limit makes no sense.
    """
    limits: dict[str, tuple[int, int]] = {"core": (0, 0)}
    if profile.memory:
        limits["data"] = profile.memory, profile.memory
    if profile.pids:
        limits["nproc"] = profile.pids + tasks, profile.pids + tasks
    for name, value in profile.ulimits.items():
        if name != "locks":
            limits[name] = _pair(name, value)
    return [
        f"--nice={NICE}",
        *(f"--limit={name.upper()}:{soft}:{hard}" for name, (soft, hard) in limits.items()),
    ]


def tasks_of_user(user: int) -> int:
    """Return how many processes and threads a user has: what Linux counts for ``nproc``."""
    count = 0
    for name in os.listdir(_PROC):
        if name.isdecimal():
            try:
                if os.stat(_PROC / name).st_uid == user:
                    stat = (_PROC / name / "stat").read_bytes()
                    # proc(5): num_threads is field 20, and field 3 comes first behind the name.
                    count += int(stat.rpartition(b")")[2].split()[17])
            except OSError:
                pass  # it has just ended
    return count


def _pair(name: str, value: object) -> tuple[int, int]:
    if name not in NAMES:
        raise EngineError(
            f"The profile limits “{name}”, which is none of: {', '.join(sorted(NAMES))}."
        )
    given = value if isinstance(value, Mapping) else {"soft": value, "hard": value}
    soft = _whole(name, given.get("soft", given.get("hard")))
    hard = _whole(name, given.get("hard", soft))
    if hard != -1 and not -1 < soft <= hard:
        raise EngineError(f"The profile's soft limit of “{name}” is higher than the hard one.")
    return soft, hard


def _whole(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < -1:
        raise EngineError(
            f"The profile's limit of “{name}” must be a whole number, -1 for none, "
            "or {soft: …, hard: …}."
        )
    return value
