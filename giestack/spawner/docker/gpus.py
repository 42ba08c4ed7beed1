"""GPUs of an engine, handed out one by one."""

from collections.abc import Mapping, Sequence

from giestack.spawner.engine import EngineError


class Gpus:
    """Who has which GPU."""

    def __init__(self, ids: Sequence[str]) -> None:
        """:param ids: what Docker calls them, as configured."""
        self._ids = tuple(dict.fromkeys(ids))
        self._taken: dict[str, tuple[str, ...]] = {}

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self._ids)

    def take(self, session_id: str, count: int) -> tuple[str, ...]:
        """So many for a session; what it has had before is given back first.

        :raises EngineError: there are not as many left.
        """
        self.give_back(session_id)
        busy = {one for taken in self._taken.values() for one in taken}
        free = [one for one in self._ids if one not in busy]
        if count > len(free):
            raise EngineError(
                f"It needs {count} GPUs, and of {self.total} there are {len(free)} free just now."
            )
        if count:
            self._taken[session_id] = tuple(free[:count])
        return self._taken.get(session_id, ())

    def found(self, session_id: str, ids: Sequence[str]) -> None:
        """A session that was there already has these."""
        if ids:
            self._taken[session_id] = tuple(ids)

    def give_back(self, session_id: str) -> None:
        """A session is gone; one that has none is no failure."""
        self._taken.pop(session_id, None)


def gpu_request(ids: Sequence[str]) -> dict[str, object]:
    """As Docker wants it in ``HostConfig.DeviceRequests``."""
    return {"Driver": "", "DeviceIDs": list(ids), "Capabilities": [["gpu"]], "Options": {}}


def gpus_of(details: Mapping[str, object]) -> tuple[str, ...]:
    """The ids of the GPUs that a container has, from Docker's inspect; whatever that holds."""
    host = details.get("HostConfig")
    requests = host.get("DeviceRequests") if isinstance(host, Mapping) else None
    found: list[str] = []
    for request in requests if isinstance(requests, list) else ():
        ids = request.get("DeviceIDs") if isinstance(request, Mapping) else None
        found += [one for one in ids if isinstance(one, str)] if isinstance(ids, list) else []
    return tuple(found)
