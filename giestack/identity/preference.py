"""Whether somebody had switched Galaxy's communication server on for themselves.

Galaxy 20.09 and before kept that as the preference ``communication_server``, which its users set
in their settings. Later releases leave such rows alone and make no new ones.
"""

from typing import Any

from sqlalchemy import BigInteger, Connection, Select, column, inspect, select, table
from sqlalchemy.exc import DBAPIError
from twisted.internet.defer import Deferred

from giestack.database import Database

# What Galaxy's own masthead took for yes.
_YES = frozenset({"true", "1"})

_preferences = table(
    "user_preference", column("id"), column("user_id", BigInteger), column("name"), column("value")
)
# Nothing keeps a name from being there twice: the last one counts.
_choice: Select[Any] = (
    select(_preferences.c.value)
    .where(_preferences.c.name == "communication_server")
    .order_by(_preferences.c.id.desc())
    .limit(1)
)


def communication_server_of(connection: Connection, user_id: int) -> bool | None:
    """Return whether a user had switched the chat on.

    None where they never said, and where there is no table of preferences at all.
    """
    try:
        value = connection.execute(_choice.where(_preferences.c.user_id == user_id)).scalar()
    except DBAPIError:
        connection.rollback()
        if inspect(connection).has_table(_preferences.name):
            raise
        return None
    return None if value is None else value.strip().lower() in _YES


class Preferences:
    """Finds what users have chosen in Galaxy."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def communication_server(self, user_id: int) -> Deferred[bool | None]:
        """Look up a choice by its user's id in Galaxy; see `communication_server_of`.

        The Deferred fails with `giestack.database.DatabaseUnavailable`; giestack's user of the
        database needs SELECT on user_preference.
        """
        return self._database.run(communication_server_of, user_id)
