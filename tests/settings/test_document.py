"""YAML to nodes: what it means, on which line, and every way it can be wrong."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.document import NOTHING, Node, Odd, compose, lookup, with_node
from giestack.settings.problems import Report


def plain(node: Node) -> object:
    """The values alone; odd ones as their text."""
    match node.value:
        case dict():
            return {key: plain(one) for key, one in node.value.items()}
        case list():
            return [plain(one) for one in node.value]
        case Odd():
            return ("odd", node.value.text)
    return node.value


def composed(text: str, lenient: bool = False) -> tuple[object, list[str]]:
    report = Report()
    return plain(compose(text, report, lenient)), [str(one) for one in report.problems]


class ComposeTests(SynchronousTestCase):
    def assert_document(self, text: str, value: object) -> None:
        self.assertEqual(composed(text), (value, []))

    def assert_refused(self, text: str, *parts: str) -> None:
        value, problems = composed(text)
        self.assertEqual((value, len(problems)), ({}, 1), problems)
        for part in parts:
            self.assertIn(part, problems[0])

    def test_empty_documents(self) -> None:
        for text in ("", "\n", "# nothing\n", "---\n", "~", "\ufeff"):
            self.assert_document(text, {})

    def test_plain_values(self) -> None:
        self.assert_document(
            "a: x\nb: 1\nc: 1.5\nd: yes\ne: off\nf:\ng: [1, b]\nh: {i: ~}\n",
            {
                "a": "x",
                "b": 1,
                "c": 1.5,
                "d": True,
                "e": False,
                "f": None,
                "g": [1, "b"],
                "h": {"i": None},
            },
        )
        self.assert_document(
            "a: 2026-01-02\nb: '1'\nc: =\n", {"a": "2026-01-02", "b": "1", "c": "="}
        )
        self.assert_document("\ufeffa: 1", {"a": 1})

    def test_keys_are_texts_whatever_they_look_like(self) -> None:
        self.assert_document("on: 1\n2: 3\n~: 4\n", {"on": 1, "2": 3, "~": 4})

    def test_unusual_numbers_are_odd(self) -> None:
        for number in (
            "0755",
            "0x1F",
            "1:30",
            "1_000",
            ".inf",
            "-.inf",
            ".nan",
            "1.5e+3",
            "9" * 19,
        ):
            value, problems = composed(f"a: {number}")
            self.assertEqual(problems, [])
            assert isinstance(value, dict)
            self.assertEqual(value["a"][0], "odd", number)
            self.assertIn("unusual notation", value["a"][1])

    def test_unknown_tags_are_odd(self) -> None:
        value, problems = composed("a: !vault x\nb: !include [y]\nc: !!set {z}\nd: !!bool maybe")
        self.assertEqual(problems, [])
        assert isinstance(value, dict)
        self.assertEqual([one[0] for one in value.values()], ["odd"] * 4)
        self.assertIn("has a YAML tag", value["a"][1])

    def test_half_a_character_is_odd(self) -> None:
        self.assertEqual(
            composed('a: "\\ud800"'),
            ({"a": ("odd", "holds half a character (a lone surrogate)")}, []),
        )

    def test_lines(self) -> None:
        root = compose("a:\n  b:\n    - x\n    - y\nc: z\n", Report())
        for path, line in (("a", 1), ("a.b", 2), ("a.b[1]", 4), ("c", 5)):
            self.assertEqual(lookup(root, path).line, line, path)

    def test_top_level_must_be_a_mapping(self) -> None:
        for text in ("x", "[a]", "5", "!odd x"):
            self.assert_refused(text, "sections like 'proxy:'")

    def test_syntax_errors_have_line_and_column(self) -> None:
        self.assert_refused("a: 1\nb: [1, 2\n", "not YAML at column", "(line 3)")
        self.assert_refused("a:\n\tb: 1", "column 1", "(line 2)")
        self.assert_refused("a: b: c", "column 5", "(line 1)")
        self.assert_refused("a: 1\n--- \nb: 2\n", "single document")
        self.assert_refused("a: \x00", "no text file has")

    def test_syntax_errors_do_not_repeat_what_may_be_a_secret(self) -> None:
        for text in ("*s3cret", "!s3cret!x y", "&s3cret [", "%s3cret", "@s3cret", '"s3cret'):
            _, problems = composed(f"id_secret: {text}")
            self.assertEqual(len(problems), 1, text)
            self.assertNotIn("s3cret", problems[0])

    def test_a_key_twice(self) -> None:
        value, problems = composed("a:\n  b: 1\n  c: 2\n  b: 3\n")
        self.assertEqual(value, {"a": {"b": 1, "c": 2}})
        self.assertEqual(problems, ["a.b: stands here twice, first on line 2 (line 4)"])

    def test_a_key_that_is_no_word(self) -> None:
        value, problems = composed("a: 1\n[b, c]: 2\n{{ jinja }}: 3\n")
        self.assertEqual(value, {"a": 1})
        self.assertEqual(
            problems,
            ["a key must be a single word (line 2)", "a key must be a single word (line 3)"],
        )

    def test_lenient_is_as_other_programs_read(self) -> None:
        text = "a: 1\na: 2\n[b]: 3\nc: {{ d }}\n<<: 5\n"
        self.assertEqual(composed(text, lenient=True), ({"a": 2, "c": {}}, []))

    def test_merge_keys(self) -> None:
        self.assert_document(
            "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  c: 3\n",
            {"x": {"a": 1, "b": 1}, "y": {"b": 2, "c": 2}, "z": {"a": 1, "b": 1, "c": 3}},
        )
        self.assert_document("x: &x {a: 1}\nz: {a: 2, <<: *x}", {"x": {"a": 1}, "z": {"a": 2}})
        value, problems = composed("z:\n  <<: 5\n  a: 1")
        self.assertEqual(value, {"z": {"a": 1}})
        self.assertEqual(problems, ["z: '<<' takes a mapping or a list of them (line 2)"])

    def test_aliases_of_aliases_end(self) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
        value, problems = composed("\n".join(lines))
        self.assertEqual(problems, [])
        assert isinstance(value, dict)
        self.assertIn("without end", value["a11"][1])

    def test_what_holds_itself_ends(self) -> None:
        value, problems = composed("a: &a [x, *a]")
        self.assertEqual(problems, [])
        assert isinstance(value, dict)
        self.assertEqual((value["a"][0], value["a"][1][0]), ("x", "odd"))

    def test_too_deep(self) -> None:
        value, problems = composed("a: " + "[" * 60 + "]" * 60)
        self.assertEqual(problems, [])
        self.assertIn("without end", repr(value))
        self.assert_refused("a: " + "[" * 5000 + "]" * 5000, "nested too deeply")

    @given(st.text(alphabet=st.sampled_from("ab:{}[]&*!|>'\"%@-?,# \n\t<01.~é")))
    def test_any_text_gives_a_mapping_or_problems(self, text: str) -> None:
        report = Report()
        root = compose(text, report)
        self.assertIsInstance(root.value, dict)
        for problem in report.problems:
            self.assertTrue(str(problem).isprintable() and problem.text, problem)


class TreeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = compose("a: {b: [x, {c: y}]}\nd:\n", Report())

    def test_lookup(self) -> None:
        self.assertEqual(lookup(self.root, "a.b[0]").value, "x")
        self.assertEqual(lookup(self.root, "a.b[1].c").value, "y")
        for path in ("z", "a.z", "a.b[2]", "a.b.c", "a.b[0].c", "d.e"):
            self.assertIs(lookup(self.root, path), NOTHING, path)

    def test_with_node_adds_and_replaces(self) -> None:
        for path in ("a.b", "a.z", "d.e.f", "new"):
            changed = with_node(self.root, path, Node("v", "v"))
            self.assertEqual(lookup(changed, path).value, "v", path)
        self.assertEqual(lookup(with_node(self.root, "a.z", NOTHING), "a.b[0]").value, "x")
        self.assertIsInstance(lookup(self.root, "a.b").value, list)

    def test_with_node_leaves_alone_what_is_no_mapping(self) -> None:
        self.assertEqual(lookup(with_node(self.root, "a.b.c", Node("v")), "a.b[0]").value, "x")

    def test_empty(self) -> None:
        self.assertTrue(Node(None).empty)
        self.assertTrue(Node("").empty)
        for node in (Node(0), Node(False), Node([]), Node({}), Node(" ")):
            self.assertFalse(node.empty, node)
