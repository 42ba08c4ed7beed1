"""Users' keys to Galaxy's API, as Galaxy's database has them.

Galaxy makes a key when its user asks for one; giestack makes none. Before Galaxy 23.0 the table
has no column ``deleted``: a new key is one more row there, and the newest counts.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    column,
    literal_column,
    nulls_last,
    select,
    table,
)
from twisted.logger import Logger

from giestack.database import Database, DatabaseUnavailable

_api_keys = table("api_keys", column("id"), column("create_time"), column("user_id", BigInteger))
# All columns by their own names: which of them exist depends on Galaxy's release.
_keys: Select[Any] = select(literal_column("api_keys.*")).order_by(
    nulls_last(_api_keys.c.create_time.desc()), _api_keys.c.id.desc()
)


def api_key_of(connection: Connection, user_id: int) -> str:
    """Return the newest key of a user that Galaxy still accepts; "" where there is none."""
    rows = connection.execute(_keys.where(_api_keys.c.user_id == user_id)).mappings()
    return next((row["key"] for row in rows if row["key"] and not row.get("deleted")), "")


class ApiKeys:
    """Finds users' keys; asked each time, as a key may have been made or deleted since."""

    log = Logger()

    def __init__(self, database: Database) -> None:
        self._database = database

    async def key_of(self, user_id: int) -> str:
        """Return the key of a user by their id in Galaxy, "" for none.

        Raises `DatabaseUnavailable`.
        """
        try:
            return await self._database.run(api_key_of, user_id)
        except DatabaseUnavailable as error:
            self.log.warn(
                "an API key could not be read: {reason}; "
                "giestack's user of the database needs SELECT on api_keys",
                reason=str(error),
            )
            raise
