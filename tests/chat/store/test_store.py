"""The store in a SQLite file."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.store.store import ChatStore
from tests.chat.store_suite import StoreSuite


class SQLiteStoreTests(StoreSuite, SynchronousTestCase):
    def new_store(self):
        self.path = Path(self.mktemp()).absolute()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return ChatStore(f"sqlite:///{self.path}", self.clock)
