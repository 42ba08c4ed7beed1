"""Galaxy's own file and environment, read as Galaxy reads them."""

from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.galaxy_file import GalaxyFile, read_galaxy_file
from giestack.settings.problems import Report

from .world import world

YML = "/srv/galaxy/config/galaxy.yml"
INI = "/srv/galaxy/config/galaxy.ini"


def galaxy_file(
    path: str, text: str, environ: Mapping[str, str] | None = None
) -> tuple[GalaxyFile | None, list[str]]:
    report = Report()
    found = read_galaxy_file(Path(path), world({path: text}, environ), report)
    return found, [str(problem) for problem in report.problems]


class GalaxyFileCase(SynchronousTestCase):
    def options(
        self, path: str, text: str, environ: Mapping[str, str] | None = None
    ) -> dict[str, object]:
        found, problems = galaxy_file(path, text, environ)
        self.assertEqual(problems, [])
        assert found is not None
        return {name: node.value for name, node in found.options.items()}

    def assert_refused(self, path: str, text: str, words: str) -> str:
        found, problems = galaxy_file(path, text)
        self.assertIsNone(found)
        self.assertEqual(len(problems), 1, problems)
        self.assertTrue(problems[0].startswith("galaxy.config_file: "))
        self.assertIn(words, problems[0])
        return problems[0]


class YamlTests(GalaxyFileCase):
    def test_sections(self) -> None:
        text = "gravity:\n  gx_it_proxy: {port: 4002}\ngalaxy:\n  id_secret: abc\nuwsgi: 5\n"
        found, problems = galaxy_file(YML, text)
        assert found is not None
        self.assertEqual(problems, [])
        self.assertEqual(found.path, Path(YML))
        self.assertEqual([*found.options], ["id_secret"])
        self.assertEqual([*found.gravity], ["gx_it_proxy"])

    def test_where_values_come_from(self) -> None:
        text = "gravity: {gx_it_proxy: {ports: [4002]}}\ngalaxy:\n  id_secret: abc\n"
        found, _ = galaxy_file(YML, text)
        assert found is not None
        node = found.options["id_secret"]
        self.assertEqual((node.origin, node.line), (f"id_secret in {YML}, line 3", None))
        section = found.gravity["gx_it_proxy"].value
        assert isinstance(section, dict)
        ports = section["ports"].value
        assert isinstance(ports, list)
        self.assertEqual(ports[0].origin, f"gx_it_proxy.ports in {YML}, line 1")

    def test_nothing_in_it(self) -> None:
        self.assertEqual(self.options(YML, "galaxy:\n"), {})
        self.assertEqual(self.options("/g/galaxy.yaml", "galaxy: {}\n"), {})
        self.assertEqual(self.options("/g/galaxy.yml.sample", "galaxy: {}\n"), {})

    def test_what_others_put_there_is_no_trouble(self) -> None:
        text = """
galaxy:
  themes: !include themes.yml
  brand: {{ site_name }}
  umask: 0755
  admin_users: a@b.c
  admin_users: d@e.f
  job_config: {runners: {local: {load: x}}}
"""
        options = self.options(YML, text)
        self.assertEqual(options["admin_users"], "d@e.f")

    def test_no_galaxy_file(self) -> None:
        self.assert_refused(YML, "gravity: {}", f"{YML} has no section 'galaxy:'")
        self.assert_refused(YML, "", "has no section")
        self.assert_refused(YML, "- a", "the file must hold sections")
        self.assert_refused(YML, "galaxy: [a]", "galaxy: must be a section")
        self.assert_refused(YML, "galaxy: {}\ngravity: x", "gravity: must be a section")
        self.assert_refused("/g/galaxy.xml", "<a/>", "must be Galaxy's galaxy.yml or galaxy.ini")
        self.assert_refused("/g/galaxy", "a", "not /g/galaxy")

    def test_templates_and_syntax_errors(self) -> None:
        self.assert_refused(YML, "galaxy:\n  {% if x %}\n", f"{YML}, line 2: not YAML")
        problem = self.assert_refused(YML, 'galaxy:\n  id_secret: "s3cret\n', "line 3: not YAML")
        self.assertNotIn("s3cret", problem)
        self.assert_refused(YML, "galaxy: \x07", f"{YML}: not YAML")

    def test_unreadable(self) -> None:
        for name, reason in (
            ("missing.yml", "No such file or directory"),
            ("unreadable", "Permission denied"),
            ("binary", "it is no UTF-8 text"),
        ):
            report = Report()
            path = Path("/etc/giestack", name)
            self.assertIsNone(read_galaxy_file(path, world(), report))
            self.assertEqual(
                [str(one) for one in report.problems],
                [f"galaxy.config_file: cannot read {path}: {reason}"],
            )


class IniTests(GalaxyFileCase):
    def test_app_main(self) -> None:
        text = """
[server:main]
port = 8080
[app:main]
# comment
id_secret = a%%b
database_connection = sqlite:///%(here)s/universe.sqlite?isolation_level=IMMEDIATE
admin_users = a@b.c,d@e.f
require_login: True
nothing =
bare
Camel = x
"""
        options = self.options(INI, text)
        self.assertEqual(options["id_secret"], "a%b")
        self.assertEqual(
            options["database_connection"],
            "sqlite:////srv/galaxy/config/universe.sqlite?isolation_level=IMMEDIATE",
        )
        self.assertEqual(options["admin_users"], "a@b.c,d@e.f")
        self.assertEqual(options["require_login"], "True")
        self.assertEqual((options["nothing"], options["bare"]), ("", None))
        self.assertEqual(options["Camel"], "x")
        self.assertNotIn("port", options)

    def test_galaxy_section_and_sample(self) -> None:
        path = "/g/galaxy.ini.sample"
        self.assertEqual(self.options(path, "\ufeff[galaxy]\na = 1\na = 2\n")["a"], "2")

    def test_a_bad_percent_matters_only_where_it_is_used(self) -> None:
        found, problems = galaxy_file(INI, "[app:main]\nid_secret = s3cret%x\nb = %(zz)s\nc = d\n")
        assert found is not None
        self.assertEqual(problems, [])
        self.assertEqual(found.options["c"].value, "d")
        self.assertIn("'%%'", repr(found.options["id_secret"].value))
        self.assertNotIn("s3cret", repr(found.options["id_secret"]))

    def test_no_ini_file(self) -> None:
        self.assert_refused(INI, "[server:main]\na = 1\n", "has no section [app:main]")
        problem = self.assert_refused(INI, "id_secret = s3cret\n", f"{INI}, line 1")
        self.assertNotIn("s3cret", problem)
        problem = self.assert_refused(INI, "[app:main]\n = s3cret\n", f"{INI}, line 2")
        self.assertNotIn("s3cret", problem)


class EnvironmentTests(GalaxyFileCase):
    def test_override_and_fill(self) -> None:
        text = "galaxy:\n  id_secret: file\n  admin_users: file\n  require_login:\n"
        environ = {
            "GALAXY_CONFIG_OVERRIDE_ID_SECRET": "override",
            "GALAXY_CONFIG_ID_SECRET": "fill",
            "GALAXY_CONFIG_ADMIN_USERS": "fill",
            "GALAXY_CONFIG_REQUIRE_LOGIN": "fill",
            "GALAXY_CONFIG_SESSION_DURATION": "30",
            "GALAXY_CONFIG_OVERRIDE_COOKIE_PATH": "/o",
            "GALAXY_CONFIG_COOKIE_PATH": "/f",
            "ID_SECRET": "no",
        }
        options = self.options(YML, text, environ)
        self.assertEqual(
            options,
            {
                "id_secret": "override",
                "admin_users": "file",
                "require_login": None,
                "session_duration": "30",
                "cookie_path": "/o",
            },
        )

    def test_origin(self) -> None:
        found, _ = galaxy_file(YML, "galaxy:", {"GALAXY_CONFIG_OVERRIDE_ID_SECRET": "x"})
        assert found is not None
        origin = found.options["id_secret"].origin
        self.assertEqual(origin, "GALAXY_CONFIG_OVERRIDE_ID_SECRET in the environment")
