"""The chat's store in a real PostgreSQL, on one node and on several."""

from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.store.store import ChatStore
from tests.chat.store_suite import StoreSuite
from tests.neighbours.postgres import postgres

_numbers = count(1)


def new_schema(test):
    """Return the URL of an empty schema; a database for each test would take longer."""
    name = f"chat_{next(_numbers)}"
    server = postgres()

    def run(statement):
        with server.connect() as connection:
            connection.execute(statement.encode())

    run(f"CREATE SCHEMA {name}")
    test.addCleanup(run, f"DROP SCHEMA {name} CASCADE")
    return server.url() + f"&options=-csearch_path%3D{name}"


class PostgresStoreTests(StoreSuite, SynchronousTestCase):
    def new_store(self):
        self.url = new_schema(self)
        return ChatStore(self.url, self.clock)
