"""The fake Docker engine's calls about networks and volumes."""

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.docker.fake_container import Volume
from tests.docker.fake_events import matches_labels
from tests.docker.fake_http import DONE, Answer, Call, Refused

if TYPE_CHECKING:
    from tests.docker.fake_docker import FakeDocker


@dataclass(slots=True, eq=False)
class Network:
    """A network, as it was asked for."""

    id: str
    name: str
    created: str
    body: dict[str, Any]


class Networks:
    """Those that were made, by id; Docker's own have no need to be told."""

    def __init__(self, engine: "FakeDocker") -> None:
        self.all: dict[str, Network] = {}
        self._engine = engine
        for name in ("bridge", "host", "none"):
            self._add(name, {"Driver": "null" if name == "none" else name})

    def _add(self, name: str, body: dict[str, Any]) -> Network:
        made = Network(secrets.token_hex(32), name, self._engine.events.stamp(), body)
        self.all[made.id] = made
        return made

    def find(self, name: str) -> Network:
        """By id, name or beginning of the id."""
        found = [one for one in self.all.values() if name in (one.id, one.name)]
        found = found or [one for one in self.all.values() if one.id.startswith(name)]
        if not found:
            raise Refused(404, f"network {name} not found")
        if len(found) > 1:
            raise Refused(409, f"network {name} is ambiguous (2 matches found on name)")
        return found[0]

    def create(self, call: Call) -> Answer:
        body = call.json
        name = body["Name"]
        # Docker 20.10 lets several have one name unless it is asked not to.
        if body.get("CheckDuplicate") and any(one.name == name for one in self.all.values()):
            raise Refused(409, f"network with name {name} already exists")
        made = self._add(name, body)
        self._engine.events.tell("network", "create", made.id, {"name": name, "type": "bridge"})
        return Answer(201, {"Id": made.id, "Warning": ""})

    def inspect(self, call: Call) -> Answer:
        return Answer(200, self._json(self.find(call.target)))

    def list_(self, call: Call) -> Answer:
        filters = call.filters()
        shown = [
            self._json(one)
            for one in self.all.values()
            if matches_labels(one.body.get("Labels") or {}, filters.get("label", []))
            and any(each in one.name for each in filters.get("name", [""]))
        ]
        return Answer(200, shown)

    def remove(self, call: Call) -> Answer:
        found = self.find(call.target)
        if self._containers(found):
            text = f"network {found.name} id {found.id} has active endpoints"
            raise Refused(403, f"error while removing network: {text}")
        del self.all[found.id]
        self._engine.events.tell("network", "destroy", found.id, {"name": found.name})
        return DONE

    def connect(self, call: Call) -> Answer:
        found, one = self.find(call.target), self._engine.containers.find(call.json["Container"])
        if found.name in one.networks:
            text = f"endpoint with name {one.name} already exists in network {found.name}"
            raise Refused(403, text)
        one.networks[found.name] = {"NetworkID": found.id}
        return Answer(200)

    def disconnect(self, call: Call) -> Answer:
        found, one = self.find(call.target), self._engine.containers.find(call.json["Container"])
        if found.name not in one.networks:
            text = f"container {one.id} is not connected to network {found.name}"
            raise Refused(403, text)
        del one.networks[found.name]
        return Answer(200)

    def _containers(self, network: Network) -> dict[str, Any]:
        return {
            one.id: {"Name": one.name}
            for one in self._engine.containers.all.values()
            if network.name in one.networks and one.running
        }

    def _json(self, network: Network) -> dict[str, Any]:
        return {
            "Name": network.name,
            "Id": network.id,
            "Created": network.created,
            "Scope": "local",
            "Driver": network.body.get("Driver") or "bridge",
            "EnableIPv6": False,
            "IPAM": {"Driver": "default", "Options": None, "Config": [{"Subnet": "172.18.0.0/16"}]},
            "Internal": bool(network.body.get("Internal")),
            "Attachable": False,
            "Containers": self._containers(network),
            "Options": network.body.get("Options") or {},
            "Labels": network.body.get("Labels") or {},
        }


class Volumes:
    """All that there are, by name."""

    def __init__(self, engine: "FakeDocker") -> None:
        self.all: dict[str, Volume] = {}
        self._engine = engine

    def have(
        self,
        name: str = "",
        labels: dict[str, str] | None = None,
        options: dict[str, str] | None = None,
    ) -> Volume:
        """The volume of that name, made where it is missing; "": a new one."""
        name = name or secrets.token_hex(32)
        if name not in self.all:
            self.all[name] = Volume(name, labels or {}, options or {}, self._engine.events.stamp())
            self._engine.events.tell("volume", "create", name, {"driver": "local"})
        return self.all[name]

    def _find(self, name: str) -> Volume:
        if name not in self.all:
            raise Refused(404, f"get {name}: no such volume")
        return self.all[name]

    def create(self, call: Call) -> Answer:
        body = call.json
        made = self.have(body.get("Name", ""), body.get("Labels"), body.get("DriverOpts"))
        return Answer(201, made.json())

    def inspect(self, call: Call) -> Answer:
        return Answer(200, self._find(call.target).json())

    def list_(self, call: Call) -> Answer:
        filters = call.filters()
        shown = [
            one.json()
            for one in self.all.values()
            if matches_labels(one.labels, filters.get("label", []))
            and any(each in one.name for each in filters.get("name", [""]))
        ]
        return Answer(200, {"Volumes": shown, "Warnings": None})

    def remove(self, call: Call) -> Answer:
        found = self._find(call.target)
        users = [
            one.id
            for one in self._engine.containers.all.values()
            if any(mount.volume is found for mount in one.mounts)
        ]
        if users:
            text = f"remove {found.name}: volume is in use - [{', '.join(users)}]"
            raise Refused(409, text)
        del self.all[found.name]
        self._engine.events.tell("volume", "destroy", found.name, {"driver": "local"})
        return DONE
