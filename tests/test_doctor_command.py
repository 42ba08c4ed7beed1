"""``giestack doctor`` as a command."""

import io
import json
import os
import sys
from pathlib import Path

from giestack import doctor_command
from giestack.cli import main
from giestack.doctor.check import Check, fail, ok, warn
from giestack.identity.cookie import CookieCodec
from tests.doctor.galaxies import KEY, galaxy_database
from tests.neighbours.program import free_port
from tests.test_cli import SECRET, CommandCase


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class DoctorCase(CommandCase):
    def deployment(self, more: str = "") -> str:
        """A good configuration of a giestack that does not run."""
        url = galaxy_database(self.folder / "galaxy.sqlite")
        path = self.write(
            f"galaxy: {{id_secret: '{SECRET}', database_connection: '{url}'}}\n"
            f"proxy: {{listen: ['tcp:{free_port()}:interface=127.0.0.1']}}\n"
            f"admin: {{listen: ['tcp:{free_port()}:interface=127.0.0.1']}}\n{more}"
        )
        Path(path).chmod(0o600)
        return path


class DoctorTests(DoctorCase):
    def test_a_good_one_that_does_not_run(self) -> None:
        status, lines = self.run_command("doctor", "--config", self.deployment())
        self.assertEqual(status, 0, lines)
        for group in ("Configuration", "Galaxy", "Maps", "Front", "This machine"):
            self.assertIn(group, lines)
        self.assertIn("  ok    Galaxy's database answers", lines)
        self.assertRegex(lines[-1], r"^No failures, [0-9]+ warnings?; [0-9]+ of [0-9]+ are fine\.$")
        text = "\n".join(lines)
        self.assertNotIn("\033", text)
        self.assertNotIn(SECRET, text)

    def test_a_bad_one(self) -> None:
        path = self.deployment()
        (self.folder / "galaxy.sqlite").unlink()
        status, lines = self.run_command("doctor", "--config", path)
        self.assertEqual(status, 1)
        self.assertTrue(any(line.startswith("  FAIL  Galaxy's database") for line in lines))

    def test_one_that_can_not_be_read(self) -> None:
        path = self.write("proxy: {prefix: x, limits: {head: y}}")
        status, lines = self.run_command("doctor", "--config", path)
        self.assertEqual(status, 1)
        self.assertEqual(sum(line.startswith("  FAIL  proxy.") for line in lines), 2)

    def test_for_programs(self) -> None:
        status, lines = self.run_command("doctor", "--json", "--config", self.deployment())
        told = json.loads("\n".join(lines))
        self.assertEqual(status, 0)
        self.assertEqual(set(told[0]), {"check", "group", "status", "message", "remedy", "seconds"})
        self.assertIn("galaxy.database", {one["check"] for one in told})
        self.assertLessEqual({one["status"] for one in told}, {"ok", "warn"})
        for one in told:
            self.assertEqual(one["status"] == "ok", one["remedy"] == "", one)

    def test_as_the_drop_in_has_it(self) -> None:
        galaxy = self.write(f"galaxy: {{id_secret: {SECRET}}}", "galaxy.yml")
        self.patch(Path, "cwd", lambda: self.folder)
        _, lines = self.run_command("doctor", "--galaxy-config", galaxy)
        self.assertIn("  ok    what the command line says can be used", lines)

    def test_a_pasted_cookie(self) -> None:
        path = self.deployment()
        cookie = CookieCodec(SECRET).encode(KEY)
        for text in (cookie, f"galaxysession={cookie}\n"):
            status, lines = self.run_command(
                "doctor", "--config", path, "--cookie", "-", stdin=text
            )
            text = "\n".join(lines)
            self.assertEqual(status, 0)
            self.assertIn("begins as this id_secret's cookies do", text)
            self.assertIn("alice@example.org", text)
            self.assertNotIn(cookie, text)
        other = CookieCodec("another-secret-of-another-galaxy").encode(KEY)
        status, lines = self.run_command("doctor", "--config", path, "--cookie", "-", stdin=other)
        self.assertEqual(status, 1)

    def test_usage(self) -> None:
        self.assertEqual(self.run_command("doctor", "--cookie", "abc")[0], 2)
        self.assertEqual(self.run_command("doctor", "--url", "nonsense")[0], 2)

    def test_who_has_seen_enough(self) -> None:
        def interrupt(checks: object, waits: object = None) -> None:
            raise KeyboardInterrupt

        self.patch(doctor_command, "results", interrupt)
        self.assertEqual(self.run_command("doctor", "--config", self.deployment())[0], 1)

    def test_signs_that_a_terminal_does_not_have(self) -> None:
        output = io.BytesIO()
        path = self.deployment()
        self.patch(sys, "stdout", io.TextIOWrapper(output, "ascii"))
        self.assertEqual(main(["doctor", "--config", path]), 0)
        sys.stdout.flush()
        self.assertIn(b"? ", output.getvalue())

    def test_nothing_is_found(self) -> None:
        self.patch(Path, "cwd", lambda: self.folder)
        status, lines = self.run_command("doctor")
        self.assertEqual(status, 1)
        self.assertIn("--demo", "\n".join(lines))


class TerminalTests(DoctorCase):
    def shown(self, **environ: str) -> str:
        self.patch(os, "environ", {"TERM": "xterm", **environ})
        one = [
            Check("maps.a", "maps", "the maps", lambda: [ok("fine"), warn("odd", "look")]),
            Check("maps.b", "maps", "more maps", lambda: [fail("bad", "mend")]),
        ]
        self.patch(doctor_command, "checks_of", lambda deployment, umask: one)
        path = self.deployment()
        output = Terminal()
        self.patch(sys, "stdout", output)
        self.assertEqual(main(["doctor", "--config", path]), 1)
        return output.getvalue()

    def test_colours_and_what_is_waited_for(self) -> None:
        text = self.shown()
        self.assertIn("\033[31;1mFAIL\033[0m", text)
        self.assertIn("…     more maps", text)

    def test_no_colours_where_nobody_wants_them(self) -> None:
        text = self.shown(NO_COLOR="1")
        self.assertNotIn("\033[31", text)
        self.assertIn("FAIL  bad", text)

    def test_not_for_a_dumb_one(self) -> None:
        self.assertNotIn("\033", self.shown(TERM="dumb"))
