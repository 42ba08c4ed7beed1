"""Checks of session maps."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from socket import create_server

from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.session_map import SessionMap
from giestack.doctor.check import Finding
from giestack.doctor.galaxy_database import GalaxyTables
from giestack.doctor.map_reading import Map
from giestack.doctor.maps import Maps
from giestack.routing.source import MapTrouble, Reading, SourceRoutes
from tests.doctor.deployments import SECRET, deployment, found
from tests.doctor.galaxies import CODEC, galaxy_database
from tests.neighbours.program import free_port


class MapsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.map = self.folder / "map.sqlite"
        self.url = galaxy_database(self.folder / "galaxy.sqlite")

    def save(self, number: int, port: int = 1) -> None:
        key = CODEC.entry_point_key(number)
        SessionMap(self.map).save(key, "token1", "127.0.0.1", port)

    def look(self, id: str, galaxy: str | None = None, maps: str = "map.sqlite") -> list[Finding]:
        text = (
            f"galaxy: {{id_secret: {SECRET}, database_connection: '{self.url}'}}\n"
            f"proxy: {{session_maps: [{maps}]}}"
        )
        one = deployment(text, galaxy=galaxy, folder=self.folder)
        self.maps = Maps(one, GalaxyTables(self.url))
        return found(self.maps.checks(), id)

    def says(self, status: str, findings: Sequence[Finding], *words: str) -> None:
        self.assertEqual([one.status for one in findings], [status], findings)
        for word in words:
            self.assertIn(word, findings[0].message)


class ReadableTests(MapsCase):
    def test_one_that_can_be_read(self) -> None:
        self.save(11)
        self.says("ok", self.look("maps.readable"), "1 interactive tools")
        self.assertEqual(list(self.maps.keys()), [CODEC.entry_point_key(11)])

    def test_environments(self) -> None:
        (self.folder / "m.json").write_text('{"%s": {"host": "h", "port": 1}}' % ("0" * 80))
        findings = self.look("maps.readable", maps="m.json")
        self.says("ok", findings, "1 cookie-routed")

    def test_not_there_yet(self) -> None:
        self.says("ok", self.look("maps.readable"), "yet")
        on = "galaxy: {interactivetools_enable: true}"
        self.says("ok", self.look("maps.readable", on), "yet")

    def test_never_there(self) -> None:
        off = "galaxy: {interactivetools_enable: false}"
        self.says("warn", self.look("maps.readable", off), "interactivetools_enable")

    def test_no_map_at_all(self) -> None:
        self.map.write_bytes(b"nonsense, and more of it " * 9)
        self.says("fail", self.look("maps.readable"), str(self.map))

    def test_none_configured(self) -> None:
        self.says("ok", self.look("maps.readable", maps=""), "no session map")


class RowTests(MapsCase):
    def test_good_rows(self) -> None:
        self.save(11)
        self.says("ok", self.look("maps.rows"))

    def test_bad_rows(self) -> None:
        SessionMap(self.map).save("b a d", "token1", "127.0.0.1", 1)
        self.says("warn", self.look("maps.rows"), "1 rows", "key is not made of")

    def test_nothing_of_one_that_cant_be_read(self) -> None:
        for id in ("maps.rows", "maps.backends", "maps.stale", "maps.trigger"):
            self.assertEqual(self.look(id), [])


class BackendTests(MapsCase):
    def test_that_listens(self) -> None:
        with closing(create_server(("127.0.0.1", 0))) as listener:
            self.save(11, listener.getsockname()[1])
            self.says("ok", self.look("maps.backends"), "all 1 tools")

    def test_that_does_not(self) -> None:
        self.save(11, free_port())
        self.says("warn", self.look("maps.backends"), "1 of 1", CODEC.entry_point_key(11))


class StaleTests(MapsCase):
    def test_a_running_tool(self) -> None:
        self.save(11)
        self.says("ok", self.look("maps.stale"))
        self.assertEqual(self.look("maps.missing"), [])

    def test_one_that_has_ended(self) -> None:
        self.save(11)
        self.save(12)
        self.says("warn", self.look("maps.stale"), "1 rows", CODEC.entry_point_key(12))

    def test_one_that_galaxy_never_had(self) -> None:
        self.save(99)
        self.says("warn", self.look("maps.stale"), CODEC.entry_point_key(99))

    def test_a_running_one_that_is_in_no_map(self) -> None:
        self.save(12)
        self.says("warn", self.look("maps.missing"), ": 1 (", CODEC.entry_point_key(11))

    def test_keys_of_another_galaxy_are_not_its_business(self) -> None:
        SessionMap(self.map).save("zzz", "token1", "127.0.0.1", 1)
        self.assertEqual(self.look("maps.stale"), [])

    def test_without_a_database_nobody_knows(self) -> None:
        self.save(11)
        one = deployment("proxy: {session_maps: [map.sqlite]}", folder=self.folder)
        for id in ("maps.stale", "maps.missing"):
            self.assertEqual(found(Maps(one, None).checks(), id), [])

    def test_a_secret_that_is_none(self) -> None:
        one = deployment(
            "galaxy: {id_secret: abcd}\nproxy: {session_maps: [map.sqlite]}", folder=self.folder
        )
        self.save(11)
        self.assertEqual(found(Maps(one, GalaxyTables(self.url)).checks(), "maps.stale"), [])


class TriggerTests(MapsCase):
    MAP = "'postgresql://u@/d?host=/nowhere'"

    def trigger(self, there: bool) -> list[Finding]:
        self.patch(Map, "_read", lambda one: Reading(SourceRoutes({}), {}))
        self.patch(Map, "has_trigger", lambda one: there)
        return self.look("maps.trigger", maps=self.MAP)

    def test_there(self) -> None:
        self.says("ok", self.trigger(True))

    def test_missing(self) -> None:
        findings = self.trigger(False)
        self.says("warn", findings, "5 s")
        self.assertIn("CREATE TRIGGER", findings[0].remedy)

    def test_a_server_that_is_away(self) -> None:
        def away(one: Map) -> Reading:
            raise MapTrouble("unavailable", "is away")

        self.patch(Map, "_read", away)
        self.assertEqual(self.look("maps.trigger", maps=self.MAP), [])


class NeighbourTests(SynchronousTestCase):
    """What else the proxy leads to."""

    def look(self, id: str, proxy: str) -> list[Finding]:
        text = (
            f"galaxy: {{id_secret: {SECRET}, database_connection: 'sqlite:////d'}}\nproxy: {proxy}"
        )
        return found(Maps(deployment(text), None).checks(), id)

    def test_a_second_proxy(self) -> None:
        with closing(create_server(("127.0.0.1", 0))) as listener:
            port = listener.getsockname()[1]
            (finding,) = self.look("maps.forward", f"{{forward: {{ip: 127.0.0.1, port: {port}}}}}")
            self.assertEqual(finding.status, "ok")
        (finding,) = self.look("maps.forward", f"{{forward: {{ip: 127.0.0.1, port: {port}}}}}")
        self.assertEqual(finding.status, "fail")
        self.assertEqual(self.look("maps.forward", "{}"), [])

    def test_services(self) -> None:
        with closing(create_server(("127.0.0.1", 0))) as listener:
            port = listener.getsockname()[1]
            services = f"{{services: [{{path: /a, backend: 'http://127.0.0.1:{port}'}}]}}"
            (finding,) = self.look("maps.services", services)
            self.assertEqual(finding.status, "ok")
        (finding,) = self.look("maps.services", services)
        self.assertEqual(finding.status, "warn")
