"""What the keys of engines must say together."""

from .test_checks import HOST, CheckCase
from .world import problems


class EngineCheckTests(CheckCase):
    def engines(self, *keys: str) -> str:
        engines = ", ".join(f"{{name: e{number}, {one}}}" for number, one in enumerate(keys))
        return f"{HOST}spawner: {{engines: [{engines}]}}"

    def assert_engines(self, *keys: str, words: tuple[str, ...] = ()) -> None:
        self.assert_problem(self.engines(*keys), *words)

    def test_plain_tcp_is_refused_with_the_line_to_add(self) -> None:
        for host in ("tcp://10.0.0.7:2375", "tcp://[2001:db8::1]:2375"):
            self.assert_engines(
                f"docker_host: '{host}'",
                words=(f"spawner.engines[0].docker_host: {host} without tls gives everybody",),
            )
            (problem,) = problems(self.engines(f"docker_host: '{host}'"))
            self.assertIn("add tls: {ca: FILE, cert: FILE, key: FILE}", problem)
            self.assertIn("insecure: true", problem)
        for keys in (
            "docker_host: 'tcp://127.0.0.1:2375'",
            "docker_host: 'tcp://[::1]:2375'",
            "docker_host: 'tcp://localhost:2375'",
            "docker_host: 'tcp://node7:2375', address: 10.0.0.7, insecure: true",
        ):
            self.assert_engines(keys)

    def test_tls(self) -> None:
        tls = "tls: {ca: c.pem, cert: c.pem, key: c.pem}"
        self.assert_with_files(f"docker_host: 'tcp://10.0.0.7:2376', {tls}")
        self.assert_with_files(tls, "tls: is only for a docker_host that begins with tcp://")
        half = "docker_host: 'tcp://10.0.0.7:2376', tls: {ca: c.pem}"
        self.assert_with_files(half, "tls: needs ca, cert and key")

    def assert_with_files(self, keys: str, *words: str) -> None:
        found = problems(self.engines(keys), {"/etc/giestack/c.pem": ""})
        self.assertEqual(len(found), len(words), found)
        for problem, word in zip(found, words, strict=True):
            self.assertIn(word, problem)

    def test_ports_are_not_published_at_every_address(self) -> None:
        self.files = {"/etc/giestack/c.pem": ""}
        tls = "docker_host: 'tcp://node7:2376', tls: {ca: c.pem, cert: c.pem, key: c.pem}"
        for keys, words in (
            (tls, ()),
            (f"{tls}, address: node7", ()),
            ("address: 0.0.0.0", ("engines[0].address: 0.0.0.0 is every address",)),
            ("address: '::'", ("engines[0].address: :: is every address",)),
            (f"{tls}, address: 10.0.0.7", ()),
            ("address: localhost", ()),
            ("docker_host: 'tcp://localhost:1'", ()),
            ("docker_host: 'tcp://[::1]:1'", ()),
        ):
            found = problems(self.engines(keys), self.files)
            self.assertEqual(len(found), len(words), found)
            self.assertTrue(all(word in one for one, word in zip(found, words, strict=True)))

    def test_ports_that_are_open_to_others(self) -> None:
        plain = "docker_host: 'tcp://10.0.0.7:2375', insecure: true"
        for keys in ("address: 192.0.2.7", "address: node7", plain):
            words = "engines[0].address: whoever reaches"
            self.assert_warning(self.engines(keys), words)
            self.assert_warning(self.engines(keys), '"userland-proxy": false')
        for keys in ("", "address: 127.0.0.2", "address: '::1'", "address: localhost"):
            self.assert_warning(self.engines(keys or "labels: []"))

    def test_an_engine_is_named_once(self) -> None:
        self.assert_engines(
            "docker_host: 'unix:///a'",
            "docker_host: 'unix:////a'",
            words=("spawner.engines[1].docker_host: is that of another engine, e0",),
        )
        self.assert_engines(
            "docker_host: 'process:'",
            "docker_host: 'process:'",
            words=("is that of another engine: one engine runs all local processes",),
        )
        self.assert_engines("docker_host: 'unix:///a'", "docker_host: 'unix:///b'")

    def test_gpus_are_ids(self) -> None:
        self.assert_engines("gpus: ['0', GPU-3a]")
        self.assert_engines("gpus: ['0', '0']", words=("engines[0].gpus[1]: '0' is there already",))
        self.assert_engines("gpus: [' ']", words=("engines[0].gpus[0]: must be an id",))

    def test_what_only_docker_has(self) -> None:
        isolation = "spawner.engines[0].docker_host: no isolation: sessions run as the user"
        self.assert_warning(self.engines("docker_host: 'process:'"), isolation)
        self.assert_warning(
            self.engines("docker_host: 'process:', gpus: ['0'], memory: 1G, address: a.example"),
            isolation,
            "spawner.engines[0]: local processes have no use for address, memory, gpus",
        )
