"""An engine that is asked by the doctor."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.location import Location, TlsFiles, location_of
from giestack.doctor.check import CannotTell
from giestack.doctor.engine_api import EngineApi, segment
from tests.doctor.fake_engine import FakeEngine
from tests.doctor.servers import json_reply, reply


class EngineApiTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.engine = FakeEngine(self)
        self.api = EngineApi(location_of(self.engine.url))

    def test_asks(self) -> None:
        self.assertEqual(self.api.get("/version"), self.engine.version)
        self.assertTrue(self.api.exists("/images/lab/json"))
        self.assertFalse(self.api.exists("/images/other/json"))
        self.assertEqual(self.api.post("/containers/create", {"a": 1}), {"Id": "c1"})
        self.assertEqual(self.engine.created, [{"a": 1}])
        self.assertEqual(self.api.text("/containers/c1/logs"), "GALAXY=1\n")
        self.api.delete("/containers/c1")
        self.assertEqual(self.engine.removed, ["/containers/c1"])

    def test_what_the_engine_says_against_it(self) -> None:
        self.engine.says = json_reply(500, {"message": "no space left"})
        self.assertEqual(str(self.assertRaises(CannotTell, self.api.get, "/x")), "no space left")
        self.engine.says = reply(500, b"x")
        text = str(self.assertRaises(CannotTell, self.api.get, "/x"))
        self.assertIn("Internal Server Error", text)

    def test_files_of_tls_that_are_none(self) -> None:
        no = Path("/nowhere/ca.pem")
        api = EngineApi(Location("tcp://127.0.0.1:1", TlsFiles(no, no, no)))
        self.assertIn("tls", str(self.assertRaises(CannotTell, api.get, "/version")))

    def test_names_in_paths(self) -> None:
        self.assertEqual(segment("quay.io/a b:1@x"), "quay.io/a%20b:1@x")
