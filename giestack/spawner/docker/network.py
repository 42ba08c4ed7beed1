"""The network of an instance: its sessions reach the world through it, and not each other."""

from collections.abc import Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from giestack.docker.errors import Conflict, DockerError, NotFound
from giestack.spawner.docker.joint import Joint
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.words import said
from giestack.spawner.engine import EngineError

_APART = {"com.docker.network.bridge.enable_icc": "false"}
_NO_SUBNET = "address pool"
_NO_FILTER = "inter-container communication"


class Networks(Protocol):
    """What is asked of `giestack.docker.networks.Networks`."""

    async def create(self, name: str, body: Mapping[str, Any]) -> str: ...
    async def inspect(self, network: str) -> dict[str, Any]: ...


class Network:
    """Finds networks for containers, and makes the one of the instance where it is missing."""

    def __init__(self, networks: Networks, names: Names) -> None:
        self._networks = networks
        self._names = names
        # Docker takes any number of networks of the same name.
        self._own: Joint[str] = Joint(lambda: Deferred.fromCoroutine(self._make()), goes_on=True)

    async def of(self, wanted: str) -> str:
        """The network for a container: the one that its profile wants, else the instance's.

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
        name = self._names.network
        try:
            self._check(await self._networks.inspect(name))
            return name
        except NotFound:
            pass
        labels = self._names.labels("network")
        body = {"Driver": "bridge", "CheckDuplicate": True, "Options": _APART, "Labels": labels}
        try:
            await self._networks.create(name, body)
        except Conflict:
            self._check(await self._networks.inspect(name))
        except DockerError as error:
            raise _explained(error) from None
        return name

    def _check(self, found: Mapping[str, Any]) -> None:
        name = self._names.network
        if not self._names.are_ours(found.get("Labels")):
            raise EngineError(
                f"There is a network {name} already, which is not giestack's. Remove it, or give "
                "giestack another name (instance in giestack.yml)."
            )
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
            f"The engine has no addresses left for the network of the sessions: {text}. Remove "
            "networks that nobody uses (docker network prune), or give it more addresses "
            "(default-address-pools in its daemon.json)."
        )
    if _NO_FILTER in text:
        return EngineError(
            f"The engine can't keep sessions apart: {text}. Load the kernel module br_netfilter "
            "on its machine (modprobe br_netfilter)."
        )
    return error
