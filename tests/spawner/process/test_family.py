"""Processes found by their mark, whatever became of their parents."""

import os
import secrets
import signal
import socket
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.process import family
from giestack.spawner.process.family import VARIABLE, listener_uid, sweep
from tests.demo.place import new_folder
from tests.demo.processes import ORPHAN, Watched, number_from, started


class SweepTests(SynchronousTestCase):
    def setUp(self):
        self.name = secrets.token_hex(16)

    def orphan(self, name):
        process = started(self, ["sh", "-c", ORPHAN], env={VARIABLE: name, "PATH": os.defpath})
        orphan = Watched(self, number_from(process))
        process.wait()
        return orphan

    def test_orphans_end(self):
        orphans = [self.orphan(self.name) for _ in range(3)]
        self.assertEqual(sweep(self.name), 3)
        self.assertTrue(all(one.has_ended(0) for one in orphans))
        self.assertEqual(sweep(self.name), 0)

    def test_another_variable(self):
        process = started(self, ["sh", "-c", ORPHAN], env={"OTHER": self.name, "PATH": os.defpath})
        orphan = Watched(self, number_from(process))
        process.wait()
        self.assertEqual(sweep(self.name), 0)
        self.assertEqual(sweep(self.name, "OTHER"), 1)
        self.assertTrue(orphan.has_ended(0))

    def test_others_stay(self):
        others = [
            self.orphan(name)
            for name in (secrets.token_hex(16), self.name + "0", self.name[:-1], "")
        ]
        self.assertEqual(sweep(self.name), 0)
        self.assertFalse(any(one.has_ended(0) for one in others))

    def test_itself_stays(self):
        """A demo that was started from a terminal of this very family."""
        text = (
            "from giestack.spawner.process.family import sweep\n"
            f"print(sweep({self.name!r}), flush=True)\n"
            "print('still here')"
        )
        command = [sys.executable, "-c", text]
        process = started(self, command, env={**os.environ, VARIABLE: self.name})
        self.assertEqual(process.stdout.read(), b"0\nstill here\n")

    def test_number_that_became_another_process(self):
        """The mark is looked at again when nothing can take the number any more."""
        other = self.orphan(secrets.token_hex(16))
        looks = iter([True, False, False])
        self.patch(family, "_processes", lambda: [other.pid])
        self.patch(family, "_marked", lambda pid, mark: next(looks))
        sweep(self.name)
        self.assertFalse(other.has_ended(0))

    def test_gone_between_looking_and_killing(self):
        process = started(self, ["true"])
        process.wait()
        looks = iter([True, False])
        self.patch(family, "_processes", lambda: [process.pid])
        self.patch(family, "_marked", lambda pid, mark: next(looks))
        self.assertEqual(sweep(self.name), 1)

    def test_signal_is_refused(self):
        self.orphan(self.name)

        def refuse(*arguments):
            raise PermissionError(1, "Operation not permitted")

        with self.patch(signal, "pidfd_send_signal", refuse):
            self.assertEqual(sweep(self.name), 1)

    def test_no_proc(self):
        self.patch(family, "_PROC", Path("/nonexistent"))
        self.assertEqual(sweep(self.name), 0)


class ListenerTests(SynchronousTestCase):
    def test_own_port(self):
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            port = listening.getsockname()[1]
            self.assertIsNone(listener_uid(port))
            listening.listen()
            self.assertEqual(listener_uid(port), os.geteuid())
        self.assertIsNone(listener_uid(port))

    def test_another_users_port(self):
        folder = new_folder(self)
        (folder / "net").mkdir(parents=True)
        head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
        (folder / "net" / "tcp").write_text(
            f"{head}  timeout inode\n"
            "   0: 0100007F:0FA1 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     7"
            "        0 1 1 0 100 0 0 10 0\n"
            "   1: 0100007F:0FA1 00000000:0000 0A 00000000:00000000 00:00000000 00000000  4321"
            "        0 1 1 0 100 0 0 10 0\n"
        )
        self.patch(family, "_PROC", folder)
        self.assertEqual(listener_uid(4001), 4321)
        self.assertIsNone(listener_uid(4002))

    def test_no_proc(self):
        self.patch(family, "_PROC", Path("/nonexistent"))
        self.assertIsNone(listener_uid(80))
