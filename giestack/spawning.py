"""Puts the spawner together: engines, hooks, and how sessions are asked how they are."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from giestack.address import Address
from giestack.database import DatabaseUnavailable
from giestack.engines import Workshop, configured_or_default, new_id
from giestack.instance import instance_name
from giestack.proxy.ask import Ask
from giestack.settings.schema import Settings
from giestack.spawner.docker.figures import Figures
from giestack.spawner.engine import EngineError
from giestack.spawner.hooks import Hooks
from giestack.spawner.jupyter_activity import Activity, jupyter_activity
from giestack.spawner.owner import Owner
from giestack.spawner.readiness import wait_until_ready
from giestack.spawner.spawner import Spawner
from giestack.spawner.surroundings import Audit, KeyOf

NO_KEY = (
    "It needs your API key of Galaxy, and you have none yet. Make one in Galaxy under "
    "User, Preferences, Manage API key; then start it again."
)


def make_spawner(
    reactor: Any,
    settings: Settings,
    in_thread: Callable[..., Deferred[Any]],
    ask: Ask,
    audit: Audit,
    key_of: Callable[[int], Awaitable[str]],
    figures: dict[str, Figures],
) -> Spawner:
    """Build the spawner with its engines; it is to be told its profiles, and nothing runs yet.

    :param key_of: finds a user's key to Galaxy's API by their id there; "" for none.
    :param figures: is filled with those of the Docker engines, by name.
    :raises OSError, ValueError: where hooks can't be loaded, ``data_dir`` not be used, or an
        engine not be found.
    """
    assert settings.spawner is not None

    async def wait(address: Address, path: str, timeout: float) -> None:
        await wait_until_ready(ask, address, path.encode(), clock=reactor, timeout=timeout)

    async def activity(address: Address, base: str) -> Activity:
        return await jupyter_activity(ask, address, base.encode())

    workshop = Workshop(
        reactor=reactor,
        in_thread=in_thread,
        environ=os.environ,
        data_dir=settings.data_dir,
        instance=instance_name(settings.instance, settings.data_dir),
        prefix=settings.proxy.prefix,
        own_hosts=settings.spawner.domain is not None,
        galaxy_url=lambda: spawner.galaxy_url,
        starting=lambda: spawner.is_starting,
        wait_until_ready=wait,
        figures=figures,
    )
    engines = configured_or_default(settings.spawner.engines, os.environ, Path.home())
    spawner = Spawner(
        reactor,
        [workshop.make(engine) for engine in engines],
        prefix=settings.proxy.prefix,
        own_hosts=settings.spawner.domain is not None,
        hooks=Hooks.load(reactor),
        wait_until_ready=wait,
        ask_activity=activity,
        audit=audit,
        api_key=api_keys(key_of),
        new_id=new_id,
    )
    return spawner


def api_keys(key_of: Callable[[int], Awaitable[str]]) -> KeyOf:
    """Find users' keys, or say what is missing."""

    async def api_key(owner: Owner) -> str:
        if owner.host != "galaxy":
            raise EngineError("It needs an API key of Galaxy, and you are not a user of Galaxy.")
        try:
            key = await key_of(owner.user_id)
        except DatabaseUnavailable:
            raise EngineError("Galaxy's database does not answer. Try again soon.") from None
        if not key:
            raise EngineError(NO_KEY)
        return key

    return api_key
