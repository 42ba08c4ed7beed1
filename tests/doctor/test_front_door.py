"""Requests that giestack recognises."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.asking import Answer
from giestack.doctor.front_door import NotOurs, arrival_in, front_door
from tests.doctor.deployments import SECRET, deployment
from tests.doctor.fronts import keeps_all, leads_elsewhere
from tests.doctor.servers import FakeGiestack, Server

TEXT = f"galaxy: {{id_secret: {SECRET}}}"


class FrontDoorTests(SynchronousTestCase):
    def test_how_a_request_arrives(self) -> None:
        port = Server(self, FakeGiestack(keeps_all)).port
        door = front_door(deployment(TEXT, front=f"http://127.0.0.1:{port}"))
        assert door is not None
        here = door.here()
        self.assertEqual(here.target, "/giestack/doctor/seen")
        self.assertEqual(here.host, f"127.0.0.1:{port}")
        self.assertEqual(here.host_name, "127.0.0.1")
        self.assertEqual((here.address, here.peer), ("198.51.100.7", "127.0.0.1"))
        self.assertEqual(here.cookies, 2)
        other = door.arrival("/x", host="a.example.org")
        self.assertEqual((other.host, other.target), ("a.example.org", "/x"))

    def test_something_else_answers(self) -> None:
        port = Server(self, FakeGiestack(leads_elsewhere)).port
        door = front_door(deployment(TEXT, front=f"http://127.0.0.1:{port}"))
        assert door is not None
        error = self.assertRaises(NotOurs, door.here)
        self.assertIn("nginx/1.22", str(error))

    def test_what_is_no_arrival(self) -> None:
        for body in (
            b"x",
            b"[]",
            b'{"giestack": "no"}',
            b'{"giestack": "seen"}',
            b'{"giestack": "seen", "method": "", "target": "", "scheme": "", "host": "",'
            b'"address": "", "peer": "", "by_front": 1, "told": [], "hops": "x"}',
        ):
            self.assertRaises(NotOurs, arrival_in, Answer(200, {}, body))

    def test_there_may_be_none(self) -> None:
        self.assertIsNone(front_door(deployment(TEXT)))
        self.assertIsNone(front_door(deployment(front="http://h")))
