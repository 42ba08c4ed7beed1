"""Slots are started ahead one by one, handed out once, and gone in the end."""

import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.settings.spawner_schema import Profile, Readiness
from giestack.spawner.docker.claims import Paused, Unfit
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.making import Made
from giestack.spawner.docker.mounting import Mounting
from giestack.spawner.docker.pool import Pool, PoolSurroundings, is_busy
from giestack.spawner.docker.wishes import Wishes
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.owner import Owner
from giestack.spawner.readiness import NotReady

ALICE = Owner("galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org")
BOB = Owner("galaxy", 13, "1cd8e2f6b131e891", "bob", "bob@example.org")
HOME = {"home-{user}": "/home/jovyan"}
JUPYTER = Profile(name="jupyter", image="jupyter:1", warm=2, volumes=HOME)
RSTUDIO = Profile(name="rstudio", image="rstudio:1", warm=1)


class Making:
    """Makes containers when it is told to, and removes them."""

    def __init__(self):
        self.turns = SimpleNamespace(give_back=lambda session_id: None)
        self.made = []
        self.waiting = {}
        self.removed = []
        self.removing = None

    async def make(self, launch, progress, *, slot):
        assert slot
        progress(None)
        session_id = launch.session_id
        self.made.append(launch)
        self.waiting[session_id] = Deferred()
        await self.waiting[session_id]
        return Made(f"container-of-{session_id}", Address(host="127.0.0.1", port=4000), {})

    def remove(self, session_id, grace):
        self.removed.append((session_id, grace))
        return self.removing or _done()


class Claims:
    """Prepares and claims at once, unless told to wait or to fail."""

    def __init__(self, clock):
        self.mounting = Mounting(cast(Any, None), clock, "")
        self.unfit = None
        self.waiting = None
        self.failure = None
        self.claimed = []

    async def prepare(self, launch, made):
        if self.unfit is not None:
            raise self.unfit
        return Paused(made.container)

    async def claim(self, launch, slot):
        self.claimed.append((launch, slot))
        if self.waiting is not None:
            await self.waiting
        if self.failure is not None:
            raise self.failure


def _done():
    done: Deferred[None] = Deferred()
    done.callback(None)
    return done


class PoolCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.making = cast(Any, Making())
        self.claims = cast(Any, Claims(self.clock))
        self.starting = self.busy = False
        self.asked = []
        self.not_ready = None
        self.ids = iter(f"s{number}" for number in range(100))
        self.pool = Pool(
            self.clock,
            self.making,
            self.claims,
            Names("test"),
            PoolSurroundings(
                prefix="/giestack",
                galaxy_url=lambda: "https://galaxy.example.org/",
                wait_until_ready=self.wait_until_ready,
                starting=lambda: self.starting,
                busy=lambda: self.busy,
                new_id=lambda: next(self.ids),
            ),
        )
        self.said = []
        log = SimpleNamespace(**dict.fromkeys(("info", "warn", "error", "failure"), self.say))
        self.patch(Pool, "log", log)
        self.patch(Wishes, "log", log)

    def say(self, template, **more):
        self.said.append(template.format(**more))

    async def wait_until_ready(self, address, path, timeout):
        self.asked.append((address, path, timeout))
        if self.not_ready is not None:
            raise self.not_ready

    def open(self, *profiles):
        self.pool.configure(profiles or [JUPYTER])
        self.successResultOf(Deferred.fromCoroutine(self.pool.open()))

    def finish(self, *session_ids):
        """The containers of slots run."""
        for session_id in session_ids:
            self.making.waiting.pop(session_id).callback(None)

    def fill(self, *profiles):
        """Open it, and start all that it wants."""
        self.open(*profiles)
        while self.making.waiting:
            self.finish(*self.making.waiting)
            self.clock.advance(1)

    def launch(self, session_id, profile=JUPYTER, owner=ALICE, **more):
        base = f"/giestack/session/{session_id}/"
        more.setdefault("base_url", base)
        return Launch(session_id=session_id, owner=owner, profile=profile, name="mine", **more)

    def claim(self, session_id, profile=JUPYTER, **more):
        launch = self.launch(session_id, profile, **more)
        return Deferred.fromCoroutine(self.pool.claim(launch, self.said.append))

    def close(self):
        return Deferred.fromCoroutine(self.pool.close())


class FillTests(PoolCase):
    def test_one_after_the_other(self):
        self.open()
        self.assertEqual([one.session_id for one in self.making.made], ["s0"])
        self.clock.advance(5)
        self.assertEqual(len(self.making.made), 1)
        self.finish("s0")
        self.assertEqual(self.pool.slots, {"jupyter": (1, 2)})
        self.clock.advance(1)
        self.finish("s1")
        self.clock.pump([1] * 5)
        self.assertEqual(self.pool.slots, {"jupyter": (2, 2)})
        self.assertEqual(len(self.making.made), 2)

    def test_the_emptiest_first(self):
        self.open(replace(JUPYTER, warm=5), RSTUDIO)
        for session_id in ("s0", "s1", "s2"):
            self.finish(session_id)
            self.clock.advance(1)
        names = [one.profile.name for one in self.making.made]
        self.assertEqual(names, ["jupyter", "rstudio", "jupyter", "jupyter"])

    def test_slots_are_nobodys(self):
        self.open(replace(JUPYTER, env={"WHO": "{user}"}, secrets={"TOKEN": "s3cret"}))
        (launch,) = self.making.made
        self.assertEqual((launch.owner.email, launch.api_key), ("", ""))
        self.assertEqual(launch.base_url, "/giestack/session/s0/")
        self.assertEqual(launch.galaxy_url, "https://galaxy.example.org/")

    def test_they_are_asked_until_they_answer(self):
        self.fill(replace(RSTUDIO, readiness=Readiness(path="/up", timeout=7)))
        self.assertEqual(
            self.asked, [(Address(host="127.0.0.1", port=4000), "/giestack/session/s0/up", 7)]
        )

    def test_below_their_root_where_the_base_is_cut_off(self):
        self.fill(replace(RSTUDIO, strip_path=True))
        self.assertEqual(self.asked[0][1], "/api")

    def test_sessions_that_start_go_first(self):
        self.starting = True
        self.open()
        self.clock.pump([1] * 5)
        self.assertEqual(self.making.made, [])
        self.starting = False
        self.clock.advance(1)
        self.assertEqual(len(self.making.made), 1)

    def test_a_machine_with_enough_to_do_is_spared(self):
        self.busy = True
        self.open()
        self.clock.pump([1] * 5)
        self.assertEqual(self.making.made, [])
        self.busy = False
        self.clock.advance(1)
        self.assertEqual(len(self.making.made), 1)

    def test_but_not_for_ever(self):
        self.busy = True
        self.open()
        self.clock.pump([1] * 61)
        self.assertEqual(len(self.making.made), 1)

    def test_nothing_before_it_is_open(self):
        self.pool.configure([JUPYTER])
        self.clock.pump([1] * 5)
        self.assertEqual(self.making.made, [])

    def test_opened_again(self):
        self.fill()
        self.open()
        self.assertEqual(self.pool.slots, {"jupyter": (2, 2)})

    def test_what_can_not_be_made_is_tried_again_later(self):
        for error in (EngineError("No such image."), NotReady("it was silent"), ValueError("bug")):
            self.setUp()
            self.open(RSTUDIO)
            self.making.waiting.pop("s0").errback(error)
            self.assertEqual(self.making.removed, [("s0", 0)])
            self.assertFalse(self.pool.has("s0"))
            self.clock.advance(1)
            self.assertEqual(len(self.making.made), 1)
            self.clock.advance(1)
            self.assertEqual(len(self.making.made), 2)
        self.flushLoggedErrors()

    def test_what_never_answers(self):
        self.not_ready = NotReady("it was silent")
        self.fill(RSTUDIO)
        self.assertEqual(self.making.removed[0], ("s0", 0))
        self.assertIn("it was silent", self.said[0])

    def test_what_is_unfit_is_not_tried_again(self):
        self.claims.unfit = Unfit("Files below /home are open.")
        self.fill()
        self.clock.pump([1000] * 5)
        self.assertEqual(len(self.making.made), 1)
        self.assertEqual(self.making.removed, [("s0", 0)])
        self.assertIn("Files below /home are open.", self.said[0])

    def test_what_can_not_be_removed_is_left_to_the_engine(self):
        self.making.removing = Deferred()
        self.open()
        self.making.waiting.pop("s0").errback(EngineError("no"))
        self.making.removing.errback(EngineError("The engine is away."))
        self.assertIn("The engine is away.", self.said[-1])

    def test_profiles_with_homes_are_cold_where_nothing_can_be_mounted(self):
        self.claims.mounting.why_not = "giestack is not run by root"
        self.fill(JUPYTER, RSTUDIO)
        self.assertEqual(self.pool.slots, {"jupyter": (0, 2), "rstudio": (1, 1)})
        self.assertEqual(self.pool.reserve(JUPYTER, {}), "")
        self.assertEqual(len([one for one in self.said if "not run by root" in one]), 1)


class BusyTests(SynchronousTestCase):
    def test_as_many_that_run_as_processors(self):
        self.patch(os, "cpu_count", lambda: 2)
        for load, busy in ((0.0, False), (1.9, False), (2.0, True), (7.0, True)):
            self.patch(os, "getloadavg", lambda load=load: (load, 0.0, 0.0))
            self.assertEqual(is_busy(), busy)


class ReserveTests(PoolCase):
    def test_each_to_one_alone(self):
        self.fill()
        found = [self.pool.reserve(JUPYTER, {}) for _ in range(3)]
        self.assertEqual(found, ["s0", "s1", ""])

    def test_nothing_that_is_not_ready(self):
        self.open()
        self.assertEqual(self.pool.reserve(JUPYTER, {}), "")
        self.assertTrue(self.pool.has("s0"))

    def test_nothing_of_another_profile(self):
        self.fill(RSTUDIO)
        self.assertEqual(self.pool.reserve(JUPYTER, {}), "")
        self.assertEqual(self.pool.reserve(replace(RSTUDIO, image="rstudio:2"), {}), "")
        self.assertEqual(self.pool.reserve(RSTUDIO, {}), "s0")

    def test_choices_that_a_slot_can_follow(self):
        options = {"theme": {"choices": ["light", "dark"]}, "rows": {"type": "integer"}}
        profile = replace(
            RSTUDIO, options=options, env={"ROWS": "{options.rows}"}, command=("{options.theme}",)
        )
        self.fill(profile)
        self.assertEqual(self.pool.reserve(profile, {"theme": "dark", "rows": 0}), "")
        self.assertEqual(self.pool.reserve(profile, {"theme": "light", "rows": 7}), "s0")

    def test_what_can_not_be_started_at_all(self):
        self.fill(RSTUDIO)
        self.assertEqual(self.pool.reserve(replace(RSTUDIO, cap_add=("NO SUCH",)), {}), "")

    def test_misses_are_counted(self):
        self.fill(RSTUDIO)
        self.pool.reserve(RSTUDIO, {})
        self.assertEqual(self.pool.hits, {})
        self.pool.reserve(RSTUDIO, {})
        self.pool.reserve(replace(JUPYTER, warm=0), {})
        self.assertEqual(self.pool.hits, {("rstudio", "miss"): 1})

    def test_its_place_is_filled(self):
        self.fill()
        self.pool.reserve(JUPYTER, {})
        self.clock.advance(1)
        self.finish("s2")
        self.assertEqual(self.pool.slots, {"jupyter": (2, 2)})


class ClaimTests(PoolCase):
    def setUp(self):
        super().setUp()
        self.fill()
        self.assertEqual(self.pool.reserve(JUPYTER, {}), "s0")

    def test_a_session_is_made_of_it(self):
        address = self.successResultOf(self.claim("s0"))
        self.assertEqual(address, Address(host="127.0.0.1", port=4000))
        ((launch, paused),) = self.claims.claimed
        self.assertEqual((launch.owner, paused.container), (ALICE, "container-of-s0"))
        self.assertEqual(self.pool.hits, {("jupyter", "hit"): 1})

    def test_it_is_the_pools_until_then(self):
        self.claims.waiting = Deferred()
        work = self.claim("s0")
        self.assertTrue(self.pool.has("s0"))
        self.claims.waiting.callback(None)
        self.successResultOf(work)
        self.assertFalse(self.pool.has("s0"))

    def test_the_owner_is_told(self):
        self.successResultOf(self.claim("s0"))
        self.assertEqual(self.said[-1].step, "starting")

    def test_never_twice(self):
        self.claims.waiting = Deferred()
        first = self.claim("s0")
        self.failureResultOf(self.claim("s0", owner=BOB), EngineError)
        self.claims.waiting.callback(None)
        self.successResultOf(first)
        self.failureResultOf(self.claim("s0", owner=BOB), EngineError)
        self.assertEqual([launch.owner for launch, _ in self.claims.claimed], [ALICE])

    def test_not_of_what_was_never_there(self):
        self.failureResultOf(self.claim("s99"), EngineError)

    def test_not_of_what_is_not_ready(self):
        self.clock.advance(1)
        self.assertTrue(self.pool.has("s2"))
        self.failureResultOf(self.claim("s2"), EngineError)

    def test_not_for_what_it_is_not(self):
        for wrong in (
            {"base_url": "/giestack/session/s9/"},
            {"profile": replace(JUPYTER, image="jupyter:2")},
            {"profile": replace(JUPYTER, memory=1024**3)},
            {"profile": replace(JUPYTER, name="other")},
        ):
            self.setUp()
            self.failureResultOf(self.claim("s0", **wrong), EngineError)
            self.assertEqual(self.claims.claimed, [])
            self.assertEqual(self.pool.hits, {("jupyter", "miss"): 1})

    def test_one_that_fails_is_not_used_again(self):
        self.claims.failure = EngineError("no")
        self.failureResultOf(self.claim("s0"), EngineError)
        self.assertTrue(self.pool.has("s0"))
        self.failureResultOf(self.claim("s0"), EngineError)
        self.assertEqual(len(self.claims.claimed), 1)
        self.assertEqual(self.pool.hits, {("jupyter", "miss"): 1})

    def test_it_is_dropped_by_the_engine(self):
        self.claims.failure = EngineError("no")
        self.failureResultOf(self.claim("s0"), EngineError)
        self.successResultOf(Deferred.fromCoroutine(self.pool.drop("s0")))
        self.assertFalse(self.pool.has("s0"))
        self.assertEqual(self.making.removed, [])

    def test_dropped_amid_a_claim(self):
        self.claims.waiting = Deferred()
        work = self.claim("s0")
        self.successResultOf(Deferred.fromCoroutine(self.pool.drop("s0")))
        self.failureResultOf(work, EngineError)
        self.assertTrue(self.claims.waiting.called)

    def test_dies_amid_a_claim(self):
        self.claims.waiting = Deferred()
        work = self.claim("s0")
        self.pool.died("s0")
        self.failureResultOf(work, EngineError)
        self.assertFalse(self.pool.has("s0"))
        self.assertEqual(self.pool.hits, {("jupyter", "miss"): 1})

    def test_dies_though_the_claim_goes_on(self):
        self.claims.waiting = Deferred(lambda waiting: waiting.callback(None))
        work = self.claim("s0")
        self.pool.died("s0")
        self.failureResultOf(work, EngineError)

    def test_cancelled(self):
        self.claims.waiting = Deferred()
        work = self.claim("s0")
        work.cancel()
        self.failureResultOf(work, CancelledError)
        # It is for whoever has cancelled it to drop it.
        self.assertTrue(self.pool.has("s0"))
        self.failureResultOf(self.claim("s0"), EngineError)

    def test_claims_that_fail_again_and_again_end_it(self):
        self.claims.failure = EngineError("no")
        for session_id in ("s0", "s1", "s2"):
            self.pool.reserve(JUPYTER, {})
            self.failureResultOf(self.claim(session_id), EngineError)
            self.successResultOf(Deferred.fromCoroutine(self.pool.drop(session_id)))
            self.clock.advance(1)
            self.finish(*self.making.waiting)
        self.clock.pump([1000] * 5)
        self.assertIn("again and again", self.said[-1])
        self.assertEqual(self.making.waiting, {})


class EndTests(PoolCase):
    def test_one_that_dies_is_replaced_after_a_while(self):
        self.fill(RSTUDIO)
        self.pool.died("s0")
        self.assertFalse(self.pool.has("s0"))
        # The engine, who has told it, removes the rest.
        self.assertEqual(self.making.removed, [])
        self.clock.advance(1)
        self.assertEqual(len(self.making.made), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.making.made), 2)

    def test_one_that_dies_as_it_starts(self):
        self.open(RSTUDIO)
        self.pool.died("s0")
        self.assertTrue(self.making.waiting.pop("s0").called)
        self.clock.pump([1, 1])
        self.assertEqual(len(self.making.made), 2)

    def test_one_that_is_reserved_and_dies(self):
        self.fill(RSTUDIO)
        self.pool.reserve(RSTUDIO, {})
        self.pool.died("s0")
        self.assertFalse(self.pool.has("s0"))

    def test_strangers_may_die(self):
        self.fill()
        self.pool.died("s99")
        self.successResultOf(Deferred.fromCoroutine(self.pool.drop("s99")))
        self.assertEqual(self.pool.slots, {"jupyter": (2, 2)})

    def test_slots_of_profiles_that_changed_go(self):
        self.fill(JUPYTER, RSTUDIO)
        self.pool.configure([replace(JUPYTER, image="jupyter:2"), replace(RSTUDIO, title="x")])
        self.assertEqual(sorted(self.making.removed), [("s0", 0), ("s2", 0)])
        self.assertEqual(self.pool.slots, {"jupyter": (0, 2), "rstudio": (1, 1)})

    def test_slots_of_profiles_that_are_gone_go(self):
        self.fill(JUPYTER, RSTUDIO)
        self.pool.configure([replace(JUPYTER, warm=0)])
        self.assertEqual(len(self.making.removed), 3)
        self.assertEqual(self.pool.slots, {})
        self.clock.pump([1] * 5)
        self.assertEqual(self.making.waiting, {})

    def test_fewer_are_enough(self):
        self.fill(replace(JUPYTER, warm=3))
        self.pool.configure([replace(JUPYTER, warm=1)])
        self.assertEqual(self.making.removed, [("s1", 0), ("s2", 0)])

    def test_one_that_is_being_made_goes_too(self):
        self.open()
        self.pool.configure([])
        self.assertTrue(self.making.waiting.pop("s0").called)
        self.assertEqual(self.making.removed, [("s0", 0)])
        self.assertFalse(self.pool.has("s0"))

    def test_one_that_is_handed_out_stays(self):
        self.fill()
        self.pool.reserve(JUPYTER, {})
        self.pool.configure([])
        self.assertEqual(self.making.removed, [("s1", 0)])
        self.successResultOf(self.claim("s0"))

    def test_all_go_in_the_end(self):
        self.fill()
        self.pool.reserve(JUPYTER, {})
        self.clock.advance(1)
        self.successResultOf(self.close())
        self.assertEqual([one[0] for one in self.making.removed], ["s0", "s1", "s2"])
        self.clock.pump([1] * 5)
        self.assertEqual(len(self.making.made), 3)
        self.assertTrue(self.making.waiting.pop("s2").called)

    def test_the_end_does_not_take_for_ever(self):
        self.fill()
        self.making.removing = Deferred()
        closing = self.close()
        self.assertNoResult(closing)
        self.clock.advance(4)
        self.successResultOf(closing)
        self.assertIn("left behind", self.said[-1])

    def test_closed_before_it_was_opened(self):
        self.successResultOf(self.close())
