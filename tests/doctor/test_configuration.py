"""Checks of the configuration."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.check import Finding
from giestack.doctor.configuration import checks, unreadable
from giestack.doctor.runner import looked
from giestack.settings.problems import Problem
from tests.doctor.deployments import SECRET, deployment, found, one

MAP = "proxy: {session_maps: [/m.sqlite]}"
PLAIN = f"galaxy: {{id_secret: {SECRET}}}"


class ConfigurationCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "giestack.yml"

    def look(self, id: str, text: str = "{}", mode: int = 0o640) -> list[Finding]:
        self.file.write_text(text)
        self.file.chmod(mode)
        return found(checks(deployment(text, folder=self.folder, config=self.file)), id)


class ConfigurationTests(ConfigurationCase):
    def test_every_problem_of_one_that_cant_be_used(self) -> None:
        findings = looked(unreadable([Problem("a", "is bad", 3), Problem("b", "is worse")]))
        self.assertEqual([one.status for one in findings], ["fail", "fail"])
        self.assertEqual(findings[0].message, "a: is bad (line 3)")

    def test_one_that_can_be_used(self) -> None:
        self.assertEqual(self.look("config.parses")[0].status, "ok")
        self.assertIn("command line", one(checks(deployment()), "config.parses").message)

    def test_what_is_said_when_it_is_read(self) -> None:
        text = f"{MAP}\ngalaxy: {{url: 'https://g.org/', cookie_domain: other.org}}"
        (warning,) = self.look("config.warnings", text)
        self.assertEqual(warning.status, "warn")
        self.assertIn("other.org", warning.message)
        self.assertEqual(self.look("config.warnings", MAP), [])


class PermissionTests(ConfigurationCase):
    def test_secrets_that_everybody_can_read(self) -> None:
        (finding,) = self.look("config.permissions", PLAIN, 0o644)
        self.assertEqual(finding.status, "fail")
        self.assertIn("galaxy.id_secret", finding.message)
        self.assertNotIn(SECRET, finding.message)

    def test_no_secret_in_it(self) -> None:
        text = "galaxy: {database_connection: 'sqlite:////d', id_secret: '${S}'}"
        self.file.write_text(text)
        self.file.chmod(0o644)
        one = deployment(text, folder=self.folder, config=self.file, environ={"S": SECRET})
        (finding,) = found(checks(one), "config.permissions")
        self.assertEqual(finding.status, "ok")

    def test_a_password_is_a_secret(self) -> None:
        text = f"galaxy: {{database_connection: 'postgresql://u:p@h/d', id_secret: {SECRET}}}"
        (finding,) = self.look("config.permissions", text, 0o644)
        self.assertIn("galaxy.database_connection", finding.message)

    def test_everybody_can_write(self) -> None:
        (finding,) = self.look("config.permissions", "{}", 0o666)
        self.assertEqual(finding.status, "fail")

    def test_for_its_group(self) -> None:
        (finding,) = self.look("config.permissions", PLAIN)
        self.assertEqual(finding.status, "ok")

    def test_no_file(self) -> None:
        self.assertEqual(found(checks(deployment()), "config.permissions"), [])


class UserTests(ConfigurationCase):
    def test_the_services_user(self) -> None:
        (finding,) = self.look("config.user", f"data_dir: {self.folder}")
        self.assertEqual(finding.status, "ok")

    def test_somebody_else(self) -> None:
        self.patch(os, "geteuid", lambda: os.getuid() + 12345)
        (finding,) = self.look("config.user", f"data_dir: {self.folder}")
        self.assertEqual(finding.status, "warn")
        self.assertIn("sudo -u", finding.remedy)

    def test_not_there_yet(self) -> None:
        (finding,) = self.look("config.user", "data_dir: /nowhere/at/all")
        self.assertEqual(finding.status, "ok")


class AuthTests(ConfigurationCase):
    def test_tokens_are_said_loudly(self) -> None:
        self.assertEqual(self.look("config.auth", MAP)[0].status, "warn")

    def test_owners(self) -> None:
        text = f"{MAP}\ngalaxy: {{database_connection: 'sqlite:////d', id_secret: {SECRET}}}"
        self.assertEqual(self.look("config.auth", text)[0].status, "ok")

    def test_no_tools(self) -> None:
        self.assertEqual(self.look("config.auth"), [])


class AdminTests(ConfigurationCase):
    def test_tokens(self) -> None:
        for text, status in (
            ("{}", "ok"),
            ("admin: {token: short}", "warn"),
            (f"admin: {{token: {SECRET}}}", "ok"),
            ("admin: {listen: []}", "ok"),
        ):
            self.assertEqual([one.status for one in self.look("config.admin", text)], [status])

    def test_open_to_the_network(self) -> None:
        text = "admin: {listen: ['tcp:8801:interface=192.0.2.1', 'unix:/s']}"
        self.assertEqual([one.status for one in self.look("config.admin", text)], ["warn", "ok"])
