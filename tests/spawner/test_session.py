"""One session on an engine in memory: its life, its faults, and what is seen of it."""

from collections.abc import Callable
from typing import get_args

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.engine import Ended, EngineError
from giestack.spawner.hooks import Hook, HookedSession, Kind
from giestack.spawner.jupyter_activity import Activity
from giestack.spawner.view import Moment
from tests.spawner.fake_engine import BREAKS, EXITS, FAILS, HANGS, SLOW, Start
from tests.spawner.world import ADMIN, ALICE, JUPYTER, World


class SessionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.engine = self.world.engine
        self.spawner = self.world.spawner

    def failure(self, session_id: str) -> Moment:
        """How a session failed; nothing of it may be left."""
        moment = self.world.view(session_id).moment
        self.assertEqual(moment.state, "failed")
        self.assertEqual(self.engine.present, set())
        entrance = self.spawner.entrance(session_id)
        assert entrance is not None
        self.assertIsNone(entrance.address)
        return moment


class StartTests(SessionCase):
    def test_from_click_to_ready(self) -> None:
        self.engine.plan = SLOW
        session_id = self.world.start()
        heard = self.world.moments(session_id)
        self.world.pass_time(5)
        states = list(dict.fromkeys(moment.state for moment in heard))
        self.assertEqual(states[-3:], ["creating", "starting", "ready"])
        self.assertIn("pulling", states)
        self.assertIn(50.0, [moment.percent for moment in heard])
        view = self.world.view(session_id)
        self.assertEqual(view.path, "/giestack/session/s1/lab")
        self.assertEqual(view.moment.message, "JupyterLab is ready")

    def test_the_first_answer_lets_the_owner_in(self) -> None:
        self.engine.plan = Start(listens=False)
        session_id = self.world.start()
        entrance = self.spawner.entrance(session_id)
        assert entrance is not None
        self.assertIsNone(entrance.address)
        self.assertEqual(entrance.moment.step, "probing")
        [session] = self.engine._sessions.values()
        session.listens = True
        self.world.pass_time(0.5, 0.05)
        entrance = self.spawner.entrance(session_id)
        assert entrance is not None
        self.assertEqual(entrance.address, session.address)
        self.assertEqual(entrance.prefix, b"/giestack/session/s1")
        self.assertEqual(entrance.home, b"/giestack/session/s1/lab")
        self.assertEqual(entrance.base, entrance.prefix)
        self.assertIs(self.spawner.entrance(session_id), entrance)

    def test_with_a_host_of_its_own_it_has_all_paths_of_it(self) -> None:
        world = World(own_hosts=True)
        session_id = world.start()
        self.assertEqual([path for _, path in world.probed], ["/api"])
        view = world.view(session_id)
        self.assertEqual(view.path, "/giestack/session/s1/lab")
        entrance = world.spawner.entrance(session_id)
        assert entrance is not None
        self.assertEqual((entrance.prefix, entrance.base), (b"/giestack/session/s1", b""))

    def test_the_server_is_asked_below_its_own_base(self) -> None:
        self.world.start()
        self.world.start(profile="rstudio")
        self.assertEqual(
            [path for _, path in self.world.probed], ["/giestack/session/s1/api", "/api"]
        )
        self.assertEqual([base for _, base in self.world.asked], ["/giestack/session/s1/", "/"])

    def test_how_long_it_will_take_is_known_after_the_first(self) -> None:
        self.engine.plan = Start(seconds=4)
        first = self.world.start(name="1")
        self.assertEqual(self.world.view(first).moment.eta, None)
        self.world.pass_time(4)
        heard = self.world.moments(self.world.start(name="2"))
        self.world.pass_time(2)
        self.assertEqual((heard[-1].percent, heard[-1].eta), (50.0, 2.0))
        self.world.pass_time(2)
        self.assertEqual((heard[-1].state, heard[-1].percent), ("ready", 100.0))

    def test_what_the_engine_says_is_the_reason(self) -> None:
        self.engine.plan = FAILS
        self.assertIn("There is no image", self.failure(self.world.start()).reason)

    def test_a_bug_in_an_engine_fails_that_session_alone(self) -> None:
        for plan in (BREAKS, Start(raises=ValueError("a bug"))):
            self.engine.next_starts.append(plan)
            moment = self.failure(self.world.start(name=str(plan)[:50]))
            self.assertIn("inside giestack", moment.reason)
            self.assertNotIn("bug", moment.reason)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, ValueError)), 2)
        self.assertEqual(self.world.state(self.world.start(name="fine")), "ready")

    def test_a_start_that_hangs_is_given_up(self) -> None:
        self.engine.plan = HANGS
        session_id = self.world.start()
        self.world.pass_time(119)
        self.assertEqual(self.world.state(session_id), "starting")
        self.world.pass_time(5)
        self.assertIn("within 2 minutes", self.failure(session_id).reason)

    def test_a_port_that_never_opens(self) -> None:
        self.engine.plan = Start(listens=False, prints=["listening elsewhere"])
        session_id = self.world.start()
        self.world.pass_time(61)
        moment = self.failure(session_id)
        self.assertIn("did not answer: nothing listens there", moment.reason)
        self.assertEqual(moment.log, ("listening elsewhere",))

    def test_it_ends_while_it_starts(self) -> None:
        self.engine.plan = EXITS
        session_id = self.world.start()
        self.world.pass_time(1)
        moment = self.failure(session_id)
        self.assertIn("ended with status 1", moment.reason)
        self.assertEqual(moment.log, ("cannot go on",))


class EndTests(SessionCase):
    def setUp(self) -> None:
        super().setUp()
        self.lab = self.world.start()
        self.assertEqual(self.world.state(self.lab), "ready")

    def test_a_crash_tells_status_and_last_words_at_once(self) -> None:
        heard = self.world.moments(self.lab)
        self.engine.say(self.lab, *[f"line {number}" for number in range(80)])
        self.engine.end(self.lab, Ended(137, "killed by signal 9 (SIGKILL)"))
        moment = self.failure(self.lab)
        self.assertEqual(heard[-1], moment)
        self.assertIn("killed by signal 9", moment.reason)
        self.assertEqual(moment.log, tuple(f"line {number}" for number in range(30, 80)))
        self.assertEqual(
            self.successResultOf(self.spawner.logs(self.lab, 2)), ("line 78", "line 79")
        )

    def test_a_log_that_can_not_be_had_holds_nothing_up(self) -> None:
        self.engine.logs_hang = True
        self.engine.end(self.lab, Ended(None, "lost"))
        self.world.pass_time(1)
        self.assertEqual(self.failure(self.lab).log, ())
        self.engine.logs_hang, self.engine.logs_error = False, EngineError("gone")
        other = self.world.start(name="other")
        self.engine.end(other, Ended(None, "lost"))
        self.assertEqual(self.failure(other).log, ())

    def test_shut_down_from_inside_is_no_failure(self) -> None:
        self.engine.end(self.lab, Ended(0, "ended with status 0"))
        view = self.world.view(self.lab)
        self.assertEqual(view.moment.state, "stopped")
        self.assertIn("from inside", view.moment.reason)
        self.assertEqual(self.engine.present, set())

    def test_dismissed(self) -> None:
        self.engine.stop_seconds = 3.0
        ends: list[bool] = []
        self.spawner.subscribe(self.lab, lambda moment: None, lambda: ends.append(True))
        self.spawner.stop(self.lab, ALICE)
        self.spawner.stop(self.lab, ALICE)
        self.assertEqual(self.world.state(self.lab), "stopping")
        entrance = self.spawner.entrance(self.lab)
        assert entrance is not None
        self.assertIsNone(entrance.address)
        self.world.pass_time(3)
        self.assertIsNone(self.world.state(self.lab))
        self.assertIsNone(self.spawner.entrance(self.lab))
        self.assertEqual((len(self.engine.stopped), ends), (1, [True]))

    def test_an_engine_that_can_not_stop_it_is_asked_again(self) -> None:
        self.engine.stop_failures = 3
        heard = self.world.moments(self.lab)
        self.spawner.stop(self.lab, ALICE)
        self.assertEqual(self.world.state(self.lab), "stopping")
        self.assertIn("could not be stopped yet", heard[-1].message)
        self.world.pass_time(8)
        self.assertIsNone(self.world.state(self.lab))
        self.assertEqual(self.engine.present, set())

    def test_a_stop_that_never_returns_is_asked_again(self) -> None:
        self.engine.stop_seconds = None
        self.spawner.stop(self.lab, ALICE)
        self.world.pass_time(10)
        self.engine.stop_seconds = 0.0
        self.world.pass_time(40)
        self.assertIsNone(self.world.state(self.lab))

    def test_restarted_with_what_was_chosen(self) -> None:
        view, _ = self.spawner.request(ALICE, "jupyter", "debugged", {"debug": True})
        self.spawner.restart(view.id, ALICE)
        self.assertEqual(self.world.state(view.id), "ready")
        self.assertEqual(self.engine.started[-1].options, {"debug": True})
        self.assertEqual(self.engine.started[-1].session_id, view.id)

    def test_restarted_as_something_else(self) -> None:
        """What a page of Jupyter's asks all the time may be what another server is there for."""
        self.world.activity = Activity(True)
        lab = self.world.start(name="other")
        use = (b"GET", f"/giestack/session/{lab}/api/kernels".encode())

        def is_use() -> bool:
            entrance = self.spawner.entrance(lab)
            assert entrance is not None
            return entrance.use(*use) is not None

        self.assertFalse(is_use())
        self.world.activity = Activity(False)
        self.spawner.restart(lab, ALICE)
        self.assertEqual(self.world.state(lab), "ready")
        self.assertTrue(is_use())

    def test_restarted_while_it_stops(self) -> None:
        self.engine.stop_seconds = 2.0
        self.spawner.stop(self.lab, ALICE)
        self.world.pass_time(1)
        self.spawner.restart(self.lab, ALICE)
        self.world.pass_time(2)
        self.assertEqual(self.world.state(self.lab), "ready")

    def test_stopped_in_each_moment_of_its_start(self) -> None:
        for seconds in range(6):
            self.engine.plan = SLOW
            session_id = self.world.start(name=f"stopped after {seconds}")
            self.world.pass_time(seconds)
            self.spawner.stop(session_id, ALICE)
            self.world.pass_time(5)
            self.assertIsNone(self.world.state(session_id))
            self.assertEqual(self.engine.present, {self.lab})

    def test_what_was_done_by_whom(self) -> None:
        self.spawner.stop(self.lab, ADMIN)
        events = [(event, who) for event, who, _ in self.world.audit]
        self.assertEqual(events, [("started", "alice"), ("ready", "alice"), ("stopped", "admin")])
        self.assertEqual(self.world.audit[-1][2]["owner"], "alice")


class ViewTests(SessionCase):
    def test_times(self) -> None:
        session_id = self.world.start()
        self.world.pass_time(10)
        view = self.world.view(session_id)
        assert view.last_used and view.idle_end and view.ready_since
        self.assertEqual((view.idle_end - view.last_used).total_seconds(), JUPYTER.idle_timeout)
        self.assertEqual(view.created, view.ready_since)
        self.assertIsNone(view.end)


KINDS: tuple[Kind, ...] = get_args(Kind)


def broken(session: HookedSession) -> None:
    raise RuntimeError("no licence left")


class HookTests(SynchronousTestCase):
    def world(self, function: Callable[[HookedSession], object], *kinds: Kind) -> World:
        return World(hooks=[Hook("site", kind, function) for kind in kinds])

    def test_in_order_with_what_they_may_know(self) -> None:
        called: list[tuple[str, bool]] = []

        def note(kind: Kind) -> Hook:
            async def hook(session: HookedSession) -> dict[str, str] | None:
                called.append((kind, session.address is not None))
                return {"TOKEN": "t"} if kind == "before_spawn" else None

            return Hook("site", kind, hook)

        world = World(hooks=[note(kind) for kind in KINDS])
        session_id = world.start()
        self.assertEqual(world.engine.started[0].env, {"TOKEN": "t"})
        world.spawner.stop(session_id, ALICE)
        self.assertEqual(called, [(kind, kind != "before_spawn") for kind in KINDS])

    def test_one_that_fails_before_or_after_the_start_fails_the_session(self) -> None:
        for kind in ("before_spawn", "after_start"):
            world = self.world(broken, kind)
            session_id = world.start()
            moment = world.view(session_id).moment
            self.assertEqual(moment.state, "failed")
            self.assertIn("no licence left", moment.reason)
            self.assertEqual(world.engine.present, set())
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_one_that_fails_at_the_end_keeps_nothing_from_ending(self) -> None:
        world = self.world(broken, "before_stop", "after_stop")
        session_id = world.start()
        world.spawner.stop(session_id, ALICE)
        self.assertIsNone(world.state(session_id))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_stopped_while_a_hook_takes_its_time(self) -> None:
        world = self.world(lambda session: Deferred(), "before_spawn")
        session_id = world.start()
        self.assertEqual(world.state(session_id), "creating")
        world.spawner.stop(session_id, ALICE)
        self.assertIsNone(world.state(session_id))
        self.assertEqual(world.engine.started, [])
