"""A slot is made ready, and becomes a session with all that is its owner's."""

import io
import tarfile
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.docker.errors import DockerError, NotFound
from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.claims import Claims, Paused, Unfit
from giestack.spawner.docker.labels import Names, kind_of, launch_of
from giestack.spawner.docker.making import Made
from giestack.spawner.docker.mounting import MountingError, Placed
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.owner import Owner

NAMES = Names("test")
ALICE = Owner("galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org")
CONTAINER = "c" * 64
HOME = {"home-{user}": "/home/jovyan"}
PLACES = [
    {"Destination": "/run/secrets", "Source": "/var/lib/docker/volumes/giestack-test-s1/_data"},
    {"Destination": "/home/jovyan", "Source": "/var/lib/docker/volumes/nobodys/_data"},
]
DETAILS = {"State": {"Pid": 4711}, "Mounts": PLACES}
ADDRESS = Address(host="127.0.0.1", port=32768)
MADE = [["run", True, 0o700, 1000, 1000]]


class Docker:
    """What is asked of an engine, in its order."""

    def __init__(self):
        self.asked = []
        self.bodies = {}
        self.volumes_there = {}
        self.wrong = {}
        self.containers = self.volumes = self

    async def _ask(self, *words):
        self.asked.append(words)
        error = self.wrong.get(words[0])
        if error is not None:
            raise error

    async def pause(self, container):
        await self._ask("pause", container)

    async def unpause(self, container):
        await self._ask("unpause", container)

    async def put_archive(self, container, path, tar):
        with tarfile.open(fileobj=io.BytesIO(tar)) as files:
            names = [one.name for one in files]
            found: Any = {name: files.extractfile(name) for name in names}
            self.archived = {name: one.read().decode() for name, one in found.items()}
        await self._ask("archive", container, path, *sorted(names))

    async def inspect(self, name):
        await self._ask("inspect", name)
        if name not in self.volumes_there:
            raise NotFound("no such volume")
        return self.volumes_there[name]

    async def create(self, name, body=None, *, labels=None):
        if body is None:
            await self._ask("volume", name)
            self.labels = self.volumes_there.get(name, {}).get("Labels", labels)
            return {"Name": name, "Labels": self.labels}
        await self._ask("create", name)
        self.bodies[name] = body
        for mount in body["HostConfig"]["Mounts"]:
            self.volumes_there.setdefault(mount["Source"], volume(mount["Source"]))
        return f"id-of-{name}"

    async def remove(self, container, *, volumes):
        await self._ask("remove", container, volumes)


def volume(name, **more):
    return {"Driver": "local", "Options": None, "Mountpoint": f"/volumes/{name}/_data", **more}


class Mounting:
    """What is asked of the program that mounts."""

    def __init__(self, docker):
        self.docker = docker
        self.why_not = ""
        self.failures = []
        self.rehearsed = []
        self.put_in = []

    async def _fail(self):
        failure = self.failures.pop(0) if self.failures else ""
        if failure:
            raise MountingError(failure, f"It is {failure}.")

    async def rehearse(self, pid, container, mounts, folder, secrets):
        self.docker.asked.append(("rehearse", container))
        self.rehearsed.append((pid, mounts, folder, secrets))
        await self._fail()
        return [MADE for _ in mounts]

    async def put(self, pid, container, mounts, folder, files):
        self.docker.asked.append(("put", container))
        self.put_in.append((pid, mounts, folder, files))
        await self._fail()


class ClaimsCase(SynchronousTestCase):
    profile = Profile(
        name="jupyter",
        image="jupyter:1",
        env={"WHO": "{user}"},
        secrets={"TOKEN": "s3cret"},
        volumes=HOME,
    )

    def setUp(self):
        self.clock = Clock()
        self.docker = cast(Any, Docker())
        self.mounting = cast(Any, Mounting(self.docker))
        self.claims = Claims(
            "local",
            self.clock,
            self.docker,
            NAMES,
            hidden=(),
            mounting=self.mounting,
            creating=DeferredLock(),
        )
        self.log = []
        self.patch(Claims, "log", SimpleNamespace(info=self.say, warn=self.say, debug=self.say))

    def say(self, template, **more):
        self.log.append(template.format(**more))

    def launch(self, **more):
        more.setdefault("profile", self.profile)
        base = "/giestack/session/s1/"
        return Launch(session_id="s1", owner=ALICE, name="mine", base_url=base, **more)

    def kinds(self):
        return [words[0] for words in self.docker.asked]


class PrepareTests(ClaimsCase):
    def prepare(self, details=DETAILS, **more):
        made = Made(CONTAINER, ADDRESS, details)
        return Deferred.fromCoroutine(self.claims.prepare(self.launch(**more), made))

    def test_it_is_paused_and_tried_out(self):
        paused = self.successResultOf(self.prepare())
        self.assertEqual(self.kinds(), ["pause", "rehearse"])
        home, secrets = PLACES[1]["Source"], PLACES[0]["Source"]
        placed = [Placed(home, "/home/jovyan")]
        self.assertEqual(self.mounting.rehearsed, [(4711, placed, secrets, "/run/secrets")])
        self.assertEqual(
            paused, Paused(CONTAINER, 4711, secrets, [Placed(home, "/home/jovyan", made=MADE)])
        )

    def test_without_mounts_it_is_only_paused(self):
        self.mounting.why_not = "giestack is not run by root"
        paused = self.successResultOf(self.prepare())
        self.assertEqual(self.kinds(), ["pause"])
        self.assertEqual(paused, Paused(CONTAINER))

    def test_files_that_are_open_get_time_to_be_closed(self):
        self.mounting.failures = ["busy", "busy"]
        work = self.prepare()
        self.assertEqual(self.kinds(), ["pause", "rehearse", "unpause"])
        self.clock.advance(1)
        self.assertNoResult(work)
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(work).pid, 4711)

    def test_files_that_stay_open(self):
        self.mounting.failures = ["busy"] * 3
        work = self.prepare()
        self.clock.pump([1, 1])
        self.assertEqual(str(self.failureResultOf(work, Unfit).value), "It is busy.")
        self.assertEqual(self.kinds().count("rehearse"), 3)

    def test_what_no_slot_will_do(self):
        for reason in ("unfit", "foreign"):
            self.mounting.failures = [reason]
            self.failureResultOf(self.prepare(), Unfit)

    def test_what_another_slot_may_do(self):
        for reason in ("gone", "failed"):
            self.mounting.failures = [reason]
            self.failureResultOf(self.prepare(), EngineError)

    def test_without_a_home_the_engine_can_put_the_files_in(self):
        for reason in ("foreign", "failed", "unfit"):
            self.mounting.failures = [reason]
            profile = replace(self.profile, volumes={"shared": "/shared"})
            paused = self.successResultOf(self.prepare(profile=profile))
            self.assertEqual(paused, Paused(CONTAINER))
        self.assertIn("It is foreign.", self.log[0])

    def test_but_not_into_what_is_gone(self):
        self.mounting.failures = ["gone"]
        profile = replace(self.profile, volumes={})
        self.failureResultOf(self.prepare(profile=profile), EngineError)

    def test_a_container_without_the_mounts(self):
        for details in ({}, {"Mounts": None, "State": None}, {**DETAILS, "Mounts": PLACES[:1]}):
            self.failureResultOf(self.prepare(details), EngineError)

    def test_an_engine_that_refuses(self):
        self.docker.wrong["pause"] = DockerError(500, "the cgroup is stuck")
        error = self.failureResultOf(self.prepare(), EngineError).value
        self.assertIn("the cgroup is stuck", str(error))
        self.docker.wrong = {"unpause": DockerError(500, "no")}
        self.mounting.failures = ["busy"]
        self.failureResultOf(self.prepare(), EngineError)


class ClaimTests(ClaimsCase):
    paused = Paused(
        CONTAINER, 4711, "/volumes/s1/_data", [Placed("/n/_data", "/home/jovyan", made=MADE)]
    )

    def claim(self, paused=None, **more):
        work = self.claims.claim(self.launch(**more), paused or self.paused)
        return Deferred.fromCoroutine(work)

    def with_home(self, **more):
        self.docker.volumes_there["home-galaxy-12"] = volume("home-galaxy-12", **more)

    def test_the_claim_is_made_known_last_of_all(self):
        # Killed before that, it is a slot still, and goes; afterwards nothing is missing.
        self.with_home()
        self.successResultOf(self.claim())
        self.assertEqual(
            self.docker.asked,
            [
                ("inspect", "home-galaxy-12"),
                ("put", CONTAINER),
                ("unpause", CONTAINER),
                ("volume", "giestack-test-s1-claim"),
            ],
        )

    def test_the_claim_tells_whose_it_is(self):
        self.with_home()
        self.successResultOf(self.claim(created=7.0, api_key="key-of-alice"))
        self.assertEqual(kind_of(NAMES, self.docker.labels), "claim")
        found = launch_of(NAMES, self.docker.labels)
        assert found is not None
        self.assertEqual((found.owner, found.session_id, found.created), (ALICE, "s1", 7.0))
        self.assertNotIn("key-of-alice", str(self.docker.labels))
        self.assertNotIn("s3cret", str(self.docker.labels))

    def test_the_home_is_mounted_and_the_secrets_are_there(self):
        self.with_home()
        self.successResultOf(self.claim(api_key="key-of-alice"))
        ((pid, mounts, folder, files),) = self.mounting.put_in
        self.assertEqual((pid, folder), (4711, "/volumes/s1/_data"))
        home = Placed("/volumes/home-galaxy-12/_data", "/home/jovyan", filled=True, made=MADE)
        self.assertEqual(mounts, [home])
        self.assertEqual(files["TOKEN"], "s3cret")
        self.assertIn("API_KEY='key-of-alice'\n", files["giestack.env"])
        self.assertIn("WHO='galaxy-12'\n", files["giestack.env"])

    def test_a_new_home_is_filled_as_docker_does(self):
        self.successResultOf(self.claim())
        name = "giestack-test-s1fill"
        self.assertEqual(
            self.kinds(),
            ["inspect", "create", "remove", "inspect", "put", "unpause", "volume"],
        )
        # It is as Docker has filled it, be that with nothing.
        self.assertFalse(self.mounting.put_in[0][1][0].filled)
        body = self.docker.bodies[name]
        self.assertEqual(body["Image"], "jupyter:1")
        self.assertEqual(
            body["HostConfig"]["Mounts"],
            [
                {
                    "Type": "volume",
                    "Source": "home-galaxy-12",
                    "Target": "/home/jovyan",
                    "ReadOnly": False,
                }
            ],
        )
        # If it is left, it is found, and is not taken for the slot.
        self.assertEqual(kind_of(NAMES, body["Labels"]), "slot")
        self.assertNotIn("s1", body["Labels"].values())
        self.assertIn(("remove", f"id-of-{name}", True), self.docker.asked)

    def test_an_empty_home_is_filled_too(self):
        self.with_home()
        self.mounting.failures = ["empty"]
        self.successResultOf(self.claim())
        self.assertEqual(
            self.kinds(),
            ["inspect", "put", "create", "remove", "inspect", "put", "unpause", "volume"],
        )
        first, second = (mounts[0] for _, mounts, _, _ in self.mounting.put_in)
        self.assertEqual((first.filled, second.filled), (True, False))

    def test_who_fills_may_stay_behind_for_a_while(self):
        self.docker.wrong["remove"] = DockerError(500, "busy")
        self.successResultOf(self.claim())
        self.assertEqual(self.log, ["busy"])

    def test_two_do_not_fill_at_once(self):
        created = []
        create = self.docker.create

        async def slow(name, body=None, **more):
            if body is not None:
                waiting: Deferred[None] = Deferred()
                created.append((name, waiting))
                await waiting
            return await create(name, body, **more)

        self.docker.create = slow
        first, second = self.claim(), self.claim()
        self.assertEqual(len(created), 1)
        created[0][1].callback(None)
        self.successResultOf(first)
        self.assertEqual(len(created), 2)
        created[1][1].callback(None)
        self.successResultOf(second)

    def test_a_folder_of_the_host(self):
        profile = replace(self.profile, volumes={"/srv/homes/{user}": "/home/jovyan"})
        self.successResultOf(self.claim(profile=profile))
        ((_, mounts, _, _),) = self.mounting.put_in
        self.assertEqual(mounts, [Placed("/srv/homes/galaxy-12", "/home/jovyan", made=MADE)])
        self.assertEqual(self.kinds(), ["put", "unpause", "volume"])

    def test_read_only(self):
        self.with_home()
        profile = replace(self.profile, volumes={"home-{user}": "/home/jovyan:ro"})
        self.successResultOf(self.claim(profile=profile))
        self.assertTrue(self.mounting.put_in[0][1][0].read_only)

    def test_volumes_that_only_the_engine_can_mount(self):
        # Below their Mountpoint is another folder until the engine has mounted them.
        for wrong in ({"Driver": "nfs"}, {"Options": {"type": "nfs", "device": ":/homes"}}):
            self.with_home(**wrong)
            self.failureResultOf(self.claim(), EngineError)
        self.assertNotIn("put", self.kinds())
        self.assertNotIn("unpause", self.kinds())

    def test_options_that_are_none(self):
        self.with_home(Options={})
        self.successResultOf(self.claim())

    def test_nothing_is_claimed_where_something_fails(self):
        for reason in ("busy", "gone", "foreign", "unfit", "failed"):
            self.with_home()
            self.mounting.failures = [reason]
            error = self.failureResultOf(self.claim(), EngineError).value
            self.assertNotIn("home-galaxy-12", str(error))
        self.assertNotIn("unpause", self.kinds())
        self.assertNotIn("volume", self.kinds())
        self.assertIn("It is busy.", self.log[0])

    def test_a_home_that_stays_empty_for_want_of_an_image(self):
        self.docker.wrong["create"] = NotFound("no such image")
        error = self.failureResultOf(self.claim(), EngineError).value
        self.assertIn("no such image", str(error))
        self.assertNotIn("unpause", self.kinds())

    def test_an_engine_that_refuses(self):
        self.with_home()
        for what in ("inspect", "unpause", "volume"):
            self.docker.wrong = {what: DockerError(500, "no space left")}
            error = self.failureResultOf(self.claim(), EngineError).value
            self.assertIn("no space left", str(error))

    def test_somebody_elses_volume(self):
        self.with_home()
        self.docker.volumes_there["giestack-test-s1-claim"] = {"Labels": {"mine": "1"}}
        error = self.failureResultOf(self.claim(), EngineError).value
        self.assertIn("giestack-test-s1-claim", str(error))

    def test_other_volumes_than_the_slot_has(self):
        profile = replace(self.profile, volumes={"home-{user}": "/home/other"})
        self.failureResultOf(self.claim(profile=profile), EngineError)
        self.assertEqual(self.docker.asked, [])

    def test_variables_that_can_not_be(self):
        self.failureResultOf(self.claim(env={"A": "\0"}), EngineError)
        self.assertEqual(self.docker.asked, [])

    def test_by_archive_where_nothing_can_be_mounted(self):
        profile = replace(self.profile, volumes={})
        work = self.claim(Paused(CONTAINER), profile=profile, api_key="key-of-alice")
        self.successResultOf(work)
        self.assertEqual(
            self.docker.asked,
            [
                ("archive", CONTAINER, "/run/secrets", "TOKEN", "giestack.env"),
                ("unpause", CONTAINER),
                ("volume", "giestack-test-s1-claim"),
            ],
        )
        self.assertEqual(self.docker.archived["TOKEN"], "s3cret")
        self.assertIn("API_KEY='key-of-alice'\n", self.docker.archived["giestack.env"])

    def test_it_may_be_cancelled(self):
        self.with_home()
        waiting: Deferred[None] = Deferred()

        async def never(*_):
            await waiting

        self.mounting.put = never
        work = self.claim()
        work.cancel()
        self.assertTrue(waiting.called)
        self.failureResultOf(work)
        self.assertNotIn("unpause", self.kinds())
