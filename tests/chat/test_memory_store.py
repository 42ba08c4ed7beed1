"""The store that other tests use behaves as the real ones do."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.storage import Signal
from giestack.database import DatabaseUnavailable
from tests.chat.memory_store import MemoryStore
from tests.chat.store_suite import StoreSuite


class Watched:
    def __init__(self):
        self.told = []

    def moved(self, rooms):
        self.told.append(dict(rooms))

    def signalled(self, signal):
        self.told.append(signal)


class MemoryStoreTests(StoreSuite, SynchronousTestCase):
    def new_store(self):
        return MemoryStore(now=lambda: int(self.clock.seconds() * 1000))

    def test_nodes(self):
        other, watcher, own = MemoryStore(self.store.log), Watched(), Watched()
        other.watch(watcher)
        self.store.watch(own)
        self.say()
        signal = Signal(kind="typing", node="a", body={"who": ["x"]})
        self.store.tell(signal)
        self.assertEqual(watcher.told, [{self.ngs: 1}, signal])
        self.assertEqual(own.told, [])

    def test_down(self):
        self.store.down = "away"
        self.assertRaises(DatabaseUnavailable, self.get, self.store.append(self.draft()))
        self.store.down = None
        self.assertEqual(self.seqs(), [])

    def test_held_back(self):
        self.store.hold()
        asked = self.store.append(self.draft())
        self.assertNoResult(asked)
        self.store.release()
        self.assertEqual(self.successResultOf(asked).event.seq, 1)
