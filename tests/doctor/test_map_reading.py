"""Session maps as the doctor reads them; PostgreSQL has tests of its own in `tests.real`."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.session_map import SessionMap as DemoMap
from giestack.doctor.map_reading import Map
from giestack.routing.source import MapTrouble
from giestack.settings.databases import SessionMap


class MapTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def test_a_file(self) -> None:
        path = self.folder / "map.sqlite"
        DemoMap(path).save("abc", "token1", "127.0.0.1", 1234)
        one = Map(SessionMap("sqlite", path=path))
        self.assertEqual([point.key for point in one.entry_points], ["abc"])
        self.assertEqual(one.name, str(path))

    def test_other_formats(self) -> None:
        path = self.folder / "map.json"
        path.write_text('{"%s": {"host": "h", "port": 1}}' % ("0" * 80))
        self.assertIsNotNone(Map(SessionMap("json", path=path)).read().routes.environments)

    def test_one_that_is_not_there(self) -> None:
        one = Map(SessionMap("sqlite", path=self.folder / "none.sqlite"))
        self.assertTrue(self.assertRaises(MapTrouble, one.read).missing)
        self.assertEqual(one.entry_points, ())

    def test_a_server_that_is_not_there(self) -> None:
        url = f"postgresql://u:pass-word@/d?host={self.folder}"
        one = Map(SessionMap("postgresql", url=url))
        error = self.assertRaises(MapTrouble, one.read)
        self.assertFalse(error.missing)
        self.assertNotIn("pass-word", str(error))
        self.assertNotIn("pass-word", one.name)
        self.assertRaises(MapTrouble, one.has_trigger)

    def test_a_url_that_is_none(self) -> None:
        one = Map(SessionMap("postgresql", url="mysql://h/d"))
        self.assertRaises(MapTrouble, one.read)
