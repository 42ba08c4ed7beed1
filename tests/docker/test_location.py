import json
from hashlib import sha256
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.location import (
    Location,
    LocationError,
    TlsFiles,
    config_folder,
    located,
    location_of,
    read_config,
)

SOCKET = Location("unix:///var/run/docker.sock")


class LocationTests(SynchronousTestCase):
    def test_a_socket_has_a_path_and_no_host(self) -> None:
        location = location_of("unix:///tmp/d.sock")
        self.assertEqual(
            (location.is_socket, location.path, location.host, location.port),
            (True, "/tmp/d.sock", "", 0),
        )

    def test_tcp_has_host_and_port_and_no_path(self) -> None:
        location = location_of("tcp://[::1]:2375")
        self.assertEqual(
            (location.is_socket, location.path, location.host, location.port),
            (False, "", "::1", 2375),
        )

    def test_what_may_be_left_out_is_put_in(self) -> None:
        tls = TlsFiles(Path("/a"), Path("/b"), Path("/c"))
        for url, files, expected in (
            ("unix://", None, "unix:///var/run/docker.sock"),
            ("unix:////run/d.sock", None, "unix:///run/d.sock"),
            ("tcp://docker", None, "tcp://docker:2375"),
            ("tcp://docker/", tls, "tcp://docker:2376"),
            ("docker:4243", None, "tcp://docker:4243"),
        ):
            self.assertEqual(location_of(url, files).url, expected, url)

    def test_a_socket_needs_no_tls(self) -> None:
        tls = TlsFiles(Path("/a"), Path("/b"), Path("/c"))
        self.assertIsNone(location_of("unix:///tmp/d.sock", tls).tls)

    def test_what_cannot_be_reached_from_here_is_refused_with_the_remedy(self) -> None:
        for url, remedy in (
            ("ssh://root@far", "ssh -N -L"),
            ("npipe:////./pipe/docker_engine", "tcp://HOST:2376"),
            ("fd://", "DOCKER_HOST=unix:///var/run/docker.sock"),
            ("https://far:2376", "tcp://HOST:PORT"),
        ):
            error = self.assertRaises(LocationError, location_of, url)
            self.assertIn(remedy, str(error))
            self.assertIn(url, str(error))

    def test_what_is_no_location_is_refused(self) -> None:
        for url in (
            *("", "tcp://", "tcp://:2375", "tcp://a:b", "tcp://a:99999", "tcp://a/b", "gopher://a"),
            *(
                "tcp://u@a:1",
                "tcp://a b:1",
                "tcp://a\n:1",
                "unix://relative",
                "unix:///",
                "tcp://[a",
            ),
        ):
            self.assertRaises(LocationError, location_of, url)

    def test_others_can_use_an_engine_at_tcp_without_tls_off_loopback(self) -> None:
        tls = TlsFiles(Path("/a"), Path("/b"), Path("/c"))
        for url in ("tcp://far:2375", "tcp://10.0.0.1:2375", "tcp://0.0.0.0:2375"):
            self.assertTrue(location_of(url).is_exposed, url)
        for url in ("unix:///d", "tcp://127.0.0.2:1", "tcp://[::1]:1", "tcp://localhost:1"):
            self.assertFalse(location_of(url).is_exposed, url)
        self.assertFalse(location_of("tcp://a.localhost:1").is_exposed)
        self.assertFalse(location_of("tcp://far:2376", tls).is_exposed)


class LocatedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.folder = self.home / ".docker"
        self.folder.mkdir(parents=True)

    def config(self, found: object) -> None:
        (self.folder / "config.json").write_text(json.dumps(found))

    def context(self, name: str, meta: object) -> Path:
        """Make a context; returns where its TLS files go."""
        digest = sha256(name.encode()).hexdigest()
        folder = self.folder / "contexts" / "meta" / digest
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps(meta))
        return self.folder / "contexts" / "tls" / digest / "docker"

    def endpoint(self, name: str, **docker: object) -> Path:
        return self.context(name, {"Name": name, "Endpoints": {"docker": docker}})

    def refused(self, environ: dict[str, str]) -> str:
        return str(self.assertRaises(LocationError, located, environ, self.home))

    def test_without_a_word_it_is_the_local_socket(self) -> None:
        self.assertEqual(located({}, self.home), SOCKET)
        self.config({"auths": {}})
        self.assertEqual(located({"DOCKER_HOST": "", "DOCKER_CONTEXT": ""}, self.home), SOCKET)

    def test_docker_host_comes_before_contexts(self) -> None:
        environ = {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_CONTEXT": "far"}
        self.assertEqual(located(environ, self.home), Location("tcp://127.0.0.1:1"))

    def test_tls_files_are_in_docker_cert_path(self) -> None:
        tls = TlsFiles(Path("/certs/ca.pem"), Path("/certs/cert.pem"), Path("/certs/key.pem"))
        environ = {"DOCKER_HOST": "tcp://far:2376", "DOCKER_CERT_PATH": "/certs"}
        for more in ({}, {"DOCKER_TLS_VERIFY": "1"}):
            self.assertEqual(located(environ | more, self.home), Location("tcp://far:2376", tls))

    def test_tls_files_are_else_beside_the_configuration(self) -> None:
        for variable in ("DOCKER_TLS_VERIFY", "DOCKER_TLS"):
            found = located({"DOCKER_HOST": "tcp://far", variable: "1"}, self.home)
            assert found.tls is not None
            self.assertEqual(found.tls.ca, self.folder / "ca.pem")
            self.assertEqual(found.port, 2376)

    def test_the_variable_is_named_in_what_is_wrong_with_it(self) -> None:
        self.assertIn(
            "DOCKER_HOST=ssh://far is reached", self.refused({"DOCKER_HOST": "ssh://far"})
        )

    def test_the_present_context(self) -> None:
        self.config({"currentContext": "near"})
        self.endpoint("near", Host="unix:///tmp/near.sock")
        self.endpoint("other", Host="unix:///tmp/other.sock")
        self.assertEqual(located({}, self.home), Location("unix:///tmp/near.sock"))
        self.assertEqual(
            located({"DOCKER_CONTEXT": "other"}, self.home), Location("unix:///tmp/other.sock")
        )
        self.assertEqual(located({"DOCKER_CONTEXT": "default"}, self.home), SOCKET)

    def test_the_configuration_may_be_elsewhere(self) -> None:
        self.endpoint("near", Host="")
        environ = {"DOCKER_CONFIG": str(self.folder), "DOCKER_CONTEXT": "near"}
        self.assertEqual(located(environ, Path("/nowhere")), SOCKET)
        self.assertEqual(config_folder(environ, Path("/nowhere")), self.folder)
        self.assertEqual(config_folder({}, Path("/home/a")), Path("/home/a/.docker"))

    def test_a_context_has_tls_files_of_its_own(self) -> None:
        folder = self.endpoint("far", Host="tcp://far:2376", SkipTLSVerify=False)
        folder.mkdir(parents=True)
        files = [folder / f"{name}.pem" for name in ("ca", "cert", "key")]
        for file in files:
            self.assertIn(str(file), self.refused({"DOCKER_CONTEXT": "far"}))
            file.write_text("")
        self.assertEqual(
            located({"DOCKER_CONTEXT": "far"}, self.home),
            Location("tcp://far:2376", TlsFiles(*files)),
        )

    def test_a_context_that_does_not_verify_is_refused(self) -> None:
        self.endpoint("far", Host="tcp://far:2376", SkipTLSVerify=True)
        self.assertIn("SkipTLSVerify", self.refused({"DOCKER_CONTEXT": "far"}))

    def test_a_context_that_is_not_there_is_named(self) -> None:
        self.config({"currentContext": "gone"})
        self.assertIn("no docker context 'gone'", self.refused({}))
        self.assertIn("cannot be the name", self.refused({"DOCKER_CONTEXT": "../x"}))

    def test_a_context_that_cannot_be_used_is_named(self) -> None:
        self.endpoint("far", Host="ssh://root@far")
        self.assertIn("context 'far': ssh://root@far", self.refused({"DOCKER_CONTEXT": "far"}))
        for name, meta in (
            ("a", {}),
            ("b", {"Endpoints": []}),
            ("c", {"Endpoints": {"docker": 1}}),
            ("d", {"Endpoints": {"docker": {"Host": 1}}}),
            ("e", []),
        ):
            self.context(name, meta)
            self.assertIn("meta.json", self.refused({"DOCKER_CONTEXT": name}))

    def test_a_configuration_that_cannot_be_read_is_named(self) -> None:
        file = self.folder / "config.json"
        for text in ("{", "[]", '{"currentContext": 7}', "[" * 100_000):
            file.write_text(text)
            self.assertIn(str(file), self.refused({}))
        file.unlink()
        file.mkdir()
        self.assertIn("can't be read: Is a directory", self.refused({}))

    def test_the_configuration_itself(self) -> None:
        self.assertEqual(read_config(self.folder), {})
        self.config({"credsStore": "pass"})
        self.assertEqual(read_config(self.folder), {"credsStore": "pass"})
