"""Hosts, URLs, origins, prefixes, headers and backends."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from giestack.address import Address
from giestack.settings.places import (
    Backend,
    DockerHost,
    Domain,
    HeaderName,
    HostName,
    Name,
    Network,
    Origin,
    Prefix,
    Target,
    Url,
    UrlPath,
    is_loopback,
)

from .test_kinds import KindCase
from .world import read


class NameTests(KindCase):
    def test_name(self) -> None:
        self.assert_read(Name("x"), {"galaxysession": "galaxysession", "a-b_c.9": "a-b_c.9"})
        bad = {"-a": "", "a b": "", "a;b": "", "é": "", "a" * 64: "", "[]": "a name"}
        self.assert_refused(Name("x"), bad)

    def test_header(self) -> None:
        self.assert_read(
            HeaderName(),
            {
                "REMOTE_USER": "REMOTE_USER",
                "HTTP_X_USER": "X_USER",
                "X-Remote-User": "X-Remote-User",
            },
        )
        self.assert_refused(
            HeaderName(),
            {
                "a b": "name of a header",
                "'a:'": "name of a header",
                "HTTP_": "name of a header",
                "Cookie": "cannot be Cookie",
                "HTTP_CONTENT_LENGTH": "cannot be CONTENT_LENGTH",
                "transfer-encoding": "cannot be",
            },
        )


class HostTests(KindCase):
    def test_host(self) -> None:
        self.assert_read(
            HostName(),
            {
                "UseGalaxy.Example.org": "usegalaxy.example.org",
                "a.example.": "a.example",
                "localhost": "localhost",
                "10.0.0.1": "10.0.0.1",
                "'::1'": "::1",
                "'[FE80::1]'": "fe80::1",
                "node_7": "node_7",
            },
        )
        words = "must be a host name or an address"
        for text in ("a b", "a/b", "-a", "a..b", "'a:80'", "10.0.0", "1.2.3.256", "a" * 64):
            self.assert_refused(HostName(), {text: words})
        self.assert_refused(HostName(), {"'[::1'": words, "'[a]'": words})
        self.assert_refused(HostName(), {"über.example": "xn--", ".".join(["a" * 60] * 5): "host"})

    def test_domain(self) -> None:
        self.assert_read(
            Domain(), {".Example.org": "example.org", "'*.a.b'": "a.b", "ep.x": "ep.x"}
        )
        self.assert_refused(Domain(), {"a.b:80": "without a port", "'::1'": "", "'*'": "", ".": ""})

    def test_loopback(self) -> None:
        for name in ("localhost", "galaxy.localhost", "127.0.0.1", "127.9.9.9", "::1"):
            self.assertTrue(is_loopback(name), name)
        for name in ("localhost.example.org", "10.0.0.1", "fe80::1", "example.org"):
            self.assertFalse(is_loopback(name), name)

    def test_network(self) -> None:
        self.assert_read(
            Network(),
            {
                "127.0.0.1": ip_network("127.0.0.1/32"),
                "'::1'": ip_network("::1/128"),
                "10.0.0.0/8": ip_network("10.0.0.0/8"),
                "0.0.0.0/0": ip_network("0.0.0.0/0"),
            },
        )
        self.assert_refused(
            Network(),
            {
                "localhost": "IP address or a network",
                "10.0.0.5/8": "the network it is in is 10.0.0.0/8",
                "10.0.0.0/33": "IP address",
                "5": "IP address",
            },
        )

    def test_target(self) -> None:
        self.assert_read(
            Target(),
            {
                "Node7": "node7",
                "node7:8888": "node7:8888",
                "'[::1]:80'": "[::1]:80",
                "'::1'": "::1",
                "'[::1]'": "::1",
                "10.0.0.0/24": "10.0.0.0/24",
            },
        )
        self.assert_refused(
            Target(),
            {
                "'node7:'": "",
                "node7:0": "",
                "node7:99999": "",
                "'a b:80'": "",
                "10.0.0.1/24": "network",
            },
        )


class UrlTests(KindCase):
    def test_url(self) -> None:
        self.assert_read(
            Url("/"),
            {
                "https://UseGalaxy.example.org": "https://usegalaxy.example.org/",
                "https://a.example/galaxy": "https://a.example/galaxy/",
                "https://a.example:443//": "https://a.example/",
                "http://a.example:8080/": "http://a.example:8080/",
                "'http://[::1]:80/'": "http://[::1]/",
            },
        )
        self.assert_read(Url(), {"https://openbis.example.org/": "https://openbis.example.org"})

    def test_no_url(self) -> None:
        self.assert_refused(
            Url(),
            {
                "galaxy.example.org": "must be a URL like https://galaxy.example.org/",
                "ftp://a.example": "URL like",
                "'https://'": "URL like",
                "https://a.example/?x=1": "without '?'",
                "'https://a.example/#x'": "without '?'",
                "'https://a.example/a b'": "spaces",
                "https://a.example/é": "spaces",
                "'https://a\\b/'": "",
                "http://a.example:0/": "URL",
                "http://a.example:99999/": "host or port",
                "http://a.example:x/": "host or port",
                "'http://[::1/'": "host or port",
                "http://-a/": "host name",
                "'${galaxy}'": "URL like",
            },
        )

    def test_passwords_are_neither_allowed_nor_shown(self) -> None:
        for kind in (Url(), Origin(), Backend()):
            for text in ("http://u:s3cret@a/", "ftp://u:s3cret@a/", "http://s3cret@a:x/"):
                found, problems = read(kind, text)
                self.assertEqual((found, len(problems)), (None, 1))
                self.assertNotIn("s3cret", problems[0])

    def test_origin(self) -> None:
        self.assert_read(
            Origin(),
            {
                "HTTPS://A.example": "https://a.example",
                "http://a.example:8080/": "http://a.example:8080",
            },
        )
        self.assert_refused(
            Origin(),
            {
                "'*'": "every site",
                "'null'": "every site",
                "https://a.example/b": "without a path",
                "a.example": "an origin like",
            },
        )

    def test_prefix(self) -> None:
        self.assert_read(Prefix(), {"/giestack": "/giestack", "/a/b-c.d_e~f": "/a/b-c.d_e~f"})
        wanted = "must be a path like /giestack"
        self.assert_refused(
            Prefix(),
            {
                "giestack": wanted,
                "/": wanted,
                "/a/": wanted,
                "//a": wanted,
                "/a//b": wanted,
                "/a b": wanted,
                "/a?b": wanted,
                "/é": wanted,
                "'/a\\b'": wanted,
                "/a%2Fb": "without '%'",
                "/a/../b": "'.' and '..'",
                "/.": "'.' and '..'",
            },
        )

    def test_prefix_as_galaxy_writes_cookie_paths(self) -> None:
        self.assert_read(
            Prefix(root=True), {"/": "/", "/galaxy/": "/galaxy", "/g": "/g", "//": "/"}
        )
        self.assert_refused(
            Prefix(root=True), {"galaxy": "path", "'galaxy/'": "path", "'.'": "path"}
        )

    @given(st.text(alphabet="/.%a"))
    def test_what_a_prefix_never_is(self, text: str) -> None:
        found, problems = read(Prefix(), f'"{text}"')
        if not problems:
            assert isinstance(found, str)
            self.assertTrue(found.startswith("/") and not found.endswith("/"))
            self.assertFalse({"", ".", ".."} & set(found.split("/")[1:]))
            self.assertNotIn("%", found)

    def test_url_path(self) -> None:
        self.assert_read(UrlPath(), {"/": "/", "/lab/{user}?a=%2F": "/lab/{user}?a=%2F"})
        self.assert_refused(UrlPath(), {"lab": "path like /lab", "/a b": "spaces"})


class BackendTests(KindCase):
    def test_backend(self) -> None:
        self.assert_read(
            Backend(),
            {
                "http://127.0.0.1:8080": Address(host="127.0.0.1", port=8080),
                "https://a.example/": Address(host="a.example", port=443, tls=True),
                "'http://[::1]:81'": Address(host="::1", port=81),
                "unix:run/apollo.sock": Address(path="/etc/giestack/run/apollo.sock"),
                "unix:/run/apollo.sock": Address(path="/run/apollo.sock"),
            },
        )
        form = "must be http://HOST:PORT, https://HOST:PORT or unix:PATH"
        self.assert_refused(
            Backend(),
            {
                "127.0.0.1:8080": form,
                "ftp://a.example": form,
                "http://a.example/b": "without a path",
                "'unix:'": form,
                "unix:/": form,
                "[]": form,
            },
        )

    def test_docker_host(self) -> None:
        self.assert_read(
            DockerHost(),
            {
                "'unix:///var/run/docker.sock'": "unix:///var/run/docker.sock",
                "tcp://node7:2376": "tcp://node7:2376",
                "tcp://Node7:2376/": "tcp://node7:2376",
                "'tcp://[::1]:2376'": "tcp://[::1]:2376",
                "'process:'": "process:",
            },
        )
        form = "must be unix:///PATH, tcp://HOST:PORT or process:"
        for text in ("unix:/x", "'unix:///'", "tcp://node7", "tcp", "ssh://a@node7", "tcp://a:1/b"):
            self.assert_refused(DockerHost(), {text: form})
