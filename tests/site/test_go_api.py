"""The Go proxy's REST API."""

import json
from collections.abc import Sequence
from datetime import datetime

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.routing.go_routes import GoRoute
from giestack.site.asked import LONGEST_FORM
from giestack.site.endpoint import Endpoint, OwnSite
from giestack.site.go_api import GoApi
from giestack.site.links import Links
from giestack.site.refusals import RefusalPages
from tests.site.conversation import Said, ask

COOKIE = "c6ca0ddb55be603a" * 5
ROUTE = {
    "FrontendPath": "/jupyter",
    "BackendAddr": "localhost:32768",
    "AuthorizedCookie": COOKIE,
    "ContainerIds": ["abc"],
}
BODY = json.dumps(ROUTE).encode()


class Routes:
    def __init__(self) -> None:
        self.added: list[GoRoute] = []

    def routes(self) -> Sequence[tuple[GoRoute, datetime]]:
        return [(route, datetime(2026, 5, 4, 12)) for route in self.added]

    def add(self, route: GoRoute) -> None:
        self.added.append(route)


class GoApiTests(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        refusals = RefusalPages(Links(), clock)
        self.routes: Routes | None = Routes()
        self.key: str | None = "s3cret"
        root = Endpoint({}, refusals.answer)
        api = GoApi(lambda: self.routes, lambda: self.key)
        root.putChild(b"api", api.resource(refusals.answer))
        self.site = OwnSite(root, clock)

    def ask(
        self, method: bytes = b"GET", body: bytes = b"", query: bytes = b"?api_key=s3cret"
    ) -> Said:
        # A browser's own way of asking: the answer must not depend on it.
        return ask(self.site, b"/api" + query, method=method, body=body)

    def added(self) -> list[GoRoute]:
        assert self.routes is not None
        return self.routes.added

    def test_an_empty_list(self) -> None:
        said = self.ask()
        self.assertEqual((said.status, said.body), (200, b"[]"))
        self.assertEqual(said.header("content-type"), "application/json")
        self.assertEqual(said.header("cache-control"), "no-store")

    def test_a_route_by_post_and_by_get(self) -> None:
        for method in (b"POST", b"GET"):
            said = self.ask(method, BODY)
            self.assertEqual(said.status, 200)
            self.assertEqual(said.json[-1] | ROUTE, said.json[-1])
        self.assertEqual(
            self.added(), [GoRoute("/jupyter", "localhost:32768", COOKIE, ("abc",))] * 2
        )
        self.assertTrue(said.body.startswith(b'[\n    {\n        "FrontendPath": "/jupyter",'))

    def test_a_wrong_key(self) -> None:
        for query in (b"", b"?api_key=", b"?api_key=s3cre", b"?api_key=s3cret1", b"?api_key=%FF"):
            for method, body in ((b"GET", b""), (b"GET", BODY), (b"POST", BODY)):
                said = self.ask(method, body, query)
                self.assertEqual((said.status, said.body), (401, b"Invalid API key\n"))
        self.assertEqual(self.added(), [])

    def test_no_route(self) -> None:
        for body in (b"asdf", b"{}", b"[]", BODY.replace(b"/jupyter", b"")):
            for method in (b"POST", b"GET"):
                said = self.ask(method, body)
                self.assertEqual((said.status, said.body), (400, b"Invalid Route data\n"))
        self.assertEqual(self.ask(b"POST").status, 400)
        self.assertEqual(self.added(), [])

    def test_a_body_that_is_too_large(self) -> None:
        said = self.ask(b"POST", BODY + b" " * LONGEST_FORM)
        self.assertEqual(said.status, 413)

    def test_other_methods(self) -> None:
        self.assertEqual(self.ask(b"DELETE").status, 405)
        self.assertEqual(self.ask(b"HEAD").status, 200)

    def test_where_it_is_off(self) -> None:
        self.key = None
        self.assertEqual(self.ask().status, 404)
        self.key, self.routes = "s3cret", None
        self.assertEqual(self.ask().status, 404)
