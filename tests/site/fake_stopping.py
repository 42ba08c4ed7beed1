"""A Galaxy that stops interactive tools, or does not, as a test has it."""

from collections.abc import Callable, Mapping
from typing import Any

from giestack.site.stopping import Stopping
from giestack.visitor import Anonymous, Identity

Person = Identity | Anonymous


class FakeGalaxyApi:
    """Knows the owners of tools by key.

    :ivar outcome: what becomes of a tool that is to be stopped.
    :ivar stopped: who has had what stopped.
    :ivar audited: what has been noted.
    :ivar available: whether owners can be looked up.
    :ivar standing_as: how a standing is returned.
    """

    def __init__(self, owners: Mapping[str, Person]) -> None:
        self.owners = dict(owners)
        self.outcome: Any = "stopping"
        self.stopped: list[tuple[str, Person]] = []
        self.audited: list[tuple[str, Person | None, dict[str, object]]] = []
        self.available = True
        self.standing_as: Callable[[Any], Any] = lambda standing: standing

    def stopping(self) -> Stopping:
        return Stopping(self._standing, self._stop, self._audit)

    def _standing(self, key: str, visitor: Person) -> Any:
        if not self.available:
            return "unavailable"
        owner = self.owners.get(key)
        if owner is None:
            return self.standing_as("gone")
        return self.standing_as("owner" if owner is visitor else "other")

    async def _stop(self, key: str, visitor: Person) -> Any:
        self.stopped.append((key, visitor))
        return self.outcome

    def _audit(self, event: str, who: Person | None, **fields: object) -> None:
        self.audited.append((event, who, fields))
