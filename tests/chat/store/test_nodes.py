"""What a node knows of others, and whom it tells."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.storage import Appended, Rejected, Signal
from giestack.chat.store.engines import open_engines
from giestack.chat.store.nodes import LOOK_SECONDS, Nodes
from giestack.chat.store.wakeups import payloads, signal_payload
from giestack.chat.wire import Message
from giestack.database import Database, DatabaseUnavailable
from tests.chat.store.test_wakeups import NOWHERE, joined
from tests.chat.test_memory_store import Watched


class Tables(Database):
    """Stands for the database: a test says how far rooms are."""

    def __init__(self):
        self.asked: list[Any] = []

    def run(self, function, since):  # type: ignore[override]
        asked: Deferred[Any] = Deferred()
        self.asked.append((since, asked))
        return asked


class ThreadlessClock(Clock):
    def callFromThread(self, callable, *args, **kwargs):
        pass


def stored(room, seq, new=True):
    event = Message(room=room, seq=seq, ts=1, user="a", name="Ann", text="x")
    return Appended(event, new)


class NodesTests(SynchronousTestCase):
    def setUp(self):
        self.clock, self.tables, self.watched = ThreadlessClock(), Tables(), Watched()
        self.now = 1_000_000_000
        self.nodes = Nodes(open_engines(NOWHERE), self.tables, self.clock, lambda: self.now)
        self.nodes.watcher = self.watched
        self.nodes.start("e")
        self.addCleanup(self.end)

    def end(self):
        self.nodes.stop()
        for one in (self.nodes._announcer, self.nodes._listener):
            self.assertTrue(one is not None and joined(one._thread))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def answer(self, rooms):
        since, asked = self.tables.asked.pop()
        asked.callback(rooms)
        return since

    def test_looks_find_what_was_missed(self):
        began = self.now
        self.clock.advance(LOOK_SECONDS - 0.1)
        self.assertEqual(self.tables.asked, [])
        self.now += 5000
        self.clock.advance(0.1)
        self.assertEqual(self.answer({"a": 6, "c": 1}), began - 600_000)
        self.assertEqual(self.watched.told, [{"a": 6, "c": 1}])
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.answer({}), began + 5000 - 600_000)
        self.assertEqual(len(self.watched.told), 1)

    def test_looks_tell_again(self):
        # Whoever is told may not have been able to fetch it.
        for _ in range(2):
            self.clock.advance(LOOK_SECONDS)
            self.answer({"a": 6})
        self.assertEqual(self.watched.told, [{"a": 6}, {"a": 6}])

    def test_what_is_stored_here_is_no_news(self):
        self.nodes.stored([stored("a", 6), stored("a", 7), Rejected("bad", "x")], False)
        self.assertEqual(self.watched.told, [])

    def test_what_is_stored_late_is_news(self):
        self.nodes.stored([stored("a", 6), stored("b", 1, new=False)], True)
        self.assertEqual(self.watched.told, [{"a": 6}])

    def test_a_look_that_fails_is_made_up_for(self):
        first = self.now
        for _ in range(2):
            self.now += 3_600_000
            self.clock.advance(LOOK_SECONDS)
            _, asked = self.tables.asked.pop()
            with capturedLogs() as events:
                asked.errback(Failure(DatabaseUnavailable("away")))
            self.assertEqual([event["why"] for event in events], ["away"])
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.answer({"a": 6}), first - 600_000)
        self.assertEqual(self.watched.told, [{"a": 6}])

    def test_notifications(self):
        signal = Signal(kind="typing", node="x", body={"a": 1})
        (told,) = payloads("e", "there", {"a": 6, "b": 1})
        self.nodes._heard(told)
        self.nodes._heard("rubbish")
        self.nodes._heard(signal_payload("e", "there", signal))
        self.assertEqual(self.watched.told, [{"a": 6, "b": 1}, signal])

    def test_a_new_connection_looks_at_once(self):
        self.nodes._heard(None)
        self.answer({"a": 6})
        self.assertEqual(self.watched.told, [{"a": 6}])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_two_looks_at_a_time_are_one_later(self):
        for _ in range(2):
            self.nodes._heard(None)
        for _ in range(2):
            self.answer({})
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_nobody_watches(self):
        self.nodes.watcher = None
        (told,) = payloads("e", "there", {"a": 6})
        self.nodes._heard(told)
        self.nodes._heard(signal_payload("e", "there", Signal(kind="k", node="x", body={})))

    def test_after_the_end(self):
        self.clock.advance(LOOK_SECONDS)
        self.nodes.stop()
        self.answer({})
        self.nodes._heard(None)
        self.nodes.tell(Signal(kind="k", node="x", body={}))
        self.assertEqual(self.tables.asked, [])


class OneNodeTests(SynchronousTestCase):
    def test_a_file_has_one_node(self):
        nodes = Nodes(open_engines("sqlite:////none"), Tables(), Clock(), lambda: 0)
        nodes.watcher = watched = Watched()
        nodes.start("e")
        nodes.tell(Signal(kind="k", node="x", body={}))
        nodes.stored([stored("a", 1)], False)
        nodes.stored([stored("a", 2)], True)
        nodes.stop()
        self.assertEqual(watched.told, [{"a": 2}])
