"""What there is of sessions in an engine, read from the lists of containers and volumes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.labels import (
    Names,
    kind_of,
    launch_of,
    session_of,
    session_of_container,
)
from giestack.spawner.engine import Launch

RUNNING = ("running", "paused", "restarting")
_ENDED = ("exited",)


@dataclass(frozen=True, slots=True)
class Present:
    """What there is of one session or slot.

    :ivar launch: as it was; None for what is no session, or none that can be understood.
    :ivar container: its id; "" where there are only volumes.
    :ivar state: as Docker's list calls it.
    """

    launch: Launch | None = None
    container: str = ""
    state: str = ""

    @property
    def runs(self) -> bool:
        """Whether it does, be it paused."""
        return self.state in RUNNING

    @property
    def is_session(self) -> bool:
        """Whether it is a session that runs or has run: else it is nobody's, or half made."""
        return self.launch is not None and (self.runs or self.state in _ENDED)


def census(
    names: Names,
    containers: Iterable[Mapping[str, Any]],
    volumes: Iterable[Mapping[str, Any]],
    profiles: Mapping[str, Profile],
) -> dict[str, Present]:
    """All that belongs to a session or slot of ours, by its id; the rest is left out."""
    found: dict[str, Present] = {}
    claims: dict[str, Launch | None] = {}
    for volume in volumes:
        labels = volume.get("Labels")
        session_id = session_of(names, labels)
        if session_id:
            found[session_id] = Present()
            if kind_of(names, labels) == "claim":
                claims[session_id] = launch_of(names, labels, profiles)
    for container in containers:
        labels = container.get("Labels")
        session_id = session_of_container(names, container)
        if session_id:
            slot = kind_of(names, labels) == "slot"
            launch = claims.get(session_id) if slot else launch_of(names, labels, profiles)
            state = str(container.get("State"))
            found[session_id] = Present(launch, str(container.get("Id")), state)
    return found
