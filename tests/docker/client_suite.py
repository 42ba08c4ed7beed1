"""What the client of Docker's API promises: one suite for all ways to an engine.

Its core, `CoreSuite`, holds on Podman too.
"""

from typing import Any

from twisted.internet import reactor  # noqa: TID251 - engines are real, or have real sockets
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.task import deferLater

from giestack.docker.archive import File, packed
from giestack.docker.errors import Conflict, DockerError, NotFound
from tests.docker.client_case import LABEL
from tests.docker.core_suite import MEGABYTE, CoreSuite


class ClientSuite(CoreSuite):
    """What Docker does, and the client makes of it."""

    async def test_an_engine_has_words_of_its_own(self):
        error = await self.failing(
            NotFound, self.docker.containers.create(self.name(), {"Image": self.mark})
        )
        self.assertEqual(str(error), f"No such image: {self.mark}:latest")
        self.assertEqual(self.told[-1], ("container create", 404))

    async def test_a_start_that_fails_leaves_a_container_that_was_created(self):
        created = await self.create(Cmd=["/no/such/program"], host={"Init": False})
        error = await self.failing(DockerError, self.docker.containers.start(created))
        self.assertIn("no/such/program", str(error))
        self.assertEqual((await self.state(created))["Status"], "created")
        await self.docker.containers.remove(created)

    async def test_a_program_that_does_not_exist_is_missed_by_init_alone(self):
        created = await self.launch(Cmd=["/no/such/program"])
        self.assertEqual(await self.docker.containers.wait(created), 127)
        (line,) = await self.docker.containers.logs(created, 10)
        self.assertIn("exec /no/such/program failed: No such file or directory", line)

    async def test_a_port_that_is_taken(self):
        first = await self.launch(
            "mute", host={"PortBindings": {"8888/tcp": [{"HostIp": "127.0.0.1"}]}}
        )
        shown = (await self.docker.containers.inspect(first))["NetworkSettings"]
        binding = {"HostIp": "127.0.0.1", "HostPort": shown["Ports"]["8888/tcp"][0]["HostPort"]}
        second = await self.create(
            "mute", name="two", host={"PortBindings": {"8888/tcp": [binding]}}
        )
        error = await self.failing(DockerError, self.docker.containers.start(second))
        self.assertIn("port is already allocated", str(error))
        await self.docker.containers.remove(first)
        await self.docker.containers.start(second)

    async def test_removed_twice_at_once(self):
        created = await self.launch("mute")
        removing = [self.later(self.docker.containers.remove(created)) for _ in range(4)]
        await gatherResults(removing)
        await self.failing(NotFound, self.docker.containers.inspect(created))

    async def test_what_runs_is_removed_by_force_alone(self):
        created = await self.launch("mute")
        remove = self.docker.containers.remove
        await self.failing(Conflict, remove(created, force=False))
        await remove(created)

    async def test_limits_change_while_it_runs(self):
        before = {"Memory": 64 * MEGABYTE, "MemorySwap": 64 * MEGABYTE}
        created = await self.launch("mute", host=before)
        after = {"Memory": 128 * MEGABYTE, "MemorySwap": 128 * MEGABYTE, "PidsLimit": 77}
        await self.docker.containers.update(created, after)
        host = (await self.docker.containers.inspect(created))["HostConfig"]
        self.assertEqual({key: host[key] for key in after}, after)
        stats = await self.docker.containers.stats(created)
        self.assertEqual(stats["memory_stats"]["limit"], 128 * MEGABYTE)

    async def test_stats_of_what_does_not_run(self):
        stats = await self.docker.containers.stats(await self.create("mute"))
        self.assertEqual(stats["memory_stats"], {})

    async def test_out_of_memory(self):
        heard: list[str] = []
        stream = self.docker.events(
            lambda event: heard.append(event["Action"]),
            filters={"label": [f"{LABEL}={self.mark}"], "event": ["oom", "die"]},
        )
        await deferLater(reactor, 0.2)
        limit = {"Memory": 20 * MEGABYTE, "MemorySwap": 20 * MEGABYTE}
        # Docker 20.10 does not notice one in twenty: there is no event then, and no OOMKilled.
        for number in range(6):
            created = await self.launch("eat", name=f"n{number}", host=limit)
            self.assertEqual(await self.docker.containers.wait(created), 137)
            await self.until(lambda: "die" in heard, "die")
            killed = (await self.state(created))["OOMKilled"]
            self.assertEqual(killed, "oom" in heard)
            if killed:
                break
            heard.clear()
        self.assertTrue(killed)
        stream.stop()

    async def test_events_from_then_on(self):
        heard: list[dict[str, Any]] = []
        mine = {"label": [f"{LABEL}={self.mark}"]}
        stream = self.docker.events(heard.append, filters=mine)
        await deferLater(reactor, 0.2)
        created = await self.launch("exit", "0")
        await self.docker.containers.wait(created)
        await self.until(lambda: len(heard) == 3, "create, start, die")
        stream.stop()
        since = f"{heard[1]['timeNano'] // 10**9}.{heard[1]['timeNano'] % 10**9:09}"
        await self.docker.containers.rename(created, self.name("two"))
        again: list[str] = []
        stream = self.docker.events(
            lambda event: again.append(event["Action"]), filters=mine, since=since
        )
        await self.until(lambda: len(again) == 3, f"start, die and rename in {again}")
        self.assertEqual(again, ["start", "die", "rename"])
        stream.stop()

    async def test_a_command_that_does_not_exist(self):
        created = await self.launch("mute")
        said = await self.docker.containers.execute(created, ["no-such-command"])
        self.assertEqual(said.status, 126)
        self.assertIn("no-such-command", said.output)

    async def test_no_command_in_what_is_paused(self):
        created = await self.launch("mute")
        await self.docker.containers.pause(created)
        await self.failing(Conflict, self.docker.containers.execute(created, ["true"]))
        await self.docker.containers.stop(created, 1)

    async def test_a_read_only_root_takes_files_in_volumes_alone(self):
        await self.docker.volumes.create(self.name(), labels=self.labels)
        host = {"ReadonlyRootfs": True, "Binds": [f"{self.name()}:/run/secrets"]}
        created = await self.create("mute", host=host)
        files = packed({"TOKEN": File(b"secret", 0o444)})
        put = self.docker.containers.put_archive
        await self.failing(DockerError, put(created, "/tmp", files))
        await put(created, "/run/secrets", files)
        await self.docker.containers.start(created)
        said = await self.docker.containers.execute(created, ["cat", "/run/secrets/TOKEN"])
        self.assertEqual(said.output.strip(), "secret")

    async def test_a_network_with_somebody_in_it(self):
        made = await self.docker.networks.create(self.name(), {"Labels": self.labels})
        created = await self.launch("mute", host={"NetworkMode": self.name()})
        await self.failing(Conflict, self.docker.networks.remove(made))
        await self.docker.networks.disconnect(made, created)
        await self.docker.networks.connect(made, created)
        await self.docker.networks.disconnect(made, created, force=True)
        await self.docker.networks.remove(made)

    async def test_a_network_that_is_missing(self):
        created = await self.create("mute", host={"NetworkMode": self.name("none")})
        await self.failing(NotFound, self.docker.containers.start(created))

    async def test_images_go_out_and_in(self):
        created = await self.create("mute")
        commit = self.docker.images.commit
        made = await commit(created, self.mark, "1", changes=["LABEL giestack-test.more=x"])
        pieces: list[bytes] = []
        await self.docker.images.save([f"{self.mark}:1"], pieces.append).ended
        self.assertGreater(len(pieces), 1)
        await self.docker.containers.remove(created)
        await self.docker.images.remove(f"{self.mark}:1")
        await self.failing(NotFound, self.docker.images.inspect(f"{self.mark}:1"))
        self.assertEqual(await self.docker.images.load(b"".join(pieces)), [f"{self.mark}:1"])
        shown = await self.docker.images.inspect(f"{self.mark}:1")
        self.assertEqual(shown["Id"], made)
        self.assertEqual(shown["Config"]["Labels"]["giestack-test.more"], "x")

    async def test_an_image_that_is_in_use(self):
        created = await self.create("mute")
        await self.docker.images.commit(created, self.mark, "1")
        await self.docker.containers.remove(created)
        await self.create("mute", Image=f"{self.mark}:1")
        await self.failing(Conflict, self.docker.images.remove(f"{self.mark}:1"))

    async def test_an_image_made_of_files(self):
        tar = packed({"file": b"x"})
        changes = [f"LABEL {LABEL}={self.mark}", 'CMD ["program", "mute"]']
        made = await self.docker.images.import_(tar, self.mark, "1", changes=changes)
        shown = await self.docker.images.inspect(f"{self.mark}:1")
        self.assertEqual(shown["Id"], made)
        self.assertEqual(shown["Config"]["Cmd"], ["program", "mute"])

    async def test_given_up(self):
        waiting = self.later(self.docker.containers.wait(await self.launch("mute")))
        await deferLater(reactor, 0.1)
        waiting.cancel()
        await self.assertFailure(waiting, CancelledError)
        # Others go on.
        self.assertTrue((await self.state(self.name()))["Running"])

    async def test_closed(self):
        created = await self.launch("mute")
        other = self.new_client()
        stream = other.events(lambda event: None)
        waiting = self.later(other.containers.wait(created))
        await other.ping()
        await other.close()
        await stream.ended
        await self.assertFailure(waiting, CancelledError, DockerError)
        await self.failing(DockerError, other.info())
