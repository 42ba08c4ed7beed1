"""Sessions as containers when something goes wrong: what people read, and what is left."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from giestack.spawner.culler import INTERVAL
from tests.neighbours.containers import MB, ContainerCase, SlowImages
from tests.neighbours.docker import docker
from tests.neighbours.galaxy import ALICE, BOB, cookie, new_folder
from tests.neighbours.program import allowed, eventually

CLOCK = """\
import os, time
real = time.time
def seconds():
    with open(os.environ["GIESTACK_TEST_CLOCK"], encoding="ascii") as file:
        return real() + float(file.read())
time.time = seconds
"""
UNTIL_TOLD = "program listen & until [ -e /tmp/go ]; do sleep 0.05; done; exec "
BOMB = {"command": ["sh", "-c", f"{UNTIL_TOLD} program fork"], "pids": 64}
EATER = {"command": ["sh", "-c", f"{UNTIL_TOLD} program eat"]}


class FaultCase(ContainerCase):
    """On the engine that all tests share."""

    def setUp(self):
        super().setUp()
        self.engine = docker()
        self.assertTrue(self.engine.tools)

    def request(self, sessions, session):
        """What a session's owner gets there."""
        return sessions.ask(session["url"], cookie=cookie(ALICE), headers={"Accept": "text/html"})

    def restart(self, sessions, session):
        """Start it again; it is the same one, and answers."""
        path = f"sessions/{session['id']}/restart"
        self.assertEqual(sessions.api(path, method="POST").status, 202)
        told = sessions.until_it_is(session, "ready")
        self.assertEqual(told["url"], session["url"])
        self.assertEqual(self.request(sessions, session).status, 200)

    def assertFailsSoon(self, sessions, session, *words):
        """Its owner reads within a second why it has ended."""
        began = time.monotonic()
        told = sessions.until_it_is(session, "failed", 5)
        self.assertLess(time.monotonic() - began, allowed(1))
        for one in words:
            self.assertIn(one, told["reason"])
        page = self.request(sessions, session)
        self.assertEqual(page.status, 502)
        self.assertIn(words[0], page.body.decode())


class EndedTests(FaultCase):
    def test_by_others(self):
        sessions = self.start(self.engine, profiles={"good": {"command": self.loud()}})
        session = sessions.ready("good")
        api, path = self.engine.api, f"/containers/{sessions.name_of(session)}"
        for method, more, query, words in (
            ("POST", "/kill", {}, "killed by signal 9 (SIGKILL)"),
            ("POST", "/kill", {"signal": "HUP"}, "SIGHUP"),
            ("POST", "/stop", {}, "SIGTERM"),
            ("DELETE", "", {"force": "1"}, ""),
        ):
            api.must(method, path + more, **query)
            self.assertFailsSoon(sessions, session, words)
            told = sessions.api(f"sessions/{session['id']}").json
            if more:
                self.assertEqual(told["log"][-1], "line 2")
            sessions.until_only()
            self.restart(sessions, session)

    def loud(self):
        return ["sh", "-c", "echo line 1; echo line 2; exec program listen"]

    def test_out_of_memory(self):
        sessions = self.start(self.engine, profiles={"eater": EATER})
        session = sessions.ready("good")
        # What is run by a server, as a notebook's kernel, may die of it alone.
        self.assertEqual(sessions.run(session, "program", "eat")[0], 137)
        self.assertEqual(self.request(sessions, session).status, 200)
        self.assertEqual(sessions.states()[session["id"]], "ready")
        sessions.stop(session)
        session = sessions.ready("eater")
        self.assertEqual(sessions.run(session, "touch", "/tmp/go")[0], 0)
        self.assertFailsSoon(sessions, session, "out of memory", "32 MB")
        sessions.until_only()
        self.restart(sessions, session)

    def test_fork_bomb(self):
        sessions = self.start(self.engine, profiles={"bomb": BOMB})
        session, other = sessions.ready("bomb"), sessions.ready("good", name="other")
        sessions.run(session, "touch", "/tmp/go")
        eventually(lambda: self.processes(sessions, session) > 60, "no more processes")
        self.assertLessEqual(self.processes(sessions, session), 64)
        self.assertEqual(self.request(sessions, other).status, 200)
        third = sessions.ready("good", name="third")
        began = time.monotonic()
        sessions.stop(session)
        self.assertLess(time.monotonic() - began, 10)
        sessions.until_only(other, third)

    def processes(self, sessions, session):
        path = f"/containers/{sessions.name_of(session)}/stats"
        query = {"stream": "0", "one-shot": "1"}
        return self.engine.api.must("GET", path, **query)["pids_stats"]["current"]


class NeverReadyTests(FaultCase):
    def test_programs_that_do_not_serve(self):
        quick: dict[str, Any] = {"readiness": {"path": "/", "timeout": 1}}
        elsewhere = {**quick, "command": ["sh", "-c", "PORT=9999 exec program listen"]}
        kinds = {
            "mute": (quick, "did not answer"),
            "elsewhere": (elsewhere, "did not answer"),
            "gone": ({}, "ended with status 4"),
            "missing": ({"command": ["no-such-program"]}, "the program was not found"),
            "nowhere": ({"image": "127.0.0.1:1/nothing:1"}, "127.0.0.1:1"),
            "lonely": ({"network": "no-such-network"}, "docker network create no-such-network"),
            "stranger": ({"user": "nobody-knows"}, "nobody-knows"),
        }
        sessions = self.start(
            self.engine, profiles={name: keys for name, (keys, _) in kinds.items()}
        )
        asked = {kind: sessions.request(kind) for kind in kinds}
        for kind, (_, words) in kinds.items():
            told = sessions.until_it_is(asked[kind], "failed", 20)
            self.assertIn(words, told["reason"], kind)
            self.assertEqual(self.request(sessions, told).status, 502)
        sessions.until_only()
        for one in asked.values():
            sessions.stop(one)


class DiskTests(FaultCase):
    def test_a_small_one_of_its_own(self):
        sessions = self.start(
            self.engine, profiles={"good": {"tmpfs": ["/scratch:size=1m"], "read_only": True}}
        )
        session = sessions.ready("good")
        status, printed = sessions.run(session, "dd", "if=/dev/zero", "of=/scratch/x", "bs=64k")
        self.assertEqual(status, 1)
        self.assertIn("No space left", printed)
        self.assertIn("Read-only", sessions.run(session, "touch", "/home/x")[1])
        self.assertEqual(self.request(sessions, session).status, 200)

    def test_that_of_the_engine(self):
        engine = self.small_engine()
        sessions = self.start(engine)
        session = sessions.ready("good")
        printed = sessions.run(session, "dd", "if=/dev/zero", "of=/tmp/x", "bs=64k")[1]
        self.assertIn("No space left", printed)
        self.assertEqual(self.request(sessions, session).status, 200)
        told = sessions.until_it_is(sessions.request("good", name="second"), "failed")
        self.assertIn("no space left", told["reason"])
        self.assertEqual(sessions.states()[session["id"]], "ready")
        # Whoever has filled it can be stopped, and then there is room.
        sessions.stop(session)
        sessions.until_only()
        sessions.until_it_is(sessions.request("good", name="second"), "ready")

    def small_engine(self):
        def prepare(engine):
            data = engine.folder / "data"
            data.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", data], check=True)

        return self.own_engine(prepare=prepare)


class ImageTests(FaultCase):
    """Images that come from a registry."""

    def setUp(self):
        super().setUp()
        self.images = SlowImages(self)
        self.image = self.images.push("notebook")
        path = f"/images/{self.image}"
        self.addCleanup(self.engine.api.ask, "DELETE", path, force="1")

    def has_image(self):
        return self.engine.api.ask("GET", f"/images/{self.image}/json")[0] == 200

    def begin(self, **more):
        return self.start(
            self.engine,
            profiles={"slow": {"image": self.image, "readiness": {"path": "/", "timeout": 2}}},
            **more,
        )

    def pulling(self, sessions, *people):
        """Have somebody wait for the image, of which a part has come."""
        self.images.gate.hold()
        asked = [sessions.request("slow", who=who) for who in people]
        eventually(lambda: self.images.gate.waiting >= 2, "both layers")
        return asked

    def until_ready(self, sessions, session):
        """Wait for a session of whoever."""
        eventually(lambda: sessions.states()[session["id"]] == "ready", "it is ready", 30)

    def test_removed_while_it_is_used_and_before_the_next_start(self):
        sessions = self.begin()
        session = sessions.ready("slow")
        self.engine.api.must("DELETE", f"/images/{self.image}", force="1")
        self.assertEqual(self.request(sessions, session).status, 200)
        self.assertEqual(sessions.api(f"sessions/{session['id']}").json["state"], "ready")
        # It is fetched again.
        self.restart(sessions, session)
        self.engine.api.must("DELETE", f"/images/{self.image}", force="1")
        self.images.registry.program.end()
        path = f"sessions/{session['id']}/restart"
        self.assertEqual(sessions.api(path, method="POST").status, 202)
        told = sessions.until_it_is(session, "failed")
        self.assertIn(f"The image {self.image} cannot be fetched", told["reason"])
        sessions.until_only()

    def test_stopped_while_it_comes(self):
        sessions = self.begin()
        (session,) = self.pulling(sessions, ALICE)
        sessions.until_it_is(session, "pulling")
        began = time.monotonic()
        sessions.stop(session)
        self.assertLess(time.monotonic() - began, allowed(2))
        sessions.until_only()
        self.assertFalse(self.has_image())
        self.images.gate.let_go()
        self.assertFalse(self.has_image())
        sessions.ready("slow")

    def test_nobody_else_waits_for_it_and_all_who_do_share_it(self):
        people = [self.galaxy.add_user(f"visitor{number}") for number in range(8)]
        sessions = self.begin()
        waiting = self.pulling(sessions, ALICE, BOB, people[0])
        self.assertEqual(sessions.states(), {one["id"]: "pulling" for one in waiting})

        def launch(who):
            told = sessions.request("good", who)
            self.until_ready(sessions, told)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(launch, people))
        # More than the readiness of the image's own program may take has passed, too.
        self.assertEqual({sessions.states()[one["id"]] for one in waiting}, {"pulling"})
        self.assertEqual(self.images.gate.waiting, 2)
        # Who leaves takes nothing away from those who stay.
        sessions.stop(waiting[0])
        self.images.gate.let_go()
        for one in waiting[1:]:
            self.until_ready(sessions, one)
        (pulled,) = (
            value
            for name, value in sessions.metrics().items()
            if name.startswith("giestack_docker_pulled_bytes_total")
        )
        self.assertLess(8 * MB, pulled)
        self.assertLess(pulled, 12 * MB)

    def test_it_is_not_to_be_had(self):
        sessions = self.start(
            self.engine,
            profiles={"absent": {"image": f"{self.images.registry.host}/absent:1"}},
        )
        told = sessions.until_it_is(sessions.request("absent"), "failed")
        self.assertIn("manifest unknown", told["reason"])
        self.assertIn("manifest unknown", self.request(sessions, told).body.decode())
        eventually(lambda: "manifest unknown" in sessions.unready(), "a word on /ready")
        sessions.ready("good")

    def test_its_registry_ends_amid_it(self):
        # Else it takes the engine a minute to give up.
        self.engine = self.own_engine(max_download_attempts=1)
        sessions = self.begin()
        (session,) = self.pulling(sessions, ALICE)
        self.images.registry.program.end()
        self.images.gate.cut()
        told = sessions.until_it_is(session, "failed")
        self.assertIn(f"The image {self.image} cannot be fetched", told["reason"])
        self.assertFalse(self.has_image())


class ManyTests(FaultCase):
    def test_twenty_people_at_once(self):
        people = [self.galaxy.add_user(f"visitor{number}") for number in range(20)]
        sessions = self.start(self.engine, spawner={"total": 15})
        slowest = [0.0]

        def click(who):
            began = time.monotonic()
            told = sessions.request("good", who)
            slowest[0] = max(slowest[0], time.monotonic() - began)
            return who, told["id"]

        with ThreadPoolExecutor(40) as threads:
            clicks = list(threads.map(click, people * 2))
        ids = dict(clicks)
        self.assertEqual(set(clicks), set(ids.items()))
        self.assertEqual(len(set(ids.values())), 20)
        self.assertLess(slowest[0], 10)

        def states():
            return sorted(sessions.states().values())

        eventually(lambda: states() == ["queued"] * 5 + ["ready"] * 15, f"{states()}", 60)
        self.assertEqual(len(sessions.there()), 15)
        ready = [who for who in people if sessions.states()[ids[who]] == "ready"]
        for who in ready[:5]:
            self.assertEqual(sessions.api(f"sessions/{ids[who]}", who, "DELETE").status, 202)
        eventually(lambda: states() == ["ready"] * 15, f"{states()}", 60)
        for who in set(people) - set(ready[:5]):
            url = f"/giestack/session/{ids[who]}/"
            self.assertEqual(sessions.ask(url, cookie=cookie(who)).status, 200)
            self.assertEqual(sessions.ask(url, cookie=cookie(ALICE)).status, 403)


class ClockTests(FaultCase):
    """Somebody sets the machine's clock while giestack runs."""

    def begin(self):
        folder = new_folder(self)
        self.clock = folder / "clock"
        (folder / "sitecustomize.py").write_text(CLOCK, encoding="ascii")
        self.set(0)
        environment = {"PYTHONPATH": str(folder), "GIESTACK_TEST_CLOCK": str(self.clock)}
        profiles = {"good": {"max_lifetime": 7200, "idle_timeout": 3600}}
        return self.start(self.engine, environment=environment, profiles=profiles)

    def set(self, seconds):
        """Have giestack's clock differ from the machine's by so much."""
        new = self.clock.with_name("new")
        new.write_text(str(seconds), encoding="ascii")
        new.rename(self.clock)

    def test_it_is_set(self):
        sessions = self.begin()
        session = sessions.ready("good")
        for number, seconds in enumerate((-14400, 14400)):
            waiting = sessions.request("mute", name=f"mute{number}")
            self.set(seconds)
            began = time.monotonic()
            sessions.until_it_is(sessions.request("good", name=f"n{number}"), "ready")
            self.assertLess(time.monotonic() - began, 10)
            self.assertIn(sessions.states()[waiting["id"]], ("creating", "starting"))
            sessions.stop(waiting)
        # Who is idle is ended a few seconds later at most; here nobody is.
        looked = time.monotonic() + INTERVAL + 1
        eventually(lambda: time.monotonic() > looked, "another look at idle sessions")
        self.assertEqual(set(sessions.states().values()), {"ready"})
        self.assertEqual(self.request(sessions, session).status, 200)


class AdmissionTests(FaultCase):
    def test_memory(self):
        sessions = self.start(
            self.engine, settings={"memory": "80M"}, profiles={"large": {"memory": "64M"}}
        )
        first, second = sessions.ready("good"), sessions.ready("good", name="second")
        third = sessions.until_it_is(sessions.request("good", name="third"), "queued")
        self.assertIn("memory", third["message"])
        # What is found counts, too.
        sessions.die()
        sessions.start_again()
        sessions.until_open()
        third = sessions.request("good", name="third")
        self.assertEqual(third["state"], "queued")
        large = sessions.request("large")
        sessions.stop(first)
        sessions.until_it_is(third, "ready")
        self.assertEqual(sessions.states()[large["id"]], "queued")
        sessions.stop(second)
        sessions.stop(third)
        sessions.until_it_is(large, "ready")
        sessions.until_only(large)


class OthersTests(FaultCase):
    """What is not this giestack's stays as it is."""

    def make(self, name, labels, start=True):
        api = self.engine.api
        body = {"Image": self.engine.tools, "Cmd": ["program", "mute"], "Labels": labels}
        container = api.must("POST", "/containers/create", body, name=name)["Id"]
        self.addCleanup(api.ask, "DELETE", f"/containers/{container}", force="1")
        if start:
            api.must("POST", f"/containers/{container}/start")
        return container

    def leftover(self, instance, session_id, labels, **more):
        """A container that has the name and the labels of a session, but for what is wrong."""
        labels = {**labels, "org.giestack.session": session_id}
        return self.make(f"giestack-{instance}-{session_id}", labels, **more)

    def test_containers_and_volumes_of_others(self):
        sessions = self.start(self.engine)
        session = sessions.ready("good")
        ours, there = sessions.inspect(session)["Config"]["Labels"], self.engine.api
        instance, name = sessions.instance, sessions.instance[::-1]
        theirs = {**ours, "org.giestack.instance": f"{instance}2"}
        same_name = f"giestack-{instance}-0123456789abcdef"
        kept = {
            "nobody's": self.make(f"{name}-1", {}),
            "nobody's with our name": self.make(same_name, {}),
            "another giestack's": self.make(f"{name}-2", theirs),
            "another giestack's, never started": self.make(f"{name}-3", theirs, start=False),
        }
        leftovers = {
            "never started": self.leftover(instance, "a" * 16, ours, start=False),
            "half understood": self.leftover(
                instance, "b" * 16, {**ours, "org.giestack.launch": "{"}
            ),
            "a slot": self.leftover(instance, "c" * 16, {**ours, "org.giestack.kind": "slot"}),
        }
        for number, (key, value) in enumerate(
            (
                ("kind", "\u202e"),
                ("owner", "[" * 50_000),
                ("owner", '{"host": "galaxy", "user_id": 1e400}'),
                ("launch", '{"created": 1e999}'),
                (
                    "launch",
                    json.dumps(json.loads(ours["org.giestack.launch"]) | {"created": 10**400}),
                ),
                ("serve", '{"port": "8888"}'),
            )
        ):
            labels = {**ours, f"org.giestack.{key}": value}
            leftover = self.leftover(instance, f"{number}" * 16, labels)
            leftovers[f"{number}, {key}: {value[:20]}"] = leftover
        for number, value in enumerate(("../../etc", "x" * 10_000, "")):
            labels = {**ours, "org.giestack.session": value}
            kept[f"bad id {value[:10]}"] = self.make(f"{name}-{20 + number}", labels)
        # What is made of an image of a session, or of one that pretends to be one.
        kept["a copy"] = self.make(f"{name}-30", ours)
        kept["a forgery"] = self.make(f"{name}-31", {**ours, "org.giestack.session": "f" * 16})
        for number, labels in enumerate((theirs, {})):
            volume = f"giestack-{instance}-{number}volume"
            there.must("POST", "/volumes/create", {"Name": volume, "Labels": labels})
        sessions.die()
        sessions.start_again()
        sessions.until_open()
        sessions.until_it_is(session, "ready")
        self.assertEqual(list(sessions.states()), [session["id"]])
        eventually(
            lambda: not any(map(self.exists, leftovers.values())), "the end of leftovers", 10
        )
        for what, container in kept.items():
            state = there.must("GET", f"/containers/{container}/json")["State"]
            self.assertEqual(state["Status"], "created" if "never" in what else "running", what)
        volumes = {f"giestack-{instance}-{number}volume" for number in range(2)}
        self.assertLess(volumes, set(sessions.volumes()))
        for one in volumes:
            there.must("DELETE", f"/volumes/{one}")
        self.assertEqual(self.request(sessions, session).status, 200)
        self.assertNotIn("Traceback", sessions.program.output)
        for one in kept.values():
            there.ask("DELETE", f"/containers/{one}", force="1")

    def exists(self, container):
        return self.engine.api.ask("GET", f"/containers/{container}/json")[0] == 200

    def test_names_that_somebody_has_taken(self):
        sessions = self.start(self.engine)
        api = self.engine.api
        network = f"giestack-{sessions.instance}"
        made = api.must("POST", "/networks/create", {"Name": network})["Id"]
        told = sessions.until_it_is(sessions.request("good"), "failed")
        self.assertIn(network, told["reason"])
        self.assertIn("not giestack's", told["reason"])
        self.assertEqual(api.ask("GET", f"/networks/{made}")[0], 200)
        api.must("DELETE", f"/networks/{made}")
        path = f"sessions/{told['id']}/restart"
        self.assertEqual(sessions.api(path, method="POST").status, 202)
        sessions.until_it_is(told, "ready")
