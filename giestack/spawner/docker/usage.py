"""What a container uses, from the answers of Docker's stats."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from giestack.spawner.docker.times import seconds_of
from giestack.spawner.engine import Stats


@dataclass(frozen=True, slots=True)
class Sample:
    """CPU time so far, and when that was; both in seconds."""

    cpu: float
    when: float


def stats_of(
    answer: Mapping[str, Any], before: Sample | None
) -> tuple[Stats | None, Sample | None]:
    """What the answer says, and the sample to give with the next one; None: it does not run.

    Memory is what `docker stats` shows: without the files that are only kept because there is
    room for them.
    """
    memory = answer.get("memory_stats") or {}
    usage = memory.get("usage")
    when = seconds_of(answer.get("read"))
    if not usage or when is None:
        return None, None
    details = memory.get("stats") or {}
    # cgroup v1 has the first name, v2 the other.
    files = details.get("total_inactive_file", details.get("inactive_file", 0))
    total = (answer.get("cpu_stats") or {}).get("cpu_usage", {}).get("total_usage", 0)
    sample = Sample(total / 1e9, when)
    return Stats(usage - files if files < usage else usage, _cores(before, sample)), sample


def _cores(before: Sample | None, now: Sample) -> float | None:
    if before is None or now.when < before.when or now.cpu < before.cpu:
        return None
    if now.when == before.when:
        return 0.0
    return (now.cpu - before.cpu) / (now.when - before.when)
