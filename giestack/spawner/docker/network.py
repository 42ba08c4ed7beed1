"""The network of an instance: its sessions reach the world through it, and not each other."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from giestack.docker.errors import Conflict, DockerError, NotFound
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.words import said
from giestack.spawner.engine import EngineError
from giestack.spawner.joint import Joint

_APART = {"com.docker.network.bridge.enable_icc": "false"}
_NO_SUBNET = "address pool"
_NO_FILTER = "inter-container communication"


class Networks(Protocol):
    """What is asked of `giestack.docker.networks.Networks`."""

    async def create(self, name: str, body: Mapping[str, Any]) -> str: ...
    async def inspect(self, network: str) -> dict[str, Any]: ...
    async def list(self, labels: Sequence[str] = ()) -> list[dict[str, Any]]: ...
    async def remove(self, network: str) -> None: ...


class Network:
    """Finds networks for containers, and makes the one of the instance where it is missing."""

    def __init__(self, networks: Networks, names: Names) -> None:
        self._networks = networks
        self._names = names
        self._own: Joint[str] = Joint(lambda: Deferred.fromCoroutine(self._make()), goes_on=True)

    async def of(self, wanted: str) -> str:
        """The name or id of a container's network: what its profile wants, else the instance's.

        :raises EngineError: it is not there, or not to be had, with the remedy.
        :raises DockerError: the engine does not answer.
        """
        if not wanted:
            return await self._own.wait()
        if not await self.has(wanted):
            raise EngineError(missing(wanted))
        return wanted

    async def has(self, name: str) -> bool:
        """Whether there is a network of this name."""
        try:
            await self._networks.inspect(name)
        except NotFound:
            return False
        return True

    async def _make(self) -> str:
        # Somebody may have cleaned up since the last time.
        found = await self._find()
        if found is None:
            made = await self._create()
            found = await self._find()
            if found is None:
                raise self._foreign()
            if made not in ("", found["Id"]):
                await self._remove(made)
        self._check(found)
        return str(found["Id"])

    async def _find(self) -> Mapping[str, Any] | None:
        """Ours; the oldest of several: Docker may make two where two ask at the same time."""
        label = self._names.filter
        named = [
            network
            for network in await self._networks.list([label])
            if network.get("Name") == self._names.network
        ]
        return min(named, key=lambda one: (one.get("Created", ""), one["Id"]), default=None)

    async def _create(self) -> str:
        """Make it; its id, "" where there is one of that name."""
        labels = self._names.labels("network")
        body = {"Driver": "bridge", "Options": _APART, "Labels": labels}
        try:
            return await self._networks.create(self._names.network, body)
        except Conflict:
            return ""
        except DockerError as error:
            raise _explained(error) from None

    async def _remove(self, network: str) -> None:
        try:
            await self._networks.remove(network)
        except DockerError:
            pass  # it takes up addresses, and does no harm

    def _foreign(self) -> EngineError:
        return EngineError(
            f"There is a network {self._names.network} already, which is not giestack's. Remove "
            "it, or give giestack another name (instance in giestack.yml)."
        )

    def _check(self, found: Mapping[str, Any]) -> None:
        name = self._names.network
        options = found.get("Options") or {}
        if any(options.get(key) != value for key, value in _APART.items()):
            raise EngineError(
                f"In the network {name} sessions could reach each other. Stop them, and remove "
                f"it: docker network rm {name}. It is made anew then."
            )


def missing(name: str) -> str:
    """That there is no network of a name, with the remedy."""
    return f"There is no network {name}. Make it: docker network create {name}."


def _explained(error: DockerError) -> DockerError | EngineError:
    """An error with its remedy, where it has one that not everybody knows."""
    text = said(error)
    if _NO_SUBNET in text:
        return EngineError(
            f"The engine has no addresses left for the network of the sessions: {text} Remove "
            "networks that nobody uses (docker network prune), or give it more addresses "
            "(default-address-pools in its daemon.json)."
        )
    if _NO_FILTER in text:
        return EngineError(
            f"The engine can't keep sessions apart: {text} Load the kernel module br_netfilter "
            "on its machine (modprobe br_netfilter)."
        )
    return error
