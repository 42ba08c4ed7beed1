"""Routes and connections as administrators see them."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.operations import ProxyOperations
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import EntryPoint
from giestack.routing.places import Service
from giestack.routing.table import Prefixes, RouteTable
from giestack.site.operations import RouteRow
from tests.proxy.memory import House
from tests.spawner.fake_engine import Start
from tests.spawner.world import BOB, World


class OperationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.table = RouteTable(Prefixes(), [Service(b"/apollo", Address("127.0.0.1", 8080))])
        self.house = House()
        self.operations = ProxyOperations(
            lambda: self.house.front, self.table, self.world.spawner.entrances
        )

    def test_routes_of_all_sorts_without_tokens(self) -> None:
        entry_point = EntryPoint(
            "key1", "interactivetoolentrypoint", "s3cret", Address("10.0.0.1", 8888)
        )
        self.table.replace("map.sqlite", {b"key1": entry_point})
        session_id = self.world.start()
        self.world.engine.plan = Start(listens=False)
        self.world.start(BOB)
        rows = self.operations.routes()
        self.assertEqual(
            rows,
            [
                RouteRow("spawner", "session", session_id, "http://127.0.0.1:20001"),
                RouteRow("services", "service", "/apollo", "http://127.0.0.1:8080"),
                RouteRow("map.sqlite", "entry_point", "key1", "http://10.0.0.1:8888"),
            ],
        )
        self.assertNotIn("s3cret", str(rows))

    def test_environments_without_cookies(self) -> None:
        here = Address("10.0.0.1", 8888)
        routes = [
            EnvironmentRoute("s3cret", here, b"/jupyter"),
            EnvironmentRoute("s3cret", here),
            EnvironmentRoute("s3cret", None),
        ]
        self.table.replace("map.json", {}, {"session": routes})
        self.assertEqual(
            self.operations.routes()[1:],
            [
                RouteRow("map.json", "environment", "/jupyter", "http://10.0.0.1:8888"),
                RouteRow("map.json", "environment", "/", "http://10.0.0.1:8888"),
            ],
        )

    def test_connections(self) -> None:
        self.assertEqual(self.operations.connections().clients, 0)
        self.house.connect()
        self.assertEqual(self.operations.connections().clients, 1)

    def test_drained_once(self) -> None:
        ended: list[bool] = []
        self.house.front.when_draining.append(lambda: ended.append(True))
        self.operations.drain()
        self.operations.drain()
        self.assertTrue(self.house.front.draining)
        self.assertEqual(ended, [True])
