"""Makes the container of a session, or of a slot of the warm pool, and removes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from giestack.address import Address
from giestack.spawner.engine import Launch, Progress


@dataclass(frozen=True, slots=True)
class Made:
    """A container that was started.

    :ivar container: its id.
    :ivar address: where its port is published.
    :ivar details: as Docker's inspect shows it.
    """

    container: str
    address: Address
    details: Mapping[str, Any]


class Making:
    """Images, networks, volumes and containers of sessions, in the right order."""

    async def make(
        self,
        launch: Launch,
        progress: Callable[[Progress], None],
        *,
        slot: bool = False,
        gpus: Sequence[str] = (),
    ) -> Made:
        """Fetch the image, make the network, the volume of secrets and the container, start it.

        :param slot: it is nobody's yet: it gets the label of a slot instead of those of a
            session, and nothing of `launch.owner`: neither volumes nor variables nor secrets.
        :raises EngineError: in words for the owner; what was made so far is removed by `remove`.
        """
        raise NotImplementedError

    async def remove(self, session_id: str, grace: float) -> None:
        """Stop and remove the container of a session or slot, and its volumes; gone is fine.

        :raises EngineError: the engine can't be reached, or refuses.
        """
        raise NotImplementedError
