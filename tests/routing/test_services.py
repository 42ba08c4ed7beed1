"""Services' settings."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing.services import parse_backend, service_path


class ServicePathTests(SynchronousTestCase):
    def test_paths(self):
        for text, path in {"/": b"", "/apollo": b"/apollo", "/a/b/": b"/a/b"}.items():
            self.assertEqual(service_path(text), path)

    def test_what_can_be_no_path(self):
        for text in ("", "apollo", "//", "/a//b", "/a b", "/a?b", "/é", "/a/..", "/%2e/x"):
            self.assertRaises(ValueError, service_path, text)


class ParseBackendTests(SynchronousTestCase):
    def test_tcp(self):
        for url, address, base in (
            ("http://127.0.0.1:8080", Address(host="127.0.0.1", port=8080), b""),
            ("http://Apollo.example.org/", Address(host="apollo.example.org", port=80), b""),
            ("HTTP://[::1]:81/app/", Address(host="::1", port=81), b"/app"),
            ("http://a_b:80/x/%2Fy", Address(host="a_b", port=80), b"/x/%2Fy"),
        ):
            self.assertEqual(parse_backend(url), (address, base))

    def test_tls(self):
        self.assertEqual(
            parse_backend("https://db.example.org", "/etc/ca.pem"),
            (Address(host="db.example.org", port=443, tls=True, ca_file="/etc/ca.pem"), b""),
        )

    def test_unix(self):
        self.assertEqual(parse_backend("unix:/run/a.sock"), (Address(path="/run/a.sock"), b""))

    def refused(self, reason, url, ca_file=None):
        error = self.assertRaises(ValueError, parse_backend, url, ca_file)
        self.assertIn(reason, str(error))

    def test_refused(self):
        for url in ("", "http://a b", "http://é", "http://a\n"):
            self.refused("neither spaces", url)
        for url in ("ftp://a", "127.0.0.1:8080", "//a", "/run/a.sock", "http+unix://a"):
            self.refused("a backend is http://", url)
        for url in ("http://u:p@a", "http://@a", "http://a?x", "http://a#", "http://a/?"):
            self.refused("no user, query or fragment", url)
        for url in ("http://", "http://:80", "http://..", "http:///x", "http:a"):
            self.refused("needs a host name", url)
        for url in (
            "http://a:x",
            "http://a:65536",
            "http://[::g]",
            "http://[a",
            "http://[v1.x]",
            "http://[1.2.3.4]",
        ):
            self.refused("not a URL", url)
        for url in ("http://a/b//c", "http://a/../b", "http://a/b\\c"):
            self.refused("not a path", url)
        for url in ("http://a%2fb", "http://[fe80::1%e]"):
            self.refused("no percent sign", url)
        self.refused("port 0", "http://a:0")

    def test_a_socket_needs_an_absolute_path(self):
        for url in ("unix:", "unix:run/a.sock", "unix:/", "unix:/run/"):
            self.refused("absolute path", url)

    def test_ca_file_needs_https(self):
        self.refused("https://", "http://a", "/etc/ca.pem")
        self.refused("https://", "unix:/run/a.sock", "/etc/ca.pem")

    @given(st.text() | st.text(alphabet="htps:/unix[].%@?#1a").map("http://".__add__))
    def test_any_text_is_an_address_or_refused(self, url):
        try:
            address, base = parse_backend(url)
        except ValueError:
            return
        self.assertTrue(address.path or (address.host and 1 <= address.port <= 65535))
        self.assertFalse(base.endswith(b"/"))
