"""Which engines the configuration asks for, and how they are made."""

from collections import Counter
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - engines need one
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from giestack.assembly import threads_of
from giestack.engines import Workshop, configured_or_default, new_id
from giestack.settings.spawner_schema import Engine as EngineSettings
from giestack.settings.spawner_schema import EngineTls, Profile
from giestack.spawner.docker.engine import DockerEngine
from giestack.spawner.docker.figures import Figures
from giestack.spawner.engine import EngineError
from giestack.spawner.process.engine import ProcessEngine
from tests.demo.place import new_folder

reactor: Any = global_reactor
HOME = Path("/nonexistent")
PROFILE = Profile(name="jupyter", title="JupyterLab", image="an/image")


class DefaultTests(TestCase):
    def refused(self, environ: dict[str, str]) -> str:
        return str(self.assertRaises(ValueError, configured_or_default, [], environ, HOME))

    def test_what_is_configured(self) -> None:
        engines = [EngineSettings(name="here", docker_host="process:")]
        self.assertEqual(
            configured_or_default(engines, {"DOCKER_HOST": "tcp://a:1"}, HOME), engines
        )

    def test_what_docker_itself_would_use(self) -> None:
        (engine,) = configured_or_default([], {}, HOME)
        self.assertEqual(engine.docker_host, "unix:///var/run/docker.sock")
        (engine,) = configured_or_default([], {"DOCKER_HOST": "unix:///else"}, HOME)
        self.assertEqual((engine.name, engine.docker_host), ("docker", "unix:///else"))
        self.assertEqual(engine.tls, EngineTls())

    def test_with_tls(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        for name in ("ca.pem", "cert.pem", "key.pem"):
            (folder / name).touch()
        environ = {
            "DOCKER_HOST": "tcp://far.example:2376",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(folder),
        }
        (engine,) = configured_or_default([], environ, HOME)
        tls = EngineTls(ca=folder / "ca.pem", cert=folder / "cert.pem", key=folder / "key.pem")
        self.assertEqual(engine.tls, tls)

    def test_one_that_is_open_to_everybody(self) -> None:
        said = self.refused({"DOCKER_HOST": "tcp://far.example:2375"})
        self.assertIn("insecure: true", said)

    def test_one_that_can_not_be_reached(self) -> None:
        self.assertIn("ssh", self.refused({"DOCKER_HOST": "ssh://far.example"}))


class WorkshopTests(TestCase):
    def setUp(self) -> None:
        self.data_dir = Path(self.mktemp()).absolute()
        self.data_dir.mkdir(mode=0o700)
        self.figures: dict[str, Figures] = {}
        self.workshop = Workshop(
            reactor=reactor,
            in_thread=threads_of(reactor),
            environ={},
            data_dir=self.data_dir,
            instance="test",
            prefix="/giestack",
            galaxy_url=lambda: "",
            starting=lambda: False,
            wait_until_ready=self.ready,
            figures=self.figures,
        )

    async def ready(self, address: object, path: str, timeout: float) -> None:
        raise AssertionError("nothing is started here")

    def test_local_processes(self) -> None:
        engine = self.workshop.make(EngineSettings(name="here", docker_host="process:"))
        self.assertIsInstance(engine, ProcessEngine)
        self.assertEqual(self.figures, {})

    async def test_an_engine_that_is_not_there(self) -> None:
        socket = f"unix://{new_folder(self)}/none.sock"
        engine = self.workshop.make(EngineSettings(name="docker", docker_host=socket))
        assert isinstance(engine, DockerEngine)
        engine.configure([PROFILE])
        try:
            await engine.open(lambda session_id, end: None)
        except EngineError as error:
            self.assertIn("none.sock", str(error))
        else:
            self.fail("it was opened")
        self.assertIn("none.sock", engine.trouble)
        self.assertEqual(engine.reserve(PROFILE, {}), "")
        await engine.close()
        self.assertEqual(set(self.figures), {"docker"})
        self.assertIsInstance(self.figures["docker"].calls, Counter)
        self.assertGreater(self.figures["docker"].calls.total(), 0)

    async def test_a_name_is_looked_up_when_it_is_needed(self) -> None:
        socket = f"unix://{new_folder(self)}/none.sock"
        settings = EngineSettings(name="docker", docker_host=socket, address="localhost")
        engine = self.workshop.make(settings)
        self.assertIsInstance(engine, DockerEngine)
        self.assertEqual(
            await Deferred.fromCoroutine(self.workshop._resolve("localhost")), "127.0.0.1"
        )
        await engine.close()

    def test_a_path_that_no_socket_can_have(self) -> None:
        settings = EngineSettings(name="docker", docker_host=f"unix:///{'long' * 30}")
        error = self.assertRaises(ValueError, self.workshop.make, settings)
        self.assertIn("107 bytes", str(error))

    def test_files_of_tls_that_can_not_be_used(self) -> None:
        wrong = self.data_dir / "wrong.pem"
        wrong.write_text("no certificate", encoding="ascii")
        tls = EngineTls(ca=wrong, cert=wrong, key=wrong)
        settings = EngineSettings(name="far", docker_host="tcp://far.example:2376", tls=tls)
        error = self.assertRaises(ValueError, self.workshop.make, settings)
        self.assertIn("Engine far", str(error))
        self.assertIn("wrong.pem", str(error))

    def test_ids(self) -> None:
        self.assertRegex(new_id(), "^[0-9a-f]{16}$")
        self.assertNotEqual(new_id(), new_id())
