"""What would keep profiles from starting on a Docker engine, found with little effort."""

from collections.abc import Sequence

from giestack.docker.errors import DockerError
from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.making import Making
from giestack.spawner.docker.network import missing
from giestack.spawner.docker.words import size_shown, trouble_of
from giestack.spawner.engine import Room
from giestack.spawner.image_choice import images_of


async def troubles_of(
    name: str, profiles: Sequence[Profile], room: Room, making: Making
) -> list[str]:
    """What there is to say, with the remedy; empty: nothing.

    An image that is not there yet is no trouble, unless it could not be fetched of late.

    :param name: that of the engine.
    :param room: all that it has.
    """
    found = [text for profile in profiles for text in _too_much(name, profile, room)]
    try:
        networks = {profile.network: profile for profile in profiles if profile.network}
        for network, profile in networks.items():
            if not await making.network.has(network):
                found.append(f"The profile {profile.name} can't be started: {missing(network)}")
        for image, words in making.pulls.refused().items():
            wanted = any(image in images_of(profile) for profile in profiles)
            if wanted and not await making.pulls.has(image):
                found.append(words)
    except DockerError as error:
        found.append(trouble_of(name, error))
    return found


def _too_much(name: str, profile: Profile, room: Room) -> list[str]:
    """What a profile wants that an engine never has."""
    found = []
    if room.memory is not None and profile.memory > room.memory:
        found.append(
            f"The profile {profile.name} may use {size_shown(profile.memory)} of memory, and the "
            f"engine “{name}” has {size_shown(room.memory)} for all sessions together. Lower the "
            "profile's memory, or raise the engine's."
        )
    if profile.gpus > room.gpus:
        found.append(
            f"The profile {profile.name} needs {profile.gpus} GPUs, and the engine “{name}” has "
            f"{room.gpus} to hand out. Name them under the engine's gpus."
        )
    return found
