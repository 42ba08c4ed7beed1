"""What the client of Docker's API promises on any engine that speaks it: the core of its suite.

It holds on Podman's socket too. What differs there (Podman 4.3):

- a name that is taken, and a command in what does not run, are told with 500, not 409;
- names of images without a registry get ``localhost/`` in front; an imported one gets no tag but
  ``latest``; words for what is missing are its own;
- limits can't be changed while a container runs (404, 4.3 has no such call); stats of what does
  not run are no JSON; what is paused can't be stopped;
- what runs is not removed without force, but told so with 500; so is a port that is taken, in
  other words, and a network that is missing, at the creation already;
- a read-only root takes files everywhere; a network is removed with the containers in it;
- a missing command ends with 127, not 126;
- events have more kinds, such as ``init`` and ``cleanup``; of running out of memory neither an
  ``oom`` nor OOMKilled is told, only status 137.
"""

import posixpath
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - engines are real, or have real sockets
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater

from giestack.docker.archive import File, packed, unpacked
from giestack.docker.errors import Conflict, DockerError, NotFound
from tests.docker.client_case import LABEL, ClientCase
from tests.docker.fake_programs import IMAGE

MEGABYTE = 1024 * 1024


class CoreSuite(ClientCase):
    """What every engine does.

    :ivar taken: the failure where a name is taken, or something is in the wrong state.
    """

    taken: type[DockerError] = Conflict

    # The engine.

    async def test_the_engine(self):
        self.assertEqual(self.docker.version, "")
        await self.docker.ping()
        self.assertRegex(self.docker.version, r"^1\.\d\d$")
        info = await self.docker.info()
        self.assertGreater(info["MemTotal"], 0)
        self.assertGreater(info["NCPU"], 0)
        self.assertEqual(self.told, [("ping", 200), ("info", 200)])

    # Containers.

    async def test_a_life(self):
        containers = self.docker.containers
        created = await self.create("listen")
        self.assertEqual((await self.state(created))["Status"], "created")
        for _ in range(2):
            await containers.start(created)
        state = await self.state(self.name())
        self.assertEqual((state["Status"], state["Running"]), ("running", True))
        for _ in range(2):
            await containers.stop(created, 5)
        state = await self.state(created)
        self.assertEqual((state["Status"], state["ExitCode"]), ("exited", 143))
        for _ in range(2):
            await containers.remove(created)
        await self.failing(NotFound, containers.inspect(created))

    async def test_what_was_asked_for_is_there(self):
        host = {
            "Memory": 64 * MEGABYTE,
            "MemorySwap": 64 * MEGABYTE,
            "PidsLimit": 50,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PortBindings": {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
        }
        created = await self.launch(
            "environ", host=host, Env=["A=1 \"'$x ü"], ExposedPorts={"8888/tcp": {}}
        )
        found = await self.docker.containers.inspect(created)
        for key in ("Memory", "MemorySwap", "PidsLimit"):
            self.assertEqual(found["HostConfig"][key], host[key], key)
        self.assertEqual(found["Config"]["Labels"][LABEL], self.mark)
        self.assertEqual(found["Name"], f"/{self.name()}")
        await self.docker.containers.wait(created)
        self.assertIn("A=1 \"'$x ü", await self.docker.containers.logs(created, 100))

    async def test_names_are_taken_once(self):
        await self.create("mute")
        error = await self.failing(self.taken, self.create("mute"))
        self.assertIn(self.name(), str(error))
        await self.docker.containers.rename(self.name(), self.name("two"))
        self.assertEqual(
            (await self.docker.containers.inspect(self.name("two")))["Name"],
            f"/{self.name('two')}",
        )
        await self.create("mute")
        renaming = self.docker.containers.rename(self.name(), self.name("two"))
        await self.failing(self.taken, renaming)

    async def test_what_is_missing(self):
        body = {"Image": f"127.0.0.1:1/{self.mark}:none", "Labels": self.labels}
        error = await self.failing(NotFound, self.docker.containers.create(self.name(), body))
        self.assertIn(self.mark, str(error))
        containers, nobody = self.docker.containers, self.name("nobody")
        for doing in (
            containers.start(nobody),
            containers.stop(nobody, 1),
            containers.kill(nobody),
            containers.inspect(nobody),
            containers.logs(nobody, 10),
            containers.follow(nobody, 10, lambda line: None).ended,
            containers.wait(nobody),
            containers.put_archive(nobody, "/", packed({})),
            containers.execute(nobody, ["true"]),
        ):
            await self.failing(NotFound, doing)
        await containers.remove(nobody)

    async def test_list(self):
        await self.create("mute", name="one", labels={"giestack-test.n": "1"})
        await self.launch("mute", name="two", labels={"giestack-test.n": "2"})
        mine = f"{LABEL}={self.mark}"

        async def names(**chosen: Any) -> list[str]:
            found = await self.docker.containers.list(**chosen)
            return sorted(one["Names"][0].rpartition("-")[2] for one in found)

        self.assertEqual(await names(labels=[mine]), ["one", "two"])
        self.assertEqual(await names(labels=[mine], all=False), ["two"])
        self.assertEqual(await names(labels=[mine, "giestack-test.n=1"]), ["one"])
        self.assertEqual(await names(names=[self.name("two")]), ["two"])
        # A part of a name is not the name.
        self.assertEqual(await names(names=[self.mark]), [])

    async def test_a_program_that_ends(self):
        waiting = self.later(self.docker.containers.wait(await self.launch("exit", "7")))
        self.assertEqual(await waiting, 7)
        self.assertEqual(await self.docker.containers.wait(self.name()), 7)

    async def test_kill(self):
        created = await self.launch("mute")
        await self.docker.containers.kill(created)
        self.assertEqual(await self.docker.containers.wait(created), 137)
        await self.failing(DockerError, self.docker.containers.kill(created))

    async def test_one_that_ignores_what_it_is_told(self):
        created = await self.launch("stubborn")
        # It needs a moment until it ignores anything.
        await deferLater(reactor, 0.3)
        began = reactor.seconds()
        await self.docker.containers.stop(created, 1)
        self.assertLess(reactor.seconds() - began, 8)
        self.assertEqual((await self.state(created))["ExitCode"], 137)

    async def test_pause(self):
        created = await self.launch("mute")
        await self.docker.containers.pause(created)
        self.assertTrue((await self.state(created))["Paused"])
        await self.failing(DockerError, self.docker.containers.pause(created))
        await self.docker.containers.unpause(created)
        self.assertEqual((await self.state(created))["Status"], "running")
        await self.failing(DockerError, self.docker.containers.unpause(created))

    # What they print.

    async def test_logs(self):
        created = await self.launch("print", "one", "zwei ü", "x" * 1000)
        await self.docker.containers.wait(created)
        logs = self.docker.containers.logs
        self.assertEqual(await logs(created, 10), ["one", "zwei ü", "x" * 1000])
        self.assertEqual(await logs(created, 2), ["zwei ü", "x" * 1000])
        self.assertEqual(await logs(created, 0), [])

    async def test_both_streams(self):
        created = await self.launch("both")
        await self.docker.containers.wait(created)
        self.assertEqual(sorted(await self.docker.containers.logs(created, 10)), ["err", "out"])

    async def test_logs_of_a_terminal(self):
        created = await self.launch("both", Tty=True)
        await self.docker.containers.wait(created)
        self.assertEqual(sorted(await self.docker.containers.logs(created, 10)), ["err", "out"])

    async def test_follow(self):
        created = await self.launch("print", "one", "two")
        heard: list[str] = []
        await self.docker.containers.follow(created, 10, heard.append).ended
        self.assertEqual(heard, ["one", "two"])

    async def test_follow_while_it_prints(self):
        created = await self.launch("tick", "0.1", "one", "two", "three")
        heard: list[str] = []
        stream = self.docker.containers.follow(created, 10, heard.append)
        await self.until(lambda: len(heard) == 3, "three lines")
        stream.stop()
        stream.stop()
        await stream.ended
        self.assertEqual(heard, ["one", "two", "three"])

    # Files and commands.

    async def test_files(self):
        created = await self.create("mute")
        put, get = self.docker.containers.put_archive, self.docker.containers.get_archive
        content = bytes(range(256)) * 1000
        await put(created, "/tmp", packed({"a": File(content, 0o600, 1000), "ü b": b"x"}))
        (got,) = unpacked(await get(created, "/tmp/a")).values()
        self.assertEqual(got, content)
        self.assertEqual(
            {posixpath.basename(name) for name in unpacked(await get(created, "/tmp"))},
            {"a", "ü b"},
        )
        await self.failing(NotFound, get(created, "/tmp/none"))
        await self.failing(DockerError, get(created, "/tmp", most=1000))
        await self.docker.containers.start(created)
        executed = await self.docker.containers.execute(created, ["cat", "/tmp/ü b"])
        self.assertEqual((executed.status, executed.output.strip()), (0, "x"))

    async def test_commands(self):
        created = await self.launch("mute")
        execute = self.docker.containers.execute
        self.assertEqual((await execute(created, ["program", "exit", "3"])).status, 3)
        said = await execute(created, ["program", "both"])
        self.assertEqual((said.status, sorted(said.output.split())), (0, ["err", "out"]))
        said = await execute(created, ["program", "environ"], env=["A=x y"])
        self.assertIn("A=x y", said.output.splitlines())

    async def test_no_commands_in_what_does_not_run(self):
        created = await self.create("mute")
        await self.failing(self.taken, self.docker.containers.execute(created, ["true"]))

    # Use.

    async def test_stats(self):
        created = await self.launch("mute", host={"Memory": 64 * MEGABYTE})
        began = reactor.seconds()
        stats = await self.docker.containers.stats(created)
        self.assertLess(reactor.seconds() - began, 5)
        self.assertGreater(stats["memory_stats"]["usage"], 0)
        self.assertGreater(stats["cpu_stats"]["cpu_usage"]["total_usage"], 0)

    # Volumes and networks.

    async def test_volumes(self):
        volumes = self.docker.volumes
        for _ in range(2):
            made = await volumes.create(self.name(), labels=self.labels)
            self.assertTrue(made["Mountpoint"])
            self.assertEqual(made["Labels"], self.labels)
        self.assertEqual((await volumes.inspect(self.name()))["Name"], self.name())
        (found,) = await volumes.list([f"{LABEL}={self.mark}"])
        self.assertEqual(found["Name"], self.name())
        await self.create("mute", host={"Binds": [f"{self.name()}:/data"]})
        await self.failing(Conflict, volumes.remove(self.name()))
        await self.docker.containers.remove(self.name())
        for _ in range(2):
            await volumes.remove(self.name())
        await self.failing(NotFound, volumes.inspect(self.name()))

    async def test_files_in_a_volume_outlive_their_container(self):
        await self.docker.volumes.create(self.name(), labels=self.labels)
        host = {"Binds": [f"{self.name()}:/data"]}
        await self.create("mute", host=host)
        await self.docker.containers.put_archive(self.name(), "/data", packed({"kept": b"x"}))
        await self.docker.containers.remove(self.name(), volumes=True)
        await self.create("mute", host=host)
        got = await self.docker.containers.get_archive(self.name(), "/data/kept")
        self.assertEqual(list(unpacked(got).values()), [b"x"])

    async def test_networks(self):
        networks = self.docker.networks
        body = {"Driver": "bridge", "Labels": self.labels}
        made = await networks.create(self.name(), body)
        await self.failing(self.taken, networks.create(self.name(), body))
        found = await networks.inspect(self.name())
        self.assertEqual((found["Id"], found["Labels"]), (made, self.labels))
        (found,) = await networks.list([f"{LABEL}={self.mark}"])
        self.assertEqual(found["Id"], made)
        await self.launch("mute", host={"NetworkMode": self.name()})
        shown = await self.docker.containers.inspect(self.name())
        self.assertIn(self.name(), shown["NetworkSettings"]["Networks"])
        await self.docker.containers.remove(self.name())
        for _ in range(2):
            await networks.remove(made)
        await self.failing(NotFound, networks.inspect(self.name()))

    # Images.

    async def test_images(self):
        images = self.docker.images
        found = await images.inspect(IMAGE)
        self.assertEqual(found["Config"]["Cmd"], ["program", "listen"])
        await self.failing(NotFound, images.inspect(f"{self.mark}:none"))
        await self.failing(NotFound, images.remove(f"{self.mark}:none"))
        await images.tag(IMAGE, f"localhost/{self.mark}", "2")
        self.assertEqual((await images.inspect(f"localhost/{self.mark}:2"))["Id"], found["Id"])
        await images.remove(f"localhost/{self.mark}:2")
        await images.inspect(IMAGE)

    async def test_commit(self):
        created = await self.create("mute")
        await self.docker.containers.put_archive(created, "/tmp", packed({"kept": b"x"}))
        made = await self.docker.images.commit(
            created, f"localhost/{self.mark}", "1", comment="so far", author="me"
        )
        shown = await self.docker.images.inspect(f"localhost/{self.mark}:1")
        self.assertEqual(shown["Id"].removeprefix("sha256:"), made.removeprefix("sha256:"))
        self.assertEqual(shown["Config"]["Labels"][LABEL], self.mark)

    # Events.

    async def test_events(self):
        heard: list[dict[str, Any]] = []
        stream = self.docker.events(heard.append, filters={"label": [f"{LABEL}={self.mark}"]})
        await deferLater(reactor, 0.2)
        created = await self.launch("exit", "3")
        await self.docker.containers.wait(created)

        def actions() -> list[str]:
            return [event["Action"] for event in heard if event["Type"] == "container"]

        await self.until(lambda: "die" in actions(), f"die in {actions()}")
        for action in ("create", "start", "die"):
            self.assertIn(action, actions())
        die = heard[actions().index("die")]
        self.assertEqual(die["Actor"]["ID"], created)
        self.assertEqual(die["Actor"]["Attributes"][LABEL], self.mark)
        stream.stop()
        told = list(heard)
        await self.docker.containers.remove(created)
        self.assertEqual(heard, told)

    async def test_many_at_once(self):
        names = [f"n{number}" for number in range(6)]
        await gatherResults([self.later(self.launch("mute", name=name)) for name in names])
        found = await self.docker.containers.list(labels=[f"{LABEL}={self.mark}"], all=False)
        self.assertEqual(len(found), 6)
        await gatherResults(
            [self.later(self.docker.containers.remove(self.name(name))) for name in names]
        )
