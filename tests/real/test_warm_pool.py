"""The warm pool on a real Docker engine, and what can be seen or spoilt in it."""

import json
import os
import secrets
from dataclasses import replace
from pathlib import Path

import treq
from twisted.internet import reactor  # noqa: TID251 - there is a real engine
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from giestack.docker.docker import Docker
from giestack.docker.endpoint import agent_for
from giestack.docker.location import Location
from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.claims import Claims
from giestack.spawner.docker.engine import DockerEngine
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.mounting import Mounting, why_not
from giestack.spawner.docker.pool import Pool, PoolSurroundings
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.owner import Owner
from tests.demo.place import new_folder
from tests.neighbours.docker import docker
from tests.neighbours.program import PATIENCE

ALICE = Owner("galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org")
BOB = Owner("galaxy", 13, "1cd8e2f6b131e891", "bob", "bob@example.org")
HOME = "/home/somebody"
WORKS_AT_HOME = f"cd {HOME}; mkdir -p run; echo 17 > run/pid; exec program listen"
READY = 200


class Giestack:
    """As much of a giestack as has sessions: an engine with its pool."""

    def __init__(self, test, location, instance, *, mounts=True):
        self.docker = Docker(reactor, agent_for(reactor, location))
        self.names = Names(instance)
        self.full = False
        reason = why_not(location, os.geteuid()) if mounts else "nothing is mounted in this test"
        self.mounting = Mounting(reactor, reactor, reason)
        self.engine = DockerEngine(
            "local",
            reactor,
            self.docker,
            instance=instance,
            publish_at="127.0.0.1",
            memory=0,
            gpus=(),
            data_dir=Path("/srv/giestack"),
            pool=self._make_pool,
        )
        self.making = self.engine.making

    def _make_pool(self, making):
        self.claims = Claims(
            "local",
            reactor,
            self.docker,
            self.names,
            hidden=(),
            mounting=self.mounting,
            creating=making.creating,
        )
        around = PoolSurroundings(
            prefix="/giestack",
            galaxy_url=lambda: "",
            wait_until_ready=wait_until_ready,
            starting=lambda: self.full,
            busy=lambda: False,
            new_id=lambda: secrets.token_hex(8),
        )
        self.pool = Pool(reactor, making, self.claims, self.names, around)
        return self.pool

    async def open(self, *profiles):
        """What it finds, by id."""
        self.engine.configure(profiles)
        found = await self.engine.open(lambda session_id, ended: None)
        return {one.launch.session_id: one for one in found}

    async def filled(self):
        """Wait until there are as many slots as there should be; no more are made then."""
        while any(ready < wanted for ready, wanted in self.pool.slots.values()):
            await deferLater(reactor, 0.02)
        self.full = True

    def launch(self, profile, owner=ALICE, **more):
        session_id = self.engine.reserve(profile, {}) or secrets.token_hex(8)
        base_url = f"/giestack/session/{session_id}/"
        more.setdefault("api_key", f"key-of-{owner.username}")
        return Launch(
            session_id=session_id,
            owner=owner,
            profile=profile,
            name="mine",
            base_url=base_url,
            **more,
        )

    async def start(self, profile, owner=ALICE, **more):
        """A session that answers."""
        launch = self.launch(profile, owner, **more)
        address = await self.engine.start(launch, lambda progress: None)
        await wait_until_ready(address, "/", 10)
        return launch.session_id

    async def shell(self, session_id, script, user=""):
        """What a command in a session prints."""
        container = self.names.container(session_id)
        done = await self.docker.containers.execute(container, ["sh", "-c", script], user=user)
        return done.output

    async def die(self):
        """End as if by SIGKILL: nothing is put in order."""
        self.pool._ticker.stop()
        self.engine._watching.close()
        await self.mounting.close()
        await self.docker.close()


async def wait_until_ready(address, path, timeout):
    for _ in range(int(timeout / 0.02)):
        try:
            response = await treq.get(f"{address}{path}", persistent=False, timeout=2)
            await response.content()
            if response.code == READY:
                return
        except Exception:
            pass
        await deferLater(reactor, 0.02)
    raise AssertionError("it does not answer")


class WarmCase(TestCase):
    timeout = 2 * PATIENCE
    mounts = True

    def setUp(self):
        self.real = docker()
        self.instance = f"warm{secrets.token_hex(4)}"
        self.location = Location(self.real.url)
        # Last of all.
        self.addCleanup(lambda: self.assertEqual(self.left(), []))
        self.addCleanup(lambda: self.real.api.remove_all(self.instance))
        self.giestack = self.new_giestack()

    def new_giestack(self):
        giestack = Giestack(self, self.location, self.instance, mounts=self.mounts)
        self.addCleanup(lambda: giestack.engine.close())
        return giestack

    def left(self):
        return [
            one
            for one in self.real.api.left(self.instance)
            if not one.startswith(("network", "docker-proxy"))
        ]

    def profile(self, script=WORKS_AT_HOME, **more):
        more.setdefault("volumes", {f"{self.instance}-home-{{user}}": HOME})
        more.setdefault("user", "1000")
        return Profile(
            name="test",
            image=self.real.tools,
            command=("sh", "-c", script),
            secrets={"TOKEN": "s3cret"},
            env={"WHO": "{user}", "PLACE": "{base_url}"},
            warm=1,
            memory=64 * 1024**2,
            stop_timeout=0,
            **more,
        )

    async def warm(self, profile=None):
        profile = profile or self.profile()
        await self.giestack.open(profile)
        await self.giestack.filled()
        return profile

    def is_hit(self):
        return self.giestack.pool.hits["test", "hit"] == 1

    def volumes(self):
        found = self.real.api.must("GET", "/volumes")["Volumes"] or []
        return sorted(one["Name"] for one in found)

    def slot(self):
        (session_id,) = self.giestack.pool._slots
        return session_id

    def first_process(self, session_id):
        name = self.giestack.names.container(session_id)
        return self.real.api.must("GET", f"/containers/{name}/json")["State"]["Pid"]


class SessionTests(WarmCase):
    async def test_its_owner_finds_it_as_if_it_had_been_started_for_them(self):
        profile = await self.warm()
        session_id = await self.giestack.start(profile)
        self.assertTrue(self.is_hit())
        shell = self.giestack.shell
        self.assertEqual(await shell(session_id, "cat /run/secrets/TOKEN"), "s3cret")
        variables = ". /run/secrets/giestack.env; echo $WHO $API_KEY $USER_EMAIL $PLACE"
        self.assertEqual(
            (await shell(session_id, variables)).split(),
            ["galaxy-12", "key-of-alice", ALICE.email, f"/giestack/session/{session_id}/"],
        )
        # From the image, as Docker fills a new volume, and what the program made at its start.
        self.assertEqual(
            (await shell(session_id, f"cd {HOME}; ls; cat run/pid")).split(),
            ["from-image", "run", "17"],
        )

    async def test_what_its_program_writes_is_in_the_home(self):
        # Also where it works in the folder over which the home is mounted.
        profile = await self.warm()
        session_id = await self.giestack.start(profile)
        name = self.giestack.names.container(session_id)
        top = self.real.api.must("GET", f"/containers/{name}/top", ps_args="-o pid")
        folders = [Path(f"/proc/{pid}/cwd") for (pid,) in top["Processes"]]
        working = [one for one in folders if os.readlink(one) == HOME]
        self.assertNotEqual(working, [])
        for each in working:
            (each / "written").write_text("x", encoding="ascii")
        await self.giestack.engine.stop(session_id, 0)
        session_id = await self.giestack.start(profile)
        self.assertEqual(await self.giestack.shell(session_id, f"cat {HOME}/written"), "x")

    async def test_its_home_outlives_it(self):
        profile = await self.warm()
        before = [one for one in self.volumes() if self.instance not in one]
        session_id = await self.giestack.start(profile)
        await self.giestack.shell(session_id, f"echo mine > {HOME}/file", user="1000")
        await self.giestack.engine.stop(session_id, 0)
        ours = [one for one in self.volumes() if self.instance in one]
        self.assertEqual(ours, [f"{self.instance}-home-galaxy-12"])
        # The slot's own volumes have no names: none of them is left.
        for volume in set(self.volumes()) - set(before) - set(ours):
            self.assertNotRegex(volume, "^[0-9a-f]{64}$")
        cold = await self.giestack.start(profile)
        self.assertEqual(await self.giestack.shell(cold, f"cat {HOME}/file"), "mine\n")

    async def test_two_of_one_person_at_once(self):
        profile = replace(self.profile(), warm=2)
        await self.warm(profile)
        first, second = await self.giestack.start(profile), await self.giestack.start(profile)
        self.assertEqual(self.giestack.pool.hits["test", "hit"], 2)
        await self.giestack.shell(first, f"echo mine > {HOME}/file", user="1000")
        self.assertEqual(await self.giestack.shell(second, f"cat {HOME}/file"), "mine\n")
        await self.giestack.engine.stop(first, 0)
        self.assertEqual(await self.giestack.shell(second, f"cat {HOME}/file"), "mine\n")

    async def test_two_new_persons_at_once(self):
        profile = replace(self.profile(), warm=2)
        await self.warm(profile)
        launches = [self.giestack.launch(profile, owner) for owner in (ALICE, BOB)]
        for start in [self.giestack.engine.start(one, lambda progress: None) for one in launches]:
            await start
        for launch in launches:
            script = f". /run/secrets/giestack.env; echo $WHO > {HOME}/who; ls {HOME}"
            found = await self.giestack.shell(launch.session_id, script)
            self.assertEqual(found.split(), ["from-image", "run", "who"])
        for launch in launches:
            found = await self.giestack.shell(launch.session_id, f"cat {HOME}/who")
            self.assertEqual(found, f"{launch.owner.key}\n")

    async def test_a_home_that_can_only_be_read(self):
        volumes = {f"{self.instance}-home-{{user}}": f"{HOME}:ro"}
        profile = await self.warm(self.profile("exec program listen", volumes=volumes))
        session_id = await self.giestack.start(profile)
        self.assertTrue(self.is_hit())
        found = await self.giestack.shell(session_id, f"touch {HOME}/x; ls {HOME}")
        self.assertIn("Read-only", found)
        self.assertIn("from-image", found)

    async def test_a_folder_of_the_host_as_home(self):
        homes = new_folder(self)
        (homes / "galaxy-12").mkdir(parents=True)
        os.chown(homes / "galaxy-12", 1000, 1000)
        profile = self.profile(volumes={f"{homes}/{{user}}": HOME})
        await self.warm(profile)
        session_id = await self.giestack.start(profile)
        self.assertTrue(self.is_hit())
        await self.giestack.shell(session_id, f"echo mine > {HOME}/file", user="1000")
        self.assertEqual((homes / "galaxy-12" / "file").read_text(), "mine\n")
        await self.giestack.engine.stop(session_id, 0)
        self.assertEqual(sorted(os.listdir(homes / "galaxy-12")), ["file", "run"])

    async def test_a_home_that_only_docker_can_mount(self):
        # Its folder on the host is empty until Docker has mounted it.
        name = f"{self.instance}-home-galaxy-12"
        options = {"type": "tmpfs", "device": "tmpfs", "o": "uid=1000"}
        self.real.api.must(
            "POST", "/volumes/create", {"Name": name, "Driver": "local", "DriverOpts": options}
        )
        profile = await self.warm()
        session_id = await self.giestack.start(profile)
        self.assertEqual(self.giestack.pool.hits["test", "miss"], 1)
        found = await self.giestack.shell(session_id, f"grep {HOME} /proc/mounts")
        self.assertTrue(found.startswith("tmpfs "), found)

    async def test_a_read_only_image(self):
        profile = await self.warm(self.profile(read_only=True))
        session_id = await self.giestack.start(profile)
        self.assertTrue(self.is_hit())
        await self.giestack.shell(session_id, f"echo mine > {HOME}/file", user="1000")
        self.assertEqual(await self.giestack.shell(session_id, f"cat {HOME}/file"), "mine\n")


class NoMountTests(WarmCase):
    """Where nothing can be mounted, the engine puts the files in."""

    mounts = False

    async def test_secrets_and_variables(self):
        profile = await self.warm(self.profile("exec program listen", volumes={}))
        session_id = await self.giestack.start(profile)
        self.assertTrue(self.is_hit())
        shell = self.giestack.shell
        self.assertEqual(await shell(session_id, "cat /run/secrets/TOKEN"), "s3cret")
        variables = ". /run/secrets/giestack.env; echo $WHO $API_KEY"
        self.assertEqual(await shell(session_id, variables), "galaxy-12 key-of-alice\n")

    async def test_planted_links_lead_nowhere(self):
        precious = self.precious()
        script = f"ln -s {precious} /run/secrets/TOKEN; exec program listen"
        profile = await self.warm(self.profile(script, user="0", volumes={}))
        session_id = await self.giestack.start(profile)
        self.assertTrue(self.is_hit())
        self.assertEqual(precious.read_text(), "precious")
        found = await self.giestack.shell(session_id, "cat /run/secrets/TOKEN")
        self.assertEqual(found, "s3cret")

    def precious(self):
        folder = new_folder(self)
        folder.mkdir()
        (folder / "precious").write_text("precious", encoding="ascii")
        return folder / "precious"

    async def test_homes_are_cold(self):
        profile = self.profile()
        await self.giestack.open(profile)
        session_id = await self.giestack.start(profile)
        self.assertEqual(self.giestack.pool.slots, {"test": (0, 1)})
        self.assertEqual(await self.giestack.shell(session_id, f"ls {HOME}"), "from-image\nrun\n")


class AttackTests(WarmCase):
    """What can be seen, and what may be planted for whoever comes."""

    async def test_nobodys_secrets_are_in_a_slot(self):
        await self.warm()
        slot = self.slot()
        process = self.first_process(slot)
        environ = Path(f"/proc/{process}/environ").read_text(encoding="utf-8")
        self.assertIn(f"PLACE=/giestack/session/{slot}/", environ)
        for word in ("s3cret", "WHO", "galaxy-", "@"):
            self.assertNotIn(word, environ)
        self.assertEqual(os.listdir(f"/proc/{process}/root/run/secrets"), [])
        described = json.dumps(
            self.real.api.must("GET", f"/containers/{self.giestack.names.container(slot)}/json")
        )
        for word in ("s3cret", "galaxy-", "org.giestack.owner", "org.giestack.user"):
            self.assertNotIn(word, described)

    async def test_nobody_else_is_in_a_session(self):
        profile = replace(self.profile(), warm=2)
        await self.warm(profile)
        sessions = [await self.giestack.start(profile, owner) for owner in (ALICE, BOB)]
        mine, theirs = (self.first_process(one) for one in sessions)
        for path in ("environ", "mountinfo", "cmdline"):
            text = Path(f"/proc/{theirs}/{path}").read_text(encoding="utf-8")
            for word in ("galaxy-12", "alice", "s3cret", sessions[0]):
                self.assertNotIn(word, text)
        mounts = Path(f"/proc/{mine}/mountinfo").read_text(encoding="utf-8")
        homes = [line for line in mounts.splitlines() if f" {HOME} " in line]
        # Of the slot's own volume nothing is left, below the home or beside it.
        self.assertEqual(len(homes), 1)
        self.assertIn("home-galaxy-12", homes[0])
        found = await self.giestack.shell(sessions[1], "cat /run/secrets/*; env")
        self.assertNotIn("alice", found)
        self.assertIn("key-of-bob", found)

    async def test_a_link_planted_among_the_secrets(self):
        folder = new_folder(self)
        folder.mkdir()
        precious = folder / "precious"
        precious.write_text("precious", encoding="ascii")
        script = f"ln -s {precious} /run/secrets/TOKEN; mkfifo /run/secrets/giestack.env;"
        profile = self.profile(f"{script} exec program listen", user="0")
        await self.warm(profile)
        session_id = await self.giestack.start(profile)
        self.assertTrue(self.is_hit())
        self.assertEqual(precious.read_text(), "precious")
        found = await self.giestack.shell(session_id, "cat /run/secrets/TOKEN; ls -l /run/secrets")
        self.assertTrue(found.startswith("s3cret"), found)
        self.assertNotIn("->", found)

    def elsewhere(self, script):
        """A profile whose home is in a folder that the image does not have.

        It can be moved away, which one of the image's can't, for a mount is in it.
        """
        volumes = {f"{self.instance}-home-{{user}}": "/data/home"}
        return self.profile(f"{script}; exec program listen", user="0", volumes=volumes)

    async def test_a_link_planted_in_the_way_to_the_home(self):
        await self.assert_cold(self.elsewhere("mv /data /away && ln -s /away /data"))

    async def test_a_folder_planted_in_the_place_of_the_home(self):
        await self.assert_cold(self.elsewhere("mv /data /away && mkdir -p /data/home"))

    async def test_files_that_a_program_keeps_open_in_the_home(self):
        # What it writes there would be gone with the slot's own volume.
        await self.assert_cold(self.profile(f"exec 7> {HOME}/log; exec program listen"))

    async def assert_cold(self, profile):
        """No slot is made, nothing of the try is left, and a session starts all the same."""
        await self.giestack.open(profile)
        wish = self.giestack.pool._wishes.of("test")
        while not wish.cold:
            await deferLater(reactor, 0.02)
        while self.left():
            await deferLater(reactor, 0.02)
        session_id = await self.giestack.start(profile)
        self.assertEqual(self.giestack.pool.slots, {"test": (0, 1)})
        self.assertIn("home-galaxy-12", "".join(self.volumes()))
        await self.giestack.engine.stop(session_id, 0)

    async def test_a_home_with_planted_links(self):
        # A person may have put anything into their own home for the next session to stumble on.
        homes = new_folder(self)
        home, precious = homes / "galaxy-12", homes / "precious"
        for each in (home, precious):
            each.mkdir(parents=True)
            os.chown(each, 1000, 1000)
        (home / "run").symlink_to(precious)
        profile = await self.warm(self.profile(volumes={f"{homes}/{{user}}": HOME}))
        await self.giestack.start(profile)
        self.assertTrue(self.is_hit())
        self.assertEqual(os.listdir(precious), [])

    async def test_another_containers_process_number(self):
        profile = await self.warm()
        slot = self.giestack.pool._slots[self.slot()]
        slot.paused = replace(slot.paused, pid=os.getpid())
        session_id = await self.giestack.start(profile)
        self.assertEqual(self.giestack.pool.hits["test", "miss"], 1)
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
        self.assertNotIn("home-galaxy-12", mounts)
        self.assertEqual(await self.giestack.shell(session_id, f"ls {HOME}"), "from-image\nrun\n")


class DeathTests(WarmCase):
    """Slots that die, and a giestack that does."""

    async def test_a_slot_that_dies_is_replaced(self):
        await self.warm()
        self.giestack.full = False
        slot = self.slot()
        name = self.giestack.names.container(slot)
        self.real.api.must("DELETE", f"/containers/{name}", force="1", v="1")
        while self.giestack.pool.has(slot):
            await deferLater(reactor, 0.02)
        await self.giestack.filled()
        self.assertNotEqual(self.slot(), slot)

    async def test_a_slot_that_is_gone_when_it_is_claimed(self):
        profile = await self.warm()
        launch = self.giestack.launch(profile)
        self.assertTrue(self.giestack.pool.has(launch.session_id))
        name = self.giestack.names.container(launch.session_id)
        start = self.giestack.engine.start(launch, lambda progress: None)
        self.real.api.must("DELETE", f"/containers/{name}", force="1", v="1")
        address = await start
        await wait_until_ready(address, "/", 10)
        found = await self.giestack.shell(launch.session_id, f"ls {HOME}; cat /run/secrets/TOKEN")
        self.assertEqual(found, "from-image\nrun\ns3cret")

    async def test_a_session_that_is_stopped_amid_its_claim(self):
        profile = await self.warm()
        launch = self.giestack.launch(profile)
        self.hold(self.giestack.docker.containers, "unpause")
        start = self.giestack.engine.start(launch, lambda progress: None)
        await self.held
        await self.giestack.engine.stop(launch.session_id, 0)
        try:
            await start
            self.fail("it was started")
        except (EngineError, CancelledError):
            pass
        self.assertEqual(self.left(), [f"volume {self.instance}-home-galaxy-12"])

    async def test_closing_removes_what_is_nobodys(self):
        profile = replace(self.profile(), warm=2)
        await self.warm(profile)
        session_id = await self.giestack.start(profile)
        self.giestack.full = False
        await deferLater(reactor, 1.1)
        await self.giestack.engine.close()
        names = self.giestack.names
        self.assertEqual(
            sorted(one for one in self.left() if "home" not in one),
            sorted(
                [
                    f"container /{names.container(session_id)}",
                    f"volume {names.claim(session_id)}",
                    f"volume {names.secrets(session_id)}",
                ]
            ),
        )

    async def test_a_slot_is_never_adopted(self):
        profile = await self.warm()
        await self.giestack.die()
        found = await self.reborn(profile)
        self.assertEqual(found, {})
        await self.nothing_left()

    async def test_a_session_is_found_again_with_its_owner(self):
        profile = await self.warm()
        session_id = await self.giestack.start(profile, BOB)
        await self.giestack.shell(session_id, f"echo mine > {HOME}/file", user="1000")
        await self.giestack.die()
        found = await self.reborn(profile)
        self.assertEqual(found[session_id].launch.owner, BOB)
        await wait_until_ready(found[session_id].address, "/", 10)
        self.assertEqual(await self.giestack.shell(session_id, f"cat {HOME}/file"), "mine\n")
        await self.giestack.engine.stop(session_id, 0)
        self.assertEqual(self.left(), [f"volume {self.instance}-home-galaxy-13"])

    async def test_killed_between_the_steps_of_a_claim(self):
        # Whatever the moment: either all of the session is there, or nothing of it.
        profile = self.profile()
        steps = (
            ("volumes", "inspect", False),
            ("mounting", "put", False),
            ("mounting", "put", True),
            ("containers", "unpause", False),
            ("containers", "unpause", True),
            ("volumes", "create", False),
            ("volumes", "create", True),
        )
        for step in steps:
            await self.giestack.open(profile)
            await self.giestack.filled()
            session_id = await self.killed_at(profile, *step)
            found = await self.reborn(replace(profile, warm=0))
            complete = step == ("volumes", "create", True)
            self.assertEqual(list(found), [session_id] if complete else [], step)
            if complete:
                self.assertEqual(found[session_id].launch.owner, ALICE)
                await wait_until_ready(found[session_id].address, "/", 10)
                files = f"ls {HOME}; cat /run/secrets/TOKEN"
                self.assertEqual(
                    await self.giestack.shell(session_id, files), "from-image\nrun\ns3cret"
                )
                await self.giestack.engine.stop(session_id, 0)
            await self.nothing_left(step)
            await self.giestack.engine.close()
            self.giestack = self.new_giestack()

    async def killed_at(self, profile, where, what, after):
        giestack = self.giestack
        place = giestack.mounting if where == "mounting" else getattr(giestack.docker, where)
        self.hold(place, what, after)
        launch = giestack.launch(profile)
        start = giestack.engine.start(launch, lambda progress: None)
        start.addErrback(lambda _: None)
        await self.held
        await giestack.die()
        return launch.session_id

    def hold(self, place, what, after=False):
        """Have a step never come to an end."""
        step = getattr(place, what)
        self.held: Deferred[None] = Deferred()
        held: list[object] = []

        async def hold(*arguments, **more):
            if after:
                await step(*arguments, **more)
            if not held:
                held.append(reactor.callLater(0, self.held.callback, None))
            await Deferred()

        setattr(place, what, hold)

    async def reborn(self, profile):
        """Another giestack of that name, and what it finds."""
        self.giestack = self.new_giestack()
        self.giestack.full = True
        return await self.giestack.open(profile)

    async def nothing_left(self, *about):
        for _ in range(500):
            left = [one for one in self.left() if "-home-" not in one]
            if not left:
                return
            await deferLater(reactor, 0.02)
        self.fail(f"{about}: {left}")
