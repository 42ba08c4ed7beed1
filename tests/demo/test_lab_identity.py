"""Who Jupyter takes a visitor for."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jupyter_server.auth.identity import User
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo import lab_identity, session_environment
from giestack.demo.lab_identity import OwnerOfServer


class OwnerOfServerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = Path(self.mktemp())
        self.patch(lab_identity, "FILE", str(self.file))
        self.patch(lab_identity, "told", lambda: session_environment.told(str(self.file)))
        lab_identity._told_user.cache_clear()
        self.addCleanup(lab_identity._told_user.cache_clear)

    def user(self, environ: dict[str, str]) -> User:
        self.patch(os, "environ", environ)
        handler: Any = SimpleNamespace()
        return OwnerOfServer(token="").get_user(handler)

    def test_the_owner(self) -> None:
        self.assertEqual(self.user({"GIESTACK_USER": "alice"}), User("alice"))

    def test_somebody_without_a_name(self) -> None:
        self.assertEqual(self.user({}), User("owner"))
        self.assertEqual(self.user({"GIESTACK_USER": ""}), User("owner"))

    def test_told_after_the_start(self) -> None:
        self.assertEqual(self.user({"GIESTACK_USER": "nobody"}), User("nobody"))
        self.file.write_text("GIESTACK_USER='alice'\n")
        self.assertEqual(self.user({"GIESTACK_USER": "nobody"}), User("alice"))

    def test_told_of_other_things(self) -> None:
        self.file.write_text("HISTORY_ID='a1'\n")
        self.assertEqual(self.user({"GIESTACK_USER": "alice"}), User("alice"))
