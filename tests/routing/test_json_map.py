"""JSON session maps of gx-it-proxy and of Galaxy's Interactive Environments."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import EntryPoint
from giestack.routing.json_map import KEY_TYPE, read_json
from giestack.routing.source import MapTrouble, Reading

COOKIE = "c6ca0ddb55be603a" * 5
OTHER = "0123456789abcdef" * 5
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["token", "host", "port", "info", "target", "key_type", "a", COOKIE])
            | st.text(max_size=9),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


def read(document: object) -> Reading:
    return read_json(json.dumps(document))


class InteractiveToolTests(SynchronousTestCase):
    def entry_point(self, **columns: object) -> EntryPoint:
        reading = read({"3r3tktmrlsiv6": {"token": "t0ken", "host": "h", "port": 1} | columns})
        self.assertEqual(reading.bad, {})
        self.assertIsNone(reading.routes.environments)
        return reading.routes.entry_points[b"3r3tktmrlsiv6"]

    def test_columns(self) -> None:
        self.assertEqual(
            self.entry_point(key_type="x", port="8080"),
            EntryPoint("3r3tktmrlsiv6", "x", "t0ken", Address("h", 8080)),
        )
        self.assertEqual(self.entry_point().key_type, KEY_TYPE)

    def test_info_wherever_it_stands(self) -> None:
        info = {"requires_path_in_url": True, "requires_path_in_header_named": "X-Path"}
        for columns in (
            {"info": json.dumps(info)},
            {"info": info},
            info,
            {"target": {"host": "h", "port": 1} | info},
            {"info": '{"requires_path_in_header_named": "X-Path"}', "requires_path_in_url": True},
        ):
            found = self.entry_point(**columns)
            self.assertTrue(found.requires_path_in_url, columns)
            self.assertEqual(found.requires_path_in_header_named, "X-Path")

    def test_a_target(self) -> None:
        reading = read({"k": {"token": "t", "target": {"host": "inner", "port": 5}}})
        self.assertEqual(reading.routes.entry_points[b"k"].address, Address("inner", 5))

    def test_bad_entries_are_left_out_and_named_by_their_public_key(self) -> None:
        good = {"token": "s3cret", "host": "h", "port": 1}
        reading = read(
            {
                "good": good,
                "notoken": {"host": "h", "port": 1},
                "noport": {"token": "s3cret", "host": "h"},
                "badinfo": good | {"info": "[", "requires_path_in_url": True},
                "number": 5,
            }
        )
        self.assertEqual(list(reading.routes.entry_points), [b"good"])
        self.assertEqual(set(reading.bad), {"notoken", "noport", "badinfo", "number 5"})
        self.assertNotIn("s3cret", repr(reading))


class EnvironmentTests(SynchronousTestCase):
    def test_by_cookie(self) -> None:
        reading = read(
            {
                COOKIE: {
                    "host": "localhost",
                    "port": 32768,
                    "container_ids": ["abc"],
                    "container_interface": None,
                },
                OTHER: {"host": "localhost", "port": -80},
            }
        )
        here = Address("localhost", 32768)
        self.assertEqual(
            reading.routes.environments,
            (EnvironmentRoute(COOKIE, here, b"", ("abc",)), EnvironmentRoute(OTHER, None)),
        )
        self.assertEqual((reading.routes.entry_points, reading.bad), ({}, {}))

    def test_short_cookies_of_the_galaxy_that_has_containers(self) -> None:
        reading = read({"abc": {"host": "h", "port": 1, "container_ids": []}})
        self.assertEqual(reading.routes.environments, (EnvironmentRoute("abc", Address("h", 1)),))

    def test_the_first_form_where_the_newest_counts(self) -> None:
        reading = read({"h:1": COOKIE, "h:2": OTHER, "h:3": COOKIE})
        self.assertEqual(
            reading.routes.environments,
            (EnvironmentRoute(OTHER, Address("h", 2)), EnvironmentRoute(COOKIE, Address("h", 3))),
        )

    def test_several_sorts(self) -> None:
        reading = read({"k": {"token": "t", "host": "h", "port": 1}, "h:1": COOKIE})
        self.assertEqual(len(reading.routes.entry_points), 1)
        self.assertEqual(len(reading.routes.environments or ()), 1)

    def test_no_cookie_is_ever_told(self) -> None:
        reading = read(
            {
                COOKIE: {"host": "a b", "port": 1, "container_ids": []},
                OTHER: {"host": "h", "port": 1, "token": "t0ken!"},
                "h:x": COOKIE,
                "null": {"host": "h", "port": 1, "container_ids": []},
            }
        )
        self.assertEqual(set(reading.bad), {"number 1", "number 2", "number 3", "number 4"})
        for secret in (COOKIE[:8], OTHER[:8], "t0ken"):
            self.assertNotIn(secret, repr(reading))


class NoMapTests(SynchronousTestCase):
    def trouble(self, text: str) -> MapTrouble:
        return self.assertRaises(MapTrouble, read_json, text)

    def test_an_empty_map(self) -> None:
        self.assertEqual(read({}), read({}))
        self.assertEqual(read({}).routes.entry_points, {})

    def test_what_is_no_map_is_named(self) -> None:
        for text, sort in (
            ("[]", "a list"),
            ('"x"', "text"),
            ("5", "a single value"),
            ('{"a": 5, "b": [1]}', "an object without routes"),
        ):
            self.assertIn(f"is JSON, but {sort}", str(self.trouble(text)))

    def test_half_of_a_document(self) -> None:
        text = json.dumps({COOKIE: {"host": "h", "port": 1, "container_ids": []}})
        for end in range(1, len(text) - 1):
            trouble = self.trouble(text[:end])
            self.assertEqual((trouble.kind, trouble.missing), ("half-written", False))
            self.assertNotIn(COOKIE[:8], str(trouble))
        self.assertEqual(self.trouble("[" * 100_000).kind, "half-written")

    @given(st.dictionaries(st.text(max_size=9) | st.just(COOKIE), JSON, max_size=4) | JSON)
    def test_anything_is_a_map_or_trouble(self, document: object) -> None:
        try:
            reading = read(document)
        except MapTrouble:
            return
        for entry_point in reading.routes.entry_points.values():
            self.assertTrue(entry_point.token)
