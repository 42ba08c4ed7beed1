"""What a program prints: kept within bounds, without secrets, told to who follows."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.process.output import LONGEST_LINE, Output, hiding


class OutputTests(SynchronousTestCase):
    def setUp(self):
        self.output = Output(hiding(["S3CRET", "S3", "", "first line\nsecond line\n"]))

    def test_lines(self):
        self.output.received(b"one\n\ntw")
        self.assertEqual(self.output.tail(10), ["one", ""])
        self.output.received("o ö\nthr".encode() + b"\xff")
        self.assertEqual(self.output.tail(1), ["two ö"])
        self.output.close()
        self.assertEqual(self.output.tail(10), ["one", "", "two ö", "thr\ufffd"])
        self.assertEqual(self.output.tail(0), [])
        self.assertEqual(self.output.tail(-1), [])

    def test_secrets(self):
        self.output.received(b"a S3C")
        self.output.received(b"RET b S3\nthe first line of it\n")
        self.assertEqual(self.output.tail(10), ["a … b …", "the … of it"])

    def test_nothing_to_hide(self):
        output = Output(hiding(["", "\n"]))
        output.received(b"ab\n")
        self.assertEqual(output.tail(1), ["ab"])

    def test_secret_at_the_cut(self):
        self.output.received(b"y" * (LONGEST_LINE - 3) + b"S3CRET tail\n")
        (line,) = self.output.tail(1)
        self.assertNotIn("S3C", line)
        self.assertEqual(len(line), LONGEST_LINE + 2)

    def test_line_without_end(self):
        for _ in range(3000):
            self.output.received(b"S3CRET" * 100)
        self.output.received(b"RET\nnext\n")
        first, second = self.output.tail(10)
        self.assertEqual((len(first), second), (LONGEST_LINE + 2, "next"))
        self.assertNotIn("S3", first)

    def test_end_of_a_line_without_end(self):
        self.output.received(b"y" * 70_000)
        self.output.received(b"y")
        self.output.close()
        self.assertEqual(len(self.output.tail(10)), 1)

    def test_many_lines(self):
        for number in range(5000):
            self.output.received(b"line %d\n" % number)
        self.assertEqual(len(self.output.tail(10_000)), 1000)
        self.assertEqual(self.output.tail(1), ["line 4999"])

    def test_more_lines_at_a_time_than_are_kept(self):
        """Nobody could read them, and each follower would take time for each of them."""
        heard: list[str] = []
        self.output.follow(0, heard.append, lambda: None)
        self.output.received(b"y" * 70_000)
        self.output.received(b"end of that\n" + b"x\n" * 7000 + b"last\nbegun")
        self.assertEqual(len(heard), 1002)
        self.assertEqual((heard[1], heard[-1]), ("6002 lines left out", "last"))
        self.assertEqual(self.output.tail(10_000), heard[2:])
        self.output.close()
        self.assertEqual(heard[-1], "begun")

    def test_long_lines(self):
        output = Output(size=10_000)
        for _ in range(50):
            output.received("ö".encode() * 2000 + b"\n")
        output.received(b"last\n")
        self.assertEqual([len(line) for line in output.tail(100)], [2000, 2000, 4])

    def test_terminals(self):
        self.output.received(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07bell\x07\r\n")
        self.output.received(b" 10%\r 50%\r100%\n")
        self.output.received(b"a\tb\n")
        self.assertEqual(self.output.tail(3), ["red bell\ufffd", "100%", "a\tb"])

    def test_secret_in_colour(self):
        self.output.received(b"S3\x1b[1mCRET\n")
        self.assertEqual(self.output.tail(1), ["…"])


class FollowTests(SynchronousTestCase):
    def setUp(self):
        self.output = Output()
        self.heard: list[str] = []
        self.output.received(b"one\ntwo\n")

    def follow(self, count=100):
        return self.output.follow(count, self.heard.append, lambda: self.heard.append("END"))

    def test_tail_and_more(self):
        self.follow(1)
        self.output.received(b"three\nfo")
        self.assertEqual(self.heard, ["two", "three"])
        self.output.close()
        self.output.close()
        self.assertEqual(self.heard, ["two", "three", "fo", "END"])

    def test_after_the_end(self):
        self.output.close()
        self.follow()()
        self.assertEqual(self.heard, ["one", "two", "END"])

    def test_no_more(self):
        no_more = self.follow(0)
        no_more()
        no_more()
        self.output.received(b"three\n")
        self.output.close()
        self.assertEqual(self.heard, [])

    def test_no_more_from_within(self):
        """Whoever hears a line may have enough, also for another."""
        stops: list[Callable[[], None]] = []

        def line(text):
            self.heard.append(text)
            for stop in stops:
                stop()

        stops.append(self.output.follow(0, line, lambda: self.heard.append("END")))
        stops.append(self.follow(0))
        self.output.received(b"three\nfour\n")
        self.output.close()
        self.assertEqual(self.heard, ["three"])

    def test_one_that_fails_hears_no_more(self):
        def line(text):
            raise RuntimeError("cannot take it")

        self.output.follow(0, line, lambda: self.heard.append("not for it"))
        self.follow(0)
        self.output.received(b"x\ny\n")
        self.output.close()
        self.assertEqual(self.heard, ["x", "y", "END"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_two(self):
        self.follow(0)
        self.follow(0)
        self.output.received(b"x\n")
        self.assertEqual(self.heard, ["x", "x"])
