"""How frames are read from JSON and written to it, seen at small frames of its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.frames import LARGEST, Vocabulary, WireError, frame, written


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    name: str
    here: bool = False


@frame("one")
class One:
    id: str | int
    text: str = "usual"
    from_: int | None = None
    choice: Literal["a", "b"] = "a"
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    counts: Mapping[str, int] | None = None
    on: bool = False
    chosen: bool | None = None


@frame("two")
class Two:
    number: int


@frame("page")
class Page:
    frames: tuple[One | Two, ...]


VOCABULARY = Vocabulary(One, Two, Page)


def read(**found):
    return VOCABULARY.read(json.dumps(found))


class ReadTests(SynchronousTestCase):
    def refused(self, message, **found):
        error = self.assertRaises(WireError, read, **found)
        self.assertEqual(error.message, message)

    def test_bytes_and_text_are_the_same(self):
        text = '{"t":"two","number":3}'
        self.assertEqual(VOCABULARY.read(text), VOCABULARY.read(text.encode()))

    def test_what_is_not_there_has_its_default(self):
        self.assertEqual(read(t="one", id=1), One(id=1))

    def test_null_is_as_good_as_nothing(self):
        self.assertEqual(read(t="one", id=1, text=None, inner=None), One(id=1))

    def test_unknown_fields_are_passed_over(self):
        self.assertEqual(read(t="two", number=1, later={"x": []}), Two(number=1))

    def test_a_name_that_python_keeps_for_itself(self):
        value = One(id=1, from_=3)
        self.assertEqual(read(**{"t": "one", "id": 1, "from": 3}), value)
        self.assertIn(b'"from":3', written(value))
        self.assertEqual(read(t="one", id=1, from_=3), One(id=1))

    def test_nested_values(self):
        self.assertEqual(
            read(t="one", id="x", inner={"name": "n", "here": True}, counts={"r": 0}),
            One(id="x", inner=Inner(name="n", here=True), counts={"r": 0}),
        )
        self.assertEqual(
            read(t="one", id="x", many=[{"name": "a"}, {"name": "b"}]).many,
            (Inner(name="a"), Inner(name="b")),
        )

    def test_frames_in_frames(self):
        page = Page(frames=(Two(number=1), One(id="x")))
        self.assertEqual(VOCABULARY.read(written(page)), page)
        self.refused("frames no such frame", t="page", frames=[{"t": "page", "frames": []}])
        self.refused("frames must be an object", t="page", frames=["two"])

    def test_what_is_wrong_is_said_where_it_is(self):
        self.refused("number is missing", t="two")
        self.refused("number must be a whole number from 0", t="two", number="1")
        self.refused("text must be a text", t="one", id=7, text=5)
        self.refused("choice must be one of a, b", t="one", id=7, choice="c")
        self.refused("inner name is missing", t="one", id=7, inner={})
        self.refused("many must be a list", t="one", id=7, many={})
        self.refused("counts must be an object", t="one", id=7, counts=[])
        self.refused("on must be true or false", t="one", id=7, on=0)

    def test_ids(self):
        for good in (0, LARGEST, "", "x" * 64, "ü"):
            self.assertEqual(read(t="one", id=good).id, good)
        for bad in (
            "true",
            "-1",
            f"{LARGEST + 1}",
            "1.0",
            f'"{"x" * 65}"',
            "[]",
            "{}",
            '"\\u0000"',
        ):
            self.assertRaises(WireError, VOCABULARY.read, f'{{"t":"one","id":{bad}}}')

    def test_the_id_of_what_was_refused(self):
        error = self.assertRaises(WireError, read, t="one", id="mine", text=3)
        self.assertEqual(error.id, "mine")
        error = self.assertRaises(WireError, read, t="what", id=7)
        self.assertEqual((error.id, error.message), (7, "no such frame"))
        error = self.assertRaises(WireError, read, t="what", id="x" * 65)
        self.assertIsNone(error.id)

    def test_numbers_that_json_readers_disagree_about(self):
        self.assertEqual(read(t="two", number=LARGEST).number, LARGEST)
        for bad in (LARGEST + 1, -1, 1.0, True):
            self.refused("number must be a whole number from 0", t="two", number=bad)
        for name in ("NaN", "Infinity", "-Infinity"):
            error = self.assertRaises(
                WireError, VOCABULARY.read, f'{{"t":"two","id":1,"number":{name}}}'
            )
            self.assertEqual(error.message, "not JSON in UTF-8")

    def test_text_that_can_not_be_passed_on(self):
        self.assertRaises(WireError, VOCABULARY.read, b'{"t":"one","id":1,"text":"\\ud800"}')
        self.assertRaises(WireError, VOCABULARY.read, '{"t":"one","id":1,"text":"\ud800"}')
        self.assertRaises(WireError, VOCABULARY.read, b'{"t":"one","id":1,"text":"\\u0000"}')
        self.assertRaises(WireError, VOCABULARY.read, b'{"t":"one","id":1,"text":"\xff"}')
        pair = VOCABULARY.read(b'{"t":"one","id":1,"text":"\\ud83d\\ude00"}')
        self.assertEqual(pair.text, "\N{GRINNING FACE}")

    def test_what_is_no_object(self):
        for bad in ("[]", "1", "null", '"one"', "[" * 100_000, ""):
            self.assertRaises(WireError, VOCABULARY.read, bad)

    def test_a_name_that_is_no_text(self):
        for bad in ("null", "1", "[]", "{}"):
            self.assertRaises(WireError, VOCABULARY.read, f'{{"t":{bad}}}')

    def test_names(self):
        self.assertEqual(VOCABULARY.names, {"one", "two", "page"})


class WrittenTests(SynchronousTestCase):
    def test_compact_and_in_utf_8(self):
        self.assertEqual(
            written(One(id="x", text="Grüße")),
            '{"t":"one","id":"x","text":"Grüße","choice":"a","many":[]}'.encode(),
        )

    def test_nothing_and_false_are_left_out(self):
        found = json.loads(written(One(id=1, inner=Inner(name="n"), on=False)))
        self.assertNotIn("on", found)
        self.assertNotIn("counts", found)
        self.assertEqual(found["inner"], {"name": "n"})

    def test_false_stays_where_nothing_means_something_else(self):
        value = One(id=1, chosen=False)
        self.assertIs(json.loads(written(value))["chosen"], False)
        self.assertEqual(VOCABULARY.read(written(value)), value)

    def test_zero_and_the_empty_text_stay(self):
        found = json.loads(written(One(id=0, text="", from_=0)))
        self.assertEqual((found["id"], found["text"], found["from"]), (0, "", 0))
