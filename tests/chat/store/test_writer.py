"""One who writes for all: together, in time, and each for themselves where one spoils it."""

import threading

from sqlalchemy import text
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.storage import Appended, NewMessage, Person, Rejected
from giestack.chat.store.engines import make_file, open_engines
from giestack.chat.store.writer import MOST_TOGETHER, Writer
from giestack.chat.wire import Message
from giestack.database import DatabaseBusy, DatabaseUnavailable
from tests.chat.store.test_engines import new_path
from tests.threaded_clock import ThreadedClock

ANN = Person(key=1, id="a", name="Ann")


def draft(seq):
    return NewMessage(room="r", author=ANN, ts=seq, cid=str(seq), text="x")


def append(connection, drafts):
    """Keep numbers; 13 is refused, and 666 spoils the transaction."""
    outcomes: list[Appended | Rejected] = []
    for one in drafts:
        if one.ts == 13:
            outcomes.append(Rejected("bad", "unlucky"))
            continue
        connection.execute(text("INSERT INTO number VALUES (:n)"), {"n": one.ts})
        event = Message(room="r", seq=one.ts, ts=one.ts, user="a", name="Ann", text="x")
        outcomes.append(Appended(event))
        if one.ts == 666:
            raise ValueError("number of the beast")
    return outcomes


class WriterTests(SynchronousTestCase):
    def setUp(self):
        self.clock = ThreadedClock()
        path = new_path(self)
        make_file(path)
        self.engines = open_engines(f"sqlite:///{path}")
        self.addCleanup(self.engines.dispose)
        with self.engines.write.connect() as connection:
            connection.execute(text("CREATE TABLE number (value UNIQUE)"))
            connection.commit()
        self.stored, self.seconds = [], []
        self.writer = self.started()

    def started(self, **values):
        writer = Writer(self.engines.write, self.clock, append, **values)
        writer.observe = self.seconds.append
        writer.stored = lambda outcomes, late: self.stored.append(
            ([one.event.seq for one in outcomes if isinstance(one, Appended)], late)
        )
        writer.start()
        self.addCleanup(lambda: self.get(writer.stop()))
        return writer

    def get(self, deferred):
        return self.clock.result_of(self, deferred)

    def numbers(self):
        with self.engines.read.connect() as connection:
            return sorted(connection.scalars(text("SELECT value FROM number")))

    def hold(self, writer=None):
        """Let the thread wait in the middle of a transaction; return what lets it go on."""
        reached, released = threading.Event(), threading.Event()

        def wait(connection):
            reached.set()
            released.wait(20)
            return "waited"

        answer = (writer or self.writer).run(wait)
        self.assertTrue(reached.wait(20))
        self.addCleanup(released.set)
        return answer, released.set

    def test_what_waits_is_stored_together(self):
        held, release = self.hold()
        asked = [self.writer.run(draft(n)) for n in range(100, 110)]
        other = self.writer.run(lambda connection: 42)
        self.assertEqual(self.writer.waiting, 12)
        for one in (*asked, other):
            self.assertNoResult(one)
        release()
        self.assertEqual(self.get(held), "waited")
        self.assertEqual([self.get(one).event.seq for one in asked], list(range(100, 110)))
        self.assertEqual(self.get(other), 42)
        self.assertEqual((self.writer.batches, self.writer.appended), (2, 10))
        self.assertEqual(len(self.seconds), 2)
        self.assertTrue(all(one > 0 for one in self.seconds))
        self.assertEqual(self.stored, [(list(range(100, 110)), False)])
        self.assertEqual(self.numbers(), list(range(100, 110)))

    def test_not_too_many_together(self):
        _, release = self.hold()
        asked = [self.writer.run(draft(n)) for n in range(1000, 1001 + MOST_TOGETHER)]
        release()
        for one in asked:
            self.get(one)
        self.assertEqual(self.writer.batches, 3)

    def test_nothing_is_told_before_it_is_stored(self):
        seen = []
        asked = self.writer.run(draft(1))
        asked.addCallback(lambda _: seen.append(self.numbers()))
        self.get(asked)
        self.assertEqual(seen, [[1]])

    def test_a_refusal_is_for_one(self):
        def refuse(connection):
            raise Rejected("noroom", "no such room")

        _, release = self.hold()
        asked = [self.writer.run(one) for one in (draft(12), draft(13), refuse, draft(14))]
        release()
        self.get(asked[0])
        self.assertEqual(self.clock.failure_of(self, asked[1], Rejected).code, "bad")
        self.assertEqual(self.clock.failure_of(self, asked[2], Rejected).code, "noroom")
        self.get(asked[3])
        self.assertEqual(self.writer.batches, 2)
        self.assertEqual(self.numbers(), [12, 14])

    def test_what_spoils_a_transaction_is_left_alone(self):
        def too_large(connection):
            connection.execute(text("INSERT INTO number VALUES (:n)"), {"n": 2**70})

        self.get(self.writer.run(draft(1)))
        _, release = self.hold()
        asked = [
            self.writer.run(one) for one in (draft(2), draft(1), draft(666), too_large, draft(3))
        ]
        release()
        self.get(asked[0])
        for one, why in ((1, "IntegrityError"), (2, "ValueError"), (3, "too large a number")):
            error = self.clock.failure_of(self, asked[one], DatabaseUnavailable)
            self.assertIn(why, str(error))
        self.get(asked[4])
        self.assertEqual(self.numbers(), [1, 2, 3])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_another_try_may_do(self):
        # As where another node has stored the same message in this moment.
        tries = []

        def lost(connection):
            tries.append(1)
            if len(tries) == 1:
                connection.execute(text("INSERT INTO number VALUES (1), (1)"))
            return "found"

        self.assertEqual(self.get(self.writer.run(lost)), "found")

    def test_the_database_is_away(self):
        with self.engines.write.connect() as connection:
            connection.execute(text("ALTER TABLE number RENAME TO away"))
            connection.commit()
        _, release = self.hold()
        asked = [self.writer.run(draft(n)) for n in (1, 2)]
        release()
        for one in asked:
            self.clock.failure_of(self, one, DatabaseUnavailable)
        with self.engines.write.connect() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO number"))
            connection.commit()
        self.get(self.writer.run(draft(3)))
        self.assertEqual(self.numbers(), [3])
        self.assertEqual(self.stored, [([3], False)])

    def test_too_much_waits(self):
        writer = self.started(outstanding=3)
        _, release = self.hold(writer)
        asked = [writer.run(draft(n)) for n in (1, 2)]
        self.failureResultOf(writer.run(draft(3)), DatabaseBusy)
        release()
        for one in asked:
            self.get(one)
        self.get(writer.run(draft(4)))
        self.assertEqual(self.numbers(), [1, 2, 4])

    def test_nobody_waits_too_long(self):
        held, release = self.hold()
        self.clock.advance(1)
        waiting = self.writer.run(draft(1))
        self.clock.advance(3.5)
        error = self.failureResultOf(held, DatabaseUnavailable).value
        self.assertIn("4.5 s", str(error))
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.failureResultOf(waiting, DatabaseUnavailable)
        release()
        self.get(self.writer.run(draft(2)))
        self.assertEqual(self.numbers(), [2])
        self.assertEqual(self.stored, [([2], False)])

    def test_what_is_stored_too_late_is_told(self):
        reached, released = threading.Event(), threading.Event()
        self.addCleanup(released.set)

        def slow(connection, drafts):
            reached.set()
            released.wait(20)
            return append(connection, drafts)

        self.writer._append = slow
        late = self.writer.run(draft(1))
        self.assertTrue(reached.wait(20))
        self.clock.advance(4.5)
        self.failureResultOf(late, DatabaseUnavailable)
        released.set()
        self.get(self.writer.run(draft(2)))
        self.assertEqual(self.stored, [([1], True), ([2], False)])
        self.assertEqual(self.writer.appended, 2)

    def test_who_has_cancelled_stores_nothing(self):
        _, release = self.hold()
        asked, other = self.writer.run(draft(1)), self.writer.run(draft(2))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        release()
        self.get(other)
        self.assertEqual(self.numbers(), [2])

    def test_all_have_cancelled(self):
        _, release = self.hold()
        asked = self.writer.run(draft(1))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        release()
        self.get(self.writer.run(draft(2)))
        self.assertEqual(self.numbers(), [2])

    def test_only_while_running(self):
        writer = Writer(self.engines.write, self.clock, append)
        self.failureResultOf(writer.run(draft(1)), DatabaseUnavailable)
        self.successResultOf(writer.stop())
        writer.start()
        self.get(writer.stop())
        self.failureResultOf(writer.run(draft(1)), DatabaseUnavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_end_waits_for_what_was_accepted(self):
        held, release = self.hold()
        asked = self.writer.run(draft(1))
        stopped = self.writer.stop()
        self.failureResultOf(self.writer.run(draft(2)), DatabaseUnavailable)
        self.assertNoResult(stopped)
        release()
        self.get(stopped)
        self.assertEqual(self.successResultOf(held), "waited")
        self.assertEqual(self.successResultOf(asked).event.seq, 1)
        self.assertEqual(self.numbers(), [1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_end_does_not_wait_for_ever(self):
        held, release = self.hold()
        asked = self.writer.run(draft(1))
        stopped = self.writer.stop(patience=2)
        self.clock.advance(2)
        self.successResultOf(stopped)
        for one in (held, asked):
            self.failureResultOf(one, DatabaseUnavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        release()
