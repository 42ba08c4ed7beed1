"""Options of a profile: how they are configured, and what people may choose."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.options import (
    LONGEST_TEXT,
    BadOption,
    Option,
    chosen,
    options_of,
    still_chosen,
)
from giestack.spawner.view import SpawnRefused

RESULTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
EXAMPLES = options_of(
    {
        "interface": {"title": "Interface", "choices": {"lab": "JupyterLab", "tree": "Classic"}},
        "rows": {"title": "Rows", "type": "integer", "default": 100, "low": 1, "high": 10000},
        "debug": {"type": "boolean"},
        "greeting": {"title": "Greeting", "type": "text", "default": "hello"},
    }
)


def option(keys: object, name: str = "a") -> Option:
    (found,) = options_of({name: keys})
    return found


class ConfiguredTests(SynchronousTestCase):
    def assert_bad(self, keys: object, path: str, words: str, name: str = "a") -> None:
        error = self.assertRaises(BadOption, option, keys, name)
        self.assertEqual(error.path, path)
        self.assertIn(words, error.text)
        self.assertEqual(str(error), f"{path}: {error.text}")

    def test_the_example(self) -> None:
        interface, rows, debug, greeting = EXAMPLES
        self.assertEqual((interface.kind, interface.default), ("choice", "lab"))
        self.assertEqual(interface.choices, {"lab": "JupyterLab", "tree": "Classic"})
        self.assertEqual((rows.kind, rows.default, rows.low, rows.high), ("integer", 100, 1, 10000))
        self.assertEqual((debug.kind, debug.default, debug.title), ("boolean", False, "debug"))
        self.assertEqual((greeting.kind, greeting.default), ("text", "hello"))

    def test_choices_as_a_list(self) -> None:
        # As the settings give it, and as YAML does.
        for choices in (("1", "2"), [1, 2]):
            found = option({"choices": choices, "default": 2})
            self.assertEqual((found.choices, found.default), ({"1": "1", "2": "2"}, "2"))

    def test_without_anything(self) -> None:
        found = option({"title": None, "description": None, "default": None})
        self.assertEqual((found.kind, found.title, found.default), ("text", "a", ""))
        self.assertEqual(found.description, "")

    def test_first_values(self) -> None:
        for keys, default in (
            ({"low": 5}, 5),
            ({"high": 5}, 0),
            ({"high": -5}, -5),
            ({"low": -5, "high": 5}, -5),
            ({}, 0),
        ):
            found = option({"type": "integer", **keys})
            self.assertEqual(found.default, default)
            self.assertEqual(found.read(found.default), default)

    def test_texts(self) -> None:
        found = option({"title": 3.5, "description": "d", "default": 2024})
        self.assertEqual((found.title, found.description, found.default), ("3.5", "d", "2024"))

    def test_names(self) -> None:
        for name in ("", "A", "1a", "a-b", "a.b", "a b", "a\n", "_", "é", "a" * 42):
            self.assert_bad({}, name, "a name has", name=name)
        self.assertEqual(option({}, "a" * 41).name, "a" * 41)

    def test_no_mapping(self) -> None:
        for keys in (None, "text", 1, True, ("small", "large")):
            self.assert_bad(keys, "a", "must be a mapping, for example {title: a, type: text}")

    def test_types(self) -> None:
        for said in ("number", "", 1, True, ("text",), {"text": 1}):
            self.assert_bad({"type": said}, "a.type", "one of choice, text, integer, boolean")

    def test_keys(self) -> None:
        self.assert_bad({"colour": 1}, "a.colour", "no such key for type text; here can stand def")
        self.assert_bad({"low": 1}, "a.low", "no such key for type text")
        self.assert_bad({"type": "text", "choices": ["a"]}, "a.choices", "no such key")

    def test_choices(self) -> None:
        without: tuple[object, ...] = (None, [], {}, "small", 1)
        for choices in without:
            self.assert_bad({"type": "choice", "choices": choices}, "a.choices", "must be a list")
        self.assert_bad({"type": "choice"}, "a.choices", "must be a list")
        self.assert_bad({"choices": [["a"]]}, "a.choices", "must be a text on one line")
        self.assert_bad({"choices": ["a\nb"]}, "a.choices", "must be a text on one line")
        self.assert_bad({"choices": {"a": None}}, "a.choices", "must be a text on one line")
        self.assert_bad({"choices": [True]}, "a.choices", "need quotes")

    def test_bounds(self) -> None:
        integer = {"type": "integer"}
        for bound in ("1", 1.5, True, (1,)):
            self.assert_bad({**integer, "low": bound}, "a.low", "must be a whole number")
            self.assert_bad({**integer, "high": bound}, "a.high", "must be a whole number")
        for bound in (10**18, -(10**18)):
            self.assert_bad({**integer, "high": bound}, "a.high", "18 digits")
        self.assert_bad({**integer, "low": 2, "high": 1}, "a.low", "not be more than high, 1")

    def test_defaults(self) -> None:
        for keys, words in (
            ({"choices": ["a"], "default": "b"}, "a must be one of: a."),
            ({"choices": ["a"], "default": ["a"]}, "must be a text on one line"),
            ({"choices": ["yes"], "default": True}, "need quotes"),
            ({"type": "integer", "default": "x"}, "a must be a whole number."),
            ({"type": "integer", "high": 3, "default": 4}, "a must be at most 3."),
            ({"type": "boolean", "default": "maybe"}, "a must be true or false."),
            ({"default": {"b": 1}}, "must be a text on one line"),
            ({"default": "a" * 501}, "a must be one line of 500 characters at most."),
        ):
            self.assert_bad(keys, "a.default", words)

    def test_texts_that_are_none(self) -> None:
        self.assert_bad({"title": {"en": "A"}}, "a.title", "must be a text")
        self.assert_bad({"description": "a\nb"}, "a.description", "on one line")

    @settings(deadline=None)
    @given(st.dictionaries(st.text(), RESULTS))
    def test_whatever_is_configured(self, keys: Mapping[str, object]) -> None:
        try:
            found = option(keys)
        except BadOption as error:
            self.assertTrue(error.path.startswith("a"))
        else:
            self.assertEqual(found.read(found.default), found.default)

    @settings(deadline=None)
    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(["choice", "text", "integer", "boolean"]),
                "choices": st.lists(st.text(max_size=3)) | st.dictionaries(st.text(), st.text()),
                "low": st.integers(),
                "high": st.integers(),
                "default": RESULTS,
            },
        )
    )
    def test_a_default_can_be_chosen(self, keys: Mapping[str, object]) -> None:
        try:
            found = option(keys)
        except BadOption:
            return
        self.assertEqual(chosen((found,), {"a": found.default}), {"a": found.default})


class ChosenTests(SynchronousTestCase):
    def assert_refused(self, given: Mapping[str, object], field: str, message: str) -> None:
        error = self.assertRaises(SpawnRefused, chosen, EXAMPLES, given)
        self.assertEqual((error.status, error.code, error.field), (422, "bad-options", field))
        self.assertEqual(str(error), message)

    def test_nothing(self) -> None:
        expected = {"interface": "lab", "rows": 100, "debug": False, "greeting": "hello"}
        self.assertEqual(chosen(EXAMPLES, {}), expected)
        self.assertEqual(chosen((), {}), {})

    def test_from_json_and_from_a_form(self) -> None:
        expected = {"interface": "tree", "rows": 7, "debug": True, "greeting": ""}
        self.assertEqual(chosen(EXAMPLES, dict(expected)), expected)
        form = {"interface": "tree", "rows": "7", "debug": "on", "greeting": ""}
        self.assertEqual(chosen(EXAMPLES, form), expected)

    def test_booleans(self) -> None:
        for text in ("true", "True", "1", "ON", "yes"):
            self.assertIs(chosen(EXAMPLES, {"debug": text})["debug"], True)
        for text in ("false", "0", "off", "NO", ""):
            self.assertIs(chosen(EXAMPLES, {"debug": text})["debug"], False)
        others: tuple[object, ...] = ("maybe", 1, 0, None, [], {})
        for value in others:
            self.assert_refused({"debug": value}, "debug", "debug must be true or false.")

    def test_numbers(self) -> None:
        for value in ("x", "", "1.0", 1.0, "٣", "1e3", " 1", True, None, [1], "9" * 19, 10**18):
            self.assert_refused({"rows": value}, "rows", "Rows must be a whole number.")
        self.assert_refused({"rows": 0}, "rows", "Rows must be at least 1.")
        self.assert_refused({"rows": "-1"}, "rows", "Rows must be at least 1.")
        self.assert_refused({"rows": 10001}, "rows", "Rows must be at most 10000.")

    def test_numbers_without_bounds(self) -> None:
        options = options_of({"n": {"type": "integer"}})
        for value in (-(10**18) + 1, 0, 10**18 - 1):
            self.assertEqual(chosen(options, {"n": value}), {"n": value})
            self.assertEqual(chosen(options, {"n": str(value)}), {"n": value})
        for value in (10**18, -(10**18), 10**5000):
            self.assertRaises(SpawnRefused, chosen, options, {"n": value})

    def test_choices(self) -> None:
        for value in ("Lab", "", "lab\n", "JupyterLab"):
            self.assert_refused(
                {"interface": value}, "interface", "Interface must be one of: lab, tree."
            )
        for other in (None, 1, True, ["lab"], {"lab": 1}):
            self.assert_refused({"interface": other}, "interface", "Interface must be a text.")

    def test_texts(self) -> None:
        long = "é" * LONGEST_TEXT
        for text in (long, "{user} $(id) `id` ; \"'\\", "日本"):
            self.assertEqual(chosen(EXAMPLES, {"greeting": text})["greeting"], text)
        for text in (f"{long}e", "a\nb", "a\0b", "\x1b[1m", "\ud800", "\u2028"):
            self.assert_refused(
                {"greeting": text},
                "greeting",
                "Greeting must be one line of 500 characters at most.",
            )
        self.assert_refused({"greeting": 1}, "greeting", "Greeting must be a text.")

    def test_what_was_chosen_before_the_options_changed(self) -> None:
        before = chosen(EXAMPLES, {"interface": "tree", "rows": 5000, "greeting": "hi"})
        self.assertEqual(still_chosen(EXAMPLES, before), before)
        now = options_of(
            {
                "interface": {"choices": ["lab"]},
                "rows": {"type": "integer", "default": 7, "high": 1000},
                "greeting": {"type": "text"},
                "more": {"type": "boolean"},
            }
        )
        self.assertEqual(
            still_chosen(now, before),
            {"interface": "lab", "rows": 7, "greeting": "hi", "more": False},
        )

    def test_unknown(self) -> None:
        self.assert_refused({"zzz": 1}, "zzz", "There is no option “zzz”.")
        long = "z" * 1000
        self.assert_refused({long: 1}, long[:40], f"There is no option “{long[:40]}”.")
        self.assert_refused({"rows": 1, "": 1}, "", "There is no option “”.")

    @settings(deadline=None)
    @given(st.dictionaries(st.sampled_from([one.name for one in EXAMPLES]), RESULTS))
    def test_whatever_is_given(self, given_values: Mapping[str, object]) -> None:
        try:
            found = chosen(EXAMPLES, given_values)
        except SpawnRefused as error:
            self.assertEqual(error.status, 422)
        else:
            self.assertEqual(set(found), {"interface", "rows", "debug", "greeting"})
            self.assertEqual(chosen(EXAMPLES, found), found)
