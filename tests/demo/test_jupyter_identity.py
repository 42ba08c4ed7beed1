"""Who Jupyter lets in."""

from types import SimpleNamespace
from typing import Any

from jupyter_server.auth.identity import User
from tornado.httputil import HTTPHeaders
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.jupyter_identity import FrontDoor


class FrontDoorTests(SynchronousTestCase):
    def user(self, headers, header="X-H1DDEN"):
        door = FrontDoor(header=header, username="alice")
        handler: Any = SimpleNamespace(request=SimpleNamespace(headers=HTTPHeaders(headers)))
        return door.get_user(handler)

    def test_through_giestack(self):
        self.assertEqual(self.user({"x-h1dden": "/interactivetool/ep/k/t"}), User("alice"))

    def test_not_through_giestack(self):
        for headers in ({}, {"X-H1DDE": "x"}, {"Authorization": "token x"}, {"Cookie": "X-H1DDEN"}):
            self.assertIsNone(self.user(headers))

    def test_without_a_secret_nobody(self):
        self.assertIsNone(self.user({"": "x"}, header=""))
