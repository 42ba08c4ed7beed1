"""What an administrator has decided, as the chat needs it."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.rules import DAY_MS, Rules
from giestack.chat.wire import Limits


class RulesTests(SynchronousTestCase):
    def test_limits_as_clients_are_told(self) -> None:
        self.assertEqual(
            Rules(rate=0.5, burst=3, edit_seconds=2, length=10, frame=99).limits,
            Limits(length=10, rate_ms=2000, burst=3, frame=99, edit_ms=2000),
        )
        self.assertEqual(Rules(rate=0).limits.rate_ms, 0)

    def test_since_when_own_messages_may_be_changed(self) -> None:
        self.assertEqual(Rules(edit_seconds=2).since(5000), 3000)
        self.assertEqual(Rules(edit_seconds=0).since(5000), 0)

    def test_since_when_events_are_kept(self) -> None:
        self.assertEqual(Rules(retention_days=2).keeps_from(5 * DAY_MS), 3 * DAY_MS)
        self.assertIsNone(Rules().keeps_from(5 * DAY_MS))
