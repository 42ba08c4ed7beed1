"""Rows of both tables of environments."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing.cookie_rows import CookieRowParser
from giestack.routing.environments import EnvironmentRoute

FIRST, SECOND = "aa" * 40, "bb" * 40


class CookieRowParserTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.parser = CookieRowParser()

    def test_the_newest_row_of_a_cookie_counts_and_a_newer_table_more(self) -> None:
        routes, bad = self.parser.parse(
            {
                "gxproxy": [("h:1", FIRST), ("h:2", SECOND), ("h:3", FIRST)],
                "gxproxy2": [(SECOND, "h", 4, None)],
            }
        )
        self.assertEqual(bad, {})
        self.assertEqual(
            routes,
            (
                EnvironmentRoute(FIRST, Address("h", 3)),
                EnvironmentRoute(SECOND, Address("h", 4)),
            ),
        )

    def test_an_address_leads_from_its_newest_row_alone(self) -> None:
        routes, _ = self.parser.parse(
            {"gxproxy": [("h:1", FIRST)], "gxproxy2": [(SECOND, "h", 1, None)]}
        )
        self.assertEqual(routes, (EnvironmentRoute(SECOND, Address("h", 1)),))

    def test_bad_rows_have_a_number_and_no_cookie(self) -> None:
        routes, bad = self.parser.parse(
            {
                "gxproxy": [("h:1", FIRST), ("h", SECOND), (b"h:1", FIRST)],
                "gxproxy2": [(SECOND, "a b", 4, None)],
            }
        )
        self.assertEqual(len(routes), 1)
        self.assertEqual(set(bad), {"gxproxy 2", "gxproxy 3", "gxproxy2 1"})
        self.assertNotIn(SECOND[:8], repr(bad))

    def test_what_has_not_changed_is_the_same_object(self) -> None:
        row = (FIRST, "h", 1, "[]")
        before, _ = self.parser.parse({"gxproxy2": [row]})
        after, _ = self.parser.parse({"gxproxy2": [row, (SECOND, "h", 2, "[]")]})
        self.assertIs(after[0], before[0])
        self.assertEqual(self.parser.parse({}), ((), {}))
