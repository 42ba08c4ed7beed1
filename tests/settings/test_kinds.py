"""What values may be: scalars, lists, mappings and sections."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.kinds import (
    REQUIRED,
    Anything,
    Boolean,
    Choice,
    ListOf,
    LogFile,
    MapOf,
    Number,
    PathOf,
    Section,
    Size,
    Text,
    Whole,
    keys_of,
    no_entries,
)
from giestack.settings.reading import Kind

from .world import read


class KindCase(SynchronousTestCase):
    def assert_read(self, kind: Kind, texts: Mapping[str, object]) -> None:
        for text, value in texts.items():
            found, problems = read(kind, text)
            self.assertEqual((found, problems), (value, []), text)
            self.assertIs(type(found), type(value), text)

    def assert_refused(self, kind: Kind, texts: Mapping[str, str]) -> None:
        for text, words in texts.items():
            found, problems = read(kind, text)
            self.assertEqual((found, len(problems)), (None, 1), (text, found, problems))
            self.assertIn(words, problems[0], text)


class ScalarTests(KindCase):
    def test_text(self) -> None:
        self.assert_read(Text(), {"a b": "a b", "5": "5", "1.50": "1.50", "'yes'": "yes"})
        self.assert_refused(
            Text(),
            {
                "yes": "need quotes",
                "[a]": "not a list",
                "{a: b}": "not a section",
                '"a\\nb"': "line break",
                "0755": "in quotes",
                "!x y": "YAML tag",
            },
        )

    def test_boolean(self) -> None:
        self.assert_read(
            Boolean(),
            {
                "true": True,
                "no": False,
                "'Off'": False,
                "'TRUE'": True,
                "1": True,
                "0": False,
            },
        )
        self.assert_refused(Boolean(), {"maybe": "true or false, not 'maybe'", "[]": "a list"})

    def test_whole(self) -> None:
        port = Whole(low=1, high=65535)
        self.assert_read(port, {"1": 1, "65535": 65535, "' 80 '": 80, "'080'": 80, "+5": 5})
        self.assert_refused(
            port,
            {
                "0": "1 to 65535, not '0'",
                "65536": "1 to 65535",
                "1.0": "whole number",
                "80a": "not '80a'",
                "yes": "a whole number",
                "'١'": "whole number",
                "1_0": "unusual notation",
            },
        )
        self.assert_refused(Whole(low=0), {"-1": "0 or more", "9" * 40: "unusual"})
        self.assert_refused(Whole(low=0), {f"'{'9' * 40}'": "0 or more"})

    def test_number(self) -> None:
        self.assert_read(Number(low=0), {"0": 0.0, "5": 5.0, "2.5": 2.5, "'1.'": 1.0})
        self.assert_refused(
            Number(low=0),
            {
                "-0.1": "0 or more, not '-0.1'",
                "'nan'": "number",
                "'inf'": "number",
                "'1e9'": "number",
            },
        )
        self.assert_refused(Number(low=0, above=True), {"0": "more than 0"})
        self.assert_read(Number(low=0, above=True), {"0.01": 0.01})

    def test_size(self) -> None:
        self.assert_read(
            Size(),
            {
                "0": 0,
                "65536": 65536,
                "1K": 1024,
                "512M": 512 * 1024**2,
                "20g": 20 * 1024**3,
                "1.5G": 3 * 1024**3 // 2,
                "2 TiB": 2 * 1024**4,
                "64MB": 64 * 1024**2,
                "100B": 100,
            },
        )
        size = "size in bytes, or like 512M or 20G"
        self.assert_refused(
            Size(),
            {
                "lots": f"{size}, not 'lots'",
                "-1": size,
                "2X": size,
                "1.5": size,
                "M": size,
                "99999999T": size,
                f"'{'9' * 400}'": size,
            },
        )
        self.assert_read(Size(low=1024), {"0": 0, "1K": 1024})
        self.assert_refused(
            Size(low=1024), {"64": "1024 bytes or more, or 0 for no limit, not '64'"}
        )

    @given(st.integers(0, 2**40), st.sampled_from(["", "K", "M"]))
    def test_sizes_are_exact(self, number: int, unit: str) -> None:
        factor = {"": 1, "K": 1024, "M": 1024**2}[unit]
        self.assertEqual(read(Size(), f"{number}{unit}"), (number * factor, []))

    def test_choice(self) -> None:
        self.assert_read(Choice("owner", "token"), {"owner": "owner", "'token'": "token"})
        self.assert_read(Choice("on", "off"), {"off": "off"})
        self.assert_refused(Choice("a", "b", "c"), {"Z": "a, b or c, not 'Z'", "no": "not 'no'"})

    def test_path(self) -> None:
        self.assert_read(PathOf(), {"x/y": Path("/etc/giestack/x/y"), "/x": Path("/x")})
        self.assert_refused(PathOf(), {"[]": "a path", '"a\\0b"': "NUL"})
        files = {"/etc/giestack/ca.pem": ""}
        found = read(PathOf(existing=True), "ca.pem", files)
        self.assertEqual(found, (Path("/etc/giestack/ca.pem"), []))
        found = read(PathOf(existing=True), "cb.pem", files)
        self.assertEqual(found, (None, ["there is no file /etc/giestack/cb.pem"]))

    def test_log_file(self) -> None:
        self.assert_read(
            LogFile(),
            {
                "access.log": Path("access.log"),
                "/var/log/a": Path("/var/log/a"),
                "stdout": "stdout",
                "syslog": "syslog",
                "'off'": "off",
                "off": "off",
                "no": "off",
            },
        )
        self.assert_refused(
            LogFile(),
            {
                "../a": "a file in data_dir, stdout, syslog or off",
                '"a\\0"': "file",
                "yes": "stdout",
            },
        )


class ContainerTests(KindCase):
    def test_list(self) -> None:
        self.assert_read(ListOf(Text()), {"[]": (), "[a, 5]": ("a", "5")})
        self.assert_refused(
            ListOf(Text()), {"a": "must be a list, like [a, b], not a single value"}
        )

    def test_list_names_every_item(self) -> None:
        found, problems = read(ListOf(Whole(low=0)), "[1, x, 2, y]")
        self.assertEqual((found, len(problems)), ((1, 2), 2))

    def test_list_with_commas(self) -> None:
        kind = ListOf(Text(), commas=True)
        self.assert_read(
            kind, {"a@b.c": ("a@b.c",), "' a , b,, '": ("a", "b"), "[a, b]": ("a", "b")}
        )
        self.assert_refused(kind, {"5": "a list", "{}": "a list"})

    def test_map(self) -> None:
        found, problems = read(MapOf(Text()), "{A: x, B: 5}")
        self.assertEqual((dict(found), problems), ({"A": "x", "B": "5"}, []))  # type: ignore[call-overload]
        self.assert_refused(MapOf(Text()), {"[]": "must be a mapping"})
        self.assertEqual(len(read(MapOf(Text()), "{A: yes, B: [], C: d}")[1]), 2)

    def test_maps_cannot_be_written_to(self) -> None:
        for found in (read(MapOf(Text()), "{A: x}")[0], no_entries()):
            with self.assertRaises(TypeError):
                found["A"] = "y"  # type: ignore[index]

    def test_anything(self) -> None:
        found, problems = read(Anything(), "{a: [1, yes, ~, {b: 1.5}], c: x}")
        self.assertEqual(problems, [])
        self.assertEqual(found, {"a": (1, True, None, {"b": 1.5}), "c": "x"})
        self.assert_refused(Anything(), {"!x y": "YAML tag"})
        self.assertEqual(len(read(Anything(), "{a: [!x y], b: 0755}")[1]), 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    deep: Annotated[int, Whole(low=0)] = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: Annotated[str, Text(), REQUIRED] = ""
    size: Annotated[int, Size()] = 3
    inner: Annotated[Inner, Section(Inner)] = Inner()
    maybe: Annotated[Inner | None, Section(Inner)] = None


class SectionTests(KindCase):
    kind = Section(Outer)

    def test_keys(self) -> None:
        keys = keys_of(Outer)
        self.assertEqual(list(keys), ["name", "size", "inner", "maybe"])
        self.assertTrue(keys["name"].required)
        self.assertEqual((keys["size"].required, keys["size"].default), (False, 3))

    def test_defaults(self) -> None:
        self.assertEqual(read(self.kind, "{name: a}"), (Outer(name="a"), []))

    def test_values(self) -> None:
        text = "{name: a, size: 1K, inner: {deep: 1}, maybe: {deep: 2}}"
        expected = Outer(name="a", size=1024, inner=Inner(deep=1), maybe=Inner(deep=2))
        self.assertEqual(read(self.kind, text), (expected, []))

    def test_empty_is_the_default_but_a_section_that_stands_there_is_on(self) -> None:
        self.assertEqual(read(self.kind, "{name: a, size: , inner: }"), (Outer(name="a"), []))
        self.assertEqual(read(self.kind, "{name: a, size: ''}"), (Outer(name="a"), []))
        self.assertEqual(
            read(self.kind, "{name: a, maybe: }"), (Outer(name="a", maybe=Inner()), [])
        )

    def test_missing(self) -> None:
        self.assertEqual(read(self.kind, "{size: 1}")[1], ["is missing"])
        self.assertEqual(read(self.kind, "{name: }")[1], ["is missing"])

    def test_unknown(self) -> None:
        self.assertEqual(
            read(self.kind, "{name: a, siez: 1}")[1],
            ["there is no such key; did you mean 'size'?"],
        )
        self.assertEqual(
            read(self.kind, "{name: a, zzz: 1}")[1],
            ["there is no such key; here can stand name, size, inner, maybe"],
        )

    def test_no_section(self) -> None:
        for text in ("[]", "x", "''", "5"):
            _, problems = read(self.kind, f"{{name: a, inner: {text}}}")
            self.assertEqual(len(problems), 1, text)
            self.assertIn("must be a section with keys of its own", problems[0])

    def test_every_problem_at_once(self) -> None:
        text = "{size: x, zzz: 1, inner: {deep: -1, deap: 2}}"
        found, problems = read(self.kind, text)
        self.assertEqual(found, Outer())
        self.assertEqual(len(problems), 5)
