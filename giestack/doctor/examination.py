"""All checks of a deployment, in the order in which they are told."""

from collections.abc import Sequence

from giestack.doctor import (
    chat,
    configuration,
    engines,
    front,
    front_passing,
    front_routes,
    galaxy,
    galaxy_options,
    machine,
    names,
)
from giestack.doctor.check import Check
from giestack.doctor.deployment import Deployment
from giestack.doctor.front_door import front_door
from giestack.doctor.galaxy_database import GalaxyTables
from giestack.doctor.maps import Maps


def checks_of(deployment: Deployment, umask: int) -> Sequence[Check]:
    """Every check, whether it has something to say or not; ``umask`` is that of this process."""
    database = deployment.settings.galaxy.database_connection
    tables = None if database is None else GalaxyTables(database)
    maps = Maps(deployment, tables)
    door = front_door(deployment)
    return (
        *configuration.checks(deployment),
        *galaxy.checks(deployment, tables, maps.keys),
        *galaxy_options.checks(deployment),
        *maps.checks(),
        *front.checks(deployment, door),
        *front_passing.checks(deployment, door),
        *front_routes.checks(deployment, door),
        *names.checks(deployment),
        *engines.checks(deployment),
        *chat.checks(deployment),
        *machine.checks(deployment, umask),
    )
