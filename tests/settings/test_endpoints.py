"""Endpoint descriptions, compared with what Twisted itself makes of them."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXServerEndpoint, serverFromString
from twisted.internet.testing import MemoryReactor

from giestack.settings.endpoints import Description, Endpoint, escaped, parse
from giestack.settings.problems import Wrong

from .test_kinds import KindCase
from .world import read

FILES = {"/etc/giestack/key.pem": "", "/srv/cert.pem": ""}


class EndpointTests(KindCase):
    def assert_endpoint(self, text: str, expected: str) -> None:
        self.assertEqual(read(Endpoint(), f"'{text}'", FILES), (expected, []))

    def test_good_ones(self) -> None:
        for text in (
            "tcp:8800",
            "tcp:0",
            "tcp:8801:interface=127.0.0.1",
            "tcp:80:interface=\\:\\:1:backlog=100",
            "unix:/run/giestack.sock:mode=660:lockfile=0",
            "systemd:INET:index=0",
            "systemd:UNIX:name=proxy",
        ):
            self.assert_endpoint(text, text)

    def test_positional_and_named_are_the_same(self) -> None:
        self.assert_endpoint("tcp:80:127.0.0.1:9", "tcp:80:interface=127.0.0.1:backlog=9")
        self.assert_endpoint("tcp:port=80", "tcp:80")
        self.assert_endpoint("tcp:interface=a.example:port=80", "tcp:80:interface=a.example")
        self.assert_endpoint("systemd:domain=INET6:name=x", "systemd:INET6:name=x")

    def test_paths_become_absolute(self) -> None:
        self.assert_endpoint("unix:run/a.sock", "unix:/etc/giestack/run/a.sock")
        self.assert_endpoint("unix:C\\:/a\\=b", "unix:/etc/giestack/C\\:/a\\=b")
        self.assert_endpoint("tls:live:8443", "tls:/etc/giestack/live:port=8443")
        self.assert_endpoint(
            "ssl:8443:privateKey=key.pem:certKey=/srv/cert.pem",
            "ssl:8443:privateKey=/etc/giestack/key.pem:certKey=/srv/cert.pem",
        )

    def test_bad_ones(self) -> None:
        for text, words in {
            "8800": "like tcp:8800, not just a port",
            "http:80": "must begin with tcp:, unix:, ssl:, tls: or systemd:",
            "tcp6:80": "must begin with",
            "TCP:80": "must begin with",
            "tcp=80": "must begin with",
            ":80": "must begin with",
            "tcp:": "tcp: needs a port",
            "tcp": "tcp: needs a port",
            "tcp:http": "port must be a number, 0 to 65535, not 'http'",
            "tcp:65536": "0 to 65535",
            "tcp:-1": "0 to 65535",
            "tcp:99999999999999": "0 to 65535",
            "tcp:80:backlog=0": "backlog must be a number, 1 to 65535",
            "tcp:80:interfce=a": "did you mean interface?",
            "tcp:80:zzz=a": "tcp: takes no 'zzz', like tcp:8800",
            "tcp:80:interface=a b": "tcp: interface must be a host name or an address",
            "tcp:80:port=81": "says port twice",
            "tcp:80:a:9:x": "too many parts",
            "tcp:80\\": "single backslash",
            "unix:": "needs a address",
            "unix:a:mode=999": "mode must be octal",
            "unix:a:mode=66": "mode must be octal",
            "unix:a:lockfile=yes": "lockfile must be 0 or 1",
            f"unix:/{'a' * 107}": "too long for a socket: 107 bytes",
            "ssl:443": "ssl: needs a privateKey",
            "ssl:443:privateKey=no.pem": "privateKey: there is no file /etc/giestack/no.pem",
            "systemd:domain=IPX:name=a": "domain must be INET, INET6, UNIX",
            "systemd:INET": "needs a name= or an index=",
            "systemd:INET:index=0:name=a": "and not both",
        }.items():
            found, problems = read(Endpoint(), f"'{text}'", FILES)
            self.assertEqual((found, len(problems)), (None, 1), text)
            self.assertIn(words, problems[0], text)

    def test_no_text(self) -> None:
        self.assert_refused(Endpoint(), {"8800": "not just", "[]": "an endpoint like tcp:8800"})


class TwistedTests(KindCase):
    """Twisted reads what comes out as it is meant."""

    @given(st.integers(0, 65535), st.sampled_from(["", "127.0.0.1", "::1", "a.example"]))
    def test_tcp(self, port: int, interface: str) -> None:
        tail = f":interface={escaped(interface)}" if interface else ""
        found, problems = read(Endpoint(), f"tcp:{port}{tail}")
        self.assertEqual(problems, [])
        assert isinstance(found, str)
        endpoint = serverFromString(MemoryReactor(), found)
        assert isinstance(endpoint, TCP4ServerEndpoint)
        self.assertEqual((endpoint._port, endpoint._interface), (port, interface))

    @given(
        st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="'"), min_size=1)
    )
    def test_unix(self, name: str) -> None:
        path = f"/run/{name}"
        description = str(parse(f"unix:{escaped(path)}"))
        endpoint = serverFromString(MemoryReactor(), description)
        assert isinstance(endpoint, UNIXServerEndpoint)
        self.assertEqual(endpoint._address, path)
        self.assertEqual(parse(description), Description("unix", {"address": path}))

    @given(st.text(alphabet=st.sampled_from("tcpunixslem:=\\0189/.a")))
    def test_what_is_accepted_is_no_mistake_to_twisted(self, text: str) -> None:
        try:
            description = parse(text)
        except Wrong:
            return
        if description.kind in ("tcp", "unix"):
            serverFromString(MemoryReactor(), str(description))
