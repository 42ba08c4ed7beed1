"""How a container ended, in words."""

from collections.abc import Mapping
from typing import Any

from giestack.spawner.docker.words import size_shown
from giestack.spawner.engine import Ended
from giestack.spawner.process.ending import ended_of

KILLED = 137
"""The exit status of what the kernel has killed, as it does for want of memory."""

GONE = Ended(None, "its container was removed")
RESTARTED = Ended(None, "its container was restarted by somebody else")


def ended_with(status: int, out_of_memory: bool, limit: int) -> Ended:
    """What an exit status means; ``limit`` is the memory it might have, 0: all."""
    if not out_of_memory or status == 0:
        return ended_of(status)
    told = f" (its limit is {size_shown(limit)})" if limit else ""
    return Ended(status, f"out of memory{told}")


def ended_as(state: Mapping[str, Any], limit: int) -> Ended:
    """The same for a container that does not run, by the State that inspect shows of it."""
    status = int(state.get("ExitCode") or 0)
    return ended_with(status, status == KILLED and bool(state.get("OOMKilled")), limit)
