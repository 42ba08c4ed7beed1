"""The client beside docker-py: the same asked of both, and the engine holds the same."""

import json
import re
from typing import Any

import docker as docker_py
from docker.types import LogConfig, Mount, Ulimit
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from giestack.docker.archive import packed, unpacked
from giestack.docker.location import Location
from tests.docker.client_case import LABEL, ClientCase
from tests.neighbours.docker import docker

MEGABYTE = 1024 * 1024
PORT = "8888/tcp"


class OracleTests(ClientCase, TestCase):
    maxDiff = None

    def setUp(self):
        self.engine = docker()
        self.oracle = docker_py.DockerClient(base_url=self.engine.url, version="auto")
        self.addCleanup(self.oracle.close)
        self.assertTrue(self.engine.tools)
        return super().setUp()

    def location(self):
        return Location(self.engine.url)

    def left(self):
        return deferToThread(self.engine.api.left, self.mark)

    def alike(self, ours: Any, theirs: Any) -> None:
        """Equal but for names, ids, times, addresses."""
        self.assertEqual(_common(ours), _common(theirs))

    async def inspected(self) -> tuple[dict[str, Any], dict[str, Any]]:
        inspect = self.docker.containers.inspect
        return await inspect(self.name("ours")), await inspect(self.name("theirs"))

    async def create_both(self) -> None:
        """A container with all that sessions have, made by each."""
        await self.docker.volumes.create(self.name("volume"), labels=self.labels)
        await self.docker.networks.create(self.name("network"), {"Labels": self.labels})
        body = self.body(
            "environ",
            Env=["A=1 \"'$x ü", "EMPTY="],
            User="1000:1000",
            WorkingDir="/tmp",
            Hostname="session",
            StopSignal="SIGINT",
            ExposedPorts={PORT: {}},
            host={
                "Binds": [f"{self.name('volume')}:/data:rw"],
                "Mounts": [{"Type": "tmpfs", "Target": "/scratch", "ReadOnly": False}],
                "CapAdd": ["CHOWN"],
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "Memory": 64 * MEGABYTE,
                "MemorySwap": 64 * MEGABYTE,
                "NanoCpus": 500_000_000,
                "PidsLimit": 50,
                "ShmSize": 8 * MEGABYTE,
                "Ulimits": [{"Name": "nofile", "Soft": 512, "Hard": 512}],
                "ReadonlyRootfs": True,
                "Tmpfs": {"/tmp": "rw,size=1m"},
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
                "RestartPolicy": {"Name": "no"},
                "NetworkMode": self.name("network"),
                "PortBindings": {PORT: [{"HostIp": "127.0.0.1", "HostPort": ""}]},
            },
        )
        await self.docker.containers.create(self.name("ours"), body)
        self.oracle.containers.create(
            self.engine.tools,
            ["program", "environ"],
            name=self.name("theirs"),
            labels=self.labels,
            environment=["A=1 \"'$x ü", "EMPTY="],
            user="1000:1000",
            working_dir="/tmp",
            hostname="session",
            stop_signal="SIGINT",
            volumes=[f"{self.name('volume')}:/data:rw"],
            mounts=[Mount("/scratch", None, type="tmpfs")],
            cap_add=["CHOWN"],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=64 * MEGABYTE,
            memswap_limit=64 * MEGABYTE,
            nano_cpus=500_000_000,
            pids_limit=50,
            shm_size=8 * MEGABYTE,
            ulimits=[Ulimit(name="nofile", soft=512, hard=512)],
            read_only=True,
            tmpfs={"/tmp": "rw,size=1m"},
            log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"}),
            network=self.name("network"),
            restart_policy={"Name": "no"},  # type: ignore[arg-type]
            ports={PORT: ("127.0.0.1", 0)},
            init=True,
        )

    async def test_containers(self):
        await self.create_both()
        self.alike(*await self.inspected())
        await self.docker.containers.start(self.name("ours"))
        theirs = self.oracle.containers.get(self.name("theirs"))
        theirs.start()
        self.assertEqual(await self.docker.containers.wait(self.name("ours")), 0)
        self.assertEqual(theirs.wait()["StatusCode"], 0)
        self.alike(*await self.inspected())
        self.assertEqual(
            await self.docker.containers.logs(self.name("ours"), 100),
            b"".join(theirs.logs(stream=True)).decode().splitlines(),
        )

    async def test_what_each_sees_of_the_other(self):
        await self.create_both()
        for name in ("ours", "theirs"):
            ours = await self.docker.containers.inspect(self.name(name))
            self.alike(ours, self.oracle.containers.get(self.name(name)).attrs)
        listed = await self.docker.containers.list(labels=[f"{LABEL}={self.mark}"])
        theirs = self.oracle.api.containers(all=True, filters={"label": f"{LABEL}={self.mark}"})
        self.assertEqual([one["Id"] for one in listed], [one["Id"] for one in theirs])
        info = self.oracle.info()
        ours = await self.docker.info()
        for key in ("ID", "MemTotal", "NCPU", "Driver", "ServerVersion"):
            self.assertEqual(ours[key], info[key], key)

    async def test_limits_pause_and_names(self):
        for name in ("ours", "theirs"):
            await self.launch("mute", name=name, host={"Memory": 64 * MEGABYTE})
        theirs = self.oracle.containers.get(self.name("theirs"))
        limits = {"Memory": 32 * MEGABYTE, "MemorySwap": 32 * MEGABYTE}
        await self.docker.containers.update(self.name("ours"), limits)
        theirs.update(mem_limit=32 * MEGABYTE, memswap_limit=32 * MEGABYTE)
        await self.docker.containers.pause(self.name("ours"))
        theirs.pause()
        self.alike(*await self.inspected())
        await self.docker.containers.unpause(self.name("ours"))
        theirs.unpause()
        await self.docker.containers.kill(self.name("ours"), "TERM")
        theirs.kill("TERM")
        self.assertEqual(
            await self.docker.containers.wait(self.name("ours")), theirs.wait()["StatusCode"]
        )
        self.alike(*await self.inspected())

    async def test_files_and_commands(self):
        created = await self.launch("mute")
        theirs = self.oracle.containers.get(created)
        await self.docker.containers.put_archive(created, "/tmp", packed({"a": b"ours"}))
        theirs.put_archive("/tmp", packed({"b": b"theirs"}))
        pieces, _ = theirs.get_archive("/tmp")
        ours = unpacked(await self.docker.containers.get_archive(created, "/tmp"))
        self.assertEqual(ours, unpacked(b"".join(pieces)))
        for command in (
            ["cat", "/tmp/a", "/tmp/b"],
            ["program", "both"],
            ["program", "exit", "9"],
            ["no-such-command"],
        ):
            said = await self.docker.containers.execute(created, command)
            status, output = theirs.exec_run(command)
            self.assertEqual(said.status, status)
            assert isinstance(output, bytes)
            self.assertEqual(sorted(said.output.split()), sorted(output.decode().split()))

    async def test_volumes_and_networks(self):
        ours = await self.docker.volumes.create(
            self.name("ours"), labels=self.labels, options={"type": "tmpfs", "device": "tmpfs"}
        )
        theirs = self.oracle.volumes.create(
            self.name("theirs"),
            labels=self.labels,
            driver="local",
            driver_opts={"type": "tmpfs", "device": "tmpfs"},
        )
        self.alike(ours, theirs.attrs)
        options = {"com.docker.network.bridge.enable_icc": "false"}
        body = {"Driver": "bridge", "Options": options, "Labels": self.labels}
        await self.docker.networks.create(self.name("ours"), body)
        self.oracle.networks.create(
            self.name("theirs"),
            driver="bridge",
            options=options,
            labels=self.labels,
            check_duplicate=True,
        )
        inspect = self.docker.networks.inspect
        self.alike(await inspect(self.name("ours")), await inspect(self.name("theirs")))

    async def test_images(self):
        created = await self.create("mute")
        commit = self.docker.images.commit
        await commit(created, self.mark, "ours", comment="c", author="a", changes=["ENV B=2"])
        theirs = self.oracle.containers.get(created).commit(
            self.mark, "theirs", message="c", author="a", changes=["ENV B=2"]
        )
        ours = await self.docker.images.inspect(f"{self.mark}:ours")
        self.alike(ours, theirs.attrs)
        pieces: list[bytes] = []
        await self.docker.images.save([f"{self.mark}:ours"], pieces.append).ended
        loaded = self.oracle.images.load(b"".join(pieces))
        self.assertEqual([one.id for one in loaded], [ours["Id"]])
        saved = b"".join(theirs.save(named=True))
        self.assertEqual(await self.docker.images.load(saved), [f"{self.mark}:theirs"])


def _common(found: Any) -> Any:
    """What does not tell one from the other."""
    if "Mounts" in found:
        # Their order changes from one answer to the next. docker-py names volumes a second time.
        mounts = sorted(found["Mounts"], key=lambda mount: mount["Destination"])
        found = {**found, "Mounts": mounts, "Config": {**found["Config"], "Volumes": None}}
    text = json.dumps(found, sort_keys=True)
    text = re.sub(r"(sha256:)?\b([0-9a-f]{64}|[0-9a-f]{12})\b", "ID", text)
    # docker-py asks to be attached, which means nothing for what is not run from a terminal.
    text = re.sub(r'"(AttachStdout|AttachStderr)": true', r'"\1": false', text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)", "TIME", text)
    text = re.sub(r"\b(ours|theirs)\b", "NAME", text)
    text = re.sub(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC", text)
    text = re.sub(r"\b\d+\.\d+\.\d+\.\d+(/\d+)?\b", "ADDRESS", text)
    text = re.sub(r'"HostPort": "\d*"', '"HostPort": "PORT"', text)
    text = re.sub(r'"Pid": \d+', '"Pid": 1', text)
    text = re.sub(r"netns/[0-9a-f]+", "netns/ID", text)
    return json.loads(text)
