"""What sessions use now."""

from collections.abc import Mapping

from twisted.internet.defer import Deferred

from giestack.spawner.engine import EngineError, Stats
from tests.spawner.world import SpawnerCase


class KnownStatsTests(SpawnerCase):
    def asked(self, *session_ids: str) -> Deferred[Mapping[str, Stats]]:
        return self.spawner.stats(session_ids)

    def assertKnown(self, session_id: str, *stats: Stats) -> None:
        found = self.successResultOf(self.asked(session_id))
        self.assertEqual(list(found.items()), [(session_id, one) for one in stats])

    def test_what_sessions_use_is_asked_now_and_then(self) -> None:
        session_id = self.world.start()
        self.engine.usage[session_id] = Stats(1, 0.5)
        self.assertKnown(session_id, Stats(1, 0.5))
        self.engine.usage[session_id] = Stats(2, 0.5)
        self.assertKnown(session_id, Stats(1, 0.5))
        self.world.pass_time(3)
        self.assertKnown(session_id, Stats(2, 0.5))

    def test_an_engine_that_does_not_tell_holds_nobody_up(self) -> None:
        session_id = self.world.start()
        self.engine.stats_hang = True
        asked = self.asked(session_id)
        self.assertNoResult(asked)
        self.assertKnown(session_id)
        self.world.clock.advance(0.02)
        self.assertEqual(self.successResultOf(asked), {})
        self.world.pass_time(10)
        self.engine.stats_hang, self.engine.stats_error = False, EngineError("no")
        self.assertKnown(session_id)

    def test_an_answer_that_is_known_is_shown_at_once_while_another_is_on_its_way(self) -> None:
        session_id = self.world.start()
        self.engine.usage[session_id] = Stats(1, 0.5)
        self.assertKnown(session_id, Stats(1, 0.5))
        self.engine.stats_hang = True
        for _ in range(5):
            self.world.pass_time(3)
            self.assertKnown(session_id, Stats(1, 0.5))
        # But not for ever.
        self.world.pass_time(3)
        asked = self.asked(session_id)
        self.world.pass_time(1)
        self.assertEqual(self.successResultOf(asked), {})

    def test_one_question_at_a_time(self) -> None:
        session_id = self.world.start()
        self.engine.stats_hang = True
        for _ in range(4):
            self.asked(session_id)
            self.world.clock.advance(1.2)
        self.assertEqual(self.engine.stats_asked, 1)

    def test_nothing_is_asked_at_the_end(self) -> None:
        session_id = self.world.start()
        self.engine.stats_hang = True
        asked = self.asked(session_id)
        self.successResultOf(self.world.close())
        self.world.pass_time(1)
        self.assertEqual(self.successResultOf(asked), {})
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
