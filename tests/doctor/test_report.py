"""What is printed."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.check import Check, Result, fail, ok, warn
from giestack.doctor.report import Redaction, Report, as_json

A = Check("maps.a", "maps", "the maps", tuple)
B = Check("machine.b", "this machine", "the machine", tuple)
FINE = Result(A, ok("all is well"), 0.25)
BAD = Result(A, fail("it is broken", "mend it"), 0.0)
ODD = Result(B, warn("it is odd", "look at it"), 0.0)
PLAIN = Redaction([])


class LinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.report = Report(PLAIN, colours=False)

    def test_a_group_is_named_once(self) -> None:
        self.assertEqual(self.report.lines(FINE), ["Maps", "  ok    all is well"])
        self.assertEqual(self.report.lines(BAD), ["  FAIL  it is broken", "        → mend it"])
        self.assertEqual(
            self.report.lines(ODD),
            ["", "This machine", "  warn  it is odd", "        → look at it"],
        )

    def test_long_lines_are_broken_and_aligned(self) -> None:
        long = Result(A, warn("word " * 60, "word " * 60), 0.0)
        lines = self.report.lines(long)[1:]
        self.assertTrue(all(len(line) <= 110 for line in lines))
        self.assertTrue(all(line.startswith("  ") for line in lines))

    def test_colours_where_there_are_some(self) -> None:
        self.assertIn("\033[31;1mFAIL\033[0m", Report(PLAIN, colours=True).lines(BAD)[1])
        self.assertNotIn("\033", "".join(self.report.lines(BAD)))

    def test_summary(self) -> None:
        for results, text in (
            ([FINE], "All is well; 1 of 1 are fine."),
            ([FINE, ODD], "No failures, 1 warning; 1 of 2 are fine."),
            ([FINE, ODD, ODD, BAD], "1 failure, 2 warnings; 1 of 4 are fine."),
        ):
            self.assertEqual(self.report.summary(results), ["", text])

    def test_what_is_waited_for(self) -> None:
        self.assertEqual(self.report.waiting(A, 12), "  …     the ")


class RedactionTests(SynchronousTestCase):
    def test_secrets_are_taken_out(self) -> None:
        redaction = Redaction(["secret-one", None, "", "secret-one-more"])
        self.assertEqual(redaction("a secret-one-more, secret-one b"), "a ***, *** b")

    def test_short_words_are_not_secrets(self) -> None:
        self.assertEqual(Redaction(["a"])("a banana"), "a banana")

    @given(st.text(max_size=50))
    def test_nothing_reaches_the_terminal_that_it_would_act_upon(self, text: str) -> None:
        self.assertTrue(PLAIN(text).isprintable())


class JsonTests(SynchronousTestCase):
    def test_for_programs(self) -> None:
        told = json.loads(
            as_json([FINE, Result(B, fail("key-123456", "x"), 0.0)], Redaction(["key-123456"]))
        )
        self.assertEqual(
            told[0],
            {
                "check": "maps.a",
                "group": "maps",
                "status": "ok",
                "message": "all is well",
                "remedy": "",
                "seconds": 0.25,
            },
        )
        self.assertEqual(told[1]["message"], "***")
