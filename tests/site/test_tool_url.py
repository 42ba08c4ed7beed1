"""The addresses of interactive tools."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.tool_url import ToolPlaces
from tests.site.conversation import seen_as


class UrlTests(SynchronousTestCase):
    def test_by_path(self) -> None:
        places = ToolPlaces(prefix="/galaxy/it/ep")
        seen = seen_as(b"h:8800")
        self.assertEqual(places.url("k", "t", "lab/a?b", False, seen), "/galaxy/it/ep/k/t/lab/a?b")
        self.assertEqual(places.url("k", "t", "/lab", False, seen), "/galaxy/it/ep/k/t/lab")
        self.assertEqual(places.url("k", "t", "", False, seen), "/galaxy/it/ep/k/t/")

    def test_by_host(self) -> None:
        places = ToolPlaces(domains=("tools.example.org",))
        for host, scheme, expected in (
            (b"galaxy.example.org", b"https", "https://k-t.tools.example.org/ipython/lab"),
            (
                b"galaxy.example.org:8443",
                b"https",
                "https://k-t.tools.example.org:8443/ipython/lab",
            ),
            (b"127.0.0.1:8800", b"http", "http://k-t.tools.example.org:8800/ipython/lab"),
            (b"[::1]", b"http", "http://k-t.tools.example.org/ipython/lab"),
            (b"[::1]:8800", b"http", "http://k-t.tools.example.org:8800/ipython/lab"),
        ):
            url = places.url("k", "t", "/ipython/lab", True, seen_as(host, scheme))
            self.assertEqual(url, expected)

    def test_without_a_domain_galaxys_default_below_the_visitors_own_host(self) -> None:
        for domains in ((), ("*",)):
            places = ToolPlaces(domains=domains)
            url = places.url("k", "t", "", True, seen_as(b"Localhost:8080"))
            self.assertEqual(url, "http://k-t.ep.interactivetool.localhost:8080/")

    def test_as_the_galaxy_writes_it_that_made_the_key(self) -> None:
        places = ToolPlaces(domains=("ep.it.g", "interactivetoolentrypoint.it.g", "it.g"))
        for key, domain in (
            ("3r3tktmrlsiv6", "ep.it.g"),
            ("0123456789abcdef", "interactivetoolentrypoint.it.g"),
            ("0123456789abcdef" * 2, "interactivetoolentrypoint.it.g"),
        ):
            url = places.url(key, "t", "", True, seen_as(b"g", b"https"))
            self.assertEqual(url, f"https://{key}-t.{domain}/")
        url = ToolPlaces(domains=("x.g",)).url("0" * 16, "t", "", True, seen_as(b"g", b"https"))
        self.assertEqual(url, f"https://{'0' * 16}-t.x.g/")
