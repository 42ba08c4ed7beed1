"""Sessions and their engines: which one, with what room, and what when there is none."""

from dataclasses import replace
from itertools import count

from twisted.internet.defer import Deferred

from giestack.settings.spawner_schema import Engine as EngineSettings
from giestack.spawner.engine import Circumstances, Progress, Room
from giestack.spawner.hooks import Hooks
from giestack.spawner.spawner import Spawner
from giestack.spawner.view import SpawnRefused
from tests.spawner.fake_engine import SLOW, FakeEngine, Start
from tests.spawner.world import ADMIN, ALICE, BOB, JUPYTER, SETTINGS, SpawnerCase, World

GB = 1024**3


class RoomTests(SpawnerCase):
    def test_what_would_overcommit_waits(self) -> None:
        self.engine.room = Room(5 * GB)
        first, second, third = (self.world.start(who) for who in (ALICE, BOB, ADMIN))
        self.assertEqual(self.world.state(third), "queued")
        self.spawner.stop(first, ALICE)
        self.assertEqual((self.world.state(second), self.world.state(third)), ("ready", "ready"))

    def test_room_that_appears_is_used(self) -> None:
        self.engine.room = Room(2 * GB)
        self.world.start()
        waiting = self.world.start(BOB)
        self.engine.room = Room(4 * GB)
        self.engine.trouble = "restarting"
        self.world.pass_time(2)
        self.assertEqual(self.world.state(waiting), "queued")
        self.engine.trouble = ""
        self.world.pass_time(2)
        self.assertEqual(self.world.state(waiting), "ready")

    def test_what_can_never_start_is_refused(self) -> None:
        for room, profile, words in (
            (Room(1 * GB), JUPYTER, "memory"),
            (Room(None, 1), replace(JUPYTER, gpus=2), "GPUs"),
        ):
            self.engine.room = room
            self.spawner.configure(replace(SETTINGS, profiles=(profile,)), "")
            refused = self.assertRaises(
                SpawnRefused, self.spawner.request, ALICE, "jupyter", None, {}
            )
            self.assertEqual((refused.status, refused.code), (503, "no-engine"))
            self.assertIn(words, str(refused))
            self.assertIn(words, self.spawner.closed(profile))


class NoEngineTests(SpawnerCase):
    def test_it_is_said_before_and_at_the_click(self) -> None:
        self.assertEqual(self.spawner.closed(JUPYTER), "")
        self.engine.trouble = "dockerd does not answer."
        self.assertEqual(self.spawner.closed(JUPYTER), "dockerd does not answer.")
        refused = self.assertRaises(SpawnRefused, self.spawner.request, ALICE, "jupyter", None, {})
        self.assertEqual(refused.status, 503)
        self.assertIn("dockerd does not answer.", str(refused))
        self.engine.trouble = ""
        self.assertEqual(self.world.state(self.world.start()), "ready")

    def test_sessions_that_run_go_on(self) -> None:
        session_id = self.world.start()
        self.engine.trouble = "dockerd does not answer."
        self.assertEqual(self.world.state(session_id), "ready")
        self.assertEqual(self.spawner.request(ALICE, "jupyter", None, {})[0].id, session_id)

    def test_all_are_draining(self) -> None:
        draining = EngineSettings(name="fake", drain=True)
        self.spawner.configure(replace(SETTINGS, engines=(draining,)), "")
        self.assertIn("draining", self.spawner.closed(JUPYTER))

    def test_what_could_not_start_again_is_not_stopped(self) -> None:
        session_id = self.world.start()
        draining = EngineSettings(name="fake", drain=True)
        large = replace(JUPYTER, memory=9 * GB)
        for room, trouble, settings, words in (
            (Room(), "", replace(SETTINGS, engines=(draining,)), "draining"),
            (Room(), "dockerd does not answer.", SETTINGS, "dockerd"),
            (Room(5 * GB), "", replace(SETTINGS, profiles=(large,)), "memory"),
        ):
            self.engine.room, self.engine.trouble = room, trouble
            self.spawner.configure(settings, "")
            refused = self.assertRaises(SpawnRefused, self.spawner.restart, session_id, ALICE)
            self.assertEqual(refused.status, 503)
            self.assertIn(words, str(refused))
            self.assertEqual(self.world.state(session_id), "ready")


class NotOpenedTests(SpawnerCase):
    def setUp(self) -> None:
        self.world = World(opened=False)
        self.engine, self.spawner = self.world.engine, self.world.spawner

    def test_nobody_gets_a_second_session_while_the_first_is_not_found_yet(self) -> None:
        self.engine.lives_on = self.engine.open_hangs = True
        self.spawner.open()
        refused = self.assertRaises(SpawnRefused, self.spawner.request, ALICE, "jupyter", None, {})
        self.assertEqual((refused.status, refused.code), (503, "sessions-unavailable"))
        # Of one that is not there it is said so.
        self.engine.trouble = "It is not running."
        refused = self.assertRaises(SpawnRefused, self.spawner.request, ALICE, "jupyter", None, {})
        self.assertEqual(refused.code, "no-engine")

    def test_where_none_can_be_there_it_may_be_waited(self) -> None:
        self.engine.open_hangs = True
        self.spawner.open()
        self.spawner.request(ALICE, "jupyter", None, {})


class ReadyTests(SpawnerCase):
    def test_what_is_ready_is_taken(self) -> None:
        self.engine.ready_ids["jupyter"] = ["w1"]
        first, second = self.world.start(), self.world.start(BOB)
        self.assertEqual((first, second), ("w1", "s1"))
        (launch, _) = self.engine.started
        self.assertEqual(launch.base_url, "/giestack/session/w1/")

    def test_not_by_one_who_has_to_wait(self) -> None:
        self.spawner.configure(replace(SETTINGS, total=1), "")
        self.world.start()
        self.engine.ready_ids["jupyter"] = ["w1"]
        self.world.start(BOB)
        self.assertEqual(self.engine.ready_ids["jupyter"], ["w1"])

    def test_engines_know_the_profiles(self) -> None:
        self.assertEqual([p.name for p in self.engine.profiles], ["jupyter", "rstudio", "secret"])


class WishTests(SpawnerCase):
    def test_circumstances_and_keys_reach_the_engine(self) -> None:
        profile = replace(JUPYTER, api_key=True)
        self.spawner.configure(replace(SETTINGS, profiles=(profile,)), "")
        here = Circumstances(history_id="f2db", remote_host="192.0.2.1", origin="https://g")
        self.spawner.request(ALICE, "jupyter", None, {}, circumstances=here)
        (launch,) = self.engine.started
        self.assertEqual((launch.circumstances, launch.api_key), (here, "key-of-alice"))
        self.assertNotIn("key-of-alice", repr(launch))

    def test_without_a_key_it_fails_in_words(self) -> None:
        profile = replace(JUPYTER, api_key=True)
        self.spawner.configure(replace(SETTINGS, profiles=(profile,)), "")
        session_id = self.world.start(BOB)
        self.assertEqual(self.world.state(session_id), "failed")
        self.assertIn("API key", self.world.view(session_id).moment.reason)
        self.assertEqual(self.engine.started, [])


class PullTests(SpawnerCase):
    def test_the_time_for_the_image_is_not_expected_again(self) -> None:
        # Two seconds for the image, two for the rest.
        self.engine.plan = SLOW
        self.spawner.stop(self.world.start(), ALICE)
        self.world.start()
        self.world.pass_time(6)
        again = self.world.start(BOB)
        self.world.pass_time(2.5)
        moment = self.world.view(again).moment
        self.assertEqual(moment.state, "creating")
        assert moment.eta is not None
        self.assertLessEqual(moment.eta, 2)

    def test_what_the_engine_says_of_the_image_is_told(self) -> None:
        half = Progress("pulling", "Fetching: 5 of 10 MB", 50.0, 7.0)
        self.engine.plan = Start(steps=((0.1, half),), hangs=True)
        session_id = self.world.start()
        self.world.pass_time(0.5)
        moment = self.world.view(session_id).moment
        self.assertEqual(
            (moment.state, moment.percent, moment.eta, moment.message),
            ("pulling", 50.0, 7.0, "Fetching: 5 of 10 MB"),
        )


class TwoEngineTests(SpawnerCase):
    def setUp(self) -> None:
        super().setUp()
        world, numbers = self.world, count(1)
        self.other = FakeEngine(world.clock, "other")
        self.both = Spawner(
            world.clock,
            [self.engine, self.other],
            prefix="/giestack",
            hooks=Hooks(world.clock, []),
            wait_until_ready=self.wait,
            ask_activity=world.ask_activity,
            audit=lambda event, who, **fields: None,
            api_key=self.no_key,
            new_id=lambda: f"n{next(numbers)}",
        )
        self.both.configure(SETTINGS, "")
        self.both.open()
        self.addCleanup(lambda: self.successResultOf(self.closed()))

    def closed(self):
        return Deferred.fromCoroutine(self.both.close())

    async def wait(self, address, path, timeout) -> None:
        return None

    async def no_key(self, owner) -> str:
        return ""

    def engine_of(self, session_id: str) -> str:
        view = self.both.view(session_id)
        assert view is not None
        return view.engine

    def start(self, who=ALICE, name="one"):
        return self.both.request(who, "jupyter", name, {})[0].id

    def test_the_one_with_room(self) -> None:
        self.engine.room, self.other.room = Room(3 * GB), Room(5 * GB)
        found = [self.engine_of(self.start(name=f"{n}")) for n in range(3)]
        self.assertEqual(sorted(found), ["fake", "other", "other"])

    def test_the_one_that_has_it_ready(self) -> None:
        self.start(BOB)
        self.other.ready_ids["jupyter"] = ["w1", "w2"]
        self.assertEqual((self.start(name="a"), self.start(name="b")), ("w1", "w2"))
        self.assertEqual((self.engine_of("w1"), self.engine_of("w2")), ("other", "other"))

    def test_who_waits_starts_where_room_is_first(self) -> None:
        self.engine.room, self.other.room = Room(2 * GB), Room(2 * GB)
        first, second = self.start(ALICE), self.start(BOB)
        waiting = self.start(ADMIN)
        view = self.both.view(waiting)
        assert view is not None
        self.assertEqual(view.moment.state, "queued")
        self.both.stop(second, BOB)
        self.assertEqual(self.engine_of(waiting), "other")
        self.both.stop(waiting, ADMIN)
        self.assertEqual(self.other.present, set())
        self.assertEqual(self.engine.present, {first})

    def test_one_in_trouble_is_left_out(self) -> None:
        self.engine.trouble = "gone"
        self.assertEqual({self.engine_of(self.start(name=f"{n}")) for n in range(3)}, {"other"})
