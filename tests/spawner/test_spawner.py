"""All sessions on an engine in memory: limits, queue, joining, adoption, and any sequence."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Engine as EngineSettings
from giestack.spawner.engine import Ended, EngineError, Launch
from giestack.spawner.owner import owner_of
from giestack.spawner.spawner import MOST_OF_ONE_USER
from giestack.spawner.view import STATES, SpawnRefused
from giestack.visitor import Identity
from tests.spawner.fake_engine import BREAKS, EXITS, FAILS, HANGS, SLOW, WORKS, Start
from tests.spawner.world import ADMIN, ALICE, BOB, JUPYTER, RSTUDIO, SETTINGS, SpawnerCase, World


class RequestTests(SpawnerCase):
    def refused(self, *args: object, **kwargs: object) -> SpawnRefused:
        return self.assertRaises(SpawnRefused, self.spawner.request, *args, **kwargs)

    def test_the_second_request_joins_the_first(self) -> None:
        self.engine.plan = SLOW
        first, new = self.spawner.request(ALICE, "jupyter", None, {})
        again, second = self.spawner.request(ALICE, "jupyter", " jupyter ", {})
        self.assertEqual((new, second, again.id), (True, False, first.id))
        other, third = self.spawner.request(ALICE, "jupyter", "other", {})
        self.assertTrue(third)
        self.assertNotEqual(other.id, first.id)
        self.assertNotEqual(self.world.start(BOB), first.id)
        self.assertEqual(len(self.engine.started), 3)

    def test_what_has_ended_is_started_again(self) -> None:
        session_id = self.world.start()
        self.engine.end(session_id, Ended(1, "ended with status 1"))
        view, new = self.spawner.request(ALICE, "jupyter", None, {"debug": True})
        self.assertEqual((view.id, new, view.moment.state), (session_id, False, "ready"))
        self.assertEqual(view.moment.reason, "")
        self.assertEqual(self.engine.started[-1].options, {"debug": True})

    def test_what_is_being_stopped_is_not_joined(self) -> None:
        self.engine.stop_seconds = 2.0
        first = self.world.start()
        self.spawner.stop(first, ALICE)
        second = self.world.start()
        self.world.pass_time(3)
        self.assertEqual((self.world.state(first), self.world.state(second)), (None, "ready"))

    def test_profiles_by_who_asks(self) -> None:
        self.assertEqual([p.name for p in self.spawner.profiles(ALICE)], ["jupyter", "rstudio"])
        self.assertEqual(len(self.spawner.profiles(ADMIN)), 3)
        for name in ("none", "secret"):
            refused = self.refused(ALICE, name, None, {})
            self.assertEqual((refused.status, refused.code), (404, "no-such-profile"))
        self.world.start(ADMIN, "secret")

    def test_a_profile_without_a_title_is_called_by_its_name(self) -> None:
        self.assertEqual(
            self.world.view(self.world.start(profile="rstudio")).profile.title, "rstudio"
        )

    def test_options_and_names_are_checked(self) -> None:
        for given_name, options, field in (
            (None, {"debug": "perhaps"}, "debug"),
            (None, {"none": 1}, "none"),
            ("x" * 101, {}, "name"),
            ("two\nlines", {}, "name"),
        ):
            refused = self.refused(ALICE, "jupyter", given_name, options)
            self.assertEqual((refused.status, refused.field), (422, field))
        self.assertEqual(self.engine.started, [])

    def test_nobody_can_fill_the_memory(self) -> None:
        for number in range(MOST_OF_ONE_USER):
            self.world.start(name=f"session {number}")
        self.assertEqual(self.refused(ALICE, "jupyter", "one more", {}).status, 429)
        self.world.start(BOB)

    def test_the_oldest_that_has_ended_makes_room(self) -> None:
        self.engine.plan = FAILS
        ids = []
        for number in range(MOST_OF_ONE_USER + 1):
            self.world.clock.advance(1)
            ids.append(self.world.start(name=f"session {number}"))
        self.assertEqual(self.world.state(ids[0]), None)
        self.assertEqual(len(self.spawner.views(ALICE)), MOST_OF_ONE_USER)

    def test_draining_engines_take_nothing_new(self) -> None:
        session_id = self.world.start()
        drained = EngineSettings(name="fake", docker_host="process:", drain=True)
        self.spawner.configure(replace(SETTINGS, engines=(drained,)), "")
        self.assertEqual(self.refused(BOB, "jupyter", None, {}).status, 503)
        self.assertEqual(self.world.state(session_id), "ready")
        self.assertEqual(self.spawner.note(JUPYTER), "")

    def test_an_unknown_session(self) -> None:
        self.spawner.stop("none", ALICE)
        self.spawner.restart("none", ALICE)
        ended: list[bool] = []
        self.spawner.subscribe("none", lambda moment: None, lambda: ended.append(True))()
        self.spawner.follow("none", 10, lambda line: None, lambda: ended.append(True))()
        self.assertEqual(self.successResultOf(self.spawner.logs("none", 10)), ())
        self.assertEqual(self.successResultOf(self.spawner.stats(["none"])), {})
        self.assertEqual(ended, [True, True])
        self.assertIsNone(self.spawner.view("none"))

    def test_the_newest_stand_first(self) -> None:
        ids = [self.world.start(), self.world.start(BOB), self.world.start(profile="rstudio")]
        self.assertEqual([view.id for view in self.spawner.views()], ids[::-1])
        self.assertEqual([view.id for view in self.spawner.views(ALICE)], [ids[2], ids[0]])


class ReloadTests(SpawnerCase):
    def test_sessions_keep_the_profile_they_began_with(self) -> None:
        session_id = self.world.start()
        self.spawner.configure(
            replace(SETTINGS, profiles=(replace(JUPYTER, title="Lab"),)), "https://other/"
        )
        self.assertEqual(self.world.view(session_id).profile.title, "JupyterLab")
        self.spawner.restart(session_id, ALICE)
        self.assertEqual(self.world.view(session_id).profile.title, "Lab")
        self.assertEqual(self.world.view(self.world.start(BOB)).profile.title, "Lab")
        self.assertEqual(self.engine.started[-1].galaxy_url, "https://other/")

    def test_what_is_not_offered_any_more_can_not_be_restarted(self) -> None:
        session_id = self.world.start()
        self.spawner.configure(replace(SETTINGS, profiles=(RSTUDIO,)), "")
        refused = self.assertRaises(SpawnRefused, self.spawner.restart, session_id, ALICE)
        self.assertEqual(refused.status, 409)
        self.assertEqual(self.world.state(session_id), "ready")

    def test_what_is_not_for_them_any_more_can_not_be_restarted(self) -> None:
        session_id = self.world.start(ADMIN, "secret")
        demoted = replace(ADMIN, is_admin=False)
        refused = self.assertRaises(SpawnRefused, self.spawner.restart, session_id, demoted)
        self.assertEqual((refused.status, refused.code), (409, "no-such-profile"))
        self.assertEqual(self.world.state(session_id), "ready")
        self.spawner.restart(session_id, ADMIN)
        self.assertEqual(len(self.engine.started), 2)

    def test_a_choice_that_is_not_allowed_any_more_does_not_live_on(self) -> None:
        view, _ = self.spawner.request(ALICE, "jupyter", None, {"debug": True})
        options = {"greeting": {"type": "text", "default": "hello"}}
        self.spawner.configure(
            replace(SETTINGS, profiles=(replace(JUPYTER, options=options),)), "https://g/"
        )
        self.spawner.restart(view.id, ALICE)
        self.assertEqual(self.engine.started[-1].options, {"greeting": "hello"})


class AdoptionTests(SynchronousTestCase):
    def launch(self, session_id: str, created: float = 1_699_999_000) -> Launch:
        return Launch(
            session_id=session_id,
            owner=owner_of(ALICE),
            profile=JUPYTER,
            name="jupyter",
            base_url=f"/giestack/session/{session_id}/",
            created=created,
        )

    def test_found_running_with_owner_route_and_times(self) -> None:
        world = World(opened=False)
        world.engine.have(self.launch("old"))
        world.spawner.open()
        view = world.view("old")
        self.assertEqual(view.moment.state, "ready")
        assert view.began
        self.assertEqual(view.began.timestamp(), 1_699_999_000)
        entrance = world.spawner.entrance("old")
        assert entrance is not None
        self.assertTrue(entrance.owner.is_(ALICE))
        self.assertEqual(world.engine.started, [])
        # It counts, and a click on the same profile joins it.
        self.assertEqual(world.start(), "old")

    def test_found_dead_is_shown_and_cleaned_up(self) -> None:
        world = World(opened=False)
        world.engine.have(self.launch("old"), running=False, lines=["last words"])
        world.spawner.open()
        moment = world.view("old").moment
        self.assertEqual((moment.state, moment.log), ("failed", ("last words",)))
        self.assertEqual(world.engine.present, set())

    def test_what_is_known_already_is_not_adopted_again(self) -> None:
        world = World(opened=False)
        world.engine.is_open = True
        session_id = world.start()
        world.spawner.open()
        self.assertEqual([view.id for view in world.spawner.views()], [session_id])

    def test_an_engine_that_can_not_be_opened_is_said_and_tried_again(self) -> None:
        world = World(opened=False)
        world.engine.have(self.launch("old"))
        world.engine.open_error = EngineError("There is no such socket.")
        with capturedLogs() as logged:
            world.spawner.open()
            self.assertFalse(world.spawner.knows_all)
            self.assertEqual(world.view(world.start(BOB)).moment.state, "failed")
            world.pass_time(100)
            world.engine.open_error = None
            world.pass_time(31)
        self.assertEqual(world.state("old"), "ready")
        self.assertTrue(world.spawner.knows_all)
        texts = [formatEvent(event) for event in logged]
        self.assertEqual(len([text for text in texts if "no such socket" in text]), 1)
        self.assertEqual(len([text for text in texts if "can be used now" in text]), 1)

    def test_closed_while_an_engine_is_not_there(self) -> None:
        world = World(opened=False)
        world.engine.open_error = EngineError("There is no such socket.")
        world.spawner.open()
        self.successResultOf(world.close())
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_closed_while_an_engine_opens(self) -> None:
        world = World(opened=False)
        world.engine.open_hangs = True
        opening = world.spawner.open()
        self.successResultOf(world.close())
        self.successResultOf(opening)


class CloseTests(SpawnerCase):
    def test_local_sessions_end_and_their_listeners_hear_it(self) -> None:
        session_id = self.world.start()
        self.engine.plan = SLOW
        self.world.start(BOB)
        ended: list[bool] = []
        self.spawner.subscribe(session_id, lambda moment: None, lambda: ended.append(True))
        self.successResultOf(self.world.close())
        self.assertEqual((self.engine.present, ended), (set(), [True]))
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_closed_while_a_stop_is_repeated(self) -> None:
        session_id = self.world.start()
        self.engine.stop_failures = 9
        self.spawner.stop(session_id, ALICE)
        self.successResultOf(self.world.close())
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_containers_live_on(self) -> None:
        self.engine.lives_on = True
        session_id = self.world.start()
        self.successResultOf(self.world.close())
        self.assertEqual(self.engine.present, {session_id})
        self.assertEqual(self.engine.stopped, [])

    def test_an_engine_that_can_not_be_closed(self) -> None:
        def fail() -> Deferred[None]:
            raise ZeroDivisionError

        self.engine.close = fail  # type: ignore[method-assign]
        self.successResultOf(self.world.close())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class FigureTests(SpawnerCase):
    def test_states_and_results(self) -> None:
        self.world.start()
        self.engine.plan = FAILS
        self.world.start(BOB)
        self.assertEqual(set(self.spawner.states()), set(STATES))
        self.assertEqual(self.spawner.states()["ready"], 1)
        self.assertEqual(self.spawner.states()["failed"], 1)
        self.assertEqual(self.spawner.results, {("jupyter", "ready"): 1, ("jupyter", "failed"): 1})
        self.assertEqual(sum(self.spawner.durations.tallies["total"].buckets), 1)

    def test_logs_of_one_that_runs(self) -> None:
        session_id = self.world.start()
        self.engine.say(session_id, "one", "two")
        self.assertEqual(self.successResultOf(self.spawner.logs(session_id, 1)), ["two"])
        heard: list[str] = []
        self.spawner.follow(session_id, 1, heard.append, lambda: heard.append("END"))
        self.engine.say(session_id, "three")
        self.engine.end(session_id, Ended(1, "ended with status 1"))
        self.assertEqual(heard, ["two", "three", "END"])
        self.spawner.follow(session_id, 1, heard.append, lambda: heard.append("END"))
        self.assertEqual(heard[-2:], ["three", "END"])

    def test_troubles_are_the_engines(self) -> None:
        self.engine.trouble_of["jupyter"] = "no such program"
        [(name, ask)] = self.spawner.questions().items()
        self.assertEqual(name, "engine fake")
        self.assertEqual(self.successResultOf(ask()), ["no such program"])
        # Those who ask recognise the question by it.
        self.assertIs(self.spawner.questions()[name], ask)


PEOPLE = (ALICE, BOB, ADMIN)
PLANS = (WORKS, SLOW, HANGS, FAILS, BREAKS, EXITS, Start(listens=False), Start(raises=OSError()))
STEPS = st.one_of(
    st.tuples(st.just("start"), st.integers(0, 2), st.integers(0, 1)),
    st.tuples(st.just("stop"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("restart"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("end"), st.integers(0, 5), st.sampled_from((0, 1, 137))),
    st.tuples(st.just("plan"), st.integers(0, len(PLANS) - 1), st.just(0)),
    st.tuples(st.just("stops fail"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("stops take"), st.sampled_from((0, 2, 99)), st.just(0)),
    st.tuples(st.just("time"), st.sampled_from((0.1, 1, 10, 70, 4000)), st.just(0)),
    st.tuples(st.just("limits"), st.integers(0, 2), st.integers(0, 3)),
)


class AnySequenceTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(st.lists(STEPS, max_size=25))
    def test_ends_with_nothing_left_running(self, steps: list[tuple[str, float, int]]) -> None:
        world = World()
        for step in steps:
            self._do(world, *step)
            self._check(world)
        world.engine.stop_failures = 0
        world.engine.stop_seconds = 0.0
        for view in world.spawner.views():
            world.spawner.stop(view.id, view_owner(view.owner.user_id))
        world.pass_time(120, 1.0)
        self.assertEqual(world.spawner.views(), [])
        self.assertEqual(world.engine.present, set())
        self.successResultOf(world.close())
        self.assertEqual(world.clock.getDelayedCalls(), [])
        self.flushLoggedErrors(ZeroDivisionError, OSError)

    def _do(self, world: World, what: str, first: float, second: int) -> None:
        views = world.spawner.views()
        chosen = views[int(first) % len(views)] if views else None
        if what == "start":
            world.start(PEOPLE[int(first)], name=str(second))
        elif what == "stop" and chosen:
            world.spawner.stop(chosen.id, ALICE)
        elif what == "restart" and chosen:
            world.spawner.restart(chosen.id, ALICE)
        elif what == "end" and chosen and chosen.id in world.engine.running:
            world.engine.end(chosen.id, Ended(second, f"ended with status {second}"))
        elif what == "plan":
            world.engine.plan = PLANS[int(first)]
        elif what == "stops fail":
            world.engine.stop_failures = int(first)
        elif what == "stops take":
            world.engine.stop_seconds = first
        elif what == "time":
            world.pass_time(first, max(first / 100, 0.1))
        elif what == "limits":
            world.spawner.configure(
                replace(SETTINGS, per_user=int(first), total=second), "https://g/"
            )

    def _check(self, world: World) -> None:
        views = world.spawner.views()
        for view in views:
            entrance = world.spawner.entrance(view.id)
            assert entrance is not None
            # Visitors are let in exactly while it is ready, and then it is there.
            self.assertEqual(entrance.address is not None, view.moment.state == "ready")
            if view.moment.state == "ready":
                self.assertIn(view.id, world.engine.running)
        # Whatever an engine has belongs to a session that knows it.
        self.assertLessEqual(world.engine.present, {view.id for view in views})
        places = sorted(view.moment.place for view in views if view.moment.place)
        self.assertTrue(all(b - a == 1 for a, b in pairwise(places)) and places[:1] in ([], [1]))


def view_owner(user_id: int) -> Identity:
    return next(person for person in PEOPLE if person.user_id == user_id)
