import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.container import container_body, image_of, limits_of, port_of
from giestack.spawner.docker.environment import environment_of
from giestack.spawner.docker.labels import KIND, launch_of
from giestack.spawner.docker.volume_names import Mount
from giestack.spawner.engine import EngineError, Launch

from .launches import LAUNCH, NAMES, PROFILE, TEXTS


def body_of(launch: Launch = LAUNCH, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "names": NAMES,
        "network": "giestack-test",
        "publish_at": "127.0.0.1",
        "environment": {},
    }
    return container_body(launch, **given | more)


def body_with(**keys: Any) -> dict[str, Any]:
    return body_of(replace(LAUNCH, profile=replace(PROFILE, **keys)))


class BodyTests(SynchronousTestCase):
    def host(self, **keys: Any) -> Mapping[str, Any]:
        found: Mapping[str, Any] = body_with(**keys)["HostConfig"]
        return found

    def test_the_image_is_what_the_profile_says(self) -> None:
        self.assertEqual(body_of()["Image"], "jupyter:1")
        profile = replace(PROFILE, image="jupyter:{options.theme}-{options.none}")
        self.assertEqual(image_of(replace(LAUNCH, profile=profile)), "jupyter:dark-{options.none}")

    def test_what_is_not_said_is_left_to_the_image(self) -> None:
        for key in ("Cmd", "User", "Entrypoint", "WorkingDir"):
            self.assertNotIn(key, body_of())

    def test_a_command_has_words_and_no_shell(self) -> None:
        body = body_with(
            command=("lab", "--base={base_url}", "--who={email}", "{port}"), user="1000:100"
        )
        self.assertEqual(
            body["Cmd"],
            ["lab", "--base=/giestack/session/0a1b2c/", '--who=a"$(id)"@x', "8888"],
        )
        self.assertEqual(body["User"], "1000:100")

    def test_its_environment_is_what_it_is_given(self) -> None:
        body = body_of(environment={"A": "b=c", "B": 'a"$(id)"@x'})
        self.assertEqual(body["Env"], ["A=b=c", 'B=a"$(id)"@x'])

    def test_its_labels_are_its_memory(self) -> None:
        found = launch_of(NAMES, body_of()["Labels"], {"jupyter": PROFILE})
        assert found is not None
        self.assertEqual(found.owner, LAUNCH.owner)
        self.assertEqual(body_of(slot=True)["Labels"][KIND], "slot")

    def test_its_port_is_published_where_it_is_told_and_no_other(self) -> None:
        body = body_with(port=8787)
        self.assertEqual(body["ExposedPorts"], {"8787/tcp": {}})
        self.assertEqual(
            body["HostConfig"]["PortBindings"],
            {"8787/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
        )
        self.assertIs(body["HostConfig"]["PublishAllPorts"], False)
        self.assertEqual(port_of(Profile(port=80)), "80/tcp")

    def test_its_port_is_never_published_everywhere(self) -> None:
        for at in ("0.0.0.0", "::", "node7", "node7.example", "127.0.0.1:80", "127.1", " "):
            error = self.assertRaises(EngineError, body_of, publish_at=at)
            self.assertIn("must be an IP address", str(error))
        for at, host in (("localhost", "127.0.0.1"), ("::1", "::1"), ("10.1.2.3", "10.1.2.3")):
            bindings = body_of(publish_at=at)["HostConfig"]["PortBindings"]
            self.assertEqual(bindings["8888/tcp"][0]["HostIp"], host)
        self.assertEqual(body_of(publish_at="")["HostConfig"]["PortBindings"], {})

    def test_it_is_in_its_network(self) -> None:
        self.assertEqual(body_of(network="other")["HostConfig"]["NetworkMode"], "other")

    def test_it_has_no_rights_but_those_that_are_given_back(self) -> None:
        host = self.host()
        self.assertEqual((host["CapDrop"], host["CapAdd"], host["Devices"]), (["ALL"], [], []))
        self.assertEqual(host["SecurityOpt"], ["no-new-privileges:true"])
        self.assertIs(host["Privileged"], False)
        self.assertEqual(
            self.host(cap_add=("CAP_SYS_NICE", "kill"))["CapAdd"], ["SYS_NICE", "KILL"]
        )

    def test_its_limits(self) -> None:
        host = self.host(memory=1000, cpus=0.25, pids=7, shm_size=99, ulimits={"nofile": 5})
        self.assertEqual((host["Memory"], host["MemorySwap"]), (1000, 1000))
        self.assertEqual((host["NanoCpus"], host["PidsLimit"]), (250_000_000, 7))
        self.assertEqual(host["ShmSize"], 99)
        self.assertEqual(host["Ulimits"], [{"Name": "nofile", "Soft": 5, "Hard": 5}])

    def test_limits_that_can_be_set_later(self) -> None:
        limits = limits_of(replace(PROFILE, memory=5))
        self.assertEqual((limits["Memory"], limits["MemorySwap"]), (5, 5))
        self.assertEqual(limits.keys() - self.host().keys(), set())

    def test_what_it_can_write_to(self) -> None:
        host = self.host(read_only=True, tmpfs=("/x:size=1m",))
        self.assertIs(host["ReadonlyRootfs"], True)
        self.assertEqual(host["Tmpfs"], {"/x": "size=1m", "/tmp": ""})
        self.assertIs(self.host()["ReadonlyRootfs"], False)
        mounts = [Mount("v1", "/tmp"), Mount("/srv", "/data", read_only=True)]
        launch = replace(LAUNCH, profile=replace(PROFILE, read_only=True))
        host = body_of(launch, mounts=mounts)["HostConfig"]
        self.assertEqual(host["Tmpfs"], {})
        self.assertEqual([mount["Target"] for mount in host["Mounts"]], ["/tmp", "/data"])

    def test_devices_and_gpus(self) -> None:
        (device,) = self.host(devices=("/dev/fuse",))["Devices"]
        self.assertEqual(device["PathOnHost"], "/dev/fuse")
        self.assertEqual(body_of()["HostConfig"]["DeviceRequests"], [])
        (request,) = body_of(gpus=("0", "2"))["HostConfig"]["DeviceRequests"]
        self.assertEqual(request["DeviceIDs"], ["0", "2"])

    def test_it_ends_properly_and_is_read_afterwards(self) -> None:
        host = self.host()
        self.assertIs(host["Init"], True)
        self.assertIs(host["AutoRemove"], False)
        self.assertEqual(host["RestartPolicy"], {"Name": "no"})
        self.assertEqual(host["LogConfig"]["Config"], {"max-size": "10m", "max-file": "2"})
        self.assertEqual(body_with(stop_timeout=0.5)["StopTimeout"], 1)

    def test_what_there_is_not_is_said(self) -> None:
        for key, value in (
            ("ulimits", {"nofile": "many"}),
            ("cap_add", ("X",)),
            ("devices", ("/etc",)),
            ("tmpfs", ("x",)),
        ):
            error = self.assertRaises(EngineError, body_with, **{key: value})
            self.assertIn(f"its {key}", str(error))

    @settings(deadline=None)
    @given(secret=st.text(min_size=6).map(lambda text: f"s3cret-{text}"), word=TEXTS)
    def test_it_never_holds_a_secret(self, secret: str, word: str) -> None:
        profile = replace(
            PROFILE, secrets={"TOKEN": secret}, env={"A": "{email}"}, command=("{options.theme}",)
        )
        launch = replace(LAUNCH, profile=profile, name=word, options={"theme": word})
        body = body_of(launch, environment=environment_of(launch))
        self.assertNotIn("s3cret", json.dumps(body))

    def test_a_slot_holds_nothing_of_its_owner(self) -> None:
        text = json.dumps(body_of(slot=True))
        for word in ("galaxy-12", "f2db41e1fa331b3e", "alice", "key-of", "hooked", "192.0.2"):
            self.assertNotIn(word, text)
