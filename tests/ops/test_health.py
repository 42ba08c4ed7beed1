"""What counts as ready, and how long it takes to say so."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.health import BELIEVED, PATIENCE, Check, Readiness


class DatabaseDownError(Exception):
    """As a database says it."""


class Map:
    """A session map that stands as it is told to."""

    def __init__(self, ok, text, error=None):
        self.stands = (ok, text)
        self.error = error

    def health(self):
        if self.error is not None:
            raise self.error
        return self.stands


class ReadinessTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.answers = []
        self.asked = 0
        self.draining = False
        self.maps: dict[str, Map] = {}
        self.readiness = Readiness(
            self.clock,
            draining=lambda: self.draining,
            maps=self.maps,
            ask_database=self.ask,
            says_why=(DatabaseDownError,),
        )

    def ask(self):
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else succeed(1)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def checks(self):
        return Deferred.fromCoroutine(self.readiness.checks())

    def check(self, name):
        return next(c for c in self.successResultOf(self.checks()) if c.name == name)

    def test_all_is_well(self):
        self.maps["interactive tools"] = Map(True, "/map.sqlite: 3 entry points")
        self.assertEqual(
            self.successResultOf(self.checks()),
            (
                Check("database", True, "answers"),
                Check("interactive tools", True, "/map.sqlite: 3 entry points"),
                Check("draining", True, "not draining"),
            ),
        )

    def test_without_a_database(self):
        readiness = Readiness(self.clock, draining=lambda: False, maps={})
        checks = self.successResultOf(Deferred.fromCoroutine(readiness.checks()))
        self.assertEqual([check.name for check in checks], ["draining"])

    def test_draining(self):
        self.draining = True
        self.assertEqual(
            self.check("draining"), Check("draining", False, "giestack takes no new visitors")
        )

    def test_an_unreadable_map(self):
        self.maps["a"] = Map(False, "/map.sqlite is no database")
        self.assertEqual(self.check("a"), Check("a", False, "/map.sqlite is no database"))
        self.maps["a"] = Map(True, "fine again")
        self.assertTrue(self.check("a").ok)

    def test_a_map_that_cannot_say(self):
        self.maps["a"] = Map(True, "", ValueError("s3cret"))
        self.assertEqual(self.check("a"), Check("a", False, "ValueError"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_database_down(self):
        self.answers.append(fail(DatabaseDownError("connection refused\nfor good")))
        self.assertEqual(self.check("database"), Check("database", False, "connection refused"))

    def test_errors_that_may_hold_anything(self):
        self.answers += [fail(ValueError("s3cret")), KeyError("s3cret"), fail(DatabaseDownError())]
        for text in ("ValueError", "KeyError", "DatabaseDownError"):
            self.assertEqual(self.check("database"), Check("database", False, text))
            self.clock.advance(BELIEVED)

    def test_passwords_do_not_show(self):
        for text in (
            "no route to postgresql://galaxy:s3cret@db/galaxy",
            "no route to postgresql://galaxy:s3cr@s3cret@db/galaxy",
            "host=db PASSWORD = s3cret user=galaxy",
        ):
            self.answers.append(fail(DatabaseDownError(text)))
            check = self.check("database")
            self.assertNotIn("s3cr", check.text)
            self.assertIn("galaxy", check.text)
            self.clock.advance(BELIEVED)

    def test_long_texts(self):
        self.answers.append(fail(DatabaseDownError("x" * 10_000)))
        self.assertLess(len(self.check("database").text), 1000)

    def test_a_database_that_hangs(self):
        self.answers.append(Deferred())
        checks = self.checks()
        self.clock.advance(PATIENCE - 0.1)
        self.assertNoResult(checks)
        self.clock.advance(0.1)
        self.assertEqual(
            self.successResultOf(checks)[0], Check("database", False, "no answer within 1 s")
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_answer_is_believed_for_a_while(self):
        self.answers += [succeed(1), fail(DatabaseDownError("down"))]
        self.assertTrue(self.check("database").ok)
        self.clock.advance(BELIEVED - 0.1)
        self.assertTrue(self.check("database").ok)
        self.assertEqual(self.asked, 1)
        self.clock.advance(0.1)
        self.assertFalse(self.check("database").ok)
        self.assertFalse(self.check("database").ok)
        self.assertEqual(self.asked, 2)
        self.clock.advance(BELIEVED)
        self.assertTrue(self.check("database").ok)

    def test_more_that_is_asked(self):
        troubles: list[str] = []
        more = {
            "engine local": lambda: succeed(troubles),
            "engine far": Deferred,
            "engine odd": lambda: fail(ValueError("s3cret")),
        }
        readiness = Readiness(self.clock, draining=lambda: False, maps={}, more=lambda: more)

        def checks():
            asked = Deferred.fromCoroutine(readiness.checks())
            self.clock.advance(PATIENCE)
            return {one.name: one for one in self.successResultOf(asked)}

        found = checks()
        self.assertEqual(found["engine local"], Check("engine local", True, "answers"))
        self.assertEqual(found["engine far"], Check("engine far", False, "no answer within 1 s"))
        self.assertEqual(found["engine odd"], Check("engine odd", False, "ValueError"))
        # Believed for a while, as the database's answer is.
        troubles += ["no program jupyter", "/var is full\nreally"]
        self.assertTrue(checks()["engine local"].ok)
        self.clock.advance(BELIEVED)
        self.assertEqual(checks()["engine local"].text, "no program jupyter; /var is full")
        # They may come and go, and one of the same name may be another one.
        more["engine local"] = lambda: succeed([])
        del more["engine far"]
        self.assertTrue(checks()["engine local"].ok)
        self.assertEqual(set(checks()), {"engine local", "engine odd", "draining"})

    def test_one_that_leaves_keeps_nobody_from_an_answer(self):
        answer: Deferred[Sequence[str]] = Deferred()
        asks = {"engine": lambda: answer}
        readiness = Readiness(self.clock, draining=lambda: False, maps={}, more=lambda: asks)
        first = Deferred.fromCoroutine(readiness.checks())
        second = Deferred.fromCoroutine(readiness.checks())
        first.cancel()
        self.failureResultOf(first)
        answer.callback([])
        self.assertTrue(self.successResultOf(second)[0].ok)

    def test_all_who_ask_share_one_question(self):
        answer: Deferred[int] = Deferred()
        self.answers.append(answer)
        first, second = self.checks(), self.checks()
        # Whoever asked first may leave.
        first.cancel()
        self.failureResultOf(first)
        third = self.checks()
        answer.callback(1)
        for checks in (second, third):
            self.assertTrue(self.successResultOf(checks)[0].ok)
        self.assertEqual(self.asked, 1)

    def test_a_question_that_nobody_waits_for(self):
        answer: Deferred[int] = Deferred()
        self.answers.append(answer)
        checks = self.checks()
        checks.cancel()
        self.failureResultOf(checks)
        again = self.checks()
        self.assertEqual(self.asked, 1)
        answer.callback(1)
        self.assertTrue(self.successResultOf(again)[0].ok)
