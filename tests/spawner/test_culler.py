"""Idle and old sessions end; those at work, or in use, do not."""

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.culler import KEPT
from giestack.spawner.jupyter_activity import Activity
from tests.spawner.fake_engine import FAILS
from tests.spawner.world import ALICE, BOB, JUPYTER, SETTINGS, World

HOUR = 3600


class CullerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()

    def use(self, session_id: str, method: bytes = b"POST", path: bytes = b"lab") -> None:
        entrance = self.world.spawner.entrance(session_id)
        assert entrance is not None
        touch = entrance.use(method, entrance.prefix + b"/" + path)
        if touch is not None:
            touch()

    def test_one_that_nobody_uses(self) -> None:
        session_id = self.world.start()
        self.world.pass_time(HOUR - 10, 5)
        self.assertEqual(self.world.state(session_id), "ready")
        self.world.pass_time(20, 5)
        moment = self.world.view(session_id).moment
        self.assertEqual(moment.state, "stopped")
        self.assertIn("not been used for 1 hour", moment.reason)
        self.assertEqual(self.world.engine.present, set())
        self.assertEqual(self.world.spawner.culler.culls, {"idle": 1, "lifetime": 0})
        self.assertEqual(self.world.audit[-1][2]["reason"], "idle")

    def test_one_that_is_used(self) -> None:
        session_id = self.world.start()
        for _ in range(4):
            self.world.pass_time(HOUR / 2, 5)
            self.use(session_id)
        self.assertEqual(self.world.state(session_id), "ready")

    def test_a_long_computation_is_not_idle(self) -> None:
        self.world.activity = Activity(True, True, None)
        session_id = self.world.start()
        self.world.pass_time(5 * HOUR, 5)
        self.assertEqual(self.world.state(session_id), "ready")
        self.world.activity = Activity(True, False, self.world.clock.seconds())
        self.world.pass_time(HOUR - 60, 5)
        self.assertEqual(self.world.state(session_id), "ready")
        self.world.pass_time(2 * 60, 5)
        self.assertEqual(self.world.state(session_id), "stopped")

    def test_an_open_tab_that_is_forgotten_is_idle(self) -> None:
        self.world.activity = Activity(True, False, self.world.clock.seconds())
        session_id = self.world.start()
        for _ in range(HOUR // 30 + 2):
            self.world.pass_time(30, 5)
            self.use(session_id, b"GET", b"api/kernels?1700000000000")
            if self.world.state(session_id) != "ready":
                break
        self.assertEqual(self.world.state(session_id), "stopped")

    def test_a_server_that_does_not_say_what_it_does_is_asked_once_at_a_time(self) -> None:
        self.world.activity = Activity(True, False, None)
        session_id = self.world.start()
        waiting: list[Deferred[Activity]] = []

        def ask(*args: object) -> Deferred[Activity]:
            waiting.append(Deferred())
            return waiting[-1]

        around = self.world.spawner._around
        object.__setattr__(around, "ask_activity", ask)
        self.world.pass_time(2 * HOUR, 5)
        self.assertEqual((self.world.state(session_id), len(waiting)), ("ready", 1))
        self.use(session_id)
        waiting.pop().callback(Activity(False, False, None))
        self.assertEqual(self.world.state(session_id), "ready")
        self.world.pass_time(HOUR + 10, 5)
        self.successResultOf(self.world.close())

    def test_the_longest_life(self) -> None:
        profile = replace(JUPYTER, max_lifetime=HOUR, idle_timeout=0)
        self.world.spawner.configure(replace(SETTINGS, profiles=(profile,)), "")
        session_id = self.world.start()
        self.world.pass_time(HOUR - 400, 5)
        self.assertFalse(self.world.view(session_id).ending)
        self.world.pass_time(200, 5)
        view = self.world.view(session_id)
        self.assertTrue(view.ending)
        self.assertIsNone(view.idle_end)
        assert view.end and view.began
        self.assertEqual((view.end - view.began).total_seconds(), HOUR)
        self.use(session_id)
        self.world.pass_time(210, 5)
        self.assertIn("as long as it may", self.world.view(session_id).moment.reason)
        self.assertEqual(self.world.spawner.culler.culls, {"idle": 0, "lifetime": 1})

    def test_no_limits(self) -> None:
        profile = replace(JUPYTER, idle_timeout=0)
        self.world.spawner.configure(replace(SETTINGS, profiles=(profile,)), "")
        session_id = self.world.start()
        self.world.pass_time(100 * HOUR, 60)
        self.assertEqual(self.world.state(session_id), "ready")

    def test_what_has_ended_is_forgotten_after_a_day(self) -> None:
        self.world.engine.plan = FAILS
        failed = self.world.start(BOB)
        self.world.pass_time(KEPT - 60, 60)
        self.assertEqual(self.world.state(failed), "failed")
        self.world.pass_time(180, 60)
        self.assertIsNone(self.world.state(failed))

    def test_a_bug_stops_no_other_session(self) -> None:
        session_id = self.world.start(ALICE)
        self.world.activity = Activity(True, False, None)

        def fail(*args: object) -> Activity:
            raise ZeroDivisionError

        object.__setattr__(self.world.spawner._around, "ask_activity", fail)
        self.world.pass_time(HOUR + 10, 5)
        self.assertEqual(self.world.state(session_id), "stopped")
