"""The description of a container, from which Docker makes it."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from math import ceil

from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.gpus import gpu_request
from giestack.spawner.docker.grants import (
    BadGrant,
    capability_of,
    device_of,
    tmpfs_for,
    ulimit_of,
)
from giestack.spawner.docker.labels import Names, labels_of
from giestack.spawner.docker.volume_names import Mount
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.templates import fill, values_of

LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}}
"""A session that prints without end must not fill the engine's disk."""


def image_of(launch: Launch) -> str:
    """The image of a session: what its profile says, with what the owner chose."""
    return fill(launch.profile.image, values_of(launch))


def port_of(profile: Profile) -> str:
    """What Docker calls the port of a profile's program, as ``8888/tcp``."""
    return f"{profile.port}/tcp"


def container_body(
    launch: Launch,
    *,
    names: Names,
    network: str,
    publish_at: str,
    environment: Mapping[str, str],
    mounts: Sequence[Mount] = (),
    gpus: Sequence[str] = (),
    slot: bool = False,
) -> dict[str, object]:
    """What to send to ``/containers/create``.

    It holds no secret but what the environment has.

    :param network: name of the network that it is in.
    :param publish_at: the IP address of the engine's host at which its port is published; Docker
        chooses the number. "": it is not published.
    :param gpus: ids of the GPUs that it gets.
    :param slot: it is nobody's yet; its command must not have templates of its owner.
    :raises EngineError: the profile asks for what there is not.
    """
    profile, port = launch.profile, port_of(launch.profile)
    values = values_of(launch, port=profile.port)
    body: dict[str, object] = {
        "Image": image_of(launch),
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": labels_of(names, launch, "slot" if slot else "session"),
        "ExposedPorts": {port: {}},
        "StopTimeout": ceil(profile.stop_timeout),
        "HostConfig": {
            "NetworkMode": network,
            "PortBindings": _published(port, publish_at),
            "PublishAllPorts": False,
            "Mounts": [mount.described() for mount in mounts],
            "DeviceRequests": [gpu_request(gpus)] if gpus else [],
            **_limits(profile),
            **_rights(profile, [mount.target for mount in mounts]),
            "Init": True,
            "LogConfig": LOG,
            "RestartPolicy": {"Name": "no"},
            # It would be gone before anybody could read why it ended.
            "AutoRemove": False,
        },
    }
    if profile.command:
        body["Cmd"] = [fill(word, values) for word in profile.command]
    if profile.user:
        body["User"] = profile.user
    return body


def limits_of(profile: Profile) -> dict[str, object]:
    """The limits that can be set on a running container, for ``/containers/ID/update``."""
    return {
        "Memory": profile.memory,
        # More than that could be swapped out.
        "MemorySwap": profile.memory,
        "NanoCpus": round(profile.cpus * 1e9),
        "PidsLimit": profile.pids,
    }


def _published(port: str, at: str) -> dict[str, object]:
    if not at:
        return {}
    try:
        address = ip_address("127.0.0.1" if at == "localhost" else at)
    except ValueError:
        address = None
    # For anything else Docker would publish the port at every address without a word.
    if address is None or address.is_unspecified:
        raise EngineError(
            f"Ports can't be published at {at}: the engine's address in giestack.yml must be an IP "
            "address of its host."
        )
    return {port: [{"HostIp": str(address), "HostPort": ""}]}


def _limits(profile: Profile) -> dict[str, object]:
    try:
        ulimits = [ulimit_of(name, given) for name, given in profile.ulimits.items()]
    except BadGrant as bad:
        raise _unusable(bad) from None
    return {**limits_of(profile), "ShmSize": profile.shm_size, "Ulimits": ulimits}


def _rights(profile: Profile, taken: Sequence[str]) -> dict[str, object]:
    try:
        return {
            "Privileged": False,
            "CapDrop": ["ALL"],
            "CapAdd": [capability_of(text) for text in profile.cap_add],
            "SecurityOpt": ["no-new-privileges:true"],
            "Devices": [device_of(text) for text in profile.devices],
            "ReadonlyRootfs": profile.read_only,
            "Tmpfs": tmpfs_for(profile.tmpfs, read_only=profile.read_only, taken=taken),
        }
    except BadGrant as bad:
        raise _unusable(bad) from None


def _unusable(bad: BadGrant) -> EngineError:
    return EngineError(f"This profile can't be started: its {bad.path} is wrong: {bad.text}.")
