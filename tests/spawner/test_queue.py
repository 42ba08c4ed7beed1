"""More sessions than may run at a time: who waits, and what they see of it."""

from dataclasses import replace

from giestack.spawner.engine import Ended
from giestack.visitor import Operator
from tests.spawner.fake_engine import FAILS
from tests.spawner.world import ADMIN, ALICE, BOB, SETTINGS, SpawnerCase


class QueueTests(SpawnerCase):
    def test_more_than_allowed_wait_and_see_their_place(self) -> None:
        self.spawner.configure(replace(SETTINGS, total=1), "")
        ids = [self.world.start(), self.world.start(BOB), self.world.start(ADMIN)]
        heard = self.world.moments(ids[2])
        self.assertEqual([self.world.state(one) for one in ids], ["ready", "queued", "queued"])
        self.assertEqual([self.world.view(one).moment.place for one in ids], [None, 1, 2])
        self.assertIn("number 2", heard[-1].message)
        self.spawner.stop(ids[0], ALICE)
        self.assertEqual(self.world.state(ids[1]), "ready")
        self.assertEqual(heard[-1].place, 1)
        self.spawner.stop(ids[1], Operator())
        self.assertEqual(self.world.state(ids[2]), "ready")

    def test_one_user_can_not_hold_up_the_others(self) -> None:
        self.spawner.configure(replace(SETTINGS, per_user=1), "")
        first, second = self.world.start(), self.world.start(name="second")
        self.assertEqual(self.world.state(self.world.start(BOB)), "ready")
        self.assertEqual(self.world.state(second), "queued")
        self.assertIn("Stop one", self.world.view(second).moment.message)
        self.engine.end(first, Ended(1, "ended with status 1"))
        self.assertEqual(self.world.state(second), "ready")

    def test_leaving_the_queue(self) -> None:
        self.spawner.configure(replace(SETTINGS, total=1), "")
        ids = [self.world.start(), self.world.start(BOB), self.world.start(ADMIN)]
        self.spawner.stop(ids[1], BOB)
        self.assertIsNone(self.world.state(ids[1]))
        self.assertEqual(self.world.view(ids[2]).moment.place, 1)

    def test_higher_limits_let_them_in(self) -> None:
        self.spawner.configure(replace(SETTINGS, total=1), "")
        self.world.start()
        waiting = self.world.start(BOB)
        self.spawner.configure(SETTINGS, "")
        self.assertEqual(self.world.state(waiting), "ready")

    def test_a_restart_waits_in_the_queue_as_well(self) -> None:
        self.spawner.configure(replace(SETTINGS, total=1), "")
        first, second = self.world.start(), self.world.start(BOB)
        self.spawner.restart(first, ALICE)
        self.assertEqual(self.world.state(second), "ready")
        self.assertEqual(self.world.state(first), "queued")

    def test_a_hundred_failing_starts_in_a_row_are_no_recursion(self) -> None:
        self.spawner.configure(replace(SETTINGS, per_user=0, total=1), "")
        blocker = self.world.start()
        self.engine.plan = FAILS
        people = [replace(BOB, user_id=number) for number in range(100, 600)]
        ids = [self.world.start(person) for person in people]
        self.spawner.stop(blocker, ALICE)
        self.assertEqual({self.world.state(one) for one in ids}, {"failed"})
        self.assertEqual(self.engine.present, set())
