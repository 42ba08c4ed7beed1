"""What the configuration makes of giestack's parts."""

import json
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - building needs one
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers

from giestack.assembly import Assembly, assemble, make_data_dir
from giestack.listening import Door
from giestack.ops.event_log import EventLog
from giestack.probe import HEADER, key_of, signed
from giestack.routing.go_routes import GoRoute
from giestack.settings.files import load
from giestack.settings.galaxy_defaults import GALAXYS_ID_SECRET
from giestack.settings.load import Loaded
from giestack.settings.problems import SettingsError

reactor: Any = global_reactor

HOST = {
    "galaxy.id_secret": "a-secret-for-tests",
    "galaxy.database_connection": "sqlite:///galaxy.sqlite",
}
SPAWNER = {
    "spawner.engines": [{"name": "local", "docker_host": "process:"}],
    "spawner.profiles": [{"name": "web", "port": 0, "command": ["/bin/sh", "{port}"]}],
}


class AssemblyTests(SynchronousTestCase):
    def assembled(self, given: dict[str, object]) -> list[str]:
        """The names of the parts, in the order of their start."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        settings = load(None, {}, folder, given).settings
        make_data_dir(settings)
        giestack = assemble(reactor, settings)
        self.assertFalse(giestack.running)
        return [type(part).__name__ for part in giestack]

    def test_everything_is_there_and_nothing_runs(self) -> None:
        names = self.assembled(HOST | {"proxy.session_maps": ["map.sqlite"]})
        # The proxy's door opens last, and so it closes first.
        self.assertEqual(names[-2:], ["Listeners", "Door"])
        self.assertEqual(len(self.assembled(HOST | SPAWNER)), len(names) + 1)

    def test_without_a_host_database(self) -> None:
        self.assertEqual(self.assembled({"proxy.interactivetools_auth": "token"})[-1], "Door")


class Silence(Protocol):
    """An engine that accepts and never answers."""

    def __init__(self, reached: Deferred[None]) -> None:
        self._reached = reached

    def connectionMade(self) -> None:
        if not self._reached.called:
            self._reached.callback(None)


class StopTests(TestCase):
    # Shorter than an engine has time to answer.
    timeout = 20

    async def test_an_engine_that_hangs_does_not_keep_giestack_from_its_end(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        reached: Deferred[None] = Deferred()
        with TemporaryDirectory() as short:
            engine = reactor.listenUNIX(f"{short}/e", Factory.forProtocol(lambda: Silence(reached)))
            given = {
                "proxy.listen": ["tcp:0:interface=127.0.0.1"],
                "proxy.go_api": {"api_key": "a-key-for-tests", "docker_host": f"unix://{short}/e"},
                "admin.listen": [],
                "log": {"access": "off", "audit": "off"},
            }
            assembly = Assembly(
                reactor, load(None, {}, folder, given).settings, None, None, EventLog()
            )
            assembly.giestack.startService()
            source = assembly._go_proxy._source
            assert source is not None
            source.add(GoRoute("/jupyter", "127.0.0.1:1", "c" * 64, ("abc",)))
            source.limit(-1, 0.01)
            await reached
            await assembly.giestack.stopService()
            await engine.stopListening()
        self.assertFalse(assembly.giestack.running)


class ReconfigureTests(TestCase):
    """Another configuration while giestack runs; with real visitors: tests/real/test_reload."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.write()
        self.event_log = EventLog()
        self.assemble()

    def assemble(self) -> None:
        settings = self.load().settings
        make_data_dir(settings)
        self.assembly = Assembly(reactor, settings, None, self.load, self.event_log)
        self.giestack = self.assembly.giestack

    def start(self) -> None:
        self.giestack.startService()
        self.addCleanup(self.giestack.stopService)

    def write(self, **sections: dict[str, Any]) -> None:
        """Write the configuration with these sections laid over what a test needs anyway."""
        here = ["tcp:0:interface=127.0.0.1"]
        wanted: dict[str, Any] = {
            "galaxy": {"id_secret": "a-secret", "database_connection": "sqlite:///galaxy.sqlite"},
            "proxy": {"listen": here},
            "admin": {"listen": here},
            "log": {"access": "off"},
        }
        for name, values in sections.items():
            wanted[name].update(values)
        (self.folder / "giestack.yml").write_text(json.dumps(wanted))

    def load(self) -> Loaded:
        return load(self.folder / "giestack.yml", {}, self.folder)

    async def reconfigure(self, **sections: dict[str, Any]) -> None:
        self.write(**sections)
        await self.assembly.reconfigure(self.load().settings)

    async def refused(self, **sections: dict[str, Any]) -> list[str]:
        """Reconfigure in vain; returns the keys that are wrong."""
        before = self.assembly.settings
        with self.assertRaises(SettingsError) as caught:
            await self.reconfigure(**sections)
        self.assertIs(self.assembly.settings, before)
        return [problem.path for problem in caught.exception.problems]

    async def status(self, path: str, fields: Mapping[str, str] | None = None) -> int:
        """The status of the proxy's answer."""
        [door] = [part for part in self.giestack if isinstance(part, Door)]
        host: Any = door.ports[0].getHost()
        agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
        url = f"http://127.0.0.1:{host.port}{path}".encode()
        headers = Headers({name: [value] for name, value in (fields or {}).items()})
        response: Any = await agent.request(b"GET", url, headers)
        await readBody(response)
        code: int = response.code
        return code

    async def test_it_is_in_force_at_once(self) -> None:
        self.start()
        self.assertEqual(await self.status("/apollo/"), 404)
        service = {"path": "/apollo", "backend": "http://127.0.0.1:1"}
        await self.reconfigure(
            proxy={"services": [service]},
            log={"access": "access.log", "audit": "off", "level": "warn"},
        )
        self.assertEqual(await self.status("/apollo/"), 401)
        self.assertEqual(self.event_log.level, LogLevel.warn)
        self.assertTrue((self.folder / "var" / "access.log").exists())

    async def test_who_is_told_how_requests_arrive(self) -> None:
        now = datetime.now(UTC).timestamp()
        for id_secret, status in (("a-secret", 200), (GALAXYS_ID_SECRET, 404)):
            self.write(galaxy={"id_secret": id_secret})
            self.assemble()
            self.start()
            made = signed(key_of(id_secret), now, "0123456789abcdef")
            fields = {HEADER.decode(): made}
            self.assertEqual(await self.status("/giestack/doctor/seen", fields), status)

    async def test_sighup_reads_the_file(self) -> None:
        self.start()
        self.write(log={"access": "access.log"})
        await self.assembly.giestack.reload()  # type: ignore[misc]
        self.assertEqual(self.assembly.settings, self.load().settings)
        self.giestack.reopen_logs()

    async def test_keys_that_are_read_at_start_only(self) -> None:
        self.start()
        wrong = await self.refused(proxy={"prefix": "/gs", "session_cache": 1, "services": []})
        self.assertEqual(wrong, ["proxy.prefix", "proxy.session_cache"])

    async def test_all_that_can_not_be_opened_is_said_at_once(self) -> None:
        self.start()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            there = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            (self.folder / "key.pem").write_text("nonsense")
            wrong = await self.refused(
                proxy={"listen": [f"ssl:0:privateKey={self.folder}/key.pem"]},
                admin={"listen": [there]},
                log={"access": "/nowhere/access.log", "audit": "/nowhere/audit.jsonl"},
            )
        self.assertEqual(wrong, ["log.access", "log.audit", "proxy.listen", "admin.listen"])
        self.assertEqual(await self.status("/nothing"), 404)

    async def test_nothing_is_opened_once_giestack_stops(self) -> None:
        # It was never started, which is the same to it.
        before = self.assembly.settings
        await self.reconfigure(log={"access": "access.log"})
        self.assertIs(self.assembly.settings, before)

    def test_without_a_file_there_is_nothing_to_read(self) -> None:
        (self.folder / "giestack.yml").unlink()
        giestack = assemble(reactor, self.assembly.settings)
        self.assertIsNone(giestack.reload())
        self.assertEqual(self.flushLoggedErrors(), [])
