"""The command ``giestack``."""

import io
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.cli import main
from giestack.identity.cookie import CookieCodec

SECRET = "giestack-test-secret-0123456789"
KEY = "0123456789abcdef0123456789abcdef"
COOKIE = CookieCodec(SECRET).encode(KEY)
OTHER = CookieCodec(SECRET).encode("f" * 32)

TABLES = f"""
CREATE TABLE galaxy_user (
  id INTEGER PRIMARY KEY, email TEXT, username TEXT, deleted BOOLEAN, purged BOOLEAN,
  external BOOLEAN, active BOOLEAN);
CREATE TABLE galaxy_session (
  id INTEGER PRIMARY KEY, create_time TIMESTAMP, user_id INTEGER, session_key TEXT,
  is_valid BOOLEAN, prev_session_id INTEGER, last_action TIMESTAMP, current_history_id INTEGER);
INSERT INTO galaxy_user VALUES (7, 'alice@example.org', 'alice', 0, 0, 0, 1);
INSERT INTO galaxy_session VALUES (3, '2026-01-01 00:00:00.0', 7, '{KEY}', 1, NULL, NULL, NULL);
"""


class CommandCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.patch(os, "environ", {})

    def write(self, text: str, name: str = "giestack.yml") -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def run_command(self, *argv: str, stdin: str = "") -> tuple[int, list[str]]:
        """Exit status and the lines on standard output."""
        self.patch(sys, "stdin", io.StringIO(stdin))
        self.patch(sys, "stdout", io.StringIO())
        self.patch(sys, "stderr", io.StringIO())
        try:
            status = main(argv)
        except SystemExit as stop:
            assert isinstance(stop.code, int)
            status = stop.code
        output = sys.stdout
        assert isinstance(output, io.StringIO)
        return status, output.getvalue().splitlines()


class CommandTests(CommandCase):
    def test_version(self) -> None:
        status, lines = self.run_command("--version")
        self.assertEqual(status, 0)
        self.assertRegex(lines[0], r"^giestack [0-9]+\.[0-9]+")

    def test_usage(self) -> None:
        self.assertEqual(self.run_command(), (2, []))
        self.assertEqual(self.run_command("zzz"), (2, []))
        status, lines = self.run_command("--help")
        self.assertEqual(status, 0)
        self.assertIn("check-config", "\n".join(lines))


class CheckConfigTests(CommandCase):
    def test_good(self) -> None:
        path = self.write("proxy: {listen: []}")
        self.assertEqual(self.run_command("check-config", path), (0, [f"{path}: ok"]))

    def test_warnings(self) -> None:
        path = self.write("proxy: {session_maps: [a.sqlite]}")
        status, lines = self.run_command("check-config", path)
        self.assertEqual((status, lines[1:]), (0, [f"{path}: ok"]))
        self.assertTrue(lines[0].startswith("warning: proxy.interactivetools_auth: is 'token'"))

    def test_problems_one_per_line(self) -> None:
        path = self.write("proxy:\n  prefix: x\n  session_maps: [a.sqlite]\n  limits: {head: y}\n")
        status, lines = self.run_command("check-config", path)
        self.assertEqual(status, 1)
        starts = ["proxy.prefix: must", "proxy.limits.head: must", "warning: proxy.interactive"]
        for line, start in zip(lines, starts, strict=True):
            self.assertTrue(line.startswith(start), line)

    def test_no_such_file(self) -> None:
        path = self.folder / "no.yml"
        self.assertEqual(
            self.run_command("check-config", str(path)),
            (1, [f"{path}: cannot be read: No such file or directory"]),
        )

    def test_looked_for_like_the_services(self) -> None:
        os.environ["GIESTACK_CONFIG"] = path = self.write("proxy: {listen: []}")
        self.assertEqual(self.run_command("check-config"), (0, [f"{path}: ok"]))

    def test_nothing_found(self) -> None:
        self.patch(Path, "cwd", lambda: self.folder)
        status, lines = self.run_command("check-config")
        self.assertEqual((status, len(lines)), (1, 1))
        self.assertIn("--demo", lines[0])


class CreateMapTests(CommandCase):
    def test_made(self) -> None:
        path = self.folder / "map.sqlite"
        for argv, stdin in (((str(path),), ""), (("-",), f"sqlite:///{path}\n")):
            status, lines = self.run_command("create-map", *argv, stdin=stdin)
            self.assertEqual((status, lines), (0, [f"{path}: the table gxitproxy is there"]))
        self.assertTrue(path.exists())

    def test_printed_only(self) -> None:
        status, lines = self.run_command("create-map", "--print", f"sqlite:///{self.folder}/map")
        self.assertEqual((status, lines[0]), (0, "CREATE TABLE IF NOT EXISTS gxitproxy ("))
        status, lines = self.run_command("create-map", "--print", "postgresql://nobody@nowhere/m")
        self.assertEqual((status, lines[-1]), (0, "COMMIT;"))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_not_made(self) -> None:
        status, lines = self.run_command("create-map", "mysql://u:s3cret@h/m")
        self.assertEqual((status, len(lines)), (1, 1))
        self.assertNotIn("s3cret", lines[0])
        self.assertEqual(self.run_command("create-map"), (2, []))


class ProcessTests(CommandCase):
    """What can be known about local processes before the first click."""

    def check(
        self, command: str, data_dir: str = "var", ulimits: str = "{}"
    ) -> tuple[int, list[str]]:
        path = self.write(
            f"galaxy: {{id_secret: {SECRET}, database_connection: 'sqlite:////u.sqlite'}}\n"
            f"data_dir: {data_dir}\n"
            "spawner:\n"
            "  engines: [{name: local, docker_host: 'process:'}]\n"
            "  profiles:\n"
            f"    - {{name: good, command: [sh, '{{socket}}'], ulimits: {ulimits}}}\n"
            f"    - {{name: other, command: [{command}, '{{socket}}']}}\n"
        )
        status, lines = self.run_command("check-config", path)
        return status, [line for line in lines if not line.startswith("warning: ")]

    def test_good(self) -> None:
        program = self.folder / "lab"
        program.touch(0o755)
        status, lines = self.check(str(program))
        self.assertEqual((status, lines), (0, [f"{self.folder}/giestack.yml: ok"]))
        self.assertFalse((self.folder / "var").exists())

    def test_beside_the_interpreter(self) -> None:
        name = Path(sys.executable).name
        self.assertEqual(self.check(name)[0], 0)

    def test_no_program(self) -> None:
        status, lines = self.check("giestack-no-such-program")
        self.assertEqual(status, 1)
        (line,) = lines
        start = "spawner.profiles[1].command: there is no program giestack-no-such-program in PATH"
        self.assertTrue(line.startswith(start), line)

    def test_not_executable(self) -> None:
        self.write("", "lab")
        status, lines = self.check(str(self.folder / "lab"))
        self.assertEqual(status, 1)
        self.assertIn("spawner.profiles[1].command: the program", lines[0])
        self.assertIn("is not executable", lines[0])

    def test_limits(self) -> None:
        self.assertEqual(self.check("sh", ulimits="{nofile: {soft: 1024, hard: 2048}}")[0], 0)
        for ulimits, words in (("{files: 9}", "“files”"), ("{nofile: many}", "whole number")):
            status, (line,) = self.check("sh", ulimits=ulimits)
            self.assertEqual(status, 1)
            self.assertTrue(line.startswith("spawner.profiles[0].ulimits: The profile"), line)
            self.assertIn(words, line)

    def test_the_data_folder(self) -> None:
        self.write("", "taken")
        status, lines = self.check("sh", "taken/var")
        self.assertEqual(status, 1)
        self.assertEqual(
            lines,
            [f"data_dir: {self.folder}/taken is no folder: move it away, or name another one"],
        )

    def test_warned_that_there_is_no_isolation(self) -> None:
        self.check("sh")
        path = str(self.folder / "giestack.yml")
        _, lines = self.run_command("check-config", path)
        self.assertIn("warning: spawner.engines[0].docker_host: no isolation", "\n".join(lines))


class WhoamiTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        database = self.folder / "universe.sqlite"
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(TABLES)
        self.config = self.write(
            f"galaxy: {{id_secret: {SECRET}, database_connection: 'sqlite:///{database}',"
            " admin_users: 'alice@example.org'}"
        )

    def test_a_user(self) -> None:
        status, lines = self.run_command("whoami", COOKIE, "--config", self.config)
        self.assertEqual(status, 0)
        self.assertIn("alice@example.org", lines[-1])
        self.assertIn("an administrator", lines[-1])
        self.assertNotIn("not an administrator", lines[-1])

    def test_from_standard_input(self) -> None:
        for text in (COOKIE, f"  galaxysession={COOKIE}\n", f"{COOKIE}\nmore"):
            status, lines = self.run_command("whoami", "-", "--config", self.config, stdin=text)
            self.assertEqual(status, 0)
            self.assertIn("alice@example.org", lines[-1])

    def test_nobody(self) -> None:
        for cookie in (OTHER, "zz", ""):
            status, lines = self.run_command("whoami", cookie, "--config", self.config)
            self.assertEqual(status, 1)
            self.assertTrue(lines[-1].startswith("verdict: refused"), lines)

    def test_nobody_can_tell(self) -> None:
        (self.folder / "universe.sqlite").unlink()
        status, lines = self.run_command("whoami", COOKIE, "--config", self.config)
        self.assertEqual(status, 1)
        self.assertTrue(lines[-1].startswith("verdict: nobody can tell"))

    def test_no_database(self) -> None:
        path = self.write("proxy: {listen: []}", "empty.yml")
        status, lines = self.run_command("whoami", COOKIE, "--config", path)
        self.assertEqual((status, len(lines)), (1, 1))
        self.assertIn("set galaxy.config_file", lines[0])

    def test_a_configuration_that_cannot_be_used(self) -> None:
        path = self.write("galaxy: {id_secret: abc}", "bad.yml")
        status, lines = self.run_command("whoami", COOKIE, "--config", path)
        self.assertEqual((status, len(lines)), (1, 1))
        self.assertTrue(lines[0].startswith("galaxy.id_secret: must be 4 to 56 bytes"))

    def test_secrets_are_not_told(self) -> None:
        for cookie in (COOKIE, OTHER, "zz"):
            _, lines = self.run_command("whoami", cookie, "--config", self.config)
            for secret in (COOKIE, OTHER, KEY, SECRET):
                self.assertNotIn(secret, "\n".join(lines))
