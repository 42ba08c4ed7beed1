"""The Go proxy's routes, as JSON and as XML."""

import json
from datetime import datetime
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import BadRow
from giestack.routing.go_routes import GoRoute, from_json, go_route, read_xml, to_json, to_xml
from giestack.routing.source import MapTrouble

SEEN = datetime(2026, 5, 4, 13, 3, 7, 250_000)
COOKIE = "c6ca0ddb55be603a" * 5
ROUTE = GoRoute("/jupyter", "localhost:32768", COOKIE, ("abc", "def"))
# As the Go proxy itself writes it.
GOS_OWN = f"""<RouteMapping>
    <Routes>
        <Route>
            <FrontendPath>/jupyter</FrontendPath>
            <BackendAddr>localhost:32768</BackendAddr>
            <AuthorizedCookie>{COOKIE}</AuthorizedCookie>
            <LastSeen>2015-10-05T15:12:53.812903282-05:00</LastSeen>
            <ContainerIds>abc</ContainerIds>
            <ContainerIds>def</ContainerIds>
        </Route>
    </Routes>
    <AuthCookieName>galaxysession</AuthCookieName>
    <Storage>./sessionMap.xml</Storage>
    <NoAccessThreshold>60000000000</NoAccessThreshold>
    <DockerEndpoint>unix:///var/run/docker.sock</DockerEndpoint>
</RouteMapping>"""


class RouteTests(SynchronousTestCase):
    def test_for_the_route_table(self) -> None:
        def use(method: bytes, target: bytes) -> None:
            pass

        found = ROUTE.environment(use)
        here = Address("localhost", 32768)
        self.assertEqual(found, EnvironmentRoute(COOKIE, here, b"/jupyter", ("abc", "def")))
        self.assertIs(found.use, use)
        self.assertIsNone(go_route("/x", "localhost:-80", COOKIE).environment().address)

    def test_bad_ones(self) -> None:
        for fields in (
            ("", "h:1", COOKIE),
            ("/a b", "h:1", COOKIE),
            (None, "h:1", COOKIE),
            ("/x", "h", COOKIE),
            ("/x", None, COOKIE),
            ("/x", "h:1", ""),
            ("/x", "h:1", None),
            ("/x", "h:1", "null"),
            ("/x", "h:1", COOKIE, "abc"),
            ("/x", "h:1", COOKIE, ["../x"]),
            ("/x", "h:1", COOKIE, ["a"] * 101),
        ):
            error = self.assertRaises(BadRow, go_route, *fields)
            self.assertNotIn(COOKIE[:8], str(error))
        self.assertNotIn(COOKIE[:8], repr(ROUTE))


class JsonTests(SynchronousTestCase):
    def test_what_galaxy_sends(self) -> None:
        values = {
            "FrontendPath": "/jupyter",
            "BackendAddr": "localhost:32768",
            "AuthorizedCookie": COOKIE,
            "ContainerIds": ["abc", "def"],
        }
        self.assertEqual(from_json(json.dumps(values).encode()), ROUTE)
        values["ContainerIds"] = None  # type: ignore[assignment]
        self.assertEqual(from_json(json.dumps(values).encode()).containers, ())

    def test_bad_bodies(self) -> None:
        for body in (b"", b"asdf", b"[]", b"{}", b'{"FrontendPath": ""}', b"\xff", b"[" * 99_999):
            self.assertRaises(BadRow, from_json, body)

    def test_the_list(self) -> None:
        self.assertEqual(to_json([]), b"[]")
        listed = to_json([(ROUTE, SEEN)])
        self.assertEqual(
            json.loads(listed),
            [
                {
                    "FrontendPath": "/jupyter",
                    "BackendAddr": "localhost:32768",
                    "AuthorizedCookie": COOKIE,
                    "LastSeen": "2026-05-04T13:03:07.250000Z",
                    "ContainerIds": ["abc", "def"],
                    "ID": 0,
                }
            ],
        )
        self.assertTrue(listed.startswith(b'[\n    {\n        "FrontendPath"'))


class XmlTests(SynchronousTestCase):
    def test_gos_own_file(self) -> None:
        self.assertEqual(read_xml(GOS_OWN), ([ROUTE], {}))

    def test_what_is_written_is_as_gos(self) -> None:
        written, gos = (ElementTree.fromstring(x) for x in (to_xml([(ROUTE, SEEN)]), GOS_OWN))
        tags = [[e.tag for e in x.iterfind("Routes/Route/*")] for x in (written, gos)]
        self.assertEqual(*tags)
        self.assertEqual(written.findtext("Routes/Route/LastSeen"), "2026-05-04T13:03:07.250000Z")

    def test_an_empty_file_of_go(self) -> None:
        self.assertEqual(read_xml("<RouteMapping></RouteMapping>"), ([], {}))

    def test_bad_routes_are_left_out(self) -> None:
        text = GOS_OWN.replace("</Route>", f"</Route><Route><FrontendPath>/{COOKIE}</FrontendPath>")
        routes, bad = read_xml(text.replace("</Routes>", "</Route></Routes>"))
        self.assertEqual((routes, list(bad)), ([ROUTE], ["number 2"]))
        self.assertNotIn(COOKIE[:8], repr(bad))

    def test_what_is_no_map(self) -> None:
        for text, kind, told in (
            (GOS_OWN[:300], "half-written", "is no complete XML document"),
            ("<html></html>", "format", "is XML, but html and no RouteMapping"),
            ("<é></é>", "format", "something else"),
            (f"<!DOCTYPE x>{GOS_OWN}", "format", "document type"),
            ("<a>\udcff</a>", "half-written", "no complete"),
        ):
            trouble = self.assertRaises(MapTrouble, read_xml, text)
            self.assertEqual(trouble.kind, kind)
            self.assertIn(told, str(trouble))

    def test_entities_are_never_resolved(self) -> None:
        bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>'
        file = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
        for text in (bomb, file):
            self.assertRaises(MapTrouble, read_xml, text + GOS_OWN.replace("/jupyter", "&b;"))
        self.assertRaises(MapTrouble, read_xml, GOS_OWN.replace("/jupyter", "&b;"))

    @given(
        st.lists(
            st.builds(
                go_route,
                st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
                st.sampled_from(["h:1", "[::1]:80", "h:-8888"]),
                st.text("0123456789abcdef", min_size=1),
                st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,9}", fullmatch=True)),
            ),
            max_size=5,
        )
    )
    def test_what_is_written_is_read_again(self, routes: list[GoRoute]) -> None:
        text = to_xml([(route, SEEN) for route in routes]).decode()
        self.assertEqual(read_xml(text), (routes, {}))
