"""The fake Docker engine's calls about containers as such; what runs is in `fake_running`."""

import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from tests.docker.fake_container import HOST_DEFAULTS, Container, Mount, chosen
from tests.docker.fake_http import DONE, Answer, Call, Refused

if TYPE_CHECKING:
    from tests.docker.fake_docker import FakeDocker

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


class Containers:
    """All that there are, by id.

    :ivar removal_seconds: how long it takes to remove one; it is shown as ``removing`` then.
    """

    def __init__(self, engine: "FakeDocker") -> None:
        self.all: dict[str, Container] = {}
        self.removal_seconds = 0.0
        self._engine = engine

    def find(self, name: str) -> Container:
        """By name, id or beginning of the id; `Refused` where there is none."""
        for one in self.all.values():
            if one.name == name.removeprefix("/") or one.id == name:
                return one
        found = [one for one in self.all.values() if one.id.startswith(name)]
        if len(found) != 1:
            raise Refused(404, f"No such container: {name}")
        return found[0]

    def tell(self, one: Container, action: str, **more: str) -> None:
        """An event of it."""
        attributes = {**one.labels, "image": one.image, "name": one.name, **more}
        self._engine.events.tell("container", action, one.id, attributes)

    # Being there.

    def create(self, call: Call) -> Answer:
        body = call.json
        reference = body.get("Image", "")
        image = self._engine.images.find(reference)
        if image is None:
            raise Refused(404, f"No such image: {self._engine.images.tagged(reference)}")
        name = call.query.get("name") or f"nameless_{secrets.token_hex(4)}"
        if not NAME.fullmatch(name):
            text = f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            raise Refused(400, text)
        self._name_is_free(name)
        host = HOST_DEFAULTS | {
            key: value for key, value in body.get("HostConfig", {}).items() if value is not None
        }
        one = Container(
            id=secrets.token_hex(32),
            name=name,
            image=reference,
            image_id=image.id,
            config=_config(body, image.config),
            host=host,
            networks={},
            created=self._engine.events.stamp(),
            created_seconds=self._engine.events.now() // 10**9,
        )
        mode = host["NetworkMode"]
        network = "bridge" if mode == "default" else mode
        wanted = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
        one.networks = {each: {"NetworkID": ""} for each in {network, *wanted}}
        one.mounts = self._mounts(body, one)
        self.all[one.id] = one
        self.tell(one, "create")
        return Answer(201, {"Id": one.id, "Warnings": []})

    def _name_is_free(self, name: str) -> None:
        for one in self.all.values():
            if one.name == name:
                raise Refused(
                    409,
                    f'Conflict. The container name "/{name}" is already in use by container '
                    f'"{one.id}". You have to remove (or rename) that container to be able to '
                    "reuse that name.",
                )

    def _mounts(self, body: Mapping[str, Any], one: Container) -> list[Mount]:
        found = []
        for bind in one.host["Binds"] or []:
            source, target, *modes = bind.split(":")
            writable = "ro" not in ",".join(modes).split(",")
            found.append(("bind" if source.startswith("/") else "volume", source, target, writable))
        for mount in one.host.get("Mounts") or []:
            kind, source = mount["Type"], mount.get("Source", "")
            found.append((kind, source, mount["Target"], not mount.get("ReadOnly")))
        found += [("volume", "", target, True) for target in one.config.get("Volumes") or {}]
        mounts = []
        for kind, source, target, writable in found:
            volume = self._engine.volumes.have(source) if kind == "volume" else None
            mounts.append(Mount(kind, source, target, writable, volume))
        return mounts

    def inspect(self, call: Call) -> Answer:
        return Answer(200, self.find(call.target).inspect())

    def list_(self, call: Call) -> Answer:
        found = chosen(self.all, call.filters(), call.flag("all"))
        return Answer(200, [one.summary() for one in found])

    def rename(self, call: Call) -> Answer:
        one, name = self.find(call.target), call.query.get("name", "")
        if one.name == name:
            raise Refused(400, "Renaming a container with the same name as its current name")
        if not NAME.fullmatch(name):
            raise Refused(400, f"Error when allocating new name: Invalid container name ({name})")
        self._name_is_free(name)
        old, one.name = one.name, name
        self.tell(one, "rename", oldName=f"/{old}")
        return DONE

    def update(self, call: Call) -> Answer:
        one = self.find(call.target)
        one.host |= call.json
        self.tell(one, "update")
        return Answer(200, {"Warnings": None})

    def remove(self, call: Call) -> "Deferred[Answer]":
        one = self.find(call.target)
        if one.status == "removing":
            raise Refused(409, f"removal of container {call.target} is already in progress")
        if one.running and not call.flag("force"):
            how = "Stop the container before"
            if one.status == "paused":
                how = "Unpause and then stop the container before"
            raise Refused(
                409,
                f"You cannot remove a {one.status} container {one.id}. {how} attempting removal "
                "or force remove",
            )
        return self.removed(one, volumes=call.flag("v")).addCallback(lambda _: DONE)

    def removed(self, one: Container, *, volumes: bool = True) -> "Deferred[Any]":
        """Remove it by force; fires when it is gone."""
        if one.program is not None and one.running:
            self.tell(one, "kill", signal="9")
            one.program.end(137)
        one.status = "removing"
        closed = one.close_ports()
        if self.removal_seconds:
            waited: Deferred[None] = Deferred()
            self._engine.later(self.removal_seconds, lambda: waited.callback(None))
            closed.addCallback(lambda _: waited)
        return closed.addCallback(lambda _: self._is_gone(one, volumes))

    def _is_gone(self, one: Container, volumes: bool) -> None:
        if self.all.pop(one.id, None) is None:
            return
        for mount in one.mounts:
            if volumes and mount.volume is not None and not mount.source:
                self._engine.volumes.all.pop(mount.volume.name, None)
        self.tell(one, "destroy")
        gone, one.gone = one.gone, []
        for waiting in gone:
            waiting.callback(one.exit_code)


def _config(body: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    config = {
        key: value for key, value in body.items() if key not in ("HostConfig", "NetworkingConfig")
    }
    for key in ("Entrypoint", "User", "WorkingDir", "Volumes", "Tty"):
        config[key] = config.get(key) or image.get(key)
    # An entrypoint of one's own drops the image's command.
    if not body.get("Entrypoint") and not config.get("Cmd"):
        config["Cmd"] = image.get("Cmd")
    config.setdefault("Cmd", None)
    named = {each.partition("=")[0] for each in config.get("Env") or []}
    inherited = [each for each in image.get("Env") or [] if each.partition("=")[0] not in named]
    config["Env"] = [*(config.get("Env") or []), *inherited] or None
    config["Labels"] = {**(image.get("Labels") or {}), **(body.get("Labels") or {})}
    config["ExposedPorts"] = {
        **(image.get("ExposedPorts") or {}),
        **(body.get("ExposedPorts") or {}),
    }
    return config
