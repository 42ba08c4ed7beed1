"""Answers kept for a while, and questions asked together."""

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import DatabaseUnavailable
from giestack.identity.cache import Cache, put
from giestack.visitor import Unavailable


class Source:
    """Answers when the test says so."""

    def __init__(self):
        self.asked = []
        self.under_way = []

    def __call__(self, keys):
        self.asked.append(sorted(keys))
        self.under_way.append(Deferred())
        return self.under_way[-1]

    def answer(self, word="answer"):
        keys = self.asked[-len(self.under_way)]
        self.under_way.pop(0).callback({key: f"{word} {key}" for key in keys})

    def fail(self, error):
        self.under_way.pop(0).errback(error)


class CacheTestCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.source = Source()
        self.learned = []
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)
        self.cache = self.make()

    def make(self, size=100):
        return Cache(
            self.source,
            self.clock,
            lambda value: 1.0 if "no" in value else 10.0,
            size,
            "Things",
            lambda key, value: self.learned.append((key, value)),
        )

    def ask(self, *keys):
        answers = [self.cache.fetch(key) for key in keys]
        self.clock.advance(0)
        return answers


class CacheTests(CacheTestCase):
    def test_kept(self):
        """An answer is believed for its lifetime, counted from the question."""
        self.assertIsNone(self.cache.get("a"))
        (answer,) = self.ask("a")
        self.clock.advance(3)
        self.source.answer()
        self.assertEqual(self.successResultOf(answer), "answer a")
        self.assertEqual(self.learned, [("a", "answer a")])
        self.clock.advance(6.9)
        self.assertEqual(self.cache.get("a").value, "answer a")
        self.clock.advance(0.1)
        self.assertIsNone(self.cache.get("a"))

    def test_lifetime_by_answer(self):
        self.ask("a")
        self.source.answer("no")
        self.clock.advance(0.9)
        self.assertEqual(self.cache.get("a").value, "no a")
        self.clock.advance(0.1)
        self.assertIsNone(self.cache.get("a"))

    def test_one_question_for_all(self):
        """What comes up in one turn of the reactor is asked together, each key once."""
        answers = self.ask("a", "b", "a")
        late = self.cache.fetch("b")
        self.assertEqual(self.source.asked, [["a", "b"]])
        self.source.answer()
        self.assertEqual(
            [self.successResultOf(answer) for answer in (*answers, late)],
            ["answer a", "answer b", "answer a", "answer b"],
        )
        self.assertEqual(self.cache.queries, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_question_at_a_time(self):
        """Keys that come up while a question is under way share the next one."""
        self.ask("a")
        second, third = self.ask("b")[0], self.ask("c")[0]
        self.assertEqual(self.source.asked, [["a"]])
        self.source.answer()
        self.clock.advance(0)
        self.assertEqual(self.source.asked, [["a"], ["b", "c"]])
        self.source.answer()
        self.assertEqual(self.successResultOf(second), "answer b")
        self.assertEqual(self.successResultOf(third), "answer c")

    def test_cancel(self):
        """One waiter that gives up takes nothing from the others."""
        first, second, third = self.ask("a", "a", "b")
        first.cancel()
        third.cancel()
        self.failureResultOf(first, CancelledError)
        self.failureResultOf(third, CancelledError)
        self.source.answer()
        self.assertEqual(self.successResultOf(second), "answer a")
        self.assertEqual(self.cache.get("b").value, "answer b")

    def test_cancel_before_the_question(self):
        first, second = self.cache.fetch("a"), self.cache.fetch("a")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.clock.advance(0)
        self.source.answer()
        self.assertEqual(self.successResultOf(second), "answer a")

    def test_a_waiter_cancels_another(self):
        first, second = self.ask("a", "a")
        first.addCallback(lambda _: second.cancel())
        self.source.answer()
        self.failureResultOf(second, CancelledError)

    def test_a_waiter_asks_again(self):
        """It finds the answer it has just been given."""
        (answer,) = self.ask("a")
        answer.addCallback(lambda _: self.cache.get("a").value)
        self.source.answer()
        self.assertEqual(self.successResultOf(answer), "answer a")

    def test_size(self):
        """The answer that was learned longest ago goes first."""
        self.cache = self.make(size=2)
        for key in "abac":
            self.ask(key)
            self.source.answer()
        self.assertEqual(len(self.cache), 2)
        self.assertIsNone(self.cache.get("b"))
        self.assertIsNotNone(self.cache.get("a"))
        self.assertIsNotNone(self.cache.get("c"))

    def test_too_many_wait(self):
        self.cache = self.make(size=2)
        self.ask("a")
        self.ask("b", "c")
        self.assertIsInstance(self.successResultOf(self.cache.fetch("d")), Unavailable)
        self.assertNoResult(self.cache.fetch("c"))

    def test_clear(self):
        self.ask("a")
        self.source.answer()
        self.cache.clear()
        self.assertIsNone(self.cache.get("a"))
        self.assertEqual(len(self.cache), 0)

    def test_refresh(self):
        """It asks whatever is kept, and what it learns is believed from then on."""
        self.ask("a")
        self.source.answer()
        self.clock.advance(9)
        done = self.cache.refresh(["a", "b"])
        self.assertEqual(self.source.asked[-1], ["a", "b"])
        self.assertNoResult(done)
        self.source.answer("new")
        self.successResultOf(done)
        self.clock.advance(9)
        self.assertEqual(self.cache.get("a").value, "new a")
        self.assertEqual(self.cache.get("b").value, "new b")

    def test_slow_answer_to_an_older_question(self):
        """It reaches those who asked, but what was learned since stays."""
        (answer,) = self.ask("a")
        self.clock.advance(1)
        self.cache.refresh(["a"])
        older, newer = self.source.under_way
        newer.callback({"a": "new"})
        older.callback({"a": "old"})
        self.assertEqual(self.successResultOf(answer), "old")
        self.assertEqual(self.cache.get("a").value, "new")


class FailureTests(CacheTestCase):
    def warnings(self):
        return [event for event in self.events if event["log_level"] is LogLevel.warn]

    def test_unavailable(self):
        """Everybody who waits is told why, and it is not kept."""
        answers = self.ask("a", "b")
        self.source.fail(DatabaseUnavailable("gone fishing"))
        for answer in answers:
            self.assertEqual(self.successResultOf(answer), Unavailable("gone fishing"))
        self.assertIsNone(self.cache.get("a"))
        self.assertEqual((self.cache.queries, self.cache.errors), (1, 1))
        (answer,) = self.ask("a")
        self.source.answer()
        self.assertEqual(self.successResultOf(answer), "answer a")

    def test_said_once(self):
        """An outage is one line in the log, its end another."""
        for _ in range(3):
            self.ask("a")
            self.source.fail(DatabaseUnavailable("gone fishing"))
        self.assertEqual([event["reason"] for event in self.warnings()], ["gone fishing"])
        self.ask("a")
        self.source.answer()
        self.assertEqual(
            [event["log_format"] for event in self.events if event["log_level"] is LogLevel.info],
            ["{subject}: the database answers again"],
        )
        self.ask("b")
        self.source.fail(DatabaseUnavailable("again"))
        self.assertEqual(len(self.warnings()), 2)

    def test_our_mistake(self):
        """It is logged as one, once, and nobody waits for ever."""
        for _ in range(2):
            (answer,) = self.ask("a")
            self.source.fail(KeyError("oops"))
            self.assertIsInstance(self.successResultOf(answer), Unavailable)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_mistake_before_the_question(self):
        def mistaken(keys):
            raise KeyError("oops")

        cache = Cache(mistaken, self.clock, len, 10, "Things")
        answer = cache.fetch("a")
        self.clock.advance(0)
        self.assertIsInstance(self.successResultOf(answer), Unavailable)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_mistake_in_learning(self):
        def mistaken(key, value):
            raise KeyError("oops")

        cache = Cache(
            lambda keys: succeed(dict.fromkeys(keys, "x")), self.clock, len, 10, "Things", mistaken
        )
        answer = cache.fetch("a")
        self.clock.advance(0)
        self.assertIsInstance(self.successResultOf(answer), Unavailable)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_refresh_fails(self):
        """What is kept stays as long as it would have."""
        self.ask("a")
        self.source.answer()
        done = self.cache.refresh(["a"])
        self.source.fail(DatabaseUnavailable("gone"))
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(self.cache.get("a").value, "answer a")


class PutTests(SynchronousTestCase):
    def test_oldest_goes(self):
        kept: dict[str, int] = {}
        for number, key in enumerate("abac"):
            put(kept, key, number, 2)
        self.assertEqual(kept, {"a": 2, "c": 3})
