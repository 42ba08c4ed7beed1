"""Where own pages lead to."""

from urllib.parse import parse_qs, quote, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.site.asked import Asked
from giestack.site.links import Links, Login, is_local, plain_part
from tests.site.conversation import ALICE, seen_as

GALAXY = "https://galaxy.example.org/"
GALAXY_HOST = b"galaxy.example.org"
TOOL_HOST = b"key-token.ep.interactivetool.galaxy.example.org"
# What JavaScript's encodeURI leaves as it is.
AS_IT_IS = ";,/?:@&=+$-_.!~*'()#"


def asked(
    target: bytes = b"/giestack/", host: bytes = GALAXY_HOST, method: bytes = b"GET"
) -> Asked:
    return Asked(method, target, True, seen_as(host, b"https"))


def login(links: Links, request: Asked) -> Login:
    found = links.login(request)
    assert found is not None
    return found


def after_login(href: str) -> str:
    """Where Galaxy's login page goes to, on Galaxy's host."""
    parts = urlsplit(href)
    prefix = parts.path.removesuffix("/login/start")
    (redirect,) = parse_qs(parts.query)["redirect"]
    return prefix + quote(redirect, safe=AS_IT_IS)


class LocalTests(SynchronousTestCase):
    def test_paths_of_this_host(self) -> None:
        for target in ("/", "/giestack/", "/a/b%2Fc?d=e&f#g", "/a//b", "/[x]", "/~a"):
            self.assertTrue(is_local(target), target)

    def test_everything_else(self) -> None:
        for target in (
            "",
            "a",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "/a\\b",
            "\\/evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/a\nSet-Cookie: x",
            "/a\r",
            "/\t/evil.example",
            "/a b",
            "/a\x7f",
            "/é",
            " /a",
            "/a\n",
        ):
            self.assertFalse(is_local(target), target)


class PlainPartTests(SynchronousTestCase):
    def test_kept_as_a_whole(self) -> None:
        for target in (b"/", b"/giestack/", b"/a/b;c,d/~e(f)'g!$&+=@:*", b"/a?b=c&d=/e?f", b"/a?"):
            self.assertEqual(plain_part(target), target.decode())

    def test_cut_at_the_last_folder_before_anything_odd(self) -> None:
        self.assertEqual(plain_part(b"/ep/key/token/a%2Fb/c?d"), "/ep/key/token/")
        self.assertEqual(plain_part(b"/ep/a|b"), "/ep/")
        self.assertEqual(plain_part(b"/ep/\xe9"), "/ep/")
        self.assertEqual(plain_part(b"/ep/a#b"), "/ep/")

    def test_nothing_of_it_is_left(self) -> None:
        self.assertIsNone(plain_part(b"/a%20b"))

    def test_an_odd_query_is_left_out(self) -> None:
        self.assertEqual(plain_part(b"/a/b?c=%20"), "/a/b")
        self.assertEqual(plain_part(b"/a/b?c=[1]"), "/a/b")


class LoginTests(SynchronousTestCase):
    links = Links(galaxy_url=GALAXY, domains=("ep.interactivetool.galaxy.example.org",))

    def test_comes_back_to_the_page(self) -> None:
        found = login(self.links, asked(b"/interactivetool/ep/key/token/lab"))
        self.assertEqual(
            found,
            Login(GALAXY + "login/start?redirect=/interactivetool/ep/key/token/lab", True),
        )

    def test_comes_back_with_its_query(self) -> None:
        found = login(self.links, asked(b"/a/?b=c&d=e+f;g"))
        self.assertEqual(after_login(found.href), "/a/?b=c&d=e+f;g")
        self.assertTrue(found.returns)

    def test_comes_back_below_the_path_that_galaxy_stands_at(self) -> None:
        links = Links(galaxy_url="https://h.example/galaxy/", prefix="/galaxy/giestack")
        found = login(links, asked(b"/galaxy/giestack/", host=b"h.example"))
        self.assertEqual(found.href, "https://h.example/galaxy/login/start?redirect=/giestack/")
        self.assertEqual(after_login(found.href), "/galaxy/giestack/")

    def test_nothing_outside_of_that_path_can_be_named(self) -> None:
        links = Links(galaxy_url="https://h.example/galaxy/")
        for target in (b"/giestack/", b"/galaxy//evil.example", b"/galaxy"):
            self.assertEqual(
                login(links, asked(target, host=b"h.example")),
                Login("https://h.example/galaxy/login/start", False),
            )

    def test_never_another_host(self) -> None:
        for target in (b"//evil.example/", b"/\\evil.example", b"//evil.example/%41"):
            found = login(self.links, asked(target))
            self.assertEqual(after_login(found.href), "/giestack/")

    def test_after_a_request_that_changed_something_comes_the_start_page(self) -> None:
        found = login(self.links, asked(b"/a/b", method=b"POST"))
        self.assertEqual(after_login(found.href), "/giestack/")
        self.assertFalse(found.returns)

    def test_from_a_tools_own_host_comes_the_start_page(self) -> None:
        found = login(self.links, asked(b"/lab", host=TOOL_HOST))
        self.assertEqual(after_login(found.href), "/giestack/")
        self.assertFalse(found.returns)

    def test_on_another_host_than_galaxys_nothing_is_promised(self) -> None:
        found = login(self.links, asked(b"/a", host=b"other.example"))
        self.assertEqual(after_login(found.href), "/a")
        self.assertFalse(found.returns)

    def test_without_own_pages(self) -> None:
        links = Links(prefix="", galaxy_url=GALAXY)
        found = login(links, asked(b"/a%20b"))
        self.assertEqual(found, Login(GALAXY + "login/start", False))

    def test_without_a_known_galaxy(self) -> None:
        self.assertIsNone(Links().login(asked()))

    @given(st.binary(max_size=30))
    def test_what_galaxy_gets_is_not_changed_by_it(self, rest: bytes) -> None:
        for start in (b"/", b"/ep/key/token/"):
            href = login(self.links, asked(start + rest)).href
            self.assertTrue(href.isascii() and href.isprintable())
            (redirect,) = parse_qs(urlsplit(href).query)["redirect"]
            self.assertNotIn("%", redirect)
            self.assertEqual(quote(redirect, safe=AS_IT_IS), redirect)
            self.assertRegex(redirect, r"\A/(?![/\\])")


class DemoLoginTests(SynchronousTestCase):
    links = Links(demo=True, galaxy_url="http://127.0.0.1:8800/")

    def test_comes_back_to_the_page(self) -> None:
        found = login(self.links, asked(b"/a%2Fb?c=d&e"))
        self.assertEqual(found, Login("/giestack/demo?next=/a%252Fb%3Fc%3Dd%26e", True))

    def test_never_another_host(self) -> None:
        self.assertEqual(
            login(self.links, asked(b"//evil.example")), Login("/giestack/demo", False)
        )

    def test_after_a_request_that_changed_something(self) -> None:
        self.assertEqual(
            login(self.links, asked(b"/a", method=b"POST")), Login("/giestack/demo", False)
        )


class StartTests(SynchronousTestCase):
    def test_on_our_own_host(self) -> None:
        self.assertEqual(Links().start(asked()), "/giestack/")

    def test_from_a_tools_own_host(self) -> None:
        domains = ("ep.interactivetool.galaxy.example.org",)
        links = Links(galaxy_url=GALAXY, domains=domains)
        self.assertEqual(links.start(asked(host=TOOL_HOST)), GALAXY + "giestack/")
        self.assertIsNone(Links(domains=domains).start(asked(host=TOOL_HOST)))

    def test_from_a_sessions_own_host(self) -> None:
        links = Links(galaxy_url=GALAXY, session_domain="session.example.net")
        elsewhere = asked(host=b"s1.session.example.net")
        self.assertEqual(links.start(elsewhere), GALAXY + "giestack/")
        self.assertEqual(Links(galaxy_url=GALAXY).start(elsewhere), "/giestack/")

    def test_where_any_domain_may_be_a_tools(self) -> None:
        links = Links(domains=("*",))
        self.assertIsNone(links.start(asked(host=TOOL_HOST)))
        self.assertEqual(links.start(asked()), "/giestack/")

    def test_without_own_pages(self) -> None:
        self.assertIsNone(Links(prefix="").start(asked()))


class GalaxyUrlTests(SynchronousTestCase):
    def test_origin(self) -> None:
        self.assertEqual(
            Links(galaxy_url="https://Galaxy.Example.org:8443/g/").galaxy_origin,
            "https://galaxy.example.org:8443",
        )
        self.assertIsNone(Links().galaxy_origin)

    def test_what_could_break_out_of_a_header_field_is_no_address(self) -> None:
        for url in (
            "https://galaxy.example.org",
            "galaxy.example.org/",
            "https://a; script-src */",
            "https://a b/",
            "https://user:secret@a/",
            "javascript:/",
        ):
            self.assertRaises(ValueError, Links, galaxy_url=url)


class ChatTests(SynchronousTestCase):
    def test_where_it_is(self) -> None:
        self.assertEqual(Links(chat=True).chat_path, "/giestack/chat")
        self.assertIsNone(Links().chat_path)
        self.assertIsNone(Links(prefix="", chat=True).chat_path)

    def test_nobody_moderates_what_is_not_there(self) -> None:
        self.assertFalse(Links().moderates(ALICE))


class LoginPageTests(SynchronousTestCase):
    def test_galaxy_or_the_demo(self) -> None:
        url = "https://galaxy.example.org/"
        self.assertEqual(Links(galaxy_url=url).login_page, f"{url}login/start")
        self.assertEqual(Links(galaxy_url=url, demo=True).login_page, "/giestack/demo")
        self.assertIsNone(Links().login_page)
