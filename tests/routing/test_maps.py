"""Session maps that come and go."""

from types import MappingProxyType
from typing import NoReturn

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import EntryPoint
from giestack.routing.maps import SessionMaps
from giestack.routing.source import Publish, SourceRoutes
from giestack.routing.table import Prefixes, RouteTable


def tool(key: str, port: int) -> EntryPoint:
    return EntryPoint(key, "", "token", Address("127.0.0.1", port))


class OpenedMap:
    """A session map that publishes what the test says."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.known = False
        self.rows = self.reads = self.errors = 0
        self.polling_interval = 0.0
        self.publish: Publish | None = None
        self.stopped: Deferred[None] | None = None

    def start(self, publish: Publish) -> None:
        self.publish = publish

    def stop(self) -> Deferred[None]:
        self.stopped = Deferred()
        return self.stopped

    def configure(self, polling_interval: float) -> None:
        self.polling_interval = polling_interval

    def health(self) -> tuple[bool, str]:
        return True, ""

    def tell(self, *tools: EntryPoint) -> None:
        assert self.publish is not None
        self.known = True
        found = {one.key.encode(): one for one in tools}
        self.publish(SourceRoutes(MappingProxyType(found)))


class SessionMapsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.opened: list[OpenedMap] = []
        self.table = RouteTable(Prefixes())
        self.maps = SessionMaps(self.table, self.open, {"cookie": "session"}.get)
        self.maps.configure({"a": "/a", "b": "/b"}, 5.0)

    def open(self, location: str) -> OpenedMap:
        if location == "/unusable":
            raise ValueError("nobody reads this")
        self.opened.append(OpenedMap(location))
        return self.opened[-1]

    def port(self, key: bytes) -> int | None:
        found = self.table.find(key, b"token")
        return found.address.port if found else None

    def test_what_they_hold_is_in_the_table(self) -> None:
        self.maps.start()
        a, b = self.opened
        self.assertEqual((a.location, list(self.maps), len(self.maps)), ("/a", ["a", "b"], 2))
        a.tell(tool("x", 1))
        b.tell(tool("x", 2), tool("y", 3))
        self.assertEqual((self.port(b"x"), self.port(b"y")), (1, 3))
        self.assertIs(self.maps["b"], b)

    def test_the_reactor_looks_at_no_row(self) -> None:
        """However many there are: the mapping that was made in a thread is taken as it is."""

        class Untouched(dict[bytes, EntryPoint]):
            def __iter__(self) -> NoReturn:
                raise AssertionError("somebody goes through all rows")

            keys = values = items = copy = __iter__

        self.maps.start()
        a, b = self.opened
        b.tell(tool("y", 3))
        assert a.publish is not None
        for port in (1, 2):
            a.publish(SourceRoutes(Untouched({b"x": tool("x", port)})))
            self.assertEqual((self.port(b"x"), self.port(b"y"), len(self.table)), (port, 3, 2))

    def test_environments_by_what_their_cookies_stand_for(self) -> None:
        self.maps.start()
        route = EnvironmentRoute("cookie", Address("10.0.0.7", 8888))
        routes = SourceRoutes({}, [route, EnvironmentRoute("unknown", None)])
        assert self.opened[0].publish is not None
        self.opened[0].publish(routes)
        self.assertIs(self.table.environment("session", b"/"), route)
        self.assertIsNone(self.table.environment("unknown", b"/"))

    def test_known_is_when_all_were_read(self) -> None:
        self.maps.start()
        self.assertFalse(self.maps.known)
        self.opened[0].tell()
        self.assertFalse(self.maps.known)
        self.opened[1].tell()
        self.assertTrue(self.maps.known)

    def test_others(self) -> None:
        self.maps.start()
        a, b = self.opened
        a.tell(tool("x", 1))
        b.tell(tool("x", 2), tool("y", 3))
        self.maps.configure({"c": "/c", "b": "/b"}, 5.0)
        self.assertEqual(len(self.opened), 3)
        self.assertIsNotNone(a.stopped)
        self.assertIsNone(b.stopped)
        self.assertEqual((self.port(b"x"), self.port(b"y")), (2, 3))
        # The order is the new one.
        self.opened[2].tell(tool("x", 4))
        self.assertEqual(self.port(b"x"), 4)

    def test_others_before_the_start(self) -> None:
        self.maps.configure({"b": "/b"}, 5.0)
        self.maps.start()
        a, b = self.opened
        self.assertIsNone(a.publish)
        self.assertIsNone(a.stopped)
        self.assertIsNotNone(b.publish)

    def test_another_location_under_the_same_name(self) -> None:
        """Its routes stay until the new one tells."""
        self.maps.start()
        a, b = self.opened
        a.tell(tool("x", 1))
        self.maps.configure({"a": "/elsewhere", "b": "/b"}, 5.0)
        new = self.opened[2]
        self.assertIs(self.maps["a"], new)
        self.assertIsNotNone(a.stopped)
        self.assertIsNone(b.stopped)
        self.assertEqual(self.port(b"x"), 1)
        new.tell(tool("x", 2))
        self.assertEqual(self.port(b"x"), 2)

    def test_the_polling_interval(self) -> None:
        self.assertEqual([one.polling_interval for one in self.opened], [5.0, 5.0])
        self.maps.start()
        self.maps.configure({"a": "/a", "c": "/c"}, 0.5)
        self.assertEqual([one.polling_interval for one in self.opened], [0.5, 5.0, 0.5])

    def test_one_that_cannot_be_used_changes_nothing(self) -> None:
        self.maps.start()
        self.opened[0].tell(tool("x", 1))
        self.assertRaises(ValueError, self.maps.configure, {"b": "/b", "c": "/unusable"}, 5.0)
        self.assertEqual((list(self.maps), self.port(b"x")), (["a", "b"], 1))
        self.assertIsNone(self.opened[0].stopped)

    def test_the_end_waits_for_all_also_for_those_that_had_to_go(self) -> None:
        self.maps.start()
        self.maps.configure({"b": "/b"}, 5.0)
        ended = self.maps.stop()
        a, b = self.opened
        assert a.stopped is not None and b.stopped is not None
        b.stopped.callback(None)
        self.assertNoResult(ended)
        a.stopped.callback(None)
        self.successResultOf(ended)
