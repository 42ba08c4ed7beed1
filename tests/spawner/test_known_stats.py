"""What sessions use now."""

from giestack.spawner.engine import EngineError, Stats
from tests.spawner.world import SpawnerCase


class KnownStatsTests(SpawnerCase):
    def test_what_sessions_use_is_asked_now_and_then(self) -> None:
        session_id = self.world.start()
        self.engine.usage[session_id] = Stats(1, 0.5)
        self.assertEqual(
            self.successResultOf(self.spawner.stats([session_id])), {session_id: Stats(1, 0.5)}
        )
        self.engine.usage[session_id] = Stats(2, 0.5)
        self.assertEqual(
            self.successResultOf(self.spawner.stats([session_id])), {session_id: Stats(1, 0.5)}
        )
        self.world.pass_time(3)
        self.assertEqual(
            self.successResultOf(self.spawner.stats([session_id])), {session_id: Stats(2, 0.5)}
        )

    def test_an_engine_that_does_not_tell_holds_nobody_up(self) -> None:
        session_id = self.world.start()
        self.engine.stats_hang = True
        asked = self.spawner.stats([session_id])
        self.world.pass_time(1)
        self.assertEqual(self.successResultOf(asked), {})
        self.engine.stats_hang, self.engine.stats_error = False, EngineError("no")
        self.assertEqual(self.successResultOf(self.spawner.stats([session_id])), {})
