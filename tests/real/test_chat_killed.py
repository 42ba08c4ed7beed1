"""A whole giestack is killed while people talk in its chat."""

from twisted.trial.unittest import SynchronousTestCase

from tests.giestack_kills import GiestackKills
from tests.neighbours.postgres import postgres

ROUNDS = 3


class KilledTests(SynchronousTestCase):
    """``kill -9``; `tests.giestack_kills` does it as often as you like."""

    def survives(self, database=None):
        kills = GiestackKills(self, database)
        for _ in range(ROUNDS):
            kills.round()
        log = kills.check()
        self.assertEqual(kills.crowd.wrong, [])
        self.assertEqual(len(log), len(kills.crowd.acknowledged))
        # Somebody was there each time.
        codes = [code for one in kills.crowd.talkers for code in one.codes]
        self.assertGreaterEqual(codes.count(1006), ROUNDS)

    def test_sqlite(self):
        self.survives()

    def test_postgresql(self):
        self.survives(postgres().url(postgres().new_database(self)))
