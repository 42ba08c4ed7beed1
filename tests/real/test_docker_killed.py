"""Sessions as containers when their engine or giestack ends: in each state that they may have."""

import os
import signal
import time
from datetime import datetime

from tests.neighbours.containers import ContainerCase, SlowImages
from tests.neighbours.galaxy import ALICE, BOB, cookie
from tests.neighbours.program import allowed, eventually

LIFE = 7200


class StateCase(ContainerCase):
    """Sessions in each state that lasts."""

    def begin(self, engine):
        """A giestack with room for five, and an image that comes slowly."""
        self.images = SlowImages(self)
        profiles = {
            "good": {"max_lifetime": LIFE},
            "slow": {"image": self.images.push("slow")},
            "stubborn": {"stop_timeout": 3},
        }
        return self.start(engine, profiles=profiles, spawner={"total": 5})

    def everything(self, sessions):
        """Have a session in each state, and return them by state; another one is ready, too."""
        self.images.gate.hold()
        told = {
            "ready": sessions.ready("good"),
            "failed": sessions.request("gone"),
            "stopping": sessions.ready("stubborn"),
        }
        sessions.until_it_is(told["failed"], "failed")
        told["pulling"] = sessions.request("slow")
        told["starting"] = self.until_probed(sessions, sessions.request("mute"))
        sessions.until_it_is(told["pulling"], "pulling")
        eventually(lambda: self.images.gate.waiting, "the image's bytes")
        other = sessions.ready("good", name="other")
        told["queued"] = sessions.request("good", name="second")
        stopping = f"sessions/{told['stopping']['id']}"
        self.assertEqual(sessions.api(stopping, method="DELETE").status, 202)
        states = sessions.states()
        self.assertEqual(
            {state: states[one["id"]] for state, one in told.items()}, {s: s for s in told}
        )
        return {**told, "other": other}

    def until_probed(self, sessions, session):
        """Wait until its container runs, which does not answer."""
        path = f"sessions/{session['id']}"
        eventually(lambda: sessions.api(path).json["step"] == "probing", "it is asked")
        return session

    def until_settled(self, sessions):
        """Wait until nothing is under way, and there are the containers of ready ones alone."""

        def settled():
            states = sessions.states()
            ready = {one: "running" for one, state in states.items() if state == "ready"}
            return set(states.values()) <= {"ready", "failed"} and sessions.there() == ready

        eventually(settled, f"an end of {sessions.states()}", 60)
        sessions.until_only(*(one for one in sessions.all() if one["state"] == "ready"))

    def burst(self, sessions):
        """Ask for several at once."""
        return [sessions.request("good", name=f"n{number}") for number in range(4)]


class EngineKilledTests(StateCase):
    def test_in_every_state(self):
        engine = self.own_engine()
        sessions = self.begin(engine)
        told = self.everything(sessions)
        engine.kill()
        closed = eventually(sessions.closed, "a word at the profiles", 5)
        self.assertIn("engine “harbour” cannot be reached", closed)
        self.assertNotIn("?.", closed)
        self.assertIn("cannot be reached", sessions.unready())
        began = time.monotonic()
        refused = sessions.api("sessions", method="POST", body={"profile": "good", "name": "new"})
        self.assertEqual((refused.status, refused.json["error"]), (503, "no-engine"))
        self.assertEqual(sessions.ask(told["ready"]["url"], cookie=cookie(ALICE)).status, 502)
        self.assertEqual(len(sessions.api("sessions").json), 7)
        self.assertLess(time.monotonic() - began, allowed(2))
        engine.start()
        sessions.until_open(10)
        eventually(lambda: not sessions.unready(), "no word on /ready", 10)
        for state in ("ready", "other", "starting", "pulling"):
            failed = sessions.until_it_is(told[state], "failed", 10)
            words = "cannot be fetched" if state == "pulling" else "SIGTERM"
            self.assertIn(words, failed["reason"])
        self.images.gate.let_go()
        sessions.until_it_is(told["queued"], "ready")
        stopping = f"sessions/{told['stopping']['id']}"
        eventually(lambda: sessions.api(stopping).status == 404, "it is gone")
        sessions.until_only(told["queued"])
        for state in ("ready", "pulling"):
            path = f"sessions/{told[state]['id']}/restart"
            self.assertEqual(sessions.api(path, method="POST").status, 202)
            sessions.until_it_is(told[state], "ready")
        self.assertNotIn("Traceback", sessions.program.output)

    def test_while_it_creates(self):
        engine = self.own_engine()
        sessions = self.begin(engine)
        moments = (sessions.there, lambda: "running" in sessions.there().values())
        for moment in moments:
            burst = self.burst(sessions)
            eventually(moment, "the moment")
            engine.kill()
            engine.start()
            sessions.until_open(10)
            self.until_settled(sessions)
            for one in burst:
                sessions.stop(one)
        self.assertNotIn("Traceback", sessions.program.output)

    def test_containers_that_go_on_without_it(self):
        engine = self.own_engine(live_restore=True)
        sessions = self.begin(engine)
        session = sessions.ready("good")
        starting = self.until_probed(sessions, sessions.request("mute"))
        before = sessions.inspect(session)["Id"]
        engine.kill()
        eventually(sessions.closed, "a word at the profiles", 5)
        engine.start()
        sessions.until_open(10)
        answer = sessions.until_it_answers(session["url"], 200, cookie=cookie(ALICE))
        self.assertIn(b"here is", answer.body)
        self.assertEqual(sessions.inspect(session)["Id"], before)
        states = sessions.states()
        self.assertEqual(states, {session["id"]: "ready", starting["id"]: "starting"})

    def test_it_is_not_there_yet(self):
        engine = self.own_engine()
        engine.stop()
        sessions = self.start(engine, wait=False)
        self.assertIn("cannot be reached", eventually(sessions.closed, "a word at the profiles"))
        self.assertIn("cannot be reached", sessions.unready())
        refused = sessions.api("sessions", method="POST", body={"profile": "good"})
        self.assertEqual(refused.status, 503)
        self.assertIn("cannot be reached", refused.json["message"])
        self.assertEqual(sessions.api("whoami").json["username"], "alice")
        engine.start()
        sessions.until_open(10)
        session = sessions.ready("good")
        eventually(lambda: not sessions.unready(), "no word on /ready", 10)
        # It ends as systems have it end, and its containers with it.
        engine.stop()
        engine.start()
        sessions.until_open(10)
        self.assertIn("SIGTERM", sessions.until_it_is(session, "failed", 10)["reason"])
        sessions.until_only()

    def test_it_is_held_up(self):
        engine = self.own_engine()
        sessions = self.begin(engine)
        session = sessions.ready("good")
        os.kill(engine.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, engine.pid, signal.SIGCONT)
        slowest = 0.0
        new = sessions.request("good", name="second")
        for _ in range(3):
            began = time.monotonic()
            self.assertEqual(len(sessions.api("sessions").json), 2)
            slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, allowed(1.5))
        self.assertEqual(sessions.ask(session["url"], cookie=cookie(ALICE)).status, 200)
        os.kill(engine.pid, signal.SIGCONT)
        sessions.until_it_is(new, "ready")
        self.assertEqual(sessions.states()[session["id"]], "ready")


class GiestackKilledTests(StateCase):
    def again(self, sessions, url=""):
        """Start it again; what a visitor of a session gets until it has taken over what there is.

        That takes no more than two seconds from its first answer.
        """
        sessions.start_again()
        began, statuses = time.monotonic(), []
        while url and 200 not in statuses and time.monotonic() - began < 5:
            statuses.append(sessions.ask(url, cookie=cookie(ALICE)).status)
        sessions.until_open(10)
        self.assertLess(time.monotonic() - began, allowed(2))
        return statuses

    def assertSame(self, sessions, before):
        """A session is served as before, to whom it was, and for as long as it would have been."""
        after = sessions.until_it_is(before, "ready", 5)
        for key in ("id", "profile", "title", "name", "url", "owner", "engine", "created"):
            self.assertEqual(after[key], before[key], key)
        end, was = (datetime.fromisoformat(one["end"]) for one in (after, before))
        self.assertLess(abs((end - was).total_seconds()), 5)
        self.assertEqual(sessions.ask(after["url"], cookie=cookie(ALICE)).status, 200)
        self.assertEqual(sessions.ask(after["url"], cookie=cookie(BOB)).status, 403)

    def assertGone(self, sessions, *gone):
        for one in gone:
            self.assertEqual(sessions.api(f"sessions/{one['id']}").status, 404)

    def test_in_every_state(self):
        sessions = self.begin(self.own_engine())
        told = self.everything(sessions)
        told["ready"], told["other"] = (
            sessions.until_it_is(told[state], "ready") for state in ("ready", "other")
        )
        sessions.die()
        statuses = self.again(sessions, told["ready"]["url"])
        # Nobody is told that it is gone.
        self.assertLessEqual(set(statuses), {200, 502, 503})
        for one in (told["ready"], told["other"]):
            self.assertSame(sessions, one)
        self.assertGone(sessions, told["pulling"], told["queued"], told["failed"])
        sessions.until_it_is(told["starting"], "starting")
        # Its engine goes on with what it was told, whoever told it.
        stubborn = f"sessions/{told['stopping']['id']}"
        eventually(
            lambda: sessions.api(stubborn).json.get("state") in (None, "failed"), "its end", 10
        )
        sessions.until_only(told["ready"], told["other"], told["starting"])
        self.assertNotIn("Traceback", sessions.program.output)

    def test_while_it_creates(self):
        sessions = self.begin(self.own_engine())
        moments = (sessions.there, lambda: "running" in sessions.there().values())
        for moment in moments:
            self.burst(sessions)
            eventually(moment, "the moment")
            sessions.die()
            self.again(sessions)
            self.until_settled(sessions)
            for one in sessions.all():
                sessions.stop(one)
            sessions.until_only()
        self.assertNotIn("Traceback", sessions.program.output)

    def test_told_to_end_in_every_state(self):
        engine = self.own_engine()
        sessions = self.begin(engine)
        told = self.everything(sessions)
        told["ready"], told["other"] = (
            sessions.until_it_is(told[state], "ready") for state in ("ready", "other")
        )
        began = time.monotonic()
        sessions.program.send(signal.SIGTERM)
        self.assertEqual(sessions.program.wait(), 0)
        self.assertLess(time.monotonic() - began, 10)
        self.assertNotIn("Traceback", sessions.program.output)
        there = sessions.there()
        for state in ("ready", "other", "starting"):
            self.assertEqual(there[told[state]["id"]], "running")
        # Its engine does not go on fetching for nobody.
        eventually(lambda: "context canceled" in engine.log, "a word of the engine", 10)
        self.again(sessions)
        for one in (told["ready"], told["other"]):
            self.assertSame(sessions, one)
        self.assertGone(sessions, told["pulling"], told["queued"], told["failed"])
        sessions.until_it_is(told["starting"], "starting")

    def test_what_ended_without_it(self):
        engine = self.own_engine()
        sessions = self.begin(engine)
        first, second, third = (sessions.ready("good", name=name) for name in "abc")
        sessions.die()
        engine.api.must("POST", f"/containers/{sessions.name_of(first)}/kill")
        engine.api.must("DELETE", f"/containers/{sessions.name_of(second)}", force="1")
        self.again(sessions)
        self.assertIn("not there to see it", sessions.until_it_is(first, "failed")["reason"])
        self.assertGone(sessions, second)
        sessions.until_only(third)

    def test_together_with_the_engine(self):
        engine = self.own_engine()
        sessions = self.begin(engine)
        self.everything(sessions)
        engine.kill()
        sessions.die()
        engine.start()
        self.again(sessions)
        self.until_settled(sessions)
        self.assertEqual(sessions.there(), {})
        sessions.ready("good", name="new")
