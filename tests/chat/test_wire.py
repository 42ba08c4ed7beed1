"""What chat's clients and giestack say to each other."""

import json
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import wire
from giestack.chat.frames import LARGEST, Vocabulary, WireError, written

EXAMPLES = json.loads((Path(__file__).parent / "wire_examples.json").read_text(encoding="utf-8"))
VOCABULARIES = {"requests": wire.REQUESTS, "answers": wire.ANSWERS}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
numbers = st.integers(0, LARGEST)
ids = numbers | texts


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """All that a field of this type may hold."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint == wire.Id:
        return ids
    if origin in (Union, UnionType):
        return st.one_of(*[values_of(one) for one in inner])
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        return st.lists(values_of(inner[0]), max_size=3).map(tuple)
    if inner:
        return st.dictionaries(texts, values_of(inner[1]), max_size=3)
    plain = {str: texts, int: numbers, bool: st.booleans(), type(None): st.none()}
    return plain[hint] if hint in plain else frames_of(hint)


def frames_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    found = {one.name: values_of(hints[one.name]) for one in fields(kind)}
    # False is left out on the wire, so it comes back as nothing where nothing is allowed.
    return st.builds(kind, **found)


requests = st.one_of(*[frames_of(one) for one in get_args(wire.Request)])
answers = st.one_of(*[frames_of(one) for one in get_args(wire.Answer)])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
field_names = st.sampled_from(
    ["id", "room", "rooms", "text", "seq", "ref", "act", "kind", "user", "limit", "events", "prefs"]
)
almost = st.dictionaries(field_names, json_values | ids, max_size=6)


def read(vocabulary: Vocabulary, data: bytes | str) -> Any:
    try:
        return vocabulary.read(data)
    except WireError as error:
        return error


class InverseTests(SynchronousTestCase):
    @given(requests)
    def test_requests(self, value):
        self.assertEqual(wire.REQUESTS.read(written(value)), value)

    @given(answers)
    def test_answers(self, value):
        self.assertEqual(wire.ANSWERS.read(written(value)), value)

    @given(answers)
    def test_a_frame_is_one_line(self, value):
        # Server-sent events end a line with it.
        data = written(value)
        self.assertNotIn(b"\n", data)
        self.assertNotIn(b"\r", data)


class AnythingTests(SynchronousTestCase):
    """Any bytes give a value or the one error, and never anything else."""

    @given(st.binary() | st.text() | json_values.map(json.dumps))
    @example("[" * 100_000)
    @example('{"t":"msg","id":' + "[" * 100_000)
    @example('{"a":' * 50_000 + "1" + "}" * 50_000)
    @example('{"t":"read","id":1,"room":"r","seq":' + "9" * 10_000 + "}")
    @example('{"t":"read","id":1,"room":"r","seq":1e999}')
    @example('{"t":"read","id":1,"room":"r","seq":-1}')
    @example('{"t":"join","id":' + "1" * 5_000 + ',"room":"r"}')
    @example(b"\xff\xfe{\x00}\x00")
    @example(b'\xef\xbb\xbf{"t":"typing","room":"r"}')
    @example("\ud800")
    def test_any_bytes(self, data):
        for vocabulary in VOCABULARIES.values():
            read(vocabulary, data)

    @given(st.sampled_from(sorted(wire.REQUESTS.names | wire.ANSWERS.names)), almost)
    def test_anything_that_looks_like_a_frame(self, name, found):
        text = json.dumps({"t": name, **found})
        for vocabulary in VOCABULARIES.values():
            value = read(vocabulary, text)
            if not isinstance(value, WireError):
                self.assertEqual(vocabulary.read(written(value)), value)

    @given(answers)
    def test_no_prefix_of_a_frame_is_one(self, value):
        data = written(value)
        for end in range(0, len(data), max(1, len(data) // 20)):
            self.assertRaises(WireError, wire.ANSWERS.read, data[:end])

    def test_of_two_fields_of_one_name_the_last_counts(self):
        found = wire.REQUESTS.read('{"t":"join","t":"leave","id":1,"id":2,"room":"a","room":"b"}')
        self.assertEqual(found, wire.Leave(id=2, room="b"))


class ExampleTests(SynchronousTestCase):
    """The examples that the widget's tests use too."""

    def test_valid_ones_stay_as_they_are(self):
        for name, vocabulary in VOCABULARIES.items():
            for sent in EXAMPLES[name]:
                value = vocabulary.read(json.dumps(sent))
                self.assertEqual(json.loads(written(value)), sent)

    def test_every_frame_has_one(self):
        for name, vocabulary in VOCABULARIES.items():
            self.assertEqual({one["t"] for one in EXAMPLES[name]}, vocabulary.names)

    def test_every_field_has_one(self):
        for name, kinds in (("requests", wire.Request), ("answers", wire.Answer)):
            for kind in get_args(kinds):
                shown = set()
                for one in EXAMPLES[name]:
                    value = VOCABULARIES[name].read(json.dumps(one))
                    if isinstance(value, kind):
                        shown |= one.keys()
                known = {one.name.rstrip("_") for one in fields(kind)}
                self.assertEqual(known - shown, set(), kind)

    def test_what_is_left_out_has_its_default(self):
        for one in EXAMPLES["shortened"]:
            vocabulary = VOCABULARIES[one["of"]]
            self.assertEqual(
                vocabulary.read(json.dumps(one["short"])), vocabulary.read(json.dumps(one["full"]))
            )

    def test_invalid_ones_are_refused_with_their_id(self):
        for one in EXAMPLES["invalid"]:
            error = read(VOCABULARIES[one["of"]], one["text"])
            self.assertIsInstance(error, WireError, one["why"])
            self.assertEqual(error.id, one.get("id"), one["why"])
            self.assertTrue(error.message)


class CodeTests(SynchronousTestCase):
    def test_close_codes_are_those_that_applications_may_use(self):
        # RFC 6455 section 7.4, and the registry of close codes for 1012.
        for code in (
            wire.CLOSE_NOT_LOGGED_IN,
            wire.CLOSE_FORBIDDEN,
            wire.CLOSE_TOO_SLOW,
            wire.CLOSE_FLOOD,
        ):
            self.assertIn(code, range(4000, 5000))
        self.assertEqual((wire.CLOSE_RESTART, wire.CLOSE_TOO_BIG), (1012, 1009))

    def test_for_ever_can_be_written(self):
        state = wire.RoomState(id="r", name="r", kind="public", muted_until=wire.FOR_EVER)
        frame = wire.Room(room=state)
        self.assertEqual(wire.ANSWERS.read(written(frame)), frame)
