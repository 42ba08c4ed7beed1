"""The store in a SQLite file."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.store.store import ChatStore
from giestack.database import DatabaseUnavailable
from tests.chat.store_suite import StoreSuite


class SQLiteStoreTests(StoreSuite, SynchronousTestCase):
    def new_store(self):
        self.path = Path(self.mktemp()).absolute() / "chat.sqlite"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return ChatStore(f"sqlite:///{self.path}", self.clock)

    def test_nobody_else_may_read_the_file(self):
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_figures(self):
        self.get(self.store.close())
        seconds: list[float] = []
        store = self.opened(ChatStore(f"sqlite:///{self.path}", self.clock, seconds.append))
        asked = [store.append(self.draft()) for _ in range(3)]
        self.assertEqual(store.waiting, 3)
        for one in asked:
            self.get(one)
        self.assertRejected("noroom", store.append(self.draft(room="none")))
        self.assertEqual((store.waiting, store.appended), (0, 3))
        self.assertEqual(len(seconds), store.batches)
        self.assertIn(store.batches, (2, 3, 4))

    def test_a_log_that_is_opened_again(self):
        said = self.say(names=("bob",))
        self.get(self.store.close())
        here = [self.path.name, f"{self.path.name}.lock"]
        self.assertEqual(sorted(os.listdir(self.path.parent)), here)
        for refused in (self.store.append(self.draft()), self.store.events(self.ngs, limit=9)):
            self.assertRaises(DatabaseUnavailable, self.get, refused)
        epoch = self.store.epoch
        self.store = self.opened(ChatStore(f"sqlite:///{self.path}", self.clock))
        self.assertEqual(self.store.epoch, epoch)
        self.assertEqual(self.page().events, (said,))
        self.assertEqual(self.state(self.bob).mentions, 1)
        self.assertEqual(self.say().seq, 2)

    def test_two_giestacks_by_mistake(self):
        second = ChatStore(f"sqlite:///{self.path}", self.clock)
        error = self.assertRaises(DatabaseUnavailable, self.get, second.open())
        self.assertIn("another giestack uses", str(error))
        self.get(self.store.close())
        self.get(second.open())
        self.get(second.close())

    def test_its_file_is_taken_away(self):
        self.say()
        elsewhere = self.path.with_name("elsewhere")
        self.path.rename(elsewhere)
        error = self.assertRaises(DatabaseUnavailable, self.get, self.store.append(self.draft()))
        self.assertIn("was moved or deleted", str(error))
        elsewhere.rename(self.path)
        self.assertEqual(self.say().seq, 2)
