"""A container that tries things out."""

from contextlib import closing
from socket import create_server

from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.location import location_of
from giestack.doctor import trial
from giestack.doctor.check import CannotTell
from giestack.doctor.engine_api import EngineApi
from giestack.doctor.trial import Trial
from tests.doctor.fake_engine import FakeEngine
from tests.doctor.servers import json_reply
from tests.neighbours.program import free_port


class TrialTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.engine = FakeEngine(self)
        self.patch(trial, "_SECONDS", 0.5)

    def made(self, at: str = "127.0.0.1") -> Trial:
        return Trial(EngineApi(location_of(self.engine.url)), "lab", at, "http://g/")

    def test_all_is_reached_and_nothing_left(self) -> None:
        with closing(create_server(("127.0.0.1", 0))) as listener:
            self.engine.published = port = listener.getsockname()[1]
            done = self.made()
        self.assertEqual((done.reached, done.galaxy), (None, "reached"))
        self.assertEqual(done.published, f"127.0.0.1:{port}")
        self.assertEqual(self.engine.removed, ["/containers/c1"])

    def test_what_it_may(self) -> None:
        self.made("engine.example.org")
        (body,) = self.engine.created
        host = body["HostConfig"]
        assert isinstance(host, dict)
        self.assertEqual(host["CapDrop"], ["ALL"])
        self.assertEqual(host["PortBindings"]["8000/tcp"][0]["HostIp"], "")
        self.assertEqual(body["Env"], ["URL=http://g/api/version", "HOST=g", "PORT=80"])

    def test_a_port_that_is_not_reached(self) -> None:
        self.engine.published = free_port()
        self.assertIn("nobody listens", self.made().reached or "")

    def test_a_port_that_is_not_published(self) -> None:
        self.assertEqual(self.made().reached, "nothing is published")

    def test_one_that_says_nothing(self) -> None:
        self.engine.printed = ""
        self.assertEqual(self.made().galaxy, "not reached")

    def test_one_that_can_not_be_made(self) -> None:
        self.engine.says = json_reply(500, {"message": "no"})
        self.assertRaises(CannotTell, self.made)
