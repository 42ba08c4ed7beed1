"""The whole way from text to settings."""

import string

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from giestack.settings.kinds import Section, keys_of
from giestack.settings.problems import SettingsError
from giestack.settings.schema import Settings

from . import world

YML = "/srv/galaxy/config/galaxy.yml"


class LoadTests(world.EverythingThere):
    def test_an_empty_file_is_all_defaults(self) -> None:
        found = world.settings("")
        self.assertEqual((found.proxy.prefix, found.proxy.limits.head), ("/giestack", 65536))
        self.assertEqual((found.openbis, found.spawner, found.chat), (None, None, None))

    def test_all_problems_at_once_in_the_order_of_the_file(self) -> None:
        text = """\
log: {level: loud}
proxy:
  limits:
    head: lots
  polling_interval: 1
  polling_interval: 2
  gie_prefix: /giestack/x
prxy:
"""
        self.assertEqual(
            [one.partition(":")[0] + one[-9:] for one in world.problems(text)],
            [
                "log.level (line 1)",
                "proxy.limits.head (line 4)",
                "proxy.polling_interval (line 6)",
                "proxy.gie_prefix (line 7)",
                "prxy (line 8)",
            ],
        )

    def test_one_line_each(self) -> None:
        with self.assertRaises(SettingsError) as caught:
            world.load('"a\\nb": 1\ninstance: "c\\nd"\nproxy: x')
        self.assertEqual(len(str(caught.exception).splitlines()), 3)
        self.assertEqual(len(caught.exception.problems), 3)

    def test_warnings_come_with_an_error_too(self) -> None:
        with self.assertRaises(SettingsError) as caught:
            world.load("proxy: {session_maps: [a.sqlite], prefix: x}")
        self.assertEqual(len(caught.exception.warnings), 1)

    def test_equal_texts_give_equal_settings(self) -> None:
        text = "galaxy: {url: 'https://g.example'}\nproxy: {session_maps: [a.sqlite]}"
        self.assertEqual(world.settings(text), world.settings(text))
        self.assertNotEqual(world.settings(text), world.settings(text + "\ninstance: b"))

    def test_command_line_wins(self) -> None:
        text = "proxy: {listen: ['tcp:1'], prefix: /a, polling_interval: 1}"
        overrides: dict[str, object] = {
            "proxy.listen": ["tcp:2", "tcp:3"],
            "proxy.polling_interval": 2.5,
            "proxy.forward.reverse_proxy": True,
            "galaxy.cookie_name": "other",
            "proxy.prefix": None,
            "admin.listen": (),
        }
        found = world.load(text, overrides=overrides).settings
        self.assertEqual(found.proxy.listen, ("tcp:2", "tcp:3"))
        self.assertEqual((found.proxy.polling_interval, found.proxy.prefix), (2.5, "/giestack"))
        self.assertEqual((found.proxy.forward.reverse_proxy, found.admin.listen), (True, ()))
        self.assertEqual(found.galaxy.cookie_name, "other")

    def test_lists_of_mappings(self) -> None:
        profile = {"name": "a", "command": ["lab", "{port}"], "port": 9, "env": {"A": 1}}
        host = "galaxy: {database_connection: 'postgresql://h/g', id_secret: abcd}"
        found = world.load(host, overrides={"spawner.profiles": [{**profile, "image": "x"}]})
        assert found.settings.spawner is not None
        (read,) = found.settings.spawner.profiles
        self.assertEqual((read.command, read.port, read.env), (("lab", "{port}"), 9, {"A": "1"}))

    def test_command_line_mistakes(self) -> None:
        with self.assertRaises(SettingsError) as caught:
            world.load("", overrides={"proxy.listen": ["tcp:x"], "nope": 1})
        second, first = map(str, caught.exception.problems)
        self.assertTrue(first.startswith("proxy.listen[0]: tcp: port"))
        self.assertTrue(first.endswith("(on the command line)"))
        self.assertTrue(second.startswith("nope: there is no such key"))

    def test_command_line_names_galaxys_file(self) -> None:
        files = {YML: "galaxy: {id_secret: theirs}"}
        found = world.load("", files, overrides={"galaxy.config_file": YML}).settings
        self.assertEqual(found.galaxy.id_secret, "theirs")

    def test_galaxys_file_relative_to_ours(self) -> None:
        files = {"/etc/giestack/galaxy.yml": "galaxy: {id_secret: theirs}"}
        found = world.settings("galaxy: {config_file: galaxy.yml}", files)
        self.assertEqual(found.galaxy.id_secret, "theirs")

    def test_no_section_where_one_should_be(self) -> None:
        for text in ("galaxy: x", "galaxy: [x]", "proxy: 5", "chat: x"):
            (problem,) = world.problems(text)
            self.assertIn("must be a section", problem)


def leaves(cls: type[object], path: str = "") -> list[str]:
    found = []
    for name, key in keys_of(cls).items():
        below = f"{path}.{name}" if path else name
        found += leaves(key.kind.cls, below) if isinstance(key.kind, Section) else [below]
    return found


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.sampled_from(
        ["${X}", "file:x", "tcp:8800", "unix:a:mode=x", "http://[", "sqlite:///a", "a@b", "/a", YML]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


class AnythingTests(world.EverythingThere):
    """Whatever stands in a file, there are settings or problems."""

    files = {YML: "galaxy: {interactivetools_enable: true}"}

    def check(self, text: str) -> None:
        try:
            found = world.load(text, self.files)
        except SettingsError as error:
            self.assertNotEqual(error.problems, ())
            for problem in (*error.problems, *error.warnings):
                self.assertTrue(str(problem).isprintable(), repr(str(problem)))
        else:
            self.assertIsInstance(found.settings, Settings)

    @given(st.text(alphabet=string.printable + "é\u2028\ufeff\ud800"))
    def test_any_text(self, text: str) -> None:
        self.check(text)

    @given(st.lists(st.tuples(st.sampled_from(leaves(Settings)), values), max_size=4))
    def test_any_values(self, entries: list[tuple[str, object]]) -> None:
        document: dict[str, object] = {}
        for path, value in entries:
            *sections, key = path.split(".")
            inside: object = document
            for section in sections:
                if isinstance(inside, dict):
                    inside = inside.setdefault(section, {})
            if isinstance(inside, dict):
                inside[key] = value
        self.check(yaml.safe_dump(document, allow_unicode=True))

    @given(values)
    def test_any_section_of_galaxys(self, value: object) -> None:
        text = yaml.safe_dump({"galaxy": value, "gravity": value})
        world.problems(f"galaxy: {{config_file: {YML}}}", {YML: text})

    @settings(max_examples=200, deadline=None)
    @given(
        st.sampled_from(
            [
                "id_secret",
                "database_connection",
                "admin_users",
                "galaxy_infrastructure_url",
                "cookie_path",
                "galaxy_url_prefix",
                "data_dir",
                "root_dir",
                "interactivetools_map",
                "interactivetoolsproxy_map",
                "interactivetools_prefix",
                "interactivetools_base_path",
                "interactivetools_proxy_host",
                "interactivetools_upstream_proxy",
                "dynamic_proxy",
                "dynamic_proxy_bind_ip",
                "dynamic_proxy_bind_port",
                "dynamic_proxy_session_map",
                "dynamic_proxy_prefix",
                "interactive_environment_plugins_directory",
                "communication_server_port",
                "persistent_communication_rooms",
                "single_user",
                "remote_user_header",
            ]
        ),
        values,
    )
    def test_any_value_of_galaxys(self, option: str, value: object) -> None:
        options = {option: value}
        text = yaml.safe_dump({"galaxy": options, "gravity": {"gx_it_proxy": {"sessions": value}}})
        for problem in world.problems(f"galaxy: {{config_file: {YML}}}\nchat:", {YML: text}):
            self.assertTrue(problem.isprintable())


SECRET = "s3cr3t-value"


class SecretTests(world.EverythingThere):
    """A secret is in the settings, and nowhere else."""

    good = f"""
secret: {SECRET}-0123456789
galaxy: {{id_secret: {SECRET}, database_connection: "postgresql://u:{SECRET}@h/g"}}
proxy:
  go_api: {{api_key: {SECRET}}}
  hub_api: {{listen: ['tcp:1'], token: {SECRET}}}
  session_maps: ["postgresql://u:{SECRET}@h/m"]
spawner: {{profiles: [{{name: a, image: b, secrets: {{A: {SECRET}}}}}]}}
chat: {{database: "postgresql://u:{SECRET}@h/c"}}
admin: {{token: {SECRET}}}
"""

    def test_not_in_repr(self) -> None:
        found = world.load(self.good)
        self.assertEqual(found.settings.admin.token, SECRET)
        self.assertNotIn(SECRET, repr(found))
        self.assertNotIn(SECRET, str([str(one) for one in found.settings.proxy.session_maps]))

    def test_not_in_problems(self) -> None:
        long = SECRET * 400
        for wrong in (
            self.good.replace(SECRET, long),
            self.good.replace(SECRET, f'"{SECRET}\\n"').replace('"postgresql', "'postgresql"),
            self.good.replace(f": {SECRET}", f": [{SECRET}]"),
            self.good.replace(f": {SECRET}", f": {{{SECRET}: 1}}"),
            self.good.replace(f": {SECRET}", f": !{SECRET} x"),
            self.good.replace(f": {SECRET}", f": *{SECRET}"),
            self.good.replace("postgresql://u:", "mysql://u:"),
            self.good.replace("@h/", "@h:x/"),
            self.good.replace("postgresql://u:", ""),
            self.good.replace("chat:", "chat: ["),
            self.good.replace(SECRET, f"%{SECRET}"),
        ):
            found = world.problems(wrong)
            self.assertNotEqual(found, [])
            for problem in found:
                self.assertNotIn(SECRET, problem)
