"""Puts the spawner together: engines, hooks, and how sessions are asked how they are."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred

from giestack.address import Address
from giestack.database import DatabaseUnavailable
from giestack.instance import instance_name
from giestack.proxy.ask import Ask
from giestack.settings.schema import Settings
from giestack.settings.spawner_schema import Engine as EngineSettings
from giestack.spawner.engine import Engine, EngineError
from giestack.spawner.hooks import Hooks
from giestack.spawner.jupyter_activity import Activity, jupyter_activity
from giestack.spawner.owner import Owner
from giestack.spawner.process.engine import ProcessEngine
from giestack.spawner.readiness import wait_until_ready
from giestack.spawner.spawner import Spawner
from giestack.spawner.surroundings import Audit

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
) -> Spawner:
    """Build the spawner with its engines; it is to be told its profiles, and nothing runs yet.

    :param key_of: finds a user's key to Galaxy's API by their id there; "" for none.

    :raises OSError, ValueError: where hooks can't be loaded, or ``data_dir`` not be used.
    """
    assert settings.spawner is not None
    mark = instance_name(settings.instance, settings.data_dir)

    def engine(configured: EngineSettings) -> Engine:
        return ProcessEngine(
            configured.name, reactor, reactor, in_thread, settings.data_dir, mark, os.environ
        )

    async def wait(address: Address, path: str, timeout: float) -> None:
        await wait_until_ready(ask, address, path.encode(), clock=reactor, timeout=timeout)

    async def activity(address: Address, base: str) -> Activity:
        return await jupyter_activity(ask, address, base.encode())

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

    return Spawner(
        reactor,
        [engine(configured) for configured in settings.spawner.engines],
        prefix=settings.proxy.prefix,
        hooks=Hooks.load(reactor),
        wait_until_ready=wait,
        ask_activity=activity,
        audit=audit,
        api_key=api_key,
    )
