"""Slots of the warm pool: containers that are started before it is known whose they will be."""

from collections.abc import Sequence

from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.container import container_body
from giestack.spawner.docker.environment import slot_environment
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.volume_names import Mount, lies_in, mounts_of
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.options import chosen, options_of
from giestack.spawner.owner import Owner
from giestack.spawner.templates import OF_OWNER, names_in

_NOBODY = Owner("galaxy", 0, "", None, "")
# What a slot knows of itself: a source with no other name in it does not hang on its owner.
_OWN = "session_id"


def slot_launch(profile: Profile, session_id: str, base_url: str, galaxy_url: str = "") -> Launch:
    """What is started for nobody, with the options as they are if nobody chooses."""
    return Launch(
        session_id=session_id,
        owner=_NOBODY,
        profile=profile,
        name=profile.name,
        options=chosen(options_of(profile.options), {}),
        base_url=base_url,
        galaxy_url=galaxy_url,
    )


def slot_mounts(launch: Launch, *, names: Names, hidden: Sequence[str] = ()) -> list[Mount]:
    """What a slot mounts of its profile's volumes.

    A volume without a name and nobody's, filled from the image, is wherever a person's own will
    be: so that the program finds a home, and that there is a mount whose place can be taken.

    :raises EngineError: as `mounts_of`.
    """
    mounts = mounts_of(launch, names=names, hidden=hidden)
    personal = _personal(launch.profile)
    return [
        Mount("", mount.target) if is_personal else mount
        for mount, is_personal in zip(mounts, personal, strict=True)
    ]


def personal_mounts(launch: Launch, *, names: Names, hidden: Sequence[str] = ()) -> list[Mount]:
    """What a session has where its slot has volumes that are nobody's."""
    mounts = mounts_of(launch, names=names, hidden=hidden)
    personal = _personal(launch.profile)
    return [mount for mount, is_one in zip(mounts, personal, strict=True) if is_one]


def shape_of(launch: Launch, *, names: Names, hidden: Sequence[str] = ()) -> object:
    """Equal for launches of which one can become what was started for the other.

    That is all of the container but for its variables, secrets and a person's own volumes.

    :raises EngineError: the profile asks for what there is not.
    """
    body = container_body(
        launch,
        names=names,
        network=launch.profile.network,
        publish_at="",
        environment={},
        mounts=slot_mounts(launch, names=names, hidden=hidden),
        slot=True,
    )
    mounts = mounts_of(launch, names=names, hidden=hidden)
    places = [(mount.target, mount.read_only, mount.is_folder) for mount in mounts]
    return {name: value for name, value in body.items() if name != "Labels"}, places


def substance_of(profile: Profile, *, names: Names, hidden: Sequence[str] = ()) -> object:
    """Equal for profiles whose slots are the same; None where there can be none."""
    launch = slot_launch(profile, "0", "/")
    try:
        shape = shape_of(launch, names=names, hidden=hidden)
        environment = slot_environment(launch)
    except EngineError:
        return None
    return shape, environment, profile.readiness, profile.scheme, profile.ca_file


def why_cold(profile: Profile, *, names: Names, hidden: Sequence[str], mounting: str) -> str:
    """Why nothing of a profile can be started ahead, for the administrator; "" if it can.

    :param mounting: what keeps folders from being mounted into running containers; "": nothing.
    """
    if profile.gpus:
        return "a slot would keep its GPUs from others"
    targets = list(profile.volumes.values())
    for text in (profile.image, *profile.command, *targets):
        for name in names_in(text):
            if name in OF_OWNER:
                return f"its image, command or volumes have {{{name}}} in them"
    launch = slot_launch(profile, "0", "/")
    try:
        shape_of(launch, names=names, hidden=hidden)
        mounts = slot_mounts(launch, names=names, hidden=hidden)
    except EngineError as error:
        return str(error)
    places = [mount.target for mount in mounts]
    places += [text.partition(":")[0] for text in profile.tmpfs]
    personal = [mount.target for mount in mounts if not mount.source]
    if personal and mounting:
        return f"a person's own volumes can't be mounted into a running container: {mounting}"
    for home in personal:
        if any(place != home and lies_in(place, home) for place in places):
            return f"something else is mounted in {home}"
    return ""


def _personal(profile: Profile) -> list[bool]:
    """Of each volume, whether its source is one person's, or hangs on what they choose."""
    return [any(name != _OWN for name in names_in(source)) for source in profile.volumes]
