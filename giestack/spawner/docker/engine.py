"""Sessions as containers of a Docker engine."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from giestack.address import Address
from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Launch, Progress


class WarmPool(Protocol):
    """Containers that are started ahead: slots, each under the id of the session it may become.

    A slot is made by `giestack.spawner.docker.making.Making.make`, with ``slot`` set, so that it
    has the names and labels by which the engine knows it. It is the pool's from then on until it
    is claimed; then it is a session like any other, and the engine's alone.

    :ivar hits: claims and starts without one, by (profile, ``hit`` or ``miss``).
    :ivar slots: by profile how many are ready, and how many there should be.
    """

    hits: Counter[tuple[str, str]]

    @property
    def slots(self) -> Mapping[str, tuple[int, int]]: ...

    def configure(self, profiles: Sequence[Profile]) -> None:
        """As Engine says, also before it is opened; slots of profiles that changed are removed."""

    async def open(self) -> None:
        """The engine is there: fill the pool in the background; returns soon, never fails.

        Slots that a former giestack has left are removed already. Called again after each time
        that the engine was away: those of its slots that are gone have been told with `died`.
        """

    async def close(self) -> None:
        """Remove all slots; never fails."""

    def reserve(self, profile: Profile, options: Mapping[str, object]) -> str:
        """As Engine says; the slot is handed out to nobody else."""

    def has(self, session_id: str) -> bool:
        """Whether this is a slot, ready or not, reserved or not, and not claimed yet.

        True from before its container is created: what the pool has is never taken for a leftover.
        """

    async def claim(self, launch: Launch, progress: Callable[[Progress], None]) -> Address:
        """Make a slot the session of its id, with the person's files, limits and secrets.

        The claim volume is made last, so that a slot whose claim was cut short is a slot still.
        From its return on `has` says False. May be cancelled.

        :raises EngineError: it can't be; the engine calls `drop`, and starts the session cold.
        """

    async def drop(self, session_id: str) -> None:
        """Forget a slot, and stop work on it, also amid its claim; never fails.

        The engine removes its container and volumes.
        """

    def died(self, session_id: str) -> None:
        """The container of a slot has ended, or is gone: forget it; the engine removes the rest."""
