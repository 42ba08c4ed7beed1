"""Sessions are got rid of, whatever their engine and the site's hooks do."""

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.hooks import Hook, HookedSession, Hooks
from giestack.spawner.owner import owner_of
from giestack.spawner.removal import LAST_WORDS, Removal
from tests.spawner.fake_engine import FakeEngine
from tests.spawner.world import ALICE, JUPYTER

LAUNCH = Launch(session_id="s1", owner=owner_of(ALICE), profile=JUPYTER, name="jupyter")
HOOKED = HookedSession(id="s1", owner=LAUNCH.owner, profile="jupyter", name="jupyter")


class RemovalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.engine = FakeEngine(self.clock)
        self.engine.have(LAUNCH, lines=[f"line {number}" for number in range(LAST_WORDS + 9)])
        self.said: list[str] = []
        self.called: list[str] = []

    def removal(self, before: Callable[[HookedSession], object] | None = None) -> Removal:
        hooks = [
            Hook("site", "before_stop", before or (lambda session: self.called.append("before"))),
            Hook("site", "after_stop", lambda session: self.called.append("after")),
        ]
        return Removal(self.engine, Hooks(self.clock, hooks), self.clock)

    def remove(self, removal: Removal, hooked: HookedSession | None = HOOKED) -> Deferred[None]:
        return Deferred.fromCoroutine(removal.remove(LAUNCH, hooked, self.said.append))

    def test_with_the_sites_own_steps_around_it(self) -> None:
        self.successResultOf(self.remove(self.removal()))
        self.assertEqual((self.engine.present, self.called), (set(), ["before", "after"]))
        self.assertEqual(self.engine.stopped, [("s1", JUPYTER.stop_timeout)])

    def test_what_never_ran_is_no_hooks_business(self) -> None:
        self.successResultOf(self.remove(self.removal(), None))
        self.assertEqual(self.called, [])

    def test_a_hook_that_fails_keeps_nothing_from_ending(self) -> None:
        def fail(session: HookedSession) -> None:
            raise RuntimeError("no")

        self.successResultOf(self.remove(self.removal(fail)))
        self.assertEqual((self.engine.present, self.called), (set(), ["after"]))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_an_engine_that_fails_is_asked_more_and_more_slowly(self) -> None:
        self.engine.stop_failures = 7
        removing = self.remove(self.removal())
        for pause in (1, 2, 4, 8, 16, 30, 30):
            self.assertNoResult(removing)
            self.clock.advance(pause - 0.5)
            self.assertNoResult(removing)
            self.clock.advance(0.5)
        self.successResultOf(removing)
        self.assertEqual(
            set(self.said), {"It could not be stopped yet: The engine does not answer."}
        )

    def test_an_engine_that_never_answers_is_asked_again(self) -> None:
        self.engine.stop_seconds = None
        removing = self.remove(self.removal())
        self.clock.advance(JUPYTER.stop_timeout + 30)
        self.assertIn("does not answer", self.said[0])
        self.engine.stop_seconds = 0.0
        self.clock.advance(1)
        self.successResultOf(removing)

    def test_a_bug_in_an_engine_is_no_end_of_it(self) -> None:
        stop, self.engine.stop = self.engine.stop, lambda session_id, grace: 1 / 0  # type: ignore[method-assign,return-value,assignment]
        removing = self.remove(self.removal())
        self.engine.stop = stop  # type: ignore[method-assign]
        self.clock.advance(1)
        self.successResultOf(removing)
        self.assertNotIn("zero", self.said[0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_given_up(self) -> None:
        for prepare in (
            lambda: setattr(self.engine, "stop_seconds", None),
            lambda: setattr(self.engine, "stop_failures", 9),
        ):
            self.setUp()
            prepare()
            removing = self.remove(self.removal())
            removing.cancel()
            self.failureResultOf(removing, CancelledError)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def last_words(self) -> Deferred[tuple[str, ...]]:
        return Deferred.fromCoroutine(self.removal().last_words("s1"))

    def test_last_words(self) -> None:
        words = self.successResultOf(self.last_words())
        self.assertEqual((len(words), words[-1]), (LAST_WORDS, f"line {LAST_WORDS + 8}"))

    def test_last_words_that_can_not_be_had_hold_nothing_up(self) -> None:
        self.engine.logs_hang = True
        asked = self.last_words()
        self.clock.advance(0.5)
        self.assertEqual(self.successResultOf(asked), ())
        given_up = self.last_words()
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.engine.logs_hang, self.engine.logs_error = False, EngineError("gone")
        self.assertEqual(self.successResultOf(self.last_words()), ())
