"""The route table: hosts and paths to places."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing import table as table_module
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import EntryPoint
from giestack.routing.places import (
    Environment,
    HostEntryPoint,
    Nowhere,
    OwnPage,
    PathEntryPoint,
    Service,
    ServicePlace,
    SpawnedSession,
    UnknownEntryPoint,
)
from giestack.routing.table import Prefixes, RouteTable, clean_prefix, has_dot_segment
from tests.routing.entry_points import by_key

FRONT = b"galaxy.example.org"
DOMAIN = "ep.interactivetool.galaxy.example.org"
OLD_DOMAIN = "interactivetool.galaxy.example.org"
LOCAL = Address(host="127.0.0.1", port=40001)


def tool(key, token, port=40001):
    return EntryPoint(key, "interactivetoolentrypoint", token, Address(host="127.0.0.1", port=port))


JUPYTER = tool("3r3tktmrlsiv6", "ca0068bfc0ac")
RSTUDIO = tool("1ymwmk1r49zi4", "c26ab9ff8d43", 40002)
APOLLO = Service(b"/apollo", LOCAL)
APOLLO_API = Service(b"/apollo/api", LOCAL, strip_path=False)


def a_table(*services, environments=None, **prefixes):
    table = RouteTable(Prefixes(**prefixes), services, ["map"])
    table.replace("map", by_key([JUPYTER, RSTUDIO]), environments)
    return table


class CountingMapping(Mapping):
    """A mapping that counts how it is used."""

    def __init__(self, of):
        self.of = of
        self.gets = 0
        self.walks = 0

    def get(self, key, default=None):
        self.gets += 1
        return self.of.get(key, default)

    def __getitem__(self, key):
        self.gets += 1
        return self.of[key]

    def __len__(self):
        return len(self.of)

    def __iter__(self):
        self.walks += 1
        return iter(self.of)


class PathEntryPointTests(SynchronousTestCase):
    def at(self, path, **prefixes):
        return a_table(**prefixes).locate(FRONT, path)

    def test_the_path_behind_the_token(self):
        prefix = b"/interactivetool/ep/3r3tktmrlsiv6/ca0068bfc0ac"
        for rest, target in (
            (b"/ipython/lab", b"/ipython/lab"),
            (b"/a%2Fb//c", b"/a%2Fb//c"),
            (b"//x", b"//x"),
            (b"/", b"/"),
            (b"", b"/"),
        ):
            self.assertEqual(self.at(prefix + rest), PathEntryPoint(JUPYTER, target, prefix))

    def test_unknown_key_and_wrong_token_are_one_value(self):
        for path in (
            b"/interactivetool/ep",
            b"/interactivetool/ep/",
            b"/interactivetool/ep//",
            b"/interactivetool/ep/3r3tktmrlsiv6",
            b"/interactivetool/ep/3r3tktmrlsiv6/",
            b"/interactivetool/ep/3r3tktmrlsiv6//ca0068bfc0ac",
            b"/interactivetool/ep/3r3tktmrlsiv6/ca0068bfc0a",
            b"/interactivetool/ep/3r3tktmrlsiv6/ca0068bfc0ac0/lab",
            b"/interactivetool/ep/3r3tktmrlsiv6/CA0068BFC0AC/lab",
            b"/interactivetool/ep/3r3tktmrlsiv6/c26ab9ff8d43/lab",
            b"/interactivetool/ep/unknown/ca0068bfc0ac/lab",
            b"/interactivetool/ep/%33r3tktmrlsiv6/ca0068bfc0ac/lab",
            b"/interactivetool/ep/3r3tktmrlsiv6%2Fca0068bfc0ac/lab",
            b"/interactivetool/ep//ca0068bfc0ac",
            b"/interactivetool/ep//////////////////",
        ):
            self.assertEqual(self.at(path), UnknownEntryPoint(), path)

    def test_prefixes_are_whole_segments_of_the_raw_path(self):
        for path in (
            b"/interactivetool/epx/3r3tktmrlsiv6/ca0068bfc0ac",
            b"/interactivetool/e%70/3r3tktmrlsiv6/ca0068bfc0ac",
            b"//interactivetool/ep/3r3tktmrlsiv6/ca0068bfc0ac",
            b"interactivetool/ep/3r3tktmrlsiv6/ca0068bfc0ac",
            b"/INTERACTIVETOOL/ep/3r3tktmrlsiv6/ca0068bfc0ac",
        ):
            self.assertEqual(self.at(path), Nowhere(), path)

    def test_prefixes_of_older_galaxies(self):
        for prefix in ("/interactivetool", "/g/interactivetool/access/interactivetoolentrypoint/"):
            path = f"{prefix.rstrip('/')}/3r3tktmrlsiv6/ca0068bfc0ac/lab".encode()
            place = self.at(path, interactivetools=prefix)
            self.assertEqual(place, PathEntryPoint(JUPYTER, b"/lab", path.removesuffix(b"/lab")))

    def test_no_prefix_no_rule(self):
        path = b"/3r3tktmrlsiv6/ca0068bfc0ac/lab"
        self.assertEqual(self.at(path, interactivetools=""), Nowhere())

    def test_an_empty_table_knows_nothing(self):
        table = RouteTable(Prefixes())
        path = b"/interactivetool/ep/3r3tktmrlsiv6/ca0068bfc0ac"
        self.assertEqual(table.locate(FRONT, path), UnknownEntryPoint())

    def test_every_token_is_compared_in_constant_time(self):
        compared = []

        def compare(one, other):
            compared.append(other)
            return one == other

        self.patch(table_module, "compare_digest", compare)
        for key in (b"3r3tktmrlsiv6", b"unknown"):
            self.at(b"/interactivetool/ep/" + key + b"/wrong/lab")
        self.assertEqual(compared, [b"wrong", b"wrong"])


class OlderPathTests(SynchronousTestCase):
    """Addresses as Galaxy 23.1 and before handed them out."""

    KEY, TOKEN = "f6c98f95c62e6f82", "0123456789abcdef" * 2

    def table(self, prefixes, token):
        table = RouteTable(prefixes, [Service(b"/interactivetool/apollo", Address("h", 1))])
        rows = [EntryPoint(key, "t", token, Address("h", 1)) for key in (self.KEY, "3r3tktmrlsiv6")]
        table.replace("map", by_key(rows))
        return table

    def test_the_long_and_the_short_form(self):
        for prefix, base in (
            ("/interactivetool/ep", "/interactivetool"),
            ("/galaxy/it/ep", "/galaxy/it"),
        ):
            for token in (self.TOKEN, self.TOKEN[:10]):
                table = self.table(Prefixes(interactivetools=prefix), token)
                for form in ("/access/interactivetoolentrypoint/", "/", "/ep/"):
                    path = f"{base}{form}{self.KEY}/{token}".encode()
                    place = table.locate(b"h", path + b"/lab%2Fx")
                    assert isinstance(place, PathEntryPoint)
                    self.assertEqual((place.rest, place.prefix), (b"/lab%2Fx", path))

    def test_a_token_is_never_shorter_than_the_maps(self):
        # A tool from before interactivetools_shorten_url was on has its whole token in the map.
        table = self.table(Prefixes(), self.TOKEN)
        for form in ("/access/interactivetoolentrypoint/", "/", "/ep/"):
            for token in (self.TOKEN[:10], self.TOKEN[:31], ""):
                path = f"/interactivetool{form}{self.KEY}/{token}/".encode()
                self.assertNotIsInstance(table.locate(b"h", path), PathEntryPoint)

    def test_only_keys_of_those_galaxys(self):
        table = self.table(Prefixes(), self.TOKEN)
        for form in ("/access/interactivetoolentrypoint/", "/"):
            path = f"/interactivetool{form}3r3tktmrlsiv6/{self.TOKEN}/".encode()
            self.assertIsInstance(table.locate(b"h", path), Nowhere)

    def test_what_else_is_there_stays(self):
        table = self.table(Prefixes(), self.TOKEN)
        self.assertIsInstance(table.locate(b"h", b"/interactivetool/apollo/x/y"), ServicePlace)
        self.assertIsInstance(table.locate(b"h", b"/interactivetool/giestack/login"), OwnPage)
        for prefix in ("/it", "/ep", ""):
            other = self.table(Prefixes(interactivetools=prefix), self.TOKEN)
            path = f"/interactivetool/{self.KEY}/{self.TOKEN}/".encode()
            self.assertIsInstance(other.locate(b"h", path), Nowhere)


class HostEntryPointTests(SynchronousTestCase):
    def at(self, host, path=b"/lab", domains=(DOMAIN,), **prefixes):
        return a_table(domains=domains, **prefixes).locate(host, path)

    def test_key_and_token_are_the_first_label(self):
        host = b"3r3tktmrlsiv6-ca0068bfc0ac." + DOMAIN.encode()
        self.assertEqual(self.at(host), HostEntryPoint(JUPYTER, False))
        self.assertEqual(self.at(host + b"."), HostEntryPoint(JUPYTER, False))

    def test_older_forms(self):
        domains = (DOMAIN, OLD_DOMAIN)
        for domain in domains:
            host = f"1ymwmk1r49zi4-c26ab9ff8d43.{domain}".encode()
            self.assertEqual(self.at(host, domains=domains), HostEntryPoint(RSTUDIO, False))

    def test_a_host_below_the_domain_is_never_ours(self):
        for label in (
            b"3r3tktmrlsiv6-c26ab9ff8d43",
            b"unknown-ca0068bfc0ac",
            b"3r3tktmrlsiv6",
            b"3r3tktmrlsiv6-",
            b"-ca0068bfc0ac",
            b"3r3tktmrlsiv6-ca0068bfc0ac-x",
            b"3r3tktmrlsiv6-ca0068bfc0ac.x",
            b"x.3r3tktmrlsiv6-ca0068bfc0ac",
            b"-",
            b"",
        ):
            for path in (b"/giestack", b"/giestack/api", b"/interactivetool/ep/3r3tktmrlsiv6/x"):
                place = self.at(label + b"." + DOMAIN.encode(), path)
                self.assertEqual(place, HostEntryPoint(None, False), label)

    def test_the_ticket_page(self):
        known = b"3r3tktmrlsiv6-ca0068bfc0ac." + DOMAIN.encode()
        self.assertEqual(self.at(known, b"/giestack/ticket"), HostEntryPoint(JUPYTER, True))
        self.assertEqual(self.at(known, b"/giestack/ticket/"), HostEntryPoint(JUPYTER, False))
        unknown = b"x-y." + DOMAIN.encode()
        self.assertEqual(self.at(unknown, b"/giestack/ticket"), HostEntryPoint(None, True))

    def test_other_hosts_follow_the_other_rules(self):
        for host in (
            DOMAIN.encode(),
            FRONT,
            b"",
            b"x" + DOMAIN.encode(),
            b"3r3tktmrlsiv6-ca0068bfc0ac.evil.org",
            b"3r3tktmrlsiv6-ca0068bfc0ac." + DOMAIN.encode() + b".evil.org",
        ):
            self.assertEqual(self.at(host, b"/giestack/x"), OwnPage(b"/x"), host)

    def test_any_domain(self):
        known = b"3r3tktmrlsiv6-ca0068bfc0ac.whatever.example.com"
        self.assertEqual(self.at(known, domains=("*",)), HostEntryPoint(JUPYTER, False))
        for gone in (b"a-b.ep.it.example.com", b"a-b.interactivetoolentrypoint.it.example.com"):
            place = self.at(gone, b"/giestack/x", domains=("*",))
            self.assertEqual(place, HostEntryPoint(None, False))
        for other in (b"my-galaxy.example.com", b"galaxy.ep.example.com", b"localhost", b""):
            place = self.at(other, b"/giestack/x", domains=("*",))
            self.assertEqual(place, OwnPage(b"/x"))

    def test_any_domain_beside_a_named_one(self):
        place = self.at(b"x." + DOMAIN.encode(), b"/giestack", domains=("*", DOMAIN))
        self.assertEqual(place, HostEntryPoint(None, False))


class SessionHostTests(SynchronousTestCase):
    DOMAIN = "session.example.net"

    def test_the_id_is_the_first_label(self):
        table = a_table(session_domain=self.DOMAIN, domains=(DOMAIN,))
        for path in (b"/", b"/lab", b"/giestack/", b"/giestack/session/x/", b"/giestack/tickets"):
            place = table.locate(b"s1.session.example.net", path)
            self.assertEqual(place, SpawnedSession("s1", path, True))
        self.assertEqual(
            table.locate(b"s1.session.example.net.", b"/giestack/ticket"),
            SpawnedSession("s1", b"/giestack/ticket", True, True),
        )

    def test_a_deeper_host_is_nobodys(self):
        for domains in ((), ("*",)):
            table = a_table(session_domain=self.DOMAIN, domains=domains)
            for host in (b"a.s1", b"3r3tktmrlsiv6-ca0068bfc0ac.ep", b"s1.", b"\xff."):
                place = table.locate(host + b".session.example.net", b"/")
                self.assertEqual(place, SpawnedSession("", b"/", True))

    def test_other_hosts(self):
        table = a_table(session_domain=self.DOMAIN)
        for host in (b"session.example.net", b"s1session.example.net", b"s1.example.net", FRONT):
            self.assertEqual(table.locate(host, b"/giestack/x"), OwnPage(b"/x"))
        self.assertEqual(a_table().locate(b"s1.session.example.net", b"/"), Nowhere())
        with self.assertRaises(ValueError):
            a_table(session_domain="a b")


class OwnTests(SynchronousTestCase):
    def at(self, path, **prefixes):
        return a_table(**prefixes).locate(FRONT, path)

    def test_own_pages(self):
        for rest in (b"", b"/", b"/api/v1/whoami", b"//x", b"/session", b"/session/", b"/sessionx"):
            self.assertEqual(self.at(b"/giestack" + rest), OwnPage(rest))

    def test_whole_segments(self):
        for path in (b"/giestackX", b"/giestack%2F", b"/GIESTACK", b"giestack/", b"//giestack/"):
            self.assertEqual(self.at(path), Nowhere(), path)

    def test_spawned_sessions(self):
        for path, place in (
            (b"/giestack/session/ab12/lab/x", SpawnedSession("ab12", b"/lab/x")),
            (b"/giestack/session/ab12/", SpawnedSession("ab12", b"/")),
            (b"/giestack/session/ab12", SpawnedSession("ab12", b"")),
            (b"/giestack/session/a%2Fb//", SpawnedSession("a%2Fb", b"//")),
            (b"/giestack/session/\xff/", SpawnedSession("\xff", b"/")),
            (b"/giestack/session//x", OwnPage(b"/session//x")),
        ):
            self.assertEqual(self.at(path), place)

    def test_the_login_page_beside_the_interactive_tools(self):
        self.assertEqual(self.at(b"/interactivetool/giestack/login"), OwnPage(b"/login"))
        self.assertEqual(self.at(b"/interactivetool/giestack/login/"), Nowhere())
        self.assertEqual(self.at(b"/interactivetool/giestack"), Nowhere())
        self.assertEqual(
            self.at(
                b"/g/interactivetool/giestack/login",
                own="/g/giestack",
                interactivetools="/g/interactivetool/ep/",
            ),
            OwnPage(b"/login"),
        )

    def test_without_own_pages(self):
        for path in (b"/giestack/x", b"/session/x/y", b"/interactivetool/giestack/login", b"/"):
            self.assertEqual(self.at(path, own=""), Nowhere())

    def test_own_pages_come_before_interactive_tools(self):
        path = b"/giestack/3r3tktmrlsiv6/ca0068bfc0ac"
        place = self.at(path, interactivetools="/giestack")
        self.assertEqual(place, OwnPage(b"/3r3tktmrlsiv6/ca0068bfc0ac"))


class ServiceTests(SynchronousTestCase):
    def test_longest_path_by_whole_segments(self):
        table = a_table(APOLLO, APOLLO_API)
        for path, place in (
            (b"/apollo", ServicePlace(APOLLO, b"/", b"/")),
            (b"/apollo/", ServicePlace(APOLLO, b"/", b"/")),
            (b"/apollo/x%2Fy", ServicePlace(APOLLO, b"/x%2Fy", b"/x%2Fy")),
            (b"/apollo/apix", ServicePlace(APOLLO, b"/apix", b"/apix")),
            (b"/apollo/api", ServicePlace(APOLLO_API, b"/", b"/apollo/api")),
            (b"/apollo/api/v1", ServicePlace(APOLLO_API, b"/v1", b"/apollo/api/v1")),
            (b"/apollox", Nowhere()),
            (b"/apoll", Nowhere()),
        ):
            self.assertEqual(table.locate(FRONT, path), place)

    def test_every_path(self):
        rest = Service(b"", LOCAL)
        table = a_table(rest, APOLLO)
        self.assertEqual(table.locate(FRONT, b"/x/y"), ServicePlace(rest, b"/x/y", b"/x/y"))
        self.assertEqual(table.locate(FRONT, b"/apollo"), ServicePlace(APOLLO, b"/", b"/"))
        self.assertEqual(table.locate(FRONT, b"/giestack"), OwnPage(b""))
        self.assertEqual(table.locate(FRONT, b"*"), Nowhere())

    def test_services_come_before_environments(self):
        gie = Service(b"/gie_proxy", LOCAL)
        table = a_table(gie, environments={})
        self.assertEqual(table.locate(FRONT, b"/gie_proxy"), ServicePlace(gie, b"/", b"/"))


class EnvironmentTests(SynchronousTestCase):
    HERE = EnvironmentRoute("cookie", Address("10.0.0.7", 8888))
    THERE = EnvironmentRoute("cookie", Address("10.0.0.8", 8888), b"/jupyter")

    def test_everything_else_may_be_an_environment(self):
        table = a_table(environments={})
        for path, below, rest in (
            (b"/gie_proxy", True, b""),
            (b"/gie_proxy/jupyter/tree", True, b"/jupyter/tree"),
            (b"/gie_proxyx", False, b"/gie_proxyx"),
            (b"/anything", False, b"/anything"),
        ):
            self.assertEqual(table.locate(FRONT, path), Environment(below, rest))

    def test_without_a_prefix(self):
        table = a_table(environments={}, gie="")
        self.assertEqual(table.locate(FRONT, b"/"), Environment(False, b"/"))

    def test_without_environments(self):
        table = a_table()
        self.assertEqual(table.locate(FRONT, b"/gie_proxy/jupyter"), Nowhere())
        self.assertIsNone(table.environment("session", b"/jupyter"))

    def test_as_long_as_a_source_has_some(self):
        table = a_table(environments={"session": [self.HERE]})
        table.replace("map", by_key([JUPYTER]))
        self.assertEqual(table.locate(FRONT, b"/gie_proxy/jupyter"), Nowhere())
        table.replace("map", {}, {"session": [self.HERE]})
        table.keep(["another"])
        self.assertEqual(table.locate(FRONT, b"/gie_proxy/jupyter"), Nowhere())
        self.assertIsNone(table.environment("session", b"/"))

    def test_a_session_has_its_own(self):
        table = a_table(environments={"session": [self.HERE]})
        self.assertIs(table.environment("session", b"/any"), self.HERE)
        self.assertIsNone(table.environment("another", b"/any"))

    def test_the_first_source_that_has_one(self):
        table = RouteTable(Prefixes(), (), ["a", "b"])
        table.replace("b", {}, {"session": [self.HERE]})
        table.replace("a", {}, {"session": [self.THERE]})
        self.assertIs(table.environment("session", b"/jupyter/tree"), self.THERE)
        self.assertIs(table.environment("session", b"/rstudio"), self.HERE)


class SourcesTests(SynchronousTestCase):
    PATH = b"/interactivetool/ep/3r3tktmrlsiv6/ca0068bfc0ac/"

    def found(self, table, path=PATH):
        place = table.locate(FRONT, path)
        return place.entry_point if isinstance(place, PathEntryPoint) else None

    def test_a_source_replaces_what_it_had(self):
        table = a_table()
        table.replace("map", by_key([RSTUDIO]))
        self.assertIsNone(self.found(table))
        self.assertEqual(len(table), 1)

    def test_a_source_leaves_others_alone(self):
        table = a_table()
        table.replace("another", by_key([tool("k", "t")]))
        table.replace("another", {})
        self.assertIs(self.found(table), JUPYTER)

    def test_one_key_in_two_sources_goes_by_the_token(self):
        other = tool(JUPYTER.key, "othertoken", 40009)
        for names in (["map", "other"], ["other", "map"]):
            table = RouteTable(Prefixes(), sources=names)
            table.replace("map", by_key([JUPYTER]))
            table.replace("other", by_key([other]))
            self.assertIs(self.found(table), JUPYTER)
            path = b"/interactivetool/ep/3r3tktmrlsiv6/othertoken"
            self.assertIs(self.found(table, path), other)

    def test_sources_come_and_go(self):
        table = RouteTable(Prefixes(), sources=["a", "b"])
        first, second = tool("k", "token", 1), tool("k", "token", 2)
        table.replace("a", by_key([first]))
        table.replace("b", by_key([second]))
        table.keep(["c", "b", "a"])
        self.assertIs(table.find(b"k", b"token"), second)
        table.keep(["a"])
        self.assertIs(table.find(b"k", b"token"), first)
        table.keep([])
        self.assertIsNone(table.find(b"k", b"token"))

    def test_the_same_in_two_sources_is_that_of_the_first_named(self):
        other = tool(JUPYTER.key, JUPYTER.token, 40009)
        table = RouteTable(Prefixes(), sources=["first", "second"])
        table.replace("unnamed", by_key([other]))
        table.replace("second", by_key([JUPYTER]))
        self.assertIs(self.found(table), JUPYTER)
        table.replace("first", by_key([other]))
        self.assertIs(self.found(table), other)

    def test_50_000_routes_cost_one_look(self):
        many = CountingMapping(by_key(tool(f"{n:013x}", f"{n * 7:013x}") for n in range(50_000)))
        table = RouteTable(Prefixes(domains=(DOMAIN,)), [APOLLO], ["many"])
        table.replace("many", many)
        self.assertEqual((many.gets, many.walks), (0, 0), "replacing copies nothing")
        path = f"/interactivetool/ep/{40_000:013x}/{280_000:013x}/lab".encode()
        self.assertEqual(self.found(table, path).key, f"{40_000:013x}")
        self.assertEqual((many.gets, many.walks), (1, 0))
        table.locate(FRONT, b"/interactivetool/ep/unknown/t/lab")
        self.assertEqual((many.gets, many.walks), (2, 0))
        table.locate(FRONT, b"/apollo/x")
        self.assertEqual((many.gets, many.walks), (2, 0))
        table.replace("few", {})
        self.assertEqual((many.gets, many.walks), (2, 0), "nor does a change elsewhere")

    def test_many_services_cost_one_look_for_each_length(self):
        services = [Service(b"/service-%04d" % n, LOCAL) for n in range(5_000)]
        table = a_table(*services)
        self.assertEqual(table.locate(FRONT, b"/service-4711/x").service, services[4711])
        counting = CountingMapping(table._services)
        table._services = counting
        table.locate(FRONT, b"/service-4711/x")
        self.assertEqual((counting.gets, counting.walks), (1, 0))
        table.locate(FRONT, b"/" * 60_000)
        self.assertEqual((counting.gets, counting.walks), (2, 0))


class ConfigureTests(SynchronousTestCase):
    def test_other_prefixes_keep_the_entry_points(self):
        table = a_table(APOLLO)
        table.configure(Prefixes(interactivetools="/it"))
        place = table.locate(FRONT, b"/it/3r3tktmrlsiv6/ca0068bfc0ac")
        self.assertEqual(place.entry_point, JUPYTER)
        self.assertEqual(table.locate(FRONT, b"/apollo"), Nowhere())
        self.assertEqual(table.services, ())

    def test_a_refused_change_changes_nothing(self):
        table = a_table(APOLLO)
        for prefixes, services in (
            (Prefixes(own="giestack"), ()),
            (Prefixes(interactivetools="/"), ()),
            (Prefixes(gie="/a/../b"), ()),
            (Prefixes(domains=("Upper.example.org",)), ()),
            (Prefixes(domains=("",)), ()),
            (Prefixes(domains=("*.example.org",)), ()),
            (Prefixes(domains=("a..b",)), ()),
            (Prefixes(), (APOLLO, APOLLO)),
            (Prefixes(), (Service(b"/a/", LOCAL),)),
            (Prefixes(), (Service(b"a", LOCAL),)),
            (Prefixes(), (Service(b"/\xff", LOCAL),)),
        ):
            self.assertRaises(ValueError, table.configure, prefixes, services)
            self.assertEqual(table.prefixes, Prefixes())
            self.assertEqual(table.locate(FRONT, b"/apollo"), ServicePlace(APOLLO, b"/", b"/"))

    def test_login_is_below_the_parent_of_the_interactive_tools(self):
        self.assertEqual(Prefixes().login, "/interactivetool/giestack/login")
        self.assertEqual(Prefixes(interactivetools="/it").login, "/giestack/login")

    def test_a_login_page_that_galaxys_cookie_reaches(self):
        prefixes = Prefixes(own="/galaxy/giestack")
        for cookie_path in (None, "/", "/interactivetool", "/interactivetool/"):
            self.assertEqual(prefixes.login_below(cookie_path), prefixes.login)
        for cookie_path in ("/galaxy", "/interactive"):
            self.assertEqual(prefixes.login_below(cookie_path), "/galaxy/giestack/login")


class CleanPrefixTests(SynchronousTestCase):
    def test_prefixes(self):
        for text, prefix in {"": "", "/a": "/a", "/a/": "/a", "/a-b/c.d/~e": "/a-b/c.d/~e"}.items():
            self.assertEqual(clean_prefix(text), prefix)

    def test_what_can_be_no_prefix(self):
        for text in (
            "/",
            "a",
            "//",
            "/a//",
            "/a b",
            "/a?",
            "/a#",
            "/é",
            "/.",
            "/a/%2e%2E/b",
            "/a\n",
        ):
            self.assertRaises(ValueError, clean_prefix, text)


class HasDotSegmentTests(SynchronousTestCase):
    def test_dot_segments(self):
        for path in (
            *(b"/.", b"/..", b"/a/./b", b"/a/../b", b"/a/.", b"/a/..", b"//..", b"/../"),
            *(b"/%2e", b"/%2E%2e/", b"/a/.%2e/b", b"/a/%2E./b", b"/a/%2e", b"..", b"./a", b"%2e/"),
        ):
            self.assertTrue(has_dot_segment(path), path)

    def test_no_dot_segments(self):
        for path in (
            *(
                b"/",
                b"",
                b"*",
                b"/a.b",
                b"/.a",
                b"/..a",
                b"/a..",
                b"/...",
                b"/%2e%2e%2e",
                b"/a/b./c",
            ),
            *(b"/.%2f", b"/%2f..%2f", b"/%252e/", b"/..;/", b"/..\n", b"/.well-known/x", b"/%2g"),
        ):
            self.assertFalse(has_dot_segment(path), path)

    @given(st.lists(st.sampled_from([b".", b"%2e", b"%2E", b"/", b"a", b"%", b"2", b"\n"])))
    def test_is_what_decoding_tells(self, parts):
        path = b"".join(parts)
        decoded = [part.lower().replace(b"%2e", b".") for part in path.split(b"/")]
        self.assertEqual(has_dot_segment(path), b"." in decoded or b".." in decoded)


SERVICES = {
    path: Service(path, LOCAL) for path in (b"", b"/s", b"/s/t", b"/interactivetool", b"/sx/y/z")
}
TOOLS = by_key([JUPYTER, RSTUDIO, tool("s", "t")])
SEGMENTS = st.sampled_from(
    [
        b"giestack",
        b"session",
        b"login",
        b"interactivetool",
        b"ep",
        b"s",
        b"t",
        b"sx",
        b"y",
        b"z",
        b"",
    ]
    + [text.encode() for t in TOOLS.values() for text in (t.key, t.token)]
)
STARTS = st.sampled_from(
    [b"", b"/", b"/giestack/session", b"/interactivetool/ep", b"/interactivetool/giestack"]
)
PATHS = st.builds(
    lambda start, parts: b"/".join([start, *parts]),
    STARTS,
    st.lists(SEGMENTS),
)


def by_the_book(path):
    """Say the place in the slow and plain way: segment by segment."""
    parts = path.split(b"/")

    def rest(start):
        return b"".join(b"/" + part for part in parts[start:])

    if parts[:2] == [b"", b"giestack"]:
        if parts[2:3] == [b"session"] and len(parts) > 3 and parts[3]:
            return SpawnedSession(parts[3].decode("latin-1"), rest(4))
        return OwnPage(rest(2))
    if parts[:3] == [b"", b"interactivetool", b"ep"]:
        entry_point = TOOLS.get(parts[3]) if len(parts) > 4 else None
        if entry_point is None or entry_point.token.encode() != parts[4]:
            return UnknownEntryPoint()
        return PathEntryPoint(entry_point, rest(5) or b"/", b"/".join(parts[:5]))
    if path == b"/interactivetool/giestack/login":
        return OwnPage(b"/login")
    for end in range(len(parts), 0, -1):
        service = SERVICES.get(b"/".join(parts[:end]))
        if service is not None:
            return ServicePlace(service, rest(end) or b"/", rest(end) or b"/")
    return Nowhere()


class ModelTests(SynchronousTestCase):
    def setUp(self):
        self.table = RouteTable(Prefixes(domains=(DOMAIN,)), SERVICES.values())
        self.table.replace("map", TOOLS)

    @given(PATHS)
    def test_paths_go_by_the_book(self, path):
        self.assertEqual(self.table.locate(FRONT, path), by_the_book(path))

    @given(st.binary(), st.binary())
    def test_any_bytes_have_an_answer(self, host, path):
        self.assertEqual(self.table.locate(host, path), by_the_book(path))

    @given(st.binary(), PATHS | st.binary())
    def test_hosts_below_the_domain_never_fall_through(self, label, path):
        place = self.table.locate(label + b"." + DOMAIN.encode(), path)
        self.assertEqual(place, HostEntryPoint(None, path == b"/giestack/ticket"))
