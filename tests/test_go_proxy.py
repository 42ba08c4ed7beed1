"""The Go proxy's parts, put together."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, execute, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.docker.errors import Conflict, DockerError, NotFound, Unreachable
from giestack.go_proxy import GoProxy
from giestack.meaning import map_locations
from giestack.proxy.decision import Decision, Local, Request
from giestack.proxy.seen import Seen
from giestack.routing.formats import EntryPoint
from giestack.routing.go_routes import GoRoute
from giestack.routing.go_source import CannotKill, GoSource
from giestack.routing.maps import SessionMaps
from giestack.routing.places import HostEntryPoint, Nowhere, Place
from giestack.routing.table import Prefixes, RouteTable
from giestack.settings.files import load
from giestack.settings.schema import Settings
from giestack.visitor import Anonymous
from tests.routing.test_go_source import COOKIE, JUPYTER, NOON

KEY = {"proxy.go_api.api_key": "s3cret", "proxy.go_api.docker_host": "unix:///run/x.sock"}
ID = "0123456789ab" + "c" * 52
OFF = {"proxy.go_api.docker_host": "unix:///run/x.sock"}


class FakeContainers:
    def __init__(self, outcome: Exception | None, **found: Any) -> None:
        self.outcome = outcome
        self.found = {"Id": ID} | found
        self.asked: list[str] = []
        self.killed: list[str] = []

    async def inspect(self, container: str) -> dict[str, Any]:
        self.asked.append(container)
        if self.outcome is not None and not isinstance(self.outcome, Conflict):
            raise self.outcome
        return {"Name": f"/{container}"} | self.found

    async def kill(self, container: str) -> None:
        self.killed.append(container)
        if self.outcome is not None:
            raise self.outcome


class FakeDocker:
    def __init__(self, outcome: Exception | None = None, **found: Any) -> None:
        self.containers = FakeContainers(outcome, **found)
        self.closed: Deferred[None] = Deferred()

    async def close(self) -> None:
        await self.closed


class GoProxyTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.audited: list[tuple[Any, ...]] = []
        self.reactor = MemoryReactorClock()
        self.environ: dict[str, str] = {}
        self.go = GoProxy(self.reactor, lambda: NOON, execute, self.audit, self.environ)
        self.table = RouteTable(Prefixes())
        self.watched: list[str] = []
        self.maps = SessionMaps(self.table, self.go.opening(self.open), lambda cookie: cookie)

    def audit(self, event: str, who: object, **fields: object) -> None:
        self.audited.append((event, who, fields))

    def open(self, location: str) -> Any:
        self.watched.append(location)
        return GoSource(None, Clock(), lambda: NOON, execute, self.go._kill, lambda *_: None)

    def settings(self, given: dict[str, Any]) -> Settings:
        return load(None, {}, self.folder, given).settings

    def configure(self, given: dict[str, Any]) -> Settings:
        settings = self.settings(given)
        locations = self.go.maps(settings.proxy, map_locations(settings.proxy))
        self.maps.configure(locations, 5)
        self.go.configure(settings)
        return settings

    def route(self) -> object:
        return self.table.environment(COOKIE, b"/jupyter/tree")

    def listed(self) -> list[str] | None:
        routes = self.go.api._routes()
        return None if routes is None else [route.path for route, _ in routes.routes()]


class MapTests(GoProxyTestCase):
    def test_without_a_key_there_is_nothing(self) -> None:
        self.configure(OFF | {"proxy.session_maps": ["a.xml"]})
        self.assertEqual(self.watched, [f"{self.folder}/a.xml"])
        self.assertIsNone(self.listed())

    def test_in_memory(self) -> None:
        self.configure(KEY | {"proxy.session_maps": ["a.json"]})
        self.assertEqual(self.watched, [f"{self.folder}/a.json"])
        self.assertEqual(list(self.maps), [f"{self.folder}/a.json", "go_api"])
        self.maps.start()
        source = self.go._source
        assert source is not None
        source.add(JUPYTER)
        self.assertIsNotNone(self.route())

    def test_in_the_first_xml_map(self) -> None:
        self.configure(KEY | {"proxy.session_maps": ["a.xml", "b.xml"]})
        self.assertEqual(self.watched, [f"{self.folder}/b.xml"])
        self.assertEqual(list(self.maps), [f"{self.folder}/a.xml", f"{self.folder}/b.xml"])
        self.maps.start()
        source = self.go._source
        assert source is not None
        source.add(JUPYTER)
        self.assertIn("/jupyter", (self.folder / "a.xml").read_text())

    def test_it_comes_and_goes(self) -> None:
        self.configure(KEY)
        self.maps.start()
        source = self.go._source
        assert source is not None
        source.add(JUPYTER)
        self.configure(KEY | {"proxy.session_maps": ["a.xml"]})
        self.assertIsNot(self.go._source, source)
        self.assertEqual(self.listed(), ["/jupyter"])
        self.assertIsNotNone(self.route())
        self.configure(OFF)
        self.assertIsNone(self.listed())
        self.assertIsNone(self.route())
        self.configure(KEY)
        self.assertEqual(self.listed(), [])

    def test_limits(self) -> None:
        self.configure(KEY | {"proxy.go_api.noaccess": 5, "proxy.go_api.clean_interval": 1})
        self.maps.start()
        docker = FakeDocker()
        self.go._engines = [docker]  # type: ignore[list-item]
        source = self.go._source
        assert source is not None
        source.add(JUPYTER)
        self.reactor.pump([1] * 6)
        self.assertEqual(docker.containers.asked, ["abc", "def"])
        self.assertIsNone(self.route())
        [(event, who, fields)] = self.audited
        self.assertEqual((event, who, fields["kind"]), ("stopped", None, "environment"))
        self.assertEqual((fields["route"], fields["containers"]), ("localhost:32768", "abc, def"))
        self.assertNotIn(COOKIE[:8], repr(self.audited))


class KillTests(GoProxyTestCase):
    def kill(self, *outcomes: Exception | None) -> list[FakeDocker]:
        dockers = [FakeDocker(outcome) for outcome in outcomes]
        self.go._engines = dockers  # type: ignore[assignment]
        self.killing = Deferred.fromCoroutine(self.go._kill(["abc"]))
        return dockers

    def test_whoever_has_it(self) -> None:
        dockers = self.kill(NotFound("no"), None, None)
        self.assertIsNone(self.successResultOf(self.killing))
        self.assertEqual([docker.containers.asked for docker in dockers], [["abc"], ["abc"], []])
        self.assertEqual([docker.containers.killed for docker in dockers], [[], [ID], []])

    def test_one_that_does_not_run(self) -> None:
        for outcome in (NotFound("no"), Conflict("not running")):
            self.kill(outcome)
            self.assertIsNone(self.successResultOf(self.killing))

    def test_an_engine_that_is_not_there(self) -> None:
        for outcomes in ((Unreachable("down"),), (DockerError(500, "down"), NotFound("no"))):
            self.kill(*outcomes)
            self.assertEqual(str(self.failureResultOf(self.killing, CannotKill).value), "down")
        self.kill(Unreachable("down"), None)
        self.assertIsNone(self.successResultOf(self.killing))

    def test_an_engine_that_is_let_go_meanwhile(self) -> None:
        self.kill(CancelledError(), None)
        error = self.failureResultOf(self.killing, CannotKill).value
        self.assertIn("not used any more", str(error))

    def test_nobody_elses(self) -> None:
        started = {"Config": {"Labels": {"org.giestack.instance": "i"}}}
        for named, found, killed in (
            (ID, {"Name": "/x"}, True),
            (ID[:12], {"Name": "/x", "Config": {"Labels": None}}, True),
            (ID[:11], {"Name": "/x"}, False),
            ("abc", {}, True),
            ("abc", {"Name": "/abcdef"}, False),
            (ID, started, False),
            ("abc", started, False),
        ):
            docker = FakeDocker(**found)
            self.go._engines = [docker]  # type: ignore[list-item]
            self.successResultOf(Deferred.fromCoroutine(self.go._kill([named])))
            self.assertEqual(docker.containers.killed, [ID] if killed else [], (named, found))
        said = [formatEvent(event) for event in self.events if "not killed" in formatEvent(event)]
        self.assertEqual(len(said), 2)

    def test_without_engines(self) -> None:
        self.kill()
        self.failureResultOf(self.killing, CannotKill)
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(self.go._kill([]))))


class EngineTests(GoProxyTestCase):
    def urls(self, given: dict[str, Any]) -> list[str]:
        self.configure({"proxy.go_api.api_key": "s3cret"} | given)
        return [location.url for location in self.go._locations]

    def test_which(self) -> None:
        host = {"galaxy.id_secret": "abcd", "galaxy.database_connection": "sqlite:////x"}
        remote = {"name": "a", "docker_host": "tcp://127.0.0.1:2375"}
        local = {"name": "b", "docker_host": "process:"}
        self.environ["DOCKER_HOST"] = "unix:///run/mine.sock"
        for given, urls in (
            ({"proxy.go_api.docker_host": "unix:///run/x.sock"}, ["unix:///run/x.sock"]),
            (host | {"spawner.engines": [remote, local]}, ["tcp://127.0.0.1:2375"]),
            (host | {"spawner.engines": [local]}, ["unix:///run/mine.sock"]),
            ({}, ["unix:///run/mine.sock"]),
        ):
            self.assertEqual(self.urls(given), urls)

    def test_one_that_cannot_be_found_is_said(self) -> None:
        self.environ["DOCKER_HOST"] = "tcp://10.0.0.1:2375"
        self.assertEqual(self.urls({}), [])
        [text] = [formatEvent(event) for event in self.events if "Go API" in formatEvent(event)]
        self.assertIn("tcp://10.0.0.1:2375 without TLS", text)
        killing = Deferred.fromCoroutine(self.go._kill(["abc"]))
        self.assertIn("without TLS", str(self.failureResultOf(killing, CannotKill).value))

    def test_old_ones_are_closed(self) -> None:
        self.assertEqual(self.urls(KEY), ["unix:///run/x.sock"])
        docker = FakeDocker()
        self.go._engines = [docker]  # type: ignore[list-item]
        self.configure(OFF)
        stopped = self.go.stop()
        self.assertNoResult(stopped)
        docker.closed.callback(None)
        self.successResultOf(stopped)


class GateTests(GoProxyTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.place: Place = Nowhere()

    def decided(self, target: bytes, given: dict[str, Any] | None = None) -> object:
        def decide(request: Request) -> Decision | Deferred[Decision]:
            return succeed(Local(Anonymous(1, "0" * 32)))

        def locate(host: bytes, path: bytes) -> Place:
            self.assertEqual((host, path), (b"h", b"/api"))
            return self.place

        proxy = self.settings(KEY if given is None else given).proxy
        request = Request(b"GET", target, "1.1", [])
        request.seen = Seen(b"h", b"http", b"h", b"80")
        decision = self.go.gate(proxy, decide, locate)(request)
        return decision if isinstance(decision, Local) else None

    def test_its_path_alone(self) -> None:
        for target in (b"/api", b"/api?api_key=s3cret", b"/api?"):
            self.assertEqual(self.decided(target), Local(None))
        for target in (b"/apis", b"/api/", b"/api/x?api_key=s3cret", b"/", b"/%61pi", b"/x/api"):
            self.assertIsNone(self.decided(target))

    def test_not_without_a_key(self) -> None:
        self.assertIsNone(self.decided(b"/api", OFF))

    def test_not_on_hosts_of_their_own(self) -> None:
        for entry_point in (EntryPoint("k", "t", "t", Address("h", 1)), None):
            self.place = HostEntryPoint(entry_point, False)
            self.assertIsNone(self.decided(b"/api?api_key=s3cret"))


class RouteTests(SynchronousTestCase):
    def test_a_route_says_no_cookie(self) -> None:
        self.assertNotIn(COOKIE[:8], repr(GoRoute("/x", "h:1", COOKIE)))
