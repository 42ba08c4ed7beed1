"""Rows of gxitproxy to routes."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.routing.rows import RowParser
from tests.routing.galaxy_map import INFO, TYPE, keys


def row(key, port: object = 40001, key_type=TYPE, token="s3cret"):
    return (key, key_type, token, "127.0.0.1", port, INFO)


VALUES = st.one_of(st.none(), st.integers(), st.text(), st.binary(), st.sampled_from(["a", TYPE]))
ROWS = st.lists(st.tuples(*[VALUES] * 6) | st.builds(row, st.sampled_from("abc"), VALUES))


class RowParserTests(SynchronousTestCase):
    def setUp(self):
        self.parser = RowParser()

    def test_rows(self):
        self.assertIsNone(self.parser.reading)
        reading = self.parser.parse([row("a"), row("b", 40002)])
        self.assertEqual(keys(reading), ["a", "b"])
        self.assertEqual(reading.routes.entry_points[b"b"].address.port, 40002)
        self.assertIs(self.parser.reading, reading)

    def test_what_has_not_changed_is_the_same_object(self):
        before = self.parser.parse([row("a"), row("b")]).routes
        self.assertIs(self.parser.parse([row("b"), row("a")]).routes, before)
        after = self.parser.parse([row("a"), row("b", 2)]).routes
        self.assertIsNot(after, before)
        self.assertIs(after.entry_points[b"a"], before.entry_points[b"a"])
        self.assertEqual(before.entry_points[b"b"].address.port, 40001)
        self.assertEqual(keys(self.parser.parse([])), [])

    def test_bad_rows_are_left_out(self):
        rows = [row("a"), row("b/c"), row("d", None), row(7), row("n" * 99, 0), row("e", token="!")]
        reading = self.parser.parse(rows)
        self.assertEqual(keys(reading), ["a"])
        self.assertEqual(set(reading.bad), {"b/c", "d", "(int)", "n" * 40, "e"})
        self.assertNotIn("s3cret", repr(reading))

    def test_bad_rows_do_not_make_other_routes(self):
        before = self.parser.parse([row("a"), row("b", 0)])
        after = self.parser.parse([row("a"), row("b", -1), row("c", 0)])
        self.assertIs(after.routes, before.routes)
        self.assertEqual(list(after.bad), ["b", "c"])

    def test_of_two_rows_with_one_key_the_later_counts(self):
        reading = self.parser.parse([row("a", 1, "z"), row("a", 2, "b")])
        self.assertEqual(reading.routes.entry_points[b"a"].address.port, 2)
        self.assertEqual(reading.bad, {"a": "two rows have this key, the later one is taken"})

    @given(st.lists(ROWS))
    def test_any_rows_have_an_answer(self, tables):
        parser = RowParser()
        for rows in tables:
            reading, again = parser.parse(rows), parser.parse(rows)
            self.assertIs(again.routes, reading.routes)
            self.assertEqual(reading, RowParser().parse(rows))
