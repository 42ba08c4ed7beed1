"""Who Jupyter takes a visitor for."""

import os
from types import SimpleNamespace
from typing import Any

from jupyter_server.auth.identity import User
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.lab_identity import OwnerOfSocket


class OwnerOfSocketTests(SynchronousTestCase):
    def user(self, environ: dict[str, str]) -> User:
        self.patch(os, "environ", environ)
        handler: Any = SimpleNamespace()
        return OwnerOfSocket(token="").get_user(handler)

    def test_the_owner(self) -> None:
        self.assertEqual(self.user({"GIESTACK_USER": "alice"}), User("alice"))

    def test_somebody_without_a_name(self) -> None:
        self.assertEqual(self.user({}), User("owner"))
        self.assertEqual(self.user({"GIESTACK_USER": ""}), User("owner"))
