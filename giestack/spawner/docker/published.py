"""Where a container's port is published."""

from collections.abc import Mapping
from typing import Any

from giestack.address import Address
from giestack.spawner.engine import Launch


def address_of(launch: Launch, details: Mapping[str, Any], host: str) -> Address | None:
    """Where the program of a launch is reached; None where its port is not published.

    :param details: what Docker's inspect says of its container.
    :param host: where published ports are reached.
    """
    profile = launch.profile
    ports = (details.get("NetworkSettings") or {}).get("Ports") or {}
    for binding in ports.get(f"{profile.port}/tcp") or ():
        number = str(binding.get("HostPort"))
        if number.isdecimal() and 0 < int(number) < 65536:
            ca_file = None if profile.ca_file is None else str(profile.ca_file)
            return Address(
                host,
                int(number),
                tls=profile.scheme == "https",
                ca_file=ca_file,
                session=launch.session_id,
            )
    return None
