"""What the keys of ``spawner`` must say together."""

from .test_checks import HOST, CheckCase

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
            "engines: [{name: a}, {name: a}]", "spawner.engines[1].name: 'a' is taken"
        )

    def test_plain_tcp(self) -> None:
        for host, words in (
            ("tcp://node7:2375", ("spawner.engines[0].docker_host: tcp://node7:2375 without tls",)),
            ("tcp://127.0.0.1:2375", ()),
            ("tcp://localhost:2375", ()),
            ("tcp://node7:2375', insecure: true, address: 'x", ()),
        ):
            self.assert_spawner(f"engines: [{{name: a, docker_host: '{host}'}}]", *words)

    def test_tls(self) -> None:
        tls = "tls: {ca: c.pem, cert: c.pem, key: c.pem}"
        self.files = {"/etc/giestack/c.pem": ""}
        self.assert_with_files(f"docker_host: 'tcp://node7:2376', {tls}")
        self.assert_with_files(tls, "tls: is only for a docker_host that begins with tcp://")
        half = "docker_host: 'tcp://node7:2376', tls: {ca: c.pem}"
        self.assert_with_files(half, "tls: needs ca, cert and key")

    def assert_with_files(self, keys: str, *words: str) -> None:
        from .world import problems

        text = f"{HOST}spawner: {{engines: [{{name: a, {keys}}}]}}"
        found = problems(text, self.files)
        self.assertEqual(len(found), len(words), found)
        for problem, word in zip(found, words, strict=True):
            self.assertIn(word, problem)

    def test_containers_need_an_image_and_processes_a_program(self) -> None:
        process = "engines: [{name: a, docker_host: 'process:'}]"
        self.assert_spawner("profiles: [{name: a}]", "spawner.profiles[0].image: is missing")
        self.assert_spawner(f"{process}, profiles: [{{name: a, image: x}}]", "command: is missing")
        self.assert_spawner(f"{process}, profiles: [{{name: a, command: [jupyter], port: 0}}]")
        self.assert_spawner("profiles: [{name: a, image: x, port: 0}]", "port: 0 is only for")
        mixed = "engines: [{name: a, docker_host: 'process:'}, {name: b}]"
        self.assert_spawner(f"{mixed}, profiles: [{PROFILE}]")

    def test_a_mistake_is_told_once(self) -> None:
        self.assert_spawner("profiles: [{name: a b}, {name: a b}]", "[0].name", "[1].name")
