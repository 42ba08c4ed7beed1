"""Session maps in PostgreSQL: written as Galaxy writes them."""

from collections.abc import Sequence

import psycopg

from giestack.routing.source import SourceRoutes
from tests.neighbours.postgres import CleanUp, Postgres
from tests.routing.galaxy_map import CREATE, INFO, TYPE

# As the pages of gx-it-proxy and of Galaxy's training have it.
TRIGGER = """
CREATE OR REPLACE FUNCTION notify_gxitproxy() RETURNS trigger AS $$
BEGIN
  PERFORM pg_notify('gxitproxy', 'Table "gxitproxy" changed');
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER gxitproxy_notify AFTER INSERT OR UPDATE OR DELETE ON gxitproxy
FOR EACH ROW EXECUTE FUNCTION notify_gxitproxy();
"""

Row = tuple[object, ...]


def row(key: str, port: object = 40001, token: str = "t0ken", key_type: str = TYPE) -> Row:
    """What Galaxy writes for one tool."""
    return (key, key_type, token, "127.0.0.1", port, INFO)


class PostgresGalaxyMap:
    """A database with a session map, and a Galaxy that writes it.

    :ivar url: of the database.
    """

    def __init__(self, test: CleanUp, server: Postgres, options: str = "") -> None:
        """
        :param options: of CREATE DATABASE.
        """
        self._server = server
        self.name = server.new_database(test)
        if options:
            with server.connect() as connection:
                connection.execute(f"DROP DATABASE {self.name}".encode())
                connection.execute(f"CREATE DATABASE {self.name} {options}".encode())
        self.url = server.url(self.name)

    def connect(self) -> psycopg.Connection[Row]:
        """A connection that commits each statement; the end of the server loses nothing."""
        connection = self._server.connect(self.name)
        connection.execute("SET synchronous_commit = on")
        return connection

    def execute(self, statement: str) -> None:
        """Have some statements executed."""
        with self.connect() as connection:
            connection.execute(statement.encode())

    def save(self, *rows: Row, create: str = CREATE) -> None:
        """Write rows, everything in one transaction."""
        with self.connect() as connection, connection.transaction():
            connection.execute(create.encode())
            with connection.cursor() as cursor:
                cursor.executemany(
                    "DELETE FROM gxitproxy WHERE key = %s AND key_type = %s",
                    [row[:2] for row in rows],
                )
                cursor.executemany("INSERT INTO gxitproxy VALUES (%s, %s, %s, %s, %s, %s)", rows)

    def remove(self, key: str) -> None:
        """Remove one row, as Galaxy does when a tool ends."""
        with self.connect() as connection:
            connection.execute("DELETE FROM gxitproxy WHERE key = %s", [key])

    def backends(self, query: str) -> Sequence[int]:
        """The processes of giestack's connections whose last statement begins like this."""
        statement = (
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND starts_with(query, %s) "
            "AND pid <> pg_backend_pid()"
        )
        with self.connect() as connection:
            found = connection.execute(statement, [self.name, query]).fetchall()
        return [int(str(pid)) for (pid,) in found]

    def kill(self, query: str) -> None:
        """End those processes, and wait for their ends."""
        for pid in self.backends(query):
            with self.connect() as connection:
                connection.execute("SELECT pg_terminate_backend(%s, 20000)", [pid])


def ports(routes: SourceRoutes) -> dict[str, int]:
    """The ports of all tools, by key."""
    found = {}
    for key, entry_point in routes.entry_points.items():
        assert isinstance(entry_point.address.port, int)
        found[key.decode()] = entry_point.address.port
    return found
