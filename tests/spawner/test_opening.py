"""An engine that is not there yet."""

from collections.abc import Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.engine import EngineError, Found
from giestack.spawner.opening import until_open
from tests.spawner.fake_engine import FakeEngine


class OpeningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.engine = FakeEngine(self.clock)
        self.engine.open_error = EngineError("There is no dockerd.")

    def open(self) -> Deferred[Sequence[Found]]:
        opening = until_open(self.engine, lambda session_id, end: None, self.clock)
        return Deferred.fromCoroutine(opening)

    def test_said_once_and_tried_again_and_again(self) -> None:
        with capturedLogs() as events:
            opening = self.open()
            for _ in range(200):
                self.clock.advance(1)
            self.assertNoResult(opening)
            self.engine.open_error = EngineError("Something else.")
            self.clock.advance(30)
            self.engine.open_error = None
            self.clock.advance(30)
        self.assertEqual(self.successResultOf(opening), [])
        said = [formatEvent(event) for event in events]
        self.assertEqual([text.count("no dockerd") for text in said], [1, 0, 0])
        self.assertIn("Something else", said[1])
        self.assertIn("can be used now", said[2])

    def test_no_longer_wanted(self) -> None:
        opening = self.open()
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_to_be_known_is_said(self) -> None:
        self.engine.open_error, self.engine.note = None, "No isolation."
        with capturedLogs() as events:
            self.successResultOf(self.open())
        self.assertIn("No isolation.", formatEvent(events[0]))
