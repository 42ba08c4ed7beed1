"""The environment of a container: what programs of Galaxy's look for, and what a profile says."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from giestack.address import DEFAULT_PORTS
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.process.environment import SECRETS_VARIABLE
from giestack.spawner.templates import fill, is_of_owner, secrets_of, values_of

SECRETS_FOLDER = "/run/secrets"
"""Where the files of a session's secrets are."""


def environment_of(launch: Launch) -> dict[str, str]:
    """Everything that a session's program gets, by name.

    First what Galaxy gives to its interactive environments and tools, as far as it is known;
    then what the profile says, then what hooks say.

    :raises EngineError: a value can't be in an environment.
    """
    profile = _filled(launch, slot=False)
    return _passable({**_place(launch), **_person(launch), **profile, **launch.env})


def slot_environment(launch: Launch) -> dict[str, str]:
    """What a container gets that is started before it is known whose it will be.

    :param launch: only its profile, id and places count.
    :raises EngineError: a value can't be in an environment.
    """
    return _passable(_place(launch) | _filled(launch, slot=True))


def _place(launch: Launch) -> dict[str, str]:
    """Where it is among others: what does not depend on its owner."""
    path = launch.base_url.rstrip("/")
    found = {
        "PROXY_PREFIX": path,
        "EP_PATH": path,
        "GALAXY_URL": launch.galaxy_url,
        "GALAXY_WEB_PORT": _port_of(launch.galaxy_url),
    }
    if launch.profile.secrets:
        found[SECRETS_VARIABLE] = SECRETS_FOLDER
    return {name: value for name, value in found.items() if value}


def _person(launch: Launch) -> dict[str, str]:
    """Who asked for it, and from where."""
    found = {
        "HISTORY_ID": launch.circumstances.history_id,
        "REMOTE_HOST": launch.circumstances.remote_host,
        "CORS_ORIGIN": launch.circumstances.origin,
        "USER_EMAIL": launch.owner.email,
        "API_KEY": launch.api_key,
    }
    return {name: value for name, value in found.items() if value}


def _filled(launch: Launch, *, slot: bool) -> dict[str, str]:
    values = values_of(launch, port=launch.profile.port) | secrets_of(launch)
    return {
        name: fill(value, values)
        for name, value in launch.profile.env.items()
        if not (slot and is_of_owner(value))
    }


def _port_of(url: str) -> str:
    try:
        split = urlsplit(url)
        port = split.port or DEFAULT_PORTS.get(split.scheme)
    except ValueError:
        return ""
    return "" if port is None else str(port)


def _passable(found: Mapping[str, str]) -> dict[str, str]:
    for name, value in found.items():
        if "\0" in value or not _is_unicode(value):
            raise EngineError(f"The variable {name} can't be passed on: it is no proper text.")
    return dict(found)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
