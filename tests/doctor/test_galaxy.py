"""Checks of Galaxy's database and secret."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor import galaxy as galaxy_checks
from giestack.doctor.check import Finding
from giestack.doctor.galaxy import checks
from giestack.doctor.galaxy_database import GalaxyTables
from giestack.identity.cookie import BadSecret
from tests.doctor.deployments import NOW, SECRET, deployment, found
from tests.doctor.galaxies import CODEC, KEY, galaxy_database


class GalaxyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.url = galaxy_database(self.path)
        self.keys: list[str] = []
        self.secret = SECRET
        self.more = ""

    def look(self, id: str, **given: Any) -> list[Finding]:
        text = (
            f"galaxy: {{id_secret: '{self.secret}', database_connection: '{self.url}'{self.more}}}"
        )
        tables = GalaxyTables(self.url)
        return found(checks(deployment(text, **given), tables, lambda: self.keys), id)

    def says(self, status: str, findings: Sequence[Finding], *words: str) -> None:
        self.assertEqual([one.status for one in findings], [status], findings)
        for word in words:
            self.assertIn(word, findings[0].message)


class DatabaseTests(GalaxyCase):
    def test_answers(self) -> None:
        self.says("ok", self.look("galaxy.database"))
        self.says("ok", self.look("galaxy.tables"))
        self.says("ok", self.look("galaxy.privileges"))
        self.assertEqual(self.look("galaxy.clock"), [])

    def test_is_away(self) -> None:
        self.path.unlink()
        self.says("fail", self.look("galaxy.database"))
        for id in ("galaxy.tables", "galaxy.clock"):
            self.assertEqual(self.look(id), [])
        self.assertEqual(self.look("galaxy.privileges"), [])

    def test_is_another_one(self) -> None:
        self.path.unlink()
        self.url = galaxy_database(
            self.path, "DROP TABLE job", "ALTER TABLE galaxy_session DROP COLUMN is_valid"
        )
        findings = self.look("galaxy.tables")
        self.assertEqual({one.status for one in findings}, {"fail"})
        self.assertIn("is_valid", str(findings))
        self.assertIn("no table job", str(findings))

    def test_none(self) -> None:
        self.says("warn", found(checks(deployment(), None, list), "galaxy.database"))

    def test_may_not_be_stamped(self) -> None:
        self.more = ", touch_last_action: true"
        self.patch(os, "access", lambda path, mode: False)
        self.says("fail", self.look("galaxy.privileges"), "touch_last_action")


class Postgres(GalaxyTables):
    """Answers as PostgreSQL would."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__("postgresql://u@h/d")
        self._answers = answers
        self.reachable = lambda: None  # type: ignore[assignment]

    def ask(self, function: Any, *args: Any) -> Any:  # type: ignore[override]
        return self._answers[function.__name__]


class PrivilegeTests(SynchronousTestCase):
    def privileges(self, stamps: bool = False, **answers: Any) -> Finding:
        told = {
            "missing_columns": {},
            "unreadable_tables": [],
            "too_much": None,
            "may_stamp": True,
            **answers,
        }
        text = (
            f"galaxy: {{id_secret: {SECRET}, database_connection: 'postgresql://u@h/d', "
            f"touch_last_action: {str(stamps).lower()}}}"
        )
        (finding,) = found(checks(deployment(text), Postgres(told), list), "galaxy.privileges")
        return finding

    def test_just_right(self) -> None:
        self.assertEqual(self.privileges().status, "ok")

    def test_too_little(self) -> None:
        self.assertEqual(self.privileges(unreadable_tables=["job"]).status, "fail")
        self.assertEqual(self.privileges(True, may_stamp=False).status, "fail")

    def test_too_much(self) -> None:
        finding = self.privileges(too_much="is a superuser")
        self.assertEqual(finding.status, "warn")
        self.assertIn("GRANT SELECT", finding.remedy)

    def test_nothing_about_tables_that_are_not_there(self) -> None:
        text = f"galaxy: {{id_secret: {SECRET}, database_connection: 'postgresql://u@h/d'}}"
        fake = Postgres({"missing_columns": {"job": None}})
        self.assertEqual(found(checks(deployment(text), fake, list), "galaxy.privileges"), [])

    def test_clocks(self) -> None:
        for told, status in ((NOW + 2, "ok"), (NOW + 60, "warn"), (NOW - 60, "warn")):
            text = f"galaxy: {{id_secret: {SECRET}, database_connection: 'postgresql://u@h/d'}}"
            fake = Postgres({"clock": told})
            (finding,) = found(checks(deployment(text), fake, list), "galaxy.clock")
            self.assertEqual(finding.status, status)


class SecretTests(GalaxyCase):
    def test_a_pasted_cookie(self) -> None:
        cookie = CODEC.encode(KEY)
        self.says("ok", self.look("galaxy.id_secret", cookie=cookie))
        self.says("ok", self.look("galaxy.id_secret", cookie=cookie.upper()))
        self.secret = "another-secret-of-another-galaxy"
        self.says("fail", self.look("galaxy.id_secret", cookie=cookie))

    def test_keys_of_the_map(self) -> None:
        self.keys = [CODEC.entry_point_key(11), "zzz"]
        self.says("ok", self.look("galaxy.id_secret"))
        self.secret = "another-secret-of-another-galaxy"
        self.says("fail", self.look("galaxy.id_secret"))

    def test_nobody_can_tell(self) -> None:
        (finding,) = self.look("galaxy.id_secret")
        self.assertEqual(finding.status, "warn")
        self.assertIn("--cookie -", finding.remedy)

    def test_a_secret_that_no_galaxy_takes(self) -> None:
        def bad(secret: str) -> None:
            raise BadSecret("too short")

        self.patch(galaxy_checks, "CookieCodec", bad)
        self.says("fail", self.look("galaxy.id_secret"), "too short")

    def test_the_default(self) -> None:
        self.says("ok", self.look("galaxy.id_secret_default"))
        self.secret = "USING THE DEFAULT IS NOT SECURE!"
        self.says("fail", self.look("galaxy.id_secret_default"))

    def test_no_secret(self) -> None:
        for id in ("galaxy.id_secret", "galaxy.id_secret_default", "galaxy.session"):
            self.assertEqual(found(checks(deployment(), None, list), id), [])

    def test_whose_session(self) -> None:
        for verdict, status in (("alice", "ok"), ("refused: it has ended", "warn")):
            explain = lambda cookie, verdict=verdict: ["x", f"verdict: {verdict}"]  # noqa: E731
            self.says(status, self.look("galaxy.session", cookie="c", explain=explain), verdict)
