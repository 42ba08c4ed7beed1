"""Checks of Docker engines."""

from contextlib import closing
from pathlib import Path
from socket import create_server

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor import machine
from giestack.doctor.check import Finding
from giestack.doctor.engines import checks
from tests.doctor.deployments import SECRET, deployment, found
from tests.doctor.fake_engine import FakeEngine

GALAXY = (
    f"galaxy: {{id_secret: {SECRET}, database_connection: 'sqlite:////d', "
    "url: 'http://g.example.org/'}\n"
)
PROFILES = "profiles: [{name: lab, image: lab}]"


class EnginesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.engine = FakeEngine(self)
        self.more = ""
        self.profiles = PROFILES
        self.environ: dict[str, str] = {}

    def look(self, id: str, url: str | None = None) -> list[Finding]:
        url = self.engine.url if url is None else url
        engines = f"engines: [{{name: local, docker_host: '{url}'{self.more}}}], " if url else ""
        text = f"{GALAXY}spawner: {{{engines}{self.profiles}}}"
        return found(checks(deployment(text, environ=self.environ)), id)

    def says(self, status: str, findings: list[Finding], *words: str) -> None:
        self.assertEqual([one.status for one in findings], [status], findings)
        for word in words:
            self.assertIn(word, findings[0].message)


class EngineTests(EnginesCase):
    def test_answers(self) -> None:
        self.says("ok", self.look("docker.reachable"), "20.10")
        self.says("ok", self.look("docker.version"), "1.41")

    def test_is_away(self) -> None:
        self.says("fail", self.look("docker.reachable", "unix:///nowhere/d.sock"), "nobody listens")
        for id in (
            "docker.version",
            "docker.images",
            "docker.disk",
            "docker.address",
            "docker.galaxy",
            "docker.exposed",
        ):
            self.assertEqual(self.look(id, "unix:///nowhere/d.sock"), [])

    def test_is_no_engine(self) -> None:
        self.engine.version = []
        self.says("fail", self.look("docker.reachable"), "no Docker engine")

    def test_is_old(self) -> None:
        self.engine.version = {"ApiVersion": "1.39"}
        self.says("warn", self.look("docker.version"), "1.39")
        self.engine.version = {"ApiVersion": "new"}
        self.says("warn", self.look("docker.version"))

    def test_the_one_that_dockers_client_would_use(self) -> None:
        self.environ = {"DOCKER_HOST": self.engine.url}
        self.says("ok", self.look("docker.reachable", ""))
        self.environ = {"DOCKER_HOST": "ssh://h"}
        self.says("fail", self.look("docker.reachable", ""), "ssh")
        self.assertEqual(self.look("docker.exposed", ""), [])

    def test_mutual_tls(self) -> None:
        files = ", ".join(f"{name}: /{name}.pem" for name in ("ca", "cert", "key"))
        self.more = f", tls: {{{files}}}"
        self.says("fail", self.look("docker.reachable", "tcp://127.0.0.1:1"))

    def test_none(self) -> None:
        self.assertEqual(checks(deployment()), ())
        text = f"{GALAXY}spawner: {{engines: [{{name: a, docker_host: 'process:'}}]}}"
        self.assertEqual(checks(deployment(text)), ())


class ExposedTests(EnginesCase):
    def test_plain_tcp(self) -> None:
        self.more = ", insecure: true"
        self.says("warn", self.look("docker.exposed", "tcp://192.0.2.1:2375"), "open to")

    def test_a_socket_for_everybody(self) -> None:
        Path(self.engine.socket).chmod(0o666)
        self.says("fail", self.look("docker.exposed"), "everybody")
        Path(self.engine.socket).chmod(0o660)
        self.assertEqual(self.look("docker.exposed"), [])


class ImageTests(EnginesCase):
    def test_there(self) -> None:
        self.says("ok", self.look("docker.images"), "lab")

    def test_not_there(self) -> None:
        self.engine.images.clear()
        (finding,) = self.look("docker.images")
        self.assertEqual((finding.status, finding.remedy), ("warn", "docker pull lab"))

    def test_a_choice_is_nobodys_name(self) -> None:
        self.profiles = (
            "profiles: [{name: lab, image: 'lab:{options.version}', "
            "options: {version: {choices: ['1']}}}]"
        )
        self.assertEqual(self.look("docker.images"), [])


class DiskTests(EnginesCase):
    def test_space(self) -> None:
        self.says("ok", self.look("docker.disk"))
        self.patch(machine, "LITTLE", 2**60)
        self.says("warn", self.look("docker.disk"), "engine local")

    def test_on_another_machine(self) -> None:
        self.engine.root = Path("/nowhere")
        self.assertEqual(self.look("docker.disk"), [])


class TrialTests(EnginesCase):
    def test_all_is_reached(self) -> None:
        with closing(create_server(("127.0.0.1", 0))) as listener:
            self.engine.published = listener.getsockname()[1]
            self.says("ok", self.look("docker.address"), "127.0.0.1:")
            self.says("ok", self.look("docker.galaxy"))

    def test_galaxy_is_not(self) -> None:
        with closing(create_server(("127.0.0.1", 0))) as listener:
            self.engine.published = listener.getsockname()[1]
            for printed, status, word in (
                ("GALAXY=0", "warn", "not reached"),
                ("GALAXY=?", "warn", "can't be told"),
            ):
                self.engine.printed = printed
                self.says(status, self.look("docker.galaxy"), word)

    def test_on_the_network_of_sessions(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        with closing(create_server(("127.0.0.1", 0))) as listener:
            self.engine.published = listener.getsockname()[1]
            for instance, network in (("here", "giestack-here"), ("elsewhere", "default")):
                (folder / "instance").write_text(f"{instance}\n")
                self.profiles = f"{PROFILES}}}\ndata_dir: {folder}\nlog: {{"
                self.says("ok", self.look("docker.galaxy"))
                host = self.engine.created[-1]["HostConfig"]
                assert isinstance(host, dict)
                self.assertEqual(host["NetworkMode"], network)

    def test_no_image_to_try_with(self) -> None:
        self.engine.images.clear()
        self.assertEqual(self.look("docker.address"), [])
        self.assertEqual(self.look("docker.galaxy"), [])
