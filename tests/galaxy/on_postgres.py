"""Galaxy as big sites have it: all on PostgreSQL, and its cookie goes to the hosts of tools."""

import subprocess
from functools import cache

from tests.galaxy.front import GIESTACK, wait_for_answer
from tests.galaxy.server import Server, UntilTheEnd, server
from tests.galaxy.story import NO_ROUTE, NOT_LOGGED_IN, NOT_OWNER, GalaxyTestCase, Story
from tests.neighbours.postgres import postgres


def on_postgres() -> Server:
    """The Galaxy that all tests here share."""
    return server(
        database_connection=_database(),
        interactivetoolsproxy_map=_map(),
        cookie_domain="localhost",
    )


@cache
def _database() -> str:
    engine = postgres()
    return engine.url(engine.new_database(UntilTheEnd()))


@cache
def _map() -> str:
    """The map of the tools, made beforehand as an administrator does."""
    engine = postgres()
    url = engine.url(engine.new_database(UntilTheEnd()))
    subprocess.run([GIESTACK, "create-map", url], check=True, capture_output=True)
    return url


class PostgresTests(Story, GalaxyTestCase):
    def galaxy(self) -> Server:
        return on_postgres()


class HostTests(GalaxyTestCase):
    """Tools on hosts of their own, which Galaxy's cookie reaches."""

    def galaxy(self) -> Server:
        return on_postgres()

    def test_the_owner_gets_in_and_nobody_else(self) -> None:
        alice, bob = self.visitor("alice"), self.visitor("bob")
        self.assertEqual(alice.set_cookie["domain"], "localhost")
        host, path = self.host_of(self.started(alice, "by_host", "host")["target"])
        head = wait_for_answer(self.front, path, alice, host).body.decode()
        self.assertIn(f"GET {path} HTTP/1.1\nHost: {host}\n", head)
        self.assertNotIn(alice.cookie, head)
        for visitor in (bob, self.visitor("admin"), self.visitor()):
            self.assertEqual(self.front.told(path, visitor, host), NOT_OWNER)
        self.assertEqual(self.front.told(path, None, host), NOT_LOGGED_IN)
        for wrong in (host.replace(".ep.", "x.ep.", 1), f"x{host}"):
            self.assertEqual(self.front.told(path, alice, wrong), NO_ROUTE)
        # Nothing of giestack's own is there.
        self.assertEqual(self.front.get("/giestack/", alice, host).status, 200)
        self.assertIn(b"GET /giestack/", self.front.get("/giestack/", alice, host).body)
