"""Checks of this machine."""

import os
import resource
import shutil
import sys
from collections import namedtuple
from contextlib import closing
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from socket import create_server
from subprocess import PIPE, Popen
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor import machine
from giestack.doctor.asking import Place
from giestack.doctor.check import Finding
from giestack.doctor.machine import checks, packages, python, space
from tests.doctor.deployments import SECRET, deployment, found
from tests.doctor.servers import (
    FakeGiestack,
    Server,
    json_reply,
    reply,
    says,
    unchanged,
)
from tests.neighbours.program import free_port

Usage = namedtuple("Usage", "total used free")
TEXT = f"galaxy: {{id_secret: {SECRET}}}\n"


class MachineCase(SynchronousTestCase):
    def look(self, id: str, text: str = "{}", umask: int = 0o022, **given: Any) -> list[Finding]:
        return found(checks(deployment(text, **given), umask), id)

    def says(self, status: str, findings: list[Finding], *words: str) -> None:
        self.assertEqual([one.status for one in findings], [status], findings)
        for word in words:
            self.assertIn(word, findings[0].message)


class FolderTests(MachineCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.text = f"data_dir: {self.folder}"

    def test_for_its_owner_alone(self) -> None:
        self.folder.chmod(0o700)
        self.says("ok", self.look("machine.data_dir", self.text))

    def test_open_to_others(self) -> None:
        self.folder.chmod(0o750)
        self.says("warn", self.look("machine.data_dir", self.text), "0750")

    def test_not_writable(self) -> None:
        self.folder.chmod(0o700)
        self.patch(os, "access", lambda path, mode: False)
        self.says("fail", self.look("machine.data_dir", self.text), "may not write")

    def test_not_there(self) -> None:
        text = f"data_dir: {self.folder}/a/b"
        self.says("ok", self.look("machine.data_dir", text), "not there yet")
        self.patch(os, "access", lambda path, mode: False)
        self.says("fail", self.look("machine.data_dir", text), "can't be made")

    def test_space(self) -> None:
        for free, status, word in (
            (machine.LITTLE, "ok", "5 GiB"),
            (machine.LITTLE - 1, "warn", "GiB"),
            (machine.VERY_LITTLE - 1, "fail", "512 MiB"),
            (1, "fail", "1 bytes"),
        ):
            self.patch(shutil, "disk_usage", lambda path, free=free: Usage(0, 0, free))
            self.says(status, self.look("machine.space", f"data_dir: {self.folder}/a"), word)
            self.assertEqual(space(self.folder, "x").status, status)


class LimitTests(MachineCase):
    def test_umask(self) -> None:
        self.says("ok", self.look("machine.umask"))
        self.says("warn", self.look("machine.umask", umask=0o000), "0000")

    def test_descriptors_of_this_shell(self) -> None:
        for limit, status in ((1024, "warn"), (65536, "ok"), (resource.RLIM_INFINITY, "ok")):
            self.patch(resource, "getrlimit", lambda what, limit=limit: (limit, limit))
            self.says(status, self.look("machine.descriptors"))

    def test_descriptors_of_the_running_giestack(self) -> None:
        self.patch(machine._Machine, "_running_pid", lambda one: os.getpid())
        self.says("ok", self.look("machine.descriptors"), "running giestack")
        self.patch(machine._Machine, "_running_pid", lambda one: 2**30)
        (finding,) = self.look("machine.descriptors")
        self.assertIn("this shell", finding.message)

    def test_whoever_runs_with_this_file(self) -> None:
        config = Path(self.mktemp()).absolute()
        config.mkdir()
        config /= "giestack.yml"
        running = machine._Machine(deployment(config=config), 0)._running_pid
        for words in (["--config", str(config)], ["--config=giestack.yml"], ["-c", "giestack.yml"]):
            program = [sys.executable, "-c", "input(1)", "giestack", *words]
            with Popen(program, cwd=config.parent, stdin=PIPE, stdout=PIPE) as process:
                assert process.stdout is not None
                # It is there, with its command line.
                self.assertEqual(process.stdout.read(1), b"1")
                self.assertEqual(running(), process.pid)
                process.communicate(b"\n")
            self.assertIsNone(running())

    def test_nobody_runs_with_this_file(self) -> None:
        one = deployment(config=Path("/nowhere/at/all.yml"))
        self.assertIsNone(machine._Machine(one, 0)._running_pid())


class PortTests(MachineCase):
    def ports(self, text: str) -> list[Finding]:
        return self.look("machine.ports", f"{TEXT}{text}")

    def test_ours(self) -> None:
        port = Server(self, FakeGiestack(unchanged)).port
        self.says(
            "ok",
            self.ports(
                f"proxy: {{listen: ['tcp:{port}:interface=127.0.0.1']}}\nadmin: {{listen: []}}"
            ),
        )

    def test_somebody_elses(self) -> None:
        for serve in (
            says(reply(200, b"nginx")),
            says(b"SSH-2.0\r\n"),
            FakeGiestack(unchanged, secret="another giestack's secret"),
        ):
            port = Server(self, serve).port
            findings = self.ports(f"proxy: {{listen: ['tcp:{port}']}}\nadmin: {{listen: []}}")
            self.says("fail", findings, "another program")
            self.assertIn(str(port), findings[0].remedy)

    def test_free(self) -> None:
        findings = self.ports(
            f"proxy: {{listen: ['tcp:{free_port()}:interface=127.0.0.1']}}\n"
            f"admin: {{listen: ['tcp:{free_port()}:interface=127.0.0.1']}}"
        )
        self.assertEqual([one.status for one in findings], ["warn", "warn"])
        self.assertIn("does not run", findings[0].message)

    def test_not_to_be_had(self) -> None:
        folder = Path(self.mktemp()).absolute()
        findings = self.ports(
            f"proxy: {{listen: ['unix:{folder.name}/s']}}\n"
            "admin: {listen: ['tcp:1:interface=192.0.2.1']}"
        )
        self.assertEqual(findings[0].status, "fail")
        self.assertIn("no folder", findings[0].message)

    def test_why_nobody_could_listen(self) -> None:
        why = machine._cannot_listen
        with closing(create_server(("127.0.0.1", 0))) as taken:
            port = taken.getsockname()[1]
            self.assertIn("in use", why(Place("127.0.0.1", port)) or "")
        self.assertIsNone(why(Place(path="/tmp/s")))
        self.patch(os, "access", lambda path, mode: False)
        self.assertIn("may not write", why(Place(path="/tmp/s")) or "")

    def test_admin(self) -> None:
        for data, status in ((json_reply(200, {}), "ok"), (reply(404), "fail")):
            port = Server(self, says(data)).port
            findings = self.ports(
                f"proxy: {{listen: []}}\nadmin: {{listen: ['tcp:{port}:interface=127.0.0.1']}}"
            )
            self.says(status, findings)

    def test_without_a_secret_by_what_it_says(self) -> None:
        port = Server(self, says(json_reply(401, {"error": "not-logged-in"}))).port
        text = f"proxy: {{listen: ['tcp:{port}']}}\nadmin: {{listen: []}}"
        self.says("ok", self.look("machine.ports", text))

    def test_the_chats(self) -> None:
        port = Server(self, says(json_reply(404, {"error": "no-such-route"}))).port
        text = (
            f"galaxy: {{id_secret: {SECRET}, database_connection: 'sqlite:////d'}}\n"
            "proxy: {listen: ['systemd:domain=INET:index=0']}\n"
            f"admin: {{listen: []}}\nchat: {{listen: ['tcp:{port}']}}"
        )
        self.says("ok", self.look("machine.ports", text), "chat.listen")


class ReadyTests(MachineCase):
    def ready(self, data: bytes) -> list[Finding]:
        port = Server(self, says(data)).port
        return self.look("machine.ready", f"admin: {{listen: ['tcp:{port}:interface=127.0.0.1']}}")

    def test_ready(self) -> None:
        self.says("ok", self.ready(json_reply(200, {"status": "ready"})))

    def test_not_ready(self) -> None:
        said = {"error": "not-ready", "message": "database: away"}
        self.says("warn", self.ready(json_reply(503, said)), "database: away")

    def test_something_else(self) -> None:
        self.assertEqual(self.ready(reply(404)), [])
        self.says("warn", self.ready(b"SSH-2.0\r\n"), "HTTP")

    def test_nobody(self) -> None:
        text = f"admin: {{listen: ['tcp:{free_port()}:interface=127.0.0.1']}}"
        self.assertEqual(self.look("machine.ready", text), [])
        self.assertEqual(self.look("machine.ready", "admin: {listen: []}"), [])


class VersionTests(SynchronousTestCase):
    def test_python(self) -> None:
        self.assertEqual([one.status for one in python()], ["ok"])
        self.patch(sys, "version_info", (3, 9, 1))
        self.assertEqual([one.status for one in python()], ["fail"])

    def test_twisted(self) -> None:
        for version, status in (("26.10.0", "ok"), ("25.5.0", "warn")):
            self.patch(machine, "version", lambda name, version=version: version)
            self.assertEqual([one.status for one in packages()], [status])

        def missing(name: str) -> str:
            raise PackageNotFoundError(name)

        self.patch(machine, "version", missing)
        self.assertEqual([one.status for one in packages()], ["fail"])
