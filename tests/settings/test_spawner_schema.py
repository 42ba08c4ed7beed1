"""The keys of ``spawner``."""

from .world import EverythingThere, problems, settings

ENGINES = """
galaxy: {database_connection: "sqlite:////a", id_secret: abcd}
spawner:
  engines:
    - {name: local}
    - name: far
      docker_host: tcp://node7:2376
      tls: {ca: ca.pem, cert: /c.pem, key: k.pem}
      address: 10.0.0.7
      labels: [gpu]
      drain: true
  profiles:
    - name: jupyter
      image: quay.io/x
      env: {A: 1, B: two}
      secrets: {TOKEN: "${T}"}
      ulimits: {nofile: {soft: 1024, hard: 2048}}
      options: {size: {choices: [small, large]}}
"""
FILES = {"/etc/giestack/ca.pem": "", "/c.pem": "", "/etc/giestack/k.pem": ""}


class SpawnerTests(EverythingThere):
    def test_values(self) -> None:
        spawner = settings(ENGINES, FILES, {"T": "s3cret"}).spawner
        assert spawner is not None
        local, far = spawner.engines
        self.assertEqual((local.docker_host, local.address), ("unix:///var/run/docker.sock", None))
        self.assertEqual(str(far.tls.cert), "/c.pem")
        self.assertEqual((far.labels, far.drain, far.insecure), (("gpu",), True, False))
        (profile,) = spawner.profiles
        self.assertEqual(profile.env, {"A": "1", "B": "two"})
        self.assertEqual(profile.secrets, {"TOKEN": "s3cret"})
        self.assertEqual(profile.ulimits, {"nofile": {"soft": 1024, "hard": 2048}})
        self.assertEqual(profile.options, {"size": {"choices": ("small", "large")}})
        self.assertEqual((profile.memory, profile.shm_size), (2 << 30, 64 << 20))
        self.assertNotIn("s3cret", repr(spawner))
        self.assertEqual([engine.is_process for engine in spawner.engines], [False, False])

    def test_times(self) -> None:
        for key in ("idle_timeout", "max_lifetime", "stop_timeout"):
            text = ENGINES.replace("image:", f"{key}: 315360000\n      image:")
            self.assertEqual(problems(text, FILES, {"T": "t"}), [])
            for wrong in ("315360001", "-1", "1e9", "never"):
                (problem,) = problems(text.replace("315360000", wrong), FILES, {"T": "t"})
                self.assertIn(f"spawner.profiles[0].{key}: must be a number, 0 or more, ", problem)
                self.assertIn("315360000 at most", problem)
        text = ENGINES.replace("image:", "readiness: {timeout: 0}\n      image:")
        (problem,) = problems(text, FILES, {"T": "t"})
        self.assertIn("readiness.timeout: must be a number, more than 0, 315360000", problem)

    def test_problems_have_paths(self) -> None:
        text = ENGINES.replace("drain: true", "drain: maybe").replace("image:", "imag:")
        found = problems(text, FILES)
        self.assertIn("spawner.engines[1].drain: must be true or false, not 'maybe'", found[0])
        self.assertIn("spawner.profiles[0].imag: there is no such key; did you mean", found[1])
        self.assertIn("spawner.profiles[0].secrets.TOKEN: the environment has no", found[2])
        self.assertEqual(len(found), 3)
