"""Routes of cookies: what several strings stand for, and which of several routes is taken."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing.environments import (
    EnvironmentRoute,
    Sorter,
    newest_at_each_address,
    route_for,
)

HERE, THERE = Address("10.0.0.7", 8888), Address("10.0.0.8", 8888)


def route(cookie="c", address=HERE, path=b""):
    return EnvironmentRoute(cookie, address, path)


class BySessionTests(SynchronousTestCase):
    def test_cookies_that_stand_for_one_session(self):
        routes = [route("AB"), route("zz"), route("ab", THERE)]
        known = {"AB": "session", "ab": "session"}
        self.assertEqual(Sorter(known.get)(routes), {"session": (routes[0], routes[2])})

    def test_nothing_tells_the_cookie(self):
        self.assertNotIn("hush", repr(route("hush")))


class SorterTests(SynchronousTestCase):
    def setUp(self):
        self.asked = []
        self.known = {"AB": "session", "ab": "session", "cd": "other"}
        self.sort = Sorter(self.session_of)

    def session_of(self, cookie):
        self.asked.append(cookie)
        return self.known.get(cookie)

    def test_it_sorts_anew_each_time(self):
        first, second, other = route("AB"), route("ab", THERE), route("cd")
        self.assertEqual(self.sort([first, second, route("zz")]), {"session": (first, second)})
        self.assertEqual(self.sort([other, second]), {"other": (other,), "session": (second,)})
        self.assertEqual(self.sort([]), {})

    def test_what_is_new_alone_is_looked_up(self):
        self.sort([route("AB"), route("zz")])
        self.assertEqual(self.asked, ["AB", "zz"])
        self.sort([route("zz", THERE), route("AB", THERE), route("cd")])
        self.assertEqual(self.asked, ["AB", "zz", "cd"])

    def test_what_has_gone_is_forgotten(self):
        self.sort([route("AB")])
        self.sort([])
        self.sort([route("AB")])
        self.assertEqual(self.asked, ["AB", "AB"])


class AddressTests(SynchronousTestCase):
    def test_a_port_that_has_become_somebody_elses(self):
        gone, other, newer = route("alice"), route("bob", THERE), route("bob")
        self.assertEqual(newest_at_each_address([gone, other, newer]), (other, newer))
        self.assertEqual(newest_at_each_address([newer, gone]), (gone,))

    def test_two_paths_of_one_cookie(self):
        both = (route(path=b"/a"), route(path=b"/b"))
        self.assertEqual(newest_at_each_address(both), both)

    def test_an_address_that_is_not_known_is_nobodys(self):
        both = (route("alice", None), route("bob", None))
        self.assertEqual(newest_at_each_address(both), both)


class RouteForTests(SynchronousTestCase):
    def test_the_longest_path(self):
        every, jupyter = route(), route(path=b"/jupyter")
        for routes in ([every, jupyter], [jupyter, every]):
            self.assertIs(route_for(routes, b"/jupyter/tree"), jupyter)
            self.assertIs(route_for(routes, b"/rstudio"), every)

    def test_the_newest_of_equal_ones(self):
        older, newer = route(address=HERE), route(address=THERE)
        self.assertIs(route_for([older, newer], b"/"), newer)

    def test_none_that_fits(self):
        self.assertIsNone(route_for([route(path=b"/jupyter")], b"/rstudio"))
