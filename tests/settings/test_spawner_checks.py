"""What the keys of ``spawner`` must say together."""

from .test_checks import HOST, CheckCase
from .world import problems

PROCESS = "engines: [{name: a, docker_host: 'process:'}]"
PROFILE = "{name: a, image: x}"


class SpawnerCheckTests(CheckCase):
    def assert_spawner(self, keys: str, *words: str) -> None:
        self.assert_problem(f"{HOST}spawner: {{{keys}}}", *words)

    def test_names_are_unique(self) -> None:
        self.assert_spawner(
            "profiles: [{name: a, image: x}, {name: b, image: x}, {name: a, image: x}]",
            "spawner.profiles[2].name: 'a' is taken",
        )
        self.assert_spawner(
            "engines: [{name: a}, {name: a, docker_host: 'unix:///s'}]",
            "spawner.engines[1].name: 'a' is taken",
        )

    def test_containers_need_an_image_and_processes_a_program(self) -> None:
        process = "engines: [{name: a, docker_host: 'process:'}]"
        self.assert_spawner("profiles: [{name: a}]", "spawner.profiles[0].image: is missing")
        self.assert_spawner(f"{process}, profiles: [{{name: a, image: x}}]", "command: is missing")
        self.assert_spawner("profiles: [{name: a, image: x, port: 0}]", "port: 0 is only for")
        mixed = "engines: [{name: a, docker_host: 'process:'}, {name: b}]"
        self.assert_spawner(f"{mixed}, profiles: [{PROFILE}]")

    def test_the_file_with_the_environment_is_giestacks(self) -> None:
        self.assert_profile(
            "secrets: {giestack.env: '1'}",
            "secrets.giestack.env: is the name of a file of giestack's own",
        )

    def test_secrets_stand_in_the_environment_alone(self) -> None:
        self.assert_profile("secrets: {key: x}, env: {A: '{secrets.key}'}")
        self.assert_profile(
            "secrets: {key: x}, env: {A: '{secrets.kez}'}",
            "env.A: {secrets.kez} is none of this profile's secrets",
        )
        self.assert_profile(
            "secrets: {key: x}, command: ['{secrets.key}']",
            "command[0]: {secrets.key} can stand in env only",
        )

    def test_gpus(self) -> None:
        engines = "engines: [{name: a, gpus: ['0', '1']}, {name: b, docker_host: 'unix:///b'}]"
        for gpus, words in (("2", ()), ("3", ("gpus: the one with the most has 2; give an",))):
            self.assert_spawner(
                f"{engines}, profiles: [{{name: a, image: x, gpus: {gpus}}}]", *words
            )
        self.assert_profile("gpus: 1", "spawner.profiles[0].gpus: no engine has any; give an")

    def test_options(self) -> None:
        self.assert_profile("options: {size: {choices: [small, large], default: large}}")
        for options, words in (
            ("size: [small]", "options.size: must be a mapping"),
            ("Size: {}", "options.Size: a name has"),
            ("size: {choices: []}", "options.size.choices: must be a list"),
            ("rows: {type: integer, low: x}", "options.rows.low: must be a whole number"),
            ("size: {choices: [yes]}", "options.size.choices: must be a text; yes and no"),
        ):
            self.assert_profile(f"options: {{{options}}}", f"spawner.profiles[0].{words}")
        self.assert_profile("options: {a: 1, b: 2}", "options.a: must be", "options.b: must be")

    def test_templates(self) -> None:
        options = "options: {rows: {}}"
        self.assert_profile(
            f"{options}, command: ['{{options.rows}}', '{{user}}'], env: {{A: '{{options.rows}}'}}"
        )
        self.assert_profile(
            f"{options}, command: ['a', 'x{{options.row}}']",
            "spawner.profiles[0].command[1]: {options.row} is none of this profile's options",
        )
        self.assert_profile("env: {A: '{options.row}'}", "profiles[0].env.A: {options.row} is none")
        for volumes in ("'a-{options.row}': /b", "a: '/b/{options.row}'"):
            self.assert_profile(f"volumes: {{{volumes}}}", "{options.row} is none")
        # These may be the program's own.
        self.assert_profile("command: ['${HOME}', '{usr}', '{}', '{0}']")

    def test_names(self) -> None:
        self.assert_profile("env: {A.b-c: '1'}, secrets: {A.b-c_1: '1'}")
        for name in ("A=B", "é", "A B"):
            self.assert_profile(f"env: {{'{name}': '1'}}", f"env.{name}: cannot be the name of a")
        for name in ("A=B", "../a", ".a", "a" * 101):
            self.assert_profile(
                f"secrets: {{'{name}': '1'}}", f"secrets.{name}: cannot be the name of a file"
            )

    def test_headers(self) -> None:
        self.assert_profile(
            "headers: {X-RStudio-Root-Path: '{base_path}', X_Base: 'Zürich {user}'}"
        )
        for name, words in (
            ("X A", "must be the name of a header"),
            ("Content_Length", "cannot be Content_Length: HTTP needs"),
            ("cookie", "cannot be cookie: HTTP needs"),
            ("Host", "cannot be Host: HTTP needs"),
        ):
            self.assert_profile(f"headers: {{'{name}': '1'}}", f"[0].headers.{name}: {words}")
        self.assert_profile(
            "headers: {X-A: '1', x_a: '2'}", "headers.x_a: is the same header as X-A"
        )
        self.assert_profile("headers: {X-A: 'Łódź'}", "headers.X-A: can only have Latin")
        self.assert_profile("headers: {X-A: '{options.b}'}", "headers.X-A: {options.b} is none of")

    def test_https(self) -> None:
        self.files = {"/etc/giestack/c.pem": ""}
        for scheme, words in (("https", ()), ("http", ("ca_file: is only for scheme: https",))):
            text = f"profiles: [{{name: a, image: x, scheme: {scheme}, ca_file: c.pem}}]"
            found = problems(f"{HOST}spawner: {{{text}}}", self.files)
            self.assertEqual(len(found), len(words), found)
            self.assertTrue(all(word in one for one, word in zip(found, words, strict=True)))

    def test_paths(self) -> None:
        self.assert_profile("path: '/lab?reset', readiness: {path: '/a..b/.c/?d=../x'}")
        for path in ("/..", "/../a", "/a/./b", "/a/%2e%2E/b", "/a/.%2e"):
            for keys, key in ((f"path: '{path}'", "path"), (f"readiness: {{path: '{path}'}}", "")):
                self.assert_profile(keys, f"{key}: '{path}' must not have '.' or '..'")
        self.assert_profile("path: '/lab#a'", "spawner.profiles[0].path: a '#' is for browsers")

    def test_times(self) -> None:
        listening = "command: ['{socket}']"
        for key in ("idle_timeout", "max_lifetime"):
            for seconds in ("0", "60"):
                self.assert_process(f"{listening}, {key}: {seconds}")
            self.assert_process(
                f"{listening}, {key}: 8.5",
                f"spawner.profiles[0].{key}: 8.5 seconds (that is the unit) are too few",
            )

    def assert_profile(self, keys: str, *words: str) -> None:
        self.assert_spawner(f"profiles: [{{name: a, image: x, {keys}}}]", *words)

    def test_where_a_process_listens(self) -> None:
        for command in ("'{socket}'", "'--port={port}', --x", "'{port}', '{socket}'"):
            self.assert_process(f"command: [lab, {command}], port: 0")
        for name in ("socket", "port"):
            self.assert_process(f"command: [lab], env: {{A: 'x{{{name}}}'}}, port: 0")
        self.assert_process("command: [lab, '{socket}']")
        nowhere = "spawner.profiles[0].command: does not tell the program where to listen"
        for command in ("", ", '{options.port}', '{ports}'"):
            found = f"{HOST}spawner: {{{self.process(f'command: [lab{command}], port: 0')}}}"
            self.assertIn(nowhere, "\n".join(problems(found)))
        self.assert_spawner(self.process("command: ['']"), "command: is missing: a local process")

    def test_no_tls_over_a_socket(self) -> None:
        self.assert_spawner(self.process("command: ['{port}'], port: 0, scheme: https"))
        self.assert_spawner(
            self.process("command: ['{socket}'], scheme: https"),
            "spawner.profiles[0].scheme: https is not spoken over a {socket}",
        )

    def test_one_port_is_for_one_session(self) -> None:
        for keys in ("command: [lab, '{port}']", "command: [lab]"):
            # The key is not in the file: that warning comes first.
            self.assert_warning(
                f"{HOST}spawner: {{{self.process(keys)}}}",
                "spawner.profiles[0].port: 8888 is the same for all sessions, so that one",
                "no isolation",
            )

    def test_one_engine_runs_all_processes(self) -> None:
        self.assert_spawner(
            "engines: [{name: a, docker_host: 'process:'}, {name: b, docker_host: 'process:'}]",
            "spawner.engines[1].docker_host: is that of another engine",
        )

    def test_no_isolation(self) -> None:
        self.assert_warning(
            f"{HOST}spawner: {{{PROCESS}}}",
            "spawner.engines[0].docker_host: no isolation: sessions run as the user",
        )

    def test_what_only_containers_have(self) -> None:
        self.assert_process(
            "command: ['{socket}'], image: x, volumes: {a: /b}, cap_add: [ALL], cpus: 2, pids: 9",
            "spawner.profiles[0]: a local process has no use for image, volumes, cpus, cap_add",
        )
        mixed = "engines: [{name: a, docker_host: 'process:'}, {name: b}]"
        self.assert_warning(
            f"{HOST}spawner: {{{mixed}, profiles: [{PROFILE}]}}", "[0].docker_host: no isolation"
        )

    def process(self, keys: str) -> str:
        return f"{PROCESS}, profiles: [{{name: a, {keys}}}]"

    def assert_process(self, keys: str, *words: str) -> None:
        """Nothing is wrong, and this is what is warned about."""
        self.assert_warning(f"{HOST}spawner: {{{self.process(keys)}}}", "no isolation", *words)

    def test_a_mistake_is_told_once(self) -> None:
        self.assert_spawner("profiles: [{name: a b}, {name: a b}]", "[0].name", "[1].name")
