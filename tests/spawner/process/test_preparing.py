"""What stands between a launch and a running program."""

import os
import pwd
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import EngineError
from giestack.spawner.process.environment import SECRETS_VARIABLE
from giestack.spawner.process.folders import Folders
from giestack.spawner.process.preparing import Preparing, uses_socket
from tests.demo.place import new_folder
from tests.spawner.engine_suite import launch_of

PYTHON = Path(sys.executable)


def profile_of(*command, **more):
    return Profile(name="test", command=command, **{"memory": 0, "pids": 0, **more})


class PreparingTests(SynchronousTestCase):
    def setUp(self):
        self.folders = Folders(new_folder(self))
        self.folders.open()
        self.addCleanup(self.folders.close)
        self.preparing = Preparing(self.folders, os.environ, PYTHON, "mark")
        self.run_folder = self.folders.run / "s1"
        self.home = self.folders.data_dir / "homes" / "galaxy-12"

    def prepare(self, profile, port=None, **more):
        return self.preparing.prepare(launch_of(profile, **more), port)

    def test_socket(self):
        profile = profile_of("sh", "{socket} {user} {port}", env={"WHERE": "{socket}"})
        prepared = self.prepare(profile)
        socket = f"{self.run_folder}/socket"
        self.assertEqual(prepared.address, Address(path=socket))
        self.assertEqual(prepared.command, ["sh", f"{socket} galaxy-12 "])
        self.assertEqual(prepared.environment["WHERE"], socket)
        self.assertEqual(prepared.environment["HOME"], str(self.home))
        self.assertNotIn(SECRETS_VARIABLE, prepared.environment)

    def test_port(self):
        prepared = self.prepare(profile_of("sh", "{port}{socket}"), 4321)
        self.assertEqual(prepared.address, Address("127.0.0.1", 4321, session="s1"))
        self.assertEqual(prepared.command, ["sh", "4321"])

    def test_https(self):
        prepared = self.prepare(profile_of("sh", scheme="https"), 4321)
        self.assertEqual(prepared.address, Address("127.0.0.1", 4321, tls=True, session="s1"))
        prepared = self.prepare(profile_of("sh", scheme="https", ca_file=Path("/ca.pem")), 4321)
        self.assertEqual(prepared.address.ca_file, "/ca.pem")

    def test_options(self):
        prepared = self.prepare(profile_of("sh", memory=1000, pids=5))
        folder, remove, nice, *limits = prepared.options
        self.assertEqual(folder, f"--folder={self.home}")
        self.assertEqual(remove, f"--remove={self.run_folder}")
        self.assertEqual(nice, "--nice=10")
        self.assertIn("--limit=DATA:1000:1000", limits)
        (most,) = [limit.split(":")[1] for limit in limits if limit.startswith("--limit=NPROC")]
        self.assertGreater(int(most), 5)

    def test_secrets(self):
        prepared = self.prepare(profile_of("sh", secrets={"key": "s3cret"}))
        self.assertEqual(prepared.environment[SECRETS_VARIABLE], f"{self.run_folder}/secrets")
        self.assertEqual((self.run_folder / "secrets" / "key").read_text(), "s3cret")
        self.assertNotIn("s3cret", repr(prepared))
        self.assertNotIn("s3cret", str(prepared.environment))

    def test_refused(self):
        for profile in (
            profile_of(),
            profile_of("no-such-program"),
            profile_of("/no/such/program"),
            profile_of("/etc/passwd"),
            profile_of("sh", ulimits={"nofile": "many"}),
            profile_of("sh", "a\0b"),
            profile_of("sh", env={"A": "a\0b"}),
            profile_of("sh", env={"A\0": "a"}),
            profile_of("sh", env={"A=B": "a"}),
            profile_of("sh", env={"": "a"}),
            profile_of("sh", "\ud800"),
            profile_of("sh", secrets={"../key": "s3cret"}),
        ):
            error = self.assertRaises(EngineError, self.prepare, profile)
            self.assertNotIn("s3cret", str(error))

    def test_options_cannot_become_more_words(self):
        """What people choose stays one argument, and is not taken for a template."""
        profile = profile_of("sh", "--title={options.title}")
        prepared = self.prepare(profile, options={"title": "a b; {user} $(id) --x"})
        self.assertEqual(prepared.command, ["sh", "--title=a b; {user} $(id) --x"])

    def test_socket_too_long(self):
        self.folders._run = self.folders.run / ("x" * 90)
        self.folders.run.mkdir()
        error = self.assertRaises(EngineError, self.prepare, profile_of("sh", "{socket}"))
        self.assertIn("data_dir", str(error))
        self.prepare(profile_of("sh"), 4321)

    def test_user_without_a_name(self):
        def unknown(number):
            raise KeyError(number)

        self.patch(pwd, "getpwuid", unknown)
        self.preparing = Preparing(self.folders, {}, PYTHON, "mark")
        prepared = self.prepare(profile_of("sh"))
        self.assertEqual(prepared.environment["USER"], str(os.geteuid()))

    def test_uses_socket(self):
        self.assertTrue(uses_socket(profile_of("a", "--sock={socket}")))
        self.assertTrue(uses_socket(profile_of("a", env={"SOCK": "unix:{socket}"})))
        self.assertFalse(uses_socket(profile_of("a", "{port}", env={"A": "socket"})))


class TroubleTests(SynchronousTestCase):
    def setUp(self):
        self.folders = Folders(new_folder(self))
        self.folders.open()
        self.addCleanup(self.folders.close)
        self.preparing = Preparing(self.folders, {"PATH": "/usr/bin:/bin"}, PYTHON, "mark")

    def troubles(self, *profiles):
        return self.preparing.troubles(profiles)

    def test_none(self):
        self.assertEqual(
            self.troubles(
                profile_of("sh"),
                profile_of("/bin/sh"),
                # Beside the interpreter.
                profile_of(PYTHON.name),
                # Known only when somebody starts it.
                profile_of("{options.program}"),
                profile_of("bin/mine"),
            ),
            [],
        )

    def test_words(self):
        found = self.troubles(
            profile_of(), profile_of("no-such-program"), profile_of("/etc/passwd"), profile_of("sh")
        )
        self.assertEqual(len(found), 3)
        for text, words in zip(
            found, ("first word of command", "no-such-program", "not executable"), strict=True
        ):
            self.assertIn("“test”", text)
            self.assertIn(words, text)

    def test_own_path(self):
        folder = new_folder(self)
        folder.mkdir()
        (folder / "mine").write_text("#!/bin/sh\n")
        (folder / "mine").chmod(0o755)
        self.assertEqual(len(self.troubles(profile_of("mine"))), 1)
        self.assertEqual(self.troubles(profile_of("mine", env={"PATH": str(folder)})), [])

    def test_folder(self):
        folders = Folders(self.folders.data_dir / "run.lock")
        (trouble,) = Preparing(folders, {}, PYTHON, "mark").troubles([])
        self.assertIn("no folder", trouble)
