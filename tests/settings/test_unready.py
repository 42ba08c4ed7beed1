"""Parts that are not there yet are refused by that word."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings import unready
from giestack.settings.kinds import ListOf, Section
from giestack.settings.reading import Kind
from giestack.settings.schema import Settings

from .world import EverythingThere, problems, settings, warnings

HOST = "galaxy: {database_connection: 'postgresql://h/g', id_secret: abcd}\n"
PROCESS = "engines: [{name: local, docker_host: 'process:'}]"
WHOLE_FILE = Section(Settings)
COMMAND = "command: [lab, '{socket}']"


class TableTests(SynchronousTestCase):
    def test_every_entry_is_a_key(self) -> None:
        for path in unready.NOT_YET:
            kind: Kind = WHOLE_FILE
            for name in path.split("."):
                assert isinstance(kind, Section), path
                self.assertIn(name.removesuffix("[]"), kind.keys, path)
                kind = kind.keys[name.removesuffix("[]")].kind
                if name.endswith("[]"):
                    assert isinstance(kind, ListOf), path
                    kind = kind.kind

    def test_texts_say_that_it_is_not_yet(self) -> None:
        for text in unready.NOT_YET.values():
            self.assertRegex(text, "^no .* yet(; remove the (section|key))?$")


class SpawnerTests(SynchronousTestCase):
    """What this version has, and what it has not."""

    def found(self, keys: str) -> list[str]:
        return problems(f"{HOST}spawner: {{{keys}}}")

    def test_local_processes_are_there(self) -> None:
        self.assertEqual(self.found(PROCESS), [])
        self.assertEqual(self.found(f"{PROCESS}, profiles: [{{name: a, {COMMAND}}}]"), [])

    def test_docker_is_there(self) -> None:
        profile = "profiles: [{name: a, image: 'x:1'}]"
        for engines in (
            "",
            "engines: [], ",
            "engines: [{name: b, docker_host: 'unix:///s'}], ",
            "engines: [{name: b, docker_host: 'tcp://127.0.0.1:2375'}], ",
        ):
            self.assertEqual(self.found(f"{engines}{profile}"), [])

    def test_a_mistake_is_told_once(self) -> None:
        (problem,) = self.found("engines: [{name: a, docker_host: 'ftp:'}]")
        self.assertIn("spawner.engines[0].docker_host: must be unix:", problem)

    def test_keys_that_are_not_there(self) -> None:
        for keys, path, words in (
            ("gie_plugins_directory: /g", "gie_plugins_directory", "no profiles of GIE"),
            ("images: {per_user: 1}", "images", "no images saved"),
        ):
            (problem,) = problems(
                f"{HOST.replace('abcd', 'abcd, cookie_domain: example.org')}"
                f"spawner: {{{PROCESS}, {keys}}}"
            )
            start = f"spawner.{path}: this version of giestack has {words}"
            self.assertTrue(problem.startswith(start), problem)

    def test_keys_of_profiles_that_are_not_there(self) -> None:
        for keys, words in (("groups: [lab]", "no profiles for groups"),):
            (problem,) = self.found(
                f"{PROCESS}, profiles: [{{name: a, {COMMAND}}}, {{name: b, {COMMAND}, {keys}}}]"
            )
            path = f"spawner.profiles[1].{keys.partition(':')[0]}"
            start = f"{path}: this version of giestack has {words}"
            self.assertTrue(problem.startswith(start), problem)

    def test_galaxys_own_file_may_name_them(self) -> None:
        galaxy = "galaxy: {interactive_environment_plugins_directory: /g}"
        text = HOST.replace("abcd", "abcd, config_file: /g.yml") + f"spawner: {{{PROCESS}}}"
        self.assertIn(
            "spawner.gie_plugins_directory: this version of giestack has no profiles of GIE",
            "\n".join(warnings(text, {"/g.yml": galaxy})),
        )

    def test_it_needs_to_know_who_is_asking(self) -> None:
        (problem,) = problems(f"spawner: {{{PROCESS}}}")
        self.assertIn("galaxy.database_connection", problem)

    def test_last_action_is_there(self) -> None:
        text = HOST.replace("abcd", "abcd, touch_last_action: true")
        self.assertTrue(settings(text).galaxy.touch_last_action)


class RefusalTests(EverythingThere):
    def setUp(self) -> None:
        self.patch(
            unready,
            "NOT_YET",
            {
                "chat": "no chat yet; remove the section",
                "proxy.forward": "no double proxy yet; remove the section",
                "proxy.interactivetools_domains": "no domains yet; remove the key",
            },
        )

    def test_sections(self) -> None:
        refused = "chat: this version of giestack has no chat yet; remove the section (line 2)"
        self.assertEqual(problems(HOST + "chat:"), [refused])
        self.assertEqual(problems(HOST + "chat: {opt_in: false}"), [refused])
        self.assertEqual(problems(HOST), [])

    def test_keys(self) -> None:
        (problem,) = problems("proxy:\n  forward: {ip: 10.0.0.1, port: 80}")
        self.assertIn("proxy.forward: this version of giestack has no double proxy yet", problem)
        self.assertIn("(line 2)", problem)
        self.assertEqual(problems("proxy: {forward: {reverse_proxy: false, ip: }}"), [])

    def test_what_follows_from_other_keys_is_nobodys_wish(self) -> None:
        self.assertEqual(problems("galaxy: {url: 'https://g.example'}"), [])
        (problem,) = problems(
            "galaxy: {url: 'https://g.example'}\nproxy: {interactivetools_domains: [x.example]}"
        )
        self.assertIn("no domains yet", problem)

    def test_inside_is_checked_all_the_same(self) -> None:
        found = problems(HOST + "chat: {opt_in: 7}")
        self.assertEqual(len(found), 2)
        self.assertTrue(any(one.startswith("chat.opt_in: must be true") for one in found))

    def test_missing_part(self) -> None:
        self.assertEqual(unready.missing_part("chat"), "no chat yet; remove the section")
        self.assertEqual(unready.missing_part("chat.rooms"), "no chat yet; remove the section")
        self.assertIsNone(unready.missing_part("chats"))
        self.assertIsNone(unready.missing_part("proxy"))
