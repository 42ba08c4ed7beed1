"""Places, and the texts and secrets that are read there."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.document import Node, Odd
from giestack.settings.kinds import Secret
from giestack.settings.problems import Report, Wrong
from giestack.settings.reading import Place, shape, shown, text_of

from . import world as w


class PlaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.report = Report()
        self.place = Place("", w.world(), self.report)

    def test_paths(self) -> None:
        self.assertEqual(self.place.below("a").below("b").item(3).below("c").path, "a.b[3].c")

    def test_problem_tells_line_or_origin(self) -> None:
        self.place.below("a").problem("x", Node(1, line=4))
        self.place.below("b").problem("x", Node(1, origin="there"))
        self.assertEqual(
            [str(one) for one in self.report.problems], ["a: x (line 4)", "b: x (there)"]
        )

    def test_files_start_at_the_folder(self) -> None:
        self.assertEqual(self.place.file("x/y", Node(1)), Path("/etc/giestack/x/y"))
        self.assertEqual(self.place.file("/x", Node(1)), Path("/x"))
        self.assertRaises(Wrong, self.place.file, "x\0", Node(1))


class TextTests(SynchronousTestCase):
    def test_scalars(self) -> None:
        self.assertEqual(text_of(Node("a", "a")), "a")
        self.assertEqual(text_of(Node(15, "+15")), "+15")
        for node in (Node(True), Node(None), Node([]), Node({}), Node(Odd("is odd"))):
            self.assertRaises(Wrong, text_of, node)

    def test_shape(self) -> None:
        for node, words in (
            (Node([]), "a list"),
            (Node({}), "a section"),
            (Node(None), "empty"),
            (Node(Odd("x")), "something that YAML alone understands"),
            (Node(5), "a single value"),
        ):
            self.assertEqual(shape(node), words)

    def test_shown_is_short_and_without_passwords(self) -> None:
        self.assertEqual(shown("a"), "'a'")
        self.assertEqual(len(shown("a" * 500)), 60)
        self.assertNotIn("pw", shown("http://user:pw@host"))
        self.assertNotIn("pw", shown("http://user:p@pw@host"))


class SecretTests(SynchronousTestCase):
    def test_a_whole_file(self):
        key = "-----BEGIN KEY-----\nabc\n-----END KEY-----"
        written = '"-----BEGIN KEY-----\\nabc\\n-----END KEY-----"'
        self.assertEqual(w.read(Secret(lines=True), written), (key, []))
        self.assertEqual(w.read(Secret(), '"a\\nb"')[0], None)
        self.assertEqual(
            w.read(Secret(lines=True), '"a\\0b"'), (None, ["holds a control character"])
        )

    def test_as_it_is(self) -> None:
        self.assertEqual(w.read(Secret(), "abc"), ("abc", []))
        self.assertEqual(w.read(Secret(), "12345"), ("12345", []))
        self.assertEqual(w.read(Secret(), "'$HOME {x} $$'"), ("$HOME {x} $$", []))

    def test_from_the_environment(self) -> None:
        environ = {"A": "one", "B_2": "two"}
        self.assertEqual(w.read(Secret(), "${A}", environ=environ), ("one", []))
        self.assertEqual(w.read(Secret(), "x${A}-${B_2}", environ=environ), ("xone-two", []))
        self.assertEqual(
            w.read(Secret(), "${C}", environ=environ), (None, ["the environment has no variable C"])
        )

    def test_what_comes_from_the_environment_is_not_expanded_again(self) -> None:
        self.assertEqual(w.read(Secret(), "${A}", environ={"A": "${B}"}), ("${B}", []))

    def test_from_a_file(self) -> None:
        for content, secret in (("s3\n", "s3"), ("s3\r\n", "s3"), ("s3", "s3"), (" s3 ", " s3 ")):
            files = {"/etc/giestack/key": content}
            self.assertEqual(w.read(Secret(), "file:key", files), (secret, []))
        self.assertEqual(w.read(Secret(), "file:/run/key", {"/run/key": "s"}), ("s", []))

    def test_a_file_that_cannot_be_read(self) -> None:
        for name, reason in (
            ("missing", "No such file or directory"),
            ("unreadable", "Permission denied"),
            ("binary", "it is no UTF-8 text"),
        ):
            text = f"cannot read /etc/giestack/{name}: {reason}"
            self.assertEqual(w.read(Secret(), f"file:{name}"), (None, [text]))

    def test_only_the_last_line_break_of_a_file_is_no_part_of_it(self) -> None:
        files = {"/etc/giestack/key": "s3cret\n\n", "/etc/giestack/empty": "\n"}
        for name in ("key", "empty"):
            value, problems = w.read(Secret(), f"file:{name}", files)
            self.assertEqual((value, len(problems)), (None, 1))
            self.assertNotIn("s3cret", problems[0])

    def test_length_counts_bytes(self) -> None:
        kind = Secret(low=4, high=56)
        self.assertEqual(w.read(kind, "é" * 28), ("é" * 28, []))
        text = "must be 4 to 56 bytes in UTF-8, and is 58"
        self.assertEqual(w.read(kind, "é" * 29), (None, [text]))
        self.assertEqual(w.read(kind, "abc")[1], ["must be 4 to 56 bytes in UTF-8, and is 3"])

    def test_galaxys_own_values_are_taken_as_they_are(self) -> None:
        for text, secret in (("${A}", "${A}"), ("file:x", "file:x"), ('"a\\n"', "a\n")):
            self.assertEqual(w.read(Secret(), text, origin="galaxy.yml"), (secret, []))

    def test_no_text(self) -> None:
        for text in ("[s3cret]", "{s3cret: }", "!s3cret x", "yes"):
            value, problems = w.read(Secret(), text)
            self.assertEqual((value, len(problems)), (None, 1))

    def test_an_environment_with_half_characters(self) -> None:
        value, problems = w.read(Secret(), "${A}", environ={"A": "\udcff"})
        self.assertEqual((value, problems), (None, ["holds half a character (a lone surrogate)"]))
