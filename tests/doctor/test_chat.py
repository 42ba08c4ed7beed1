"""Checks of the chat."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.chat import checks
from giestack.doctor.check import Finding
from tests.doctor.deployments import SECRET, deployment, found


class ChatTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "chat.sqlite"

    def look(self, id: str, chat: str = "{}", galaxy: str = "") -> Finding:
        text = (
            f"galaxy: {{id_secret: {SECRET}, database_connection: 'sqlite:////d'{galaxy}}}\n"
            f"data_dir: {self.folder}\nchat: {chat}"
        )
        (finding,) = found(checks(deployment(text)), id)
        return finding

    def test_a_good_file(self) -> None:
        with closing(sqlite3.connect(self.file)) as made:
            made.execute("CREATE TABLE a (b)")
        self.assertEqual(self.look("chat.database").status, "ok")

    def test_a_bad_file(self) -> None:
        self.file.write_bytes(b"nonsense, and more of it " * 9)
        self.assertEqual(self.look("chat.database").status, "fail")

    def test_not_there_yet(self) -> None:
        self.assertIn("not there yet", self.look("chat.database").message)

    def test_not_ours_to_write(self) -> None:
        self.patch(os, "access", lambda path, mode: False)
        self.assertIn("can't be made", self.look("chat.database").message)
        self.file.touch()
        self.assertIn("may not read and write", self.look("chat.database").message)

    def test_a_server_that_is_away(self) -> None:
        chat = f"{{database: 'postgresql://u:pass-word@/d?host={self.folder}'}}"
        finding = self.look("chat.database", chat)
        self.assertEqual(finding.status, "fail")
        self.assertNotIn("pass-word", finding.message)

    def test_who_keeps_order(self) -> None:
        self.assertEqual(self.look("chat.moderators").status, "warn")
        self.assertEqual(self.look("chat.moderators", "{moderators: [a@b.c]}").status, "ok")
        self.assertEqual(self.look("chat.moderators", galaxy=", admin_users: a@b.c").status, "ok")

    def test_no_chat(self) -> None:
        self.assertEqual(checks(deployment()), ())
