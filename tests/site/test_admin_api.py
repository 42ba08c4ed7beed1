"""The API of administrators."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.site.operations import Connections, RouteRow
from giestack.site.streams import Streams
from tests.site.conversation import ADMIN, ALICE, GUEST, Galaxy, Said, ask, pages_of
from tests.site.fake_spawning import FakeSpawning, session

ADDRESSES = (("GET", "routes"), ("GET", "connections"), ("POST", "drain"))


class Proxy:
    """A `giestack.site.operations.Operations`."""

    def __init__(self) -> None:
        self.drained = 0

    def routes(self) -> list[RouteRow]:
        return [
            RouteRow("map.sqlite", "entry_point", "key1", "127.0.0.1:9000"),
            RouteRow("services", "service", "/apollo", "unix:/run/apollo"),
        ]

    def connections(self) -> Connections:
        return Connections(clients=7, tunnels=2, backends=3)

    def drain(self) -> None:
        self.drained += 1


class AdminApiTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.proxy = Proxy()
        self.clock = Clock()
        self.site = pages_of(
            Galaxy(),
            operations=self.proxy,
            spawning=FakeSpawning(session("queued")),
            streams=Streams(self.clock),
        )

    def ask(self, name: str, visitor=ADMIN, method: str = "GET", headers=()) -> Said:
        target = f"/giestack/api/v1/admin/{name}".encode()
        return ask(self.site, target, visitor, method.encode(), headers or [(b"X-Giestack", b"1")])

    def test_routes(self) -> None:
        self.assertEqual(
            self.ask("routes").json,
            [
                {
                    "source": "map.sqlite",
                    "kind": "entry_point",
                    "name": "key1",
                    "address": "127.0.0.1:9000",
                },
                {
                    "source": "services",
                    "kind": "service",
                    "name": "/apollo",
                    "address": "unix:/run/apollo",
                },
            ],
        )

    def test_connections(self) -> None:
        said = ask(self.site, b"/giestack/api/v1/sessions/s1/events", ALICE)
        self.assertEqual(
            self.ask("connections").json,
            {"clients": 7, "tunnels": 2, "backends": 3, "streams": 1},
        )
        said.hang_up()
        self.assertEqual(self.ask("connections").json["streams"], 0)

    def test_drain(self) -> None:
        said = self.ask("drain", method="POST")
        self.assertEqual((said.status, said.json), (202, {"draining": True}))
        self.assertEqual(self.proxy.drained, 1)

    def test_nobody_else(self) -> None:
        for method, name in ADDRESSES:
            said = self.ask(name, ALICE, method)
            self.assertEqual((said.status, said.json["error"]), (403, "not-admin"))
            for visitor in (None, GUEST):
                said = self.ask(name, visitor, method)
                self.assertEqual((said.status, said.json["error"]), (401, "not-logged-in"))
        self.assertEqual(self.proxy.drained, 0)

    def test_no_page_but_ours_drains(self) -> None:
        said = self.ask("drain", method="POST", headers=[(b"Origin", b"https://evil.example")])
        self.assertEqual((said.status, said.json["error"]), (403, "foreign-origin"))
        self.assertEqual(self.proxy.drained, 0)

    def test_methods_that_do_nothing(self) -> None:
        for method, name in ADDRESSES:
            said = self.ask(name, method="GET" if method == "POST" else "POST")
            self.assertEqual((said.status, said.json["error"]), (405, "method-not-allowed"))
            self.assertEqual(said.header("allow"), "POST" if method == "POST" else "GET, HEAD")
        self.assertEqual(self.proxy.drained, 0)

    def test_where_there_is_nothing_to_operate(self) -> None:
        self.site = pages_of(Galaxy())
        for method, name in ADDRESSES:
            self.assertEqual(self.ask(name, method=method).status, 404)
